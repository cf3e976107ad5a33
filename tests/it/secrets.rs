//! What people tell of their homes, and who gets to know it.

use crate::{
    journey::{act, begin_work, clean, noon, see, until_work_begins},
    mesh::Mesh,
};
use chrono::{DateTime, Duration, Utc};
use kit::testing::{Backend, eventually};
use quickserve::demo::{self, Person, Provider, text_at};
use serde_json::{Value, json};
use yare::parameterized;

/// How to get into the home of every story.
const ACCESS: &str = "key box 4711";

/// An order that names no provider.
async fn open_order(customer: &Person, start: DateTime<Utc>) -> String {
    let mut request = demo::quote_request("", start);
    request["details"]["access"] = ACCESS.into();
    let quote = customer.client.post("/v1/quotes", request).await.unwrap().ok().unwrap();
    let body = json!({ "quote_id": quote["id"] });
    let order = customer.client.post("/v1/orders", body).await.unwrap().ok().unwrap();
    text_at(&order, "id").unwrap()
}

/// The offer of an order that a provider has, once there is one.
async fn offer_of(provider: &Provider, order: &str) -> String {
    let offers = async || provider.person.client.get("/v1/offers").await.unwrap().ok().unwrap();
    let of_order = |listed: &Value| {
        let offers = listed["offers"].as_array().into_iter().flatten();
        offers
            .filter(|offer| offer["order_id"] == order)
            .find_map(|offer| text_at(offer, "id").ok())
    };
    let listed = eventually("an offer", offers, |listed| of_order(listed).is_some()).await;
    of_order(&listed).unwrap()
}

/// Has all who are asked accept at once. Returns who gets the order, and the others.
pub async fn race<'a>(asked: &[&'a Provider], order: &str) -> (&'a Provider, Vec<&'a Provider>) {
    let mut paths = Vec::new();
    for provider in asked {
        paths.push(format!("/v1/offers/{}:accept", offer_of(provider, order).await));
    }
    let calls = asked.iter().zip(&paths);
    let calls = calls.map(|(provider, path)| provider.person.client.post(path, json!({})));
    let answers = futures::future::join_all(calls).await;
    let (mut winners, mut losers) = (Vec::new(), Vec::new());
    for (provider, answer) in asked.iter().zip(answers) {
        let answer = answer.unwrap();
        if answer.status == 200 {
            winners.push(*provider);
        } else {
            assert_eq!(answer.reason(), "OFFER_TAKEN", "{}", answer.body);
            losers.push(*provider);
        }
    }
    assert_eq!(winners.len(), 1);
    (winners[0], losers)
}

