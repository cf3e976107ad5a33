//! Who may care for children, and who is asked first, as people live it over HTTP.

use crate::{
    appointments::moment,
    care::care,
    journey::{act, attempt, get, is_told, noon, post, see},
    mesh::Mesh,
};
use chrono::{DateTime, Duration, Utc};
use kit::testing::{Backend, eventually};
use quickserve::demo::{self, Person, Provider, text_at};
use serde_json::{Value, json};
use yare::parameterized;

/// Three hours of care of a child by whoever takes it.
fn open_request(child: &str, start: DateTime<Utc>) -> Value {
    let mut request = demo::care_request("", &[child], start, 180);
    request.as_object_mut().unwrap().remove("provider_id");
    request
}

/// Why a customer cannot book something; panics where it is booked.
async fn refusal_of_booking(customer: &Person, request: Value) -> String {
    let quote = customer.client.post("/v1/quotes", request).await.unwrap();
    if !quote.status.is_success() {
        return quote.reason().to_owned();
    }
    let order = json!({ "quote_id": quote.body["id"] });
    let answer = customer.client.post("/v1/orders", order).await.unwrap();
    assert!(!answer.status.is_success(), "it is booked: {}", answer.body);
    answer.reason().to_owned()
}

/// The id of the offer of an order that a carer has; empty for none.
async fn offer_of(carer: &Person, order: &str) -> String {
    let listed = get(carer, "/v1/offers").await;
    let mut offers = listed["offers"].as_array().into_iter().flatten();
    let offer = offers.rfind(|offer| offer["order_id"] == order);
    offer.map(|offer| text_at(offer, "id").unwrap()).unwrap_or_default()
}

/// Waits until a carer is asked.
async fn until_asked(carer: &Person, order: &str) -> String {
    let offer = async || offer_of(carer, order).await;
    eventually("the carer is asked", offer, |offer| !offer.is_empty()).await
}

/// Waits until others are asked to take an order from its carer, and one of them does.
async fn takes_over(parent: &Person, carer: &Person, order: &str) {
    let own = async || see(parent, order).await;
    let is_searched = |order: &Value| order["state"] == "ORDER_STATE_SEARCHING";
    eventually("another carer is searched for", own, is_searched).await;
    let offer = until_asked(carer, order).await;
    post(carer, &format!("/v1/offers/{offer}:accept"), json!({})).await;
    assert_eq!(see(parent, order).await["state"], "ORDER_STATE_ASSIGNED");
}

/// Withdraws the first-aid document of a carer.
async fn revoke_first_aid(operator: &Person, carer: &Provider) {
    let path = format!("/v1/providers/{}/documents", carer.provider_id);
    let listed = get(operator, &path).await;
    let documents = listed["documents"].as_array().unwrap().iter();
    let found = documents.clone().find(|document| document["kind"] == "first_aid").unwrap();
    let revoke = format!("{path}/{}:revoke", text_at(found, "id").unwrap());
    post(operator, &revoke, json!({ "reason": "it was forged" })).await;
}

