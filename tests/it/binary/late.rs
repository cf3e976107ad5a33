//! Money that arrives when it is too late, and money that is given back twice at once.

use crate::{
    journey::{act, clean, noon, see, until_work_begins},
    mesh::Mesh,
};
use chrono::{DateTime, Duration, Utc};
use http::Method;
use kit::testing::{Backend, eventually};
use quickserve::demo::{self, Person, text_at};
use serde_json::{Value, json};
use yare::parameterized;

/// The payment of an order, as an operator sees it.
async fn payment(operator: &Person, order: &str) -> Value {
    let listed = operator.client.get(&format!("/v1/payments?order_id={order}")).await.unwrap();
    let listed = listed.ok().unwrap();
    let id = text_at(&listed["payments"][0], "id").unwrap();
    operator.client.get(&format!("/v1/payments/{id}")).await.unwrap().ok().unwrap()
}

async fn balanced(operator: &Person) {
    let balance = operator.client.get("/v1/ledger/trialBalance").await.unwrap().ok().unwrap();
    assert_eq!(balance["balanced"], true, "{balance}");
}

/// Where the charges stand that the payment provider holds.
async fn charges(mesh: &Mesh) -> Vec<String> {
    let config = mesh.process.host().of("payment").database_config();
    let rows = super::program::rows(&config, "SELECT state FROM sandbox_charges").await;
    rows.iter().map(|row| row.try_get("", "state").unwrap()).collect()
}

