//! What people may do now and later, and what it costs: said before they do it.

use crate::{
    appointments::{accepted, moment},
    journey::{act, clean, noon, see},
    mesh::Mesh,
};
use chrono::Duration;
use kit::testing::{Backend, eventually};
use quickserve::demo::{self, Person, text_at};
use serde_json::json;
use yare::parameterized;

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_erasing_an_account_costs_is_said_before(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let (customer, provider) = (mesh.customer("alice").await, mesh.cleaner(&operator, "bob").await);
    let id = accepted(&mesh, &customer, &provider).await;
    let preview = async |person: &Person| {
        person.client.get("/v1/me/erasure:preview").await.unwrap().ok().unwrap()
    };
    let euros = |units: &str| json!({ "currency": "EUR", "minor_units": units });
    let free = preview(&customer).await;
    assert_eq!(free["fees"], json!([]), "more than a day ahead: {free}");
    assert_eq!(
        free["orders"][0],
        json!({ "order_id": id, "fee": euros("0"), "refund": euros("5600") })
    );
    assert_eq!(preview(&provider.person).await["orders"], json!([]), "who renders it pays nothing");

    mesh.clock.advance(Duration::hours(7));
    let customer = mesh.again(&customer).await;
    let costs = preview(&customer).await;
    assert_eq!(costs["fees"], json!([euros("2800")]), "20 hours ahead: {costs}");
    assert_eq!(
        costs["orders"][0],
        json!({ "order_id": id, "fee": euros("2800"), "refund": euros("2800") })
    );

    let path = "/v1/me";
    customer.client.send(http::Method::DELETE, path, None, &[]).await.unwrap().ok().unwrap();
    let operator = mesh.again(&operator).await;
    let ended = async || see(&operator, &id).await;
    let order =
        eventually("the order ended", ended, |it| it["state"] == "ORDER_STATE_CANCELLED").await;
    assert_eq!(order["cancellation"]["fee"], euros("2800"));
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_will_be_allowed_is_shown_with_its_time(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let (customer, provider) = (mesh.customer("alice").await, mesh.cleaner(&operator, "bob").await);
    let id = accepted(&mesh, &customer, &provider).await;
    let opens = noon(&mesh) - Duration::hours(3);
    let seen = see(&provider.person, &id).await;
    let upcoming = json!([{ "action": "depart", "at": moment(opens) }]);
    assert_eq!(seen["upcoming_actions"], upcoming, "{seen}");
    let depart = |person: Person| {
        let path = format!("/v1/orders/{id}:depart");
        async move { person.client.post(&path, json!({})).await.unwrap() }
    };
    assert_eq!(depart(provider.person.clone()).await.reason(), "DEPARTURE_WINDOW");
    mesh.clock.advance(opens - mesh.clock.now());
    depart(mesh.again(&provider.person).await).await.ok().unwrap();
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn wrong_codes_and_work_without_an_end_have_a_way_out(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let (customer, provider) = (mesh.customer("alice").await, mesh.cleaner(&operator, "bob").await);
    let id = accepted(&mesh, &customer, &provider).await;
    let end = noon(&mesh) + Duration::hours(2);
    mesh.clock.advance(end - Duration::minutes(150) - mesh.clock.now());
    let (operator, customer) = (mesh.again(&operator).await, mesh.again(&customer).await);
    let cleaner = mesh.again(&provider.person).await;
    act(&cleaner, &id, "depart", json!({})).await;
    let (lat, lng) = demo::CENTRE;
    act(&cleaner, &id, "arrive", json!({ "position": { "lat": lat, "lng": lng } })).await;
    let start = async |code: &str| {
        let body = json!({ "start_code": code });
        cleaner.client.post(&format!("/v1/orders/{id}:start"), body).await.unwrap()
    };
    let code = text_at(&see(&customer, &id).await, "start_code").unwrap();
    let wrong = if code == "000000" { "111111" } else { "000000" };
    for _ in 0..5 {
        assert_eq!(start(wrong).await.reason(), "START_CODE_WRONG");
    }
    let locked = start(&code).await;
    assert_eq!(locked.reason(), "START_CODE_LOCKED", "{}", locked.body);
    let seen = see(&cleaner, &id).await;
    assert!(!seen["allowed_actions"].to_string().contains("\"start\""), "{seen}");
    assert_eq!(seen["upcoming_actions"][0]["action"], "start", "{seen}");
    act(&operator, &id, "resetStartCode", json!({})).await;
    let code = text_at(&see(&customer, &id).await, "start_code").unwrap();
    start(&code).await.ok().unwrap();

    let escalations = async |operator: &Person| {
        let path = format!("/v1/orders/{id}?view=full");
        let order = operator.client.get(&path).await.unwrap().ok().unwrap();
        let timeline = order["timeline"].as_array().unwrap().iter();
        timeline.filter(|entry| entry["action"] == "escalate").count()
    };
    mesh.clock.advance(end + Duration::hours(4) - mesh.clock.now());
    let (operator, cleaner) = (mesh.again(&operator).await, mesh.again(&cleaner).await);
    eventually("an operator sees it", async || escalations(&operator).await, |it| *it == 1).await;
    clean(&cleaner, &id).await;
    act(&cleaner, &id, "deliver", json!({})).await;
    let customer = mesh.again(&customer).await;
    act(&customer, &id, "requestChanges", json!({ "reason": "the windows" })).await;
    mesh.clock.advance(Duration::days(2));
    let (operator, customer) = (mesh.again(&operator).await, mesh.again(&customer).await);
    eventually("and the rework", async || escalations(&operator).await, |it| *it == 2).await;
    let done = act(&customer, &id, "acceptDelivery", json!({})).await;
    assert_eq!(done["state"], "ORDER_STATE_COMPLETED");
}