/// Gives a carer a first-aid document that ends with a date on the clock of Auckland, twelve hours ahead of Greenwich, in
/// place of the one that they have.
async fn shorten_first_aid(operator: &Person, carer: &Provider, last_day: &str) {
    let profile = format!("/v1/providers/{}", carer.provider_id);
    let change = json!({ "time_zone": "Pacific/Auckland" });
    let client = &carer.person.client;
    client.send(http::Method::PATCH, &profile, Some(change), &[]).await.unwrap().ok().unwrap();
    revoke_first_aid(operator, carer).await;
    let document = json!({
        "kind": "first_aid", "number": "DEMO-2",
        "issued_on": "2026-01-01", "expires_on": last_day,
    });
    let path = format!("{profile}/documents");
    let submitted = post(&carer.person, &path, document).await;
    let verify = format!("{path}/{}:verify", text_at(&submitted, "id").unwrap());
    post(operator, &verify, json!({})).await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn favourites_are_asked_alone_for_half_an_hour(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let (bob, eve) = (mesh.carer(&operator, "bob").await, mesh.carer(&operator, "eve").await);
    let parent = mesh.customer("alice").await;
    let family = demo::make_family(&parent, noon(&mesh)).await.unwrap();
    let path = format!("/v1/me/favourites/{}", eve.provider_id);
    let liked = parent.client.send(http::Method::PUT, &path, Some(json!({})), &[]).await;
    liked.unwrap().ok().unwrap();
    let order = demo::book(&parent, open_request(&family.max, noon(&mesh))).await.unwrap();
    let id = text_at(&order, "id").unwrap();
    let of_eve = until_asked(&eve.person, &id).await;
    mesh.clock.advance(Duration::minutes(29));
    let [bob, eve] = [mesh.again(&bob.person).await, mesh.again(&eve.person).await];
    assert_eq!(offer_of(&bob, &id).await, "", "the first half hour is the favourite's");
    assert_eq!(offer_of(&eve, &id).await, of_eve);
    mesh.clock.advance(Duration::minutes(1));
    let of_bob = until_asked(&bob, &id).await;
    let late = eve.client.post(&format!("/v1/offers/{of_eve}:accept"), json!({})).await.unwrap();
    assert_eq!((late.status.as_u16(), late.reason()), (400, "OFFER_EXPIRED"));
    post(&bob, &format!("/v1/offers/{of_bob}:accept"), json!({})).await;
    let parent = mesh.again(&parent).await;
    assert_eq!(see(&parent, &id).await["state"], "ORDER_STATE_ASSIGNED");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_first_aid_document_that_is_revoked_keeps_its_carer_from_the_door(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let (parent, bob) = (mesh.customer("alice").await, mesh.carer(&operator, "bob").await);
    let eve = mesh.carer(&operator, "eve").await;
    let family = demo::make_family(&parent, noon(&mesh)).await.unwrap();
    let request = demo::care_request(&bob.provider_id, &[&family.max], noon(&mesh), 180);
    let order = demo::book(&parent, request).await.unwrap();
    let id = text_at(&order, "id").unwrap();
    act(&bob.person, &id, "accept", json!({})).await;
    revoke_first_aid(&operator, &bob).await;

    // Bob is not offered any more care, nor does the care that he has begin with him.
    let later = noon(&mesh) + Duration::days(1);
    let named = demo::care_request(&bob.provider_id, &[&family.max], later, 180);
    assert_eq!(refusal_of_booking(&parent, named).await, "PROVIDER_NOT_ELIGIBLE");
    takes_over(&parent, &eve.person, &id).await;
    let depart = attempt(&bob.person, &id, "depart", json!({})).await;
    assert_eq!(depart.1, "ORDER_NOT_FOUND", "{depart:?}");

    mesh.clock.advance(Duration::hours(26));
    let (bob, eve) = (mesh.again(&bob.person).await, mesh.again(&eve.person).await);
    assert_eq!(care(&eve, &id).await["children"][0]["profile"]["name"], "Max");
    let former = bob.client.get(&format!("/v1/orders/{id}/care")).await.unwrap();
    assert_eq!(former.status, 404);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_first_aid_document_that_expires_keeps_its_carer_from_the_door(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let (parent, bob) = (mesh.customer("alice").await, mesh.carer(&operator, "bob").await);
    let eve = mesh.carer(&operator, "eve").await;
    let family = demo::make_family(&parent, noon(&mesh)).await.unwrap();
    // Tomorrow is its last day, which is over in Auckland at noon in Greenwich.
    shorten_first_aid(&operator, &bob, "2027-05-11").await;

    // For the day after Bob is neither taken nor asked.
    let later = noon(&mesh) + Duration::days(1);
    let named = demo::care_request(&bob.provider_id, &[&family.max], later, 180);
    assert_eq!(refusal_of_booking(&parent, named).await, "PROVIDER_NOT_ELIGIBLE");
    let open = demo::book(&parent, open_request(&family.max, later)).await.unwrap();
    let open = text_at(&open, "id").unwrap();
    until_asked(&eve.person, &open).await;
    assert_eq!(offer_of(&bob.person, &open).await, "");

    // For the afternoon of the last day he is taken, and cannot be moved to the day after.
    let afternoon = noon(&mesh) + Duration::hours(3);
    let named = demo::care_request(&bob.provider_id, &[&family.max], afternoon, 180);
    let order = demo::book(&parent, named).await.unwrap();
    let id = text_at(&order, "id").unwrap();
    act(&bob.person, &id, "accept", json!({})).await;
    let day_after = afternoon + Duration::days(1);
    let window = json!({
        "start": moment(day_after), "end": moment(day_after + Duration::hours(3)),
    });
    let moved = attempt(&parent, &id, "reschedule", json!({ "window": window })).await;
    assert_eq!(moved.1, "PROVIDER_NOT_ELIGIBLE");

    // At noon the document is over: he does not come in the afternoon.
    mesh.clock.advance(noon(&mesh) - mesh.clock.now() - Duration::minutes(1));
    let [parent, bob, eve] =
        [mesh.again(&parent).await, mesh.again(&bob.person).await, mesh.again(&eve.person).await];
    assert_eq!(see(&bob, &id).await["state"], "ORDER_STATE_ASSIGNED");
    mesh.clock.advance(Duration::minutes(1));
    takes_over(&parent, &eve, &id).await;
    let depart = attempt(&bob, &id, "depart", json!({})).await;
    assert_eq!(depart.1, "ORDER_NOT_FOUND", "{depart:?}");
    let told = async || is_told(&bob, "provider.document_expired.provider").await;
    eventually("Bob is told why", told, |told| *told).await;
}
