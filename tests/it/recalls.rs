//! Recalls of repairs over HTTP: work that is made good for nothing, by the one who did it.

use crate::{
    journey::{act, cents, get, noon, post, see, until_work_begins},
    mesh::Mesh,
};
use chrono::Duration;
use http::Method;
use kit::testing::{Backend, eventually};
use quickserve::{
    client::Answer,
    demo::{self, Person, Provider, text_at},
};
use serde_json::{Value, json};
use yare::parameterized;

/// A repair that was accepted, and who took part in it.
struct Done {
    order: String,
    operator: Person,
    customer: Person,
    provider: Provider,
}

/// The repairer says what is wrong.
async fn diagnose(repairer: &Person, order: &str, unrelated: bool) {
    let found = json!({ "code": "seal", "findings": "The seal leaks.", "unrelated": unrelated });
    let path = format!("/v1/orders/{order}/diagnosis");
    repairer.client.send(Method::PUT, &path, Some(found), &[]).await.unwrap().ok().unwrap();
}

/// The repair ends so, and the customer accepts. Returns what it cost.
async fn finish(customer: &Person, repairer: &Person, order: &str, outcome: &str) -> i64 {
    let end = json!({ "outcome": outcome, "tests": [{ "code": "leak", "passed": true }] });
    post(repairer, &format!("/v1/orders/{order}/repair:finish"), end).await;
    let proof = json!({ "kind": "signature.customer", "sha256": "0".repeat(64) });
    post(repairer, &format!("/v1/orders/{order}/proofs"), proof).await;
    let delivered = act(repairer, order, "deliver", json!({})).await;
    act(customer, order, "acceptDelivery", json!({})).await;
    cents(&delivered["total"])
}

async fn accepted_repair(mesh: &Mesh) -> Done {
    let operator = mesh.operator().await;
    let (customer, provider) =
        (mesh.customer("alice").await, mesh.repairer(&operator, "bob").await);
    let request = demo::repair_request(&provider.provider_id, noon(mesh));
    let order = text_at(&demo::book(&customer, request).await.unwrap(), "id").unwrap();
    let (customer, repairer) = until_work_begins(mesh, &customer, &provider, &order).await;
    diagnose(&repairer, &order, false).await;
    assert_eq!(finish(&customer, &repairer, &order, "repaired").await, 7_800);
    let provider = Provider { person: repairer, ..provider };
    Done { order, operator, customer, provider }
}