async fn reads_access_of(order: &str, winner: &Provider, losers: &[&Provider]) {
    let path = format!("/v1/orders/{order}/cleaning");
    let read = winner.person.client.get(&path).await.unwrap();
    assert_eq!(read.status, 200, "the winner reads: {}", read.body);
    assert_eq!(read.body["details"]["access"], ACCESS);
    for loser in losers {
        let read = loser.person.client.get(&path).await.unwrap();
        assert_eq!(read.status, 404, "a loser reads: {}", read.body);
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn of_three_who_accept_at_once_the_one_with_the_order_reads_how_to_get_in(backend: Backend) {
    const RACES: i32 = 12;
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let alice = mesh.customer("alice").await;
    let cleaners = [
        mesh.cleaner(&operator, "bob").await,
        mesh.cleaner(&operator, "carol").await,
        mesh.cleaner(&operator, "dan").await,
    ];
    let all: Vec<_> = cleaners.iter().collect();
    for number in 0..RACES {
        let start = noon(&mesh) + Duration::hours(4) * number;
        let order = open_order(&alice, start).await;
        let (winner, losers) = race(&all, &order).await;
        reads_access_of(&order, winner, &losers).await;
        if number % 4 != 0 {
            continue;
        }
        // The winner gives up: the losers are asked again, the winner is not, and forgets how to get in.
        act(&winner.person, &order, "reassign", json!({ "reason": "ILL" })).await;
        let (second, mut others) = race(&losers, &order).await;
        others.push(winner);
        reads_access_of(&order, second, &others).await;
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn rework_closes_the_gate_at_once(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let (customer, provider) = (mesh.customer("alice").await, mesh.cleaner(&operator, "bob").await);
    let order = demo::book_cleaning(&customer, &provider, noon(&mesh)).await.unwrap();
    let id = text_at(&order, "id").unwrap();
    let (customer, cleaner) = until_work_begins(&mesh, &customer, &provider, &id).await;
    clean(&cleaner, &id).await;
    for _ in 0..3 {
        act(&cleaner, &id, "deliver", json!({})).await;
        act(&customer, &id, "requestChanges", json!({ "reason": "The floor is wet." })).await;
        let deliver = format!("/v1/orders/{id}:deliver");
        let early = cleaner.client.post(&deliver, json!({})).await.unwrap();
        assert_eq!((early.status.as_u16(), early.reason()), (400, "COMPLETION_GATE_CLOSED"));
        clean(&cleaner, &id).await;
    }
    let delivered: Value = act(&cleaner, &id, "deliver", json!({})).await;
    assert_eq!(delivered["state"], "ORDER_STATE_DELIVERED");
}

/// What a customer tells of their home, one text in each field.
const HOME: [&str; 5] =
    ["17 rue du Serin", "door code 0815", ACCESS, "the dog bites", "ring at the neighbour's"];

/// Books a cleaning by the provider, with all that can be told of a home.
async fn book_home(customer: &Person, provider: &Provider, start: DateTime<Utc>) -> String {
    let [street, door, access, details, notes] = HOME;
    let mut request = demo::quote_request(&provider.provider_id, start);
    request["address"]["lines"] = json!([street]);
    request["address"]["access_notes"] = door.into();
    request["details"]["access"] = access.into();
    request["details"]["notes"] = details.into();
    let quote = customer.client.post("/v1/quotes", request).await.unwrap().ok().unwrap();
    for secret in &HOME[..4] {
        assert!(quote.to_string().contains(secret), "the customer reads the own quote: {quote}");
    }
    let body = json!({ "quote_id": quote["id"], "notes": notes });
    let order = customer.client.post("/v1/orders", body).await.unwrap().ok().unwrap();
    text_at(&order, "id").unwrap()
}

/// Which of the home's secrets somebody reads there.
async fn secrets_in(person: &Person, path: &str) -> Vec<&'static str> {
    let answer = person.client.get(path).await.unwrap();
    let answer = answer.ok().unwrap().to_string();
    HOME.into_iter().filter(|secret| answer.contains(secret)).collect()
}

/// Checks that somebody reads `expected` of the home in every answer about the order, and nothing in lists.
async fn reads_home(person: &Person, order: &str, expected: &[&str]) {
    for path in [format!("/v1/orders/{order}"), format!("/v1/orders/{order}?view=full")] {
        assert_eq!(secrets_in(person, &path).await, expected, "{} in {path}", person.email);
    }
    assert!(secrets_in(person, "/v1/orders").await.is_empty(), "{} in the list", person.email);
}

/// Checks that the vertical shows somebody the same of the home as the order does.
async fn reads_cleaning(person: &Person, order: &str, expected: &[&str]) {
    let read = secrets_in(person, &format!("/v1/orders/{order}/cleaning")).await;
    let of_details: Vec<_> = HOME[2..4].iter().filter(|it| expected.contains(it)).collect();
    assert_eq!(read.iter().collect::<Vec<_>>(), of_details, "{}", person.email);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn the_provider_reads_of_a_home_from_the_assignment_to_a_day_after_the_work(
    backend: Backend,
) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let (alice, bob) = (mesh.customer("alice").await, mesh.cleaner(&operator, "bob").await);
    let declined = book_home(&alice, &bob, noon(&mesh) + Duration::days(1)).await;
    let order = book_home(&alice, &bob, noon(&mesh)).await;

    // Who was only asked, and who has declined, reads the neighbourhood.
    reads_home(&bob.person, &order, &[]).await;
    let asked = see(&bob.person, &order).await;
    assert_eq!(
        (&asked["address"]["city"], &asked["address"]["lat"]),
        (&json!("Paris"), &json!(48.86))
    );
    assert_eq!(asked["details"]["rooms"], 2, "what the price depends on is no secret");
    act(&bob.person, &declined, "decline", json!({})).await;
    reads_home(&bob.person, &declined, &[]).await;
    for person in [&alice, &operator] {
        reads_home(person, &order, &HOME).await;
    }

    // The one who goes there reads it all. What is kept for the key of a call never has it.
    let key = [("idempotency-key", "accept-once")];
    let path = format!("/v1/orders/{order}:accept");
    let accept = async |person: &Person| {
        let sent = person.client.send(http::Method::POST, &path, Some(json!({})), &key).await;
        sent.unwrap().ok().unwrap().to_string()
    };
    let accepted = accept(&bob.person).await;
    assert!(!HOME.into_iter().any(|secret| accepted.contains(secret)), "{accepted}");
    reads_home(&bob.person, &order, &HOME).await;
    let (alice, cleaner) = begin_work(&mesh, &alice, &bob, &order).await;
    reads_home(&cleaner, &order, &HOME).await;
    reads_cleaning(&cleaner, &order, &HOME).await;
    clean(&cleaner, &order).await;
    act(&cleaner, &order, "deliver", json!({})).await;
    act(&alice, &order, "acceptDelivery", json!({})).await;

    // Something may have been forgotten there; after a day there is no more reason to know.
    mesh.clock.advance(Duration::hours(23));
    let cleaner = mesh.again(&cleaner).await;
    reads_home(&cleaner, &order, &HOME).await;
    reads_cleaning(&cleaner, &order, &HOME).await;
    mesh.clock.advance(Duration::hours(1));
    let cleaner = mesh.again(&cleaner).await;
    reads_home(&cleaner, &order, &[]).await;
    reads_cleaning(&cleaner, &order, &[]).await;
    assert_eq!(accept(&cleaner).await, accepted, "the kept answer");
    for person in [&alice, &operator] {
        let person = mesh.again(person).await;
        reads_home(&person, &order, &HOME).await;
        reads_cleaning(&person, &order, &HOME).await;
    }
}