async fn book(mesh: &Mesh, person: &Person, provider: &str, start: DateTime<Utc>) -> Value {
    let request = demo::quote_request(provider, start);
    let quote = person.client.post("/v1/quotes", request).await.unwrap().ok().unwrap();
    let order = json!({ "quote_id": quote["id"] });
    let order = person.client.post("/v1/orders", order).await.unwrap().ok().unwrap();
    assert!(mesh.clock.now() < start);
    order
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_success_after_the_hold_is_given_back(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let provider = mesh.cleaner(&operator, "bob").await;
    let slow = demo::register_account(&mesh.client, "customer", "slow", "slow@test.example")
        .await
        .unwrap();
    demo::add_card(&slow, "tok_very_late").await.unwrap();
    let quick = mesh.customer("quick").await;
    let start = noon(&mesh);

    let order = book(&mesh, &slow, &provider.provider_id, start).await;
    assert_eq!(order["state"], "ORDER_STATE_PENDING_PAYMENT");
    assert_eq!(order["payment"]["state"], "PAYMENT_STATE_PENDING");
    let id = text_at(&order, "id").unwrap();
    assert_eq!(charges(&mesh).await, ["PENDING"]);
    // While it is held, nobody else gets the slot.
    let request = demo::quote_request(&provider.provider_id, start);
    let quote = quick.client.post("/v1/quotes", request).await.unwrap().ok().unwrap();
    let taken = quick.client.post("/v1/orders", json!({ "quote_id": quote["id"] })).await.unwrap();
    assert_eq!((taken.status.as_u16(), taken.reason()), (409, "SLOT_TAKEN"));

    let other =
        slot_after_the_hold(&mesh, &operator, (&slow, &id), &quick, &provider.provider_id).await;

    // Only now does the money of the first one come.
    mesh.clock.advance(Duration::minutes(6));
    let charges = async || {
        let mut charges = charges(&mesh).await;
        charges.sort();
        charges
    };
    mesh.in_time("the late success is given back", charges, |charges| {
        *charges == ["AUTHORIZED", "VOIDED"]
    })
    .await;
    let (slow, operator) = (mesh.again(&slow).await, mesh.again(&operator).await);
    let late = payment(&operator, &id).await;
    assert_eq!(late["state"], "PAYMENT_STATE_CLOSED", "{late}");
    assert_eq!(minor_units(&late["captured"]), 0, "{late}");
    let kept = payment(&operator, &other).await;
    assert_eq!(kept["state"], "PAYMENT_STATE_AUTHORIZED", "{kept}");
    balanced(&operator).await;
    assert_eq!(see(&slow, &id).await["state"], "ORDER_STATE_EXPIRED", "it stays as it was");
}

/// The hold of an unpaid order runs out: nothing of it is left, and `other` gets the slot. Returns the new order's id.
async fn slot_after_the_hold(
    mesh: &Mesh,
    operator: &Person,
    (slow, order): (&Person, &str),
    other: &Person,
    provider: &str,
) -> String {
    let start = noon(mesh);
    mesh.clock.advance(Duration::minutes(15));
    let (slow, other) = (mesh.again(slow).await, mesh.again(other).await);
    let operator = mesh.again(operator).await;
    let expired = async || see(&slow, order).await;
    eventually("the hold runs out", expired, |it| it["state"] == "ORDER_STATE_EXPIRED").await;
    let closed = async || payment(&operator, order).await;
    eventually("the payment is closed", closed, |it| it["state"] == "PAYMENT_STATE_CLOSED").await;
    let book = async || {
        let request = demo::quote_request(provider, start);
        let quote = other.client.post("/v1/quotes", request).await.unwrap().ok().unwrap();
        let answer = other.client.post("/v1/orders", json!({ "quote_id": quote["id"] })).await;
        let answer = answer.unwrap();
        (answer.status.as_u16(), answer.body)
    };
    let (_, order) = eventually("the slot is free again", book, |(status, _)| *status == 201).await;
    assert_eq!(order["state"], "ORDER_STATE_REQUESTED");
    text_at(&order, "id").unwrap()
}

fn minor_units(money: &Value) -> i64 {
    money["minor_units"].as_str().unwrap_or("0").parse().unwrap()
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn refunds_at_once_never_exceed_the_capture(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let (customer, provider) = (mesh.customer("alice").await, mesh.cleaner(&operator, "bob").await);
    let order = demo::book_cleaning(&customer, &provider, noon(&mesh)).await.unwrap();
    let id = text_at(&order, "id").unwrap();
    let (customer, cleaner) = until_work_begins(&mesh, &customer, &provider, &id).await;
    clean(&cleaner, &id).await;
    act(&cleaner, &id, "deliver", json!({})).await;
    act(&customer, &id, "acceptDelivery", json!({})).await;
    let operator = mesh.again(&operator).await;
    let paid = async || payment(&operator, &id).await;
    let paid = eventually("the money is captured", paid, |payment| {
        payment["state"] == "PAYMENT_STATE_CAPTURED"
    })
    .await;
    let captured = minor_units(&paid["captured"]);
    assert_eq!(captured, 5_600, "{paid}");

    // Two thirds, many times at once: it fits once.
    let path = format!("/v1/payments/{}/refunds", paid["id"].as_str().unwrap());
    let part = captured * 2 / 3;
    let part = json!({ "currency": paid["captured"]["currency"], "minor_units": part.to_string() });
    let body = json!({ "amount": part, "reason": "broken vase" });
    let refund = async |key: String, body: Value| {
        let key = [("idempotency-key", key.as_str())];
        operator.client.send(Method::POST, &path, Some(body), &key).await.unwrap()
    };
    let answers = (0..6).map(|number| refund(format!("part-{number}"), body.clone()));
    let answers = futures::future::join_all(answers).await;
    let count = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!(count(201), 1, "{:?}", answers.iter().map(|it| &it.body).collect::<Vec<_>>());
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        assert_eq!(answer.reason(), "REFUND_EXCEEDS_CAPTURE", "{}", answer.body);
    }
    // All the rest, twice at once: there is only one rest.
    let rest = json!({ "reason": "sorry" });
    let (one, two) =
        tokio::join!(refund("rest-1".into(), rest.clone()), refund("rest-2".into(), rest.clone()));
    assert_eq!(
        [&one, &two].iter().filter(|it| it.status == 201).count(),
        1,
        "{} {}",
        one.body,
        two.body
    );
    // A repetition finds what it did.
    let first = if one.status == 201 { ("rest-1", one) } else { ("rest-2", two) };
    let again = refund(first.0.into(), rest).await;
    assert_eq!((again.status, &again.body["id"]), (first.1.status, &first.1.body["id"]));

    let after = payment(&operator, &id).await;
    assert_eq!(minor_units(&after["refunded"]), captured, "{after}");
    let refunds: i64 =
        after["refunds"].as_array().unwrap().iter().map(|it| minor_units(&it["amount"])).sum();
    assert_eq!(refunds, captured, "{after}");
    balanced(&operator).await;
}