/// Asks to have an order made good tomorrow at noon.
async fn recall(mesh: &Mesh, customer: &Person, order: &str) -> Answer {
    let start = noon(mesh);
    let window = json!({
        "start": start.to_rfc3339(), "end": (start + Duration::minutes(90)).to_rfc3339(),
    });
    let body = json!({ "recall_of": order, "window": window });
    customer.client.post("/v1/orders", body).await.unwrap()
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_recall_costs_nothing_and_nothing_is_authorised_or_paid_out(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let done = accepted_repair(&mesh).await;
    let booked = recall(&mesh, &done.customer, &done.order).await.ok().unwrap();
    assert_eq!(cents(&booked["total"]), 0, "{booked}");
    assert_eq!(booked["provider_id"], json!(done.provider.provider_id), "the same repairer");
    let id = text_at(&booked, "id").unwrap();
    let (customer, repairer) = until_work_begins(&mesh, &done.customer, &done.provider, &id).await;
    let repair = get(&customer, &format!("/v1/orders/{id}/repair")).await;
    assert_eq!(repair["parent_order_id"], json!(done.order));
    diagnose(&repairer, &id, false).await;
    // The same fault is repaired for nothing, also with parts.
    let part = json!({ "name": "Seal", "cost": { "currency": "EUR", "minor_units": "900" } });
    let part = post(&repairer, &format!("/v1/orders/{id}/parts"), part).await;
    let details = json!({ "labour": [{ "minutes": 70 }], "part_ids": [part["id"]] });
    let path = format!("/v1/orders/{id}/changeOrders");
    let change =
        post(&repairer, &path, json!({ "reason": "A new seal.", "details": details })).await;
    assert_eq!(cents(&change["amount"]), 0, "{change}");
    let change = text_at(&change, "id").unwrap();
    post(&customer, &format!("{path}/{change}:approve"), json!({})).await;
    for state in ["PART_STATE_ORDERED", "PART_STATE_ARRIVED", "PART_STATE_USED"] {
        let path = format!("/v1/orders/{id}/parts/{}", text_at(&part, "id").unwrap());
        let body = Some(json!({ "state": state }));
        repairer.client.send(Method::PATCH, &path, body, &[]).await.unwrap().ok().unwrap();
    }
    assert_eq!(finish(&customer, &repairer, &id, "repaired").await, 0);
    let own = see(&customer, &id).await;
    assert_eq!(cents(&own["payment"]["captured"]), 0, "{own}");
    let paid = async || get(&repairer, "/v1/payouts").await;
    let payouts = eventually("the first order is paid out", paid, |it| {
        it["payouts"].as_array().is_some_and(|payouts| !payouts.is_empty())
    });
    let payouts = payouts.await;
    assert_eq!(payouts["payouts"].as_array().unwrap().len(), 1, "{payouts}");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn another_fault_found_in_a_recall_is_paid_by_its_estimate(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let done = accepted_repair(&mesh).await;
    let booked = recall(&mesh, &done.customer, &done.order).await.ok().unwrap();
    let id = text_at(&booked, "id").unwrap();
    let (customer, repairer) = until_work_begins(&mesh, &done.customer, &done.provider, &id).await;
    diagnose(&repairer, &id, true).await;
    let path = format!("/v1/orders/{id}/changeOrders");
    let details = json!({ "labour": [{ "minutes": 70 }] });
    let change = json!({ "reason": "Another fault.", "details": details });
    // Declined it costs nothing.
    let declined = text_at(&post(&repairer, &path, change.clone()).await, "id").unwrap();
    post(&customer, &format!("{path}/{declined}:reject"), json!({})).await;
    assert_eq!(cents(&see(&customer, &id).await["total"]), 0);
    let change = post(&repairer, &path, change).await;
    assert_eq!(cents(&change["amount"]), 7_250, "no callout, and no fee to credit: {change}");
    let approved = text_at(&change, "id").unwrap();
    post(&customer, &format!("{path}/{approved}:approve"), json!({})).await;
    assert_eq!(finish(&customer, &repairer, &id, "repaired").await, 7_250);
    let captured = eventually(
        "it is captured",
        async || see(&customer, &id).await,
        |order| order["payment"]["state"] == "PAYMENT_STATE_CAPTURED",
    );
    assert_eq!(cents(&captured.await["payment"]["captured"]), 7_250);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_recall_is_for_its_window_its_item_and_its_provider(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let done = accepted_repair(&mesh).await;
    let rival = mesh.repairer(&mesh.again(&done.operator).await, "carol").await;
    let mut elsewhere = demo::repair_request(&rival.provider_id, noon(&mesh));
    elsewhere["parent_order_id"] = json!(done.order);
    let refused = done.customer.client.post("/v1/quotes", elsewhere.clone()).await.unwrap();
    assert_eq!(refused.body["violations"][0]["field"], "provider_id", "{}", refused.body);
    if let Some(fields) = elsewhere.as_object_mut() {
        fields.remove("provider_id");
    }
    let free = post(&done.customer, "/v1/quotes", elsewhere.clone()).await;
    assert_eq!(cents(&free["total"]), 0);
    elsewhere["details"]["brand"] = Value::from("Miele");
    let other = done.customer.client.post("/v1/quotes", elsewhere).await.unwrap();
    assert_eq!((other.status.as_u16(), other.reason()), (400, "RECALL_WINDOW"));
    let body = json!({ "quote_id": free["id"], "search_if_declined": true });
    let searched = done.customer.client.post("/v1/orders", body).await.unwrap();
    assert_eq!(searched.body["violations"][0]["field"], "search_if_declined", "{}", searched.body);
    // Who gives a recall back leaves it to no other repairer.
    let booked = recall(&mesh, &done.customer, &done.order).await.ok().unwrap();
    let id = text_at(&booked, "id").unwrap();
    act(&done.provider.person, &id, "accept", json!({})).await;
    let given_back =
        act(&done.provider.person, &id, "reassign", json!({ "reason": "I am away." })).await;
    assert_eq!(given_back["state"], "ORDER_STATE_NO_PROVIDER", "{given_back}");
    mesh.clock.advance(Duration::days(91));
    let customer = mesh.again(&done.customer).await;
    let late = recall(&mesh, &customer, &done.order).await;
    assert_eq!((late.status.as_u16(), late.reason()), (400, "RECALL_WINDOW"));
}
