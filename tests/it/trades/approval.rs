//! Approving a change whose payment the card wants confirmed.

use super::Deal;
use crate::{
    journey::{act, cents, get, noon, until_work_begins},
    mesh::Mesh,
};
use http::Method;
use kit::testing::Backend;
use quickserve::demo::{self, text_at};
use serde_json::json;
use yare::parameterized;

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_estimate_that_the_card_wants_confirmed_is_approved_in_two_calls(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let provider = mesh.repairer(&operator, "bob").await;
    let customer = "alice@test.example";
    let customer =
        demo::register_account(&mesh.client, "customer", "Alice", customer).await.unwrap();
    demo::add_card(&customer, "tok_raise_confirm").await.unwrap();
    let request = demo::repair_request(&provider.provider_id, noon(&mesh));
    let order = text_at(&demo::book(&customer, request).await.unwrap(), "id").unwrap();
    let (customer, worker) = until_work_begins(&mesh, &customer, &provider, &order).await;
    let deal = Deal { order, customer, worker, agreed: 7_800 };
    let found = json!({ "code": "pump.broken", "findings": "The pump is broken." });
    let path = deal.path("diagnosis");
    deal.worker.client.send(Method::PUT, &path, Some(found), &[]).await.unwrap().ok().unwrap();
    let (change, amount) = deal.propose(json!({ "labour": [{ "minutes": 70 }] })).await.unwrap();
    assert_eq!(amount, 2_350, "72.50 for the work, 49.00 are credited");

    let path = deal.path(&format!("changeOrders/{change}:approve"));
    let asked = deal.customer.client.post(&path, json!({})).await.unwrap();
    assert_eq!(
        (asked.status.as_u16(), asked.reason()),
        (400, "PAYMENT_CONFIRMATION_REQUIRED"),
        "{}",
        asked.body
    );
    let url = asked.body["metadata"]["confirmation_url"].as_str().unwrap();
    assert!(url.starts_with("http"), "{url}");
    assert_eq!(deal.see().await["state"], "ORDER_STATE_AWAITING_APPROVAL");
    let repair = get(&deal.customer, &deal.path("repair")).await;
    assert_eq!(repair["state"], "REPAIR_STATE_ESTIMATED", "no work can start");

    // A wrong code approves nothing, and leaves the customer another try.
    let wrong = json!({ "confirmation": "000000" });
    let refused = deal.customer.client.post(&path, wrong).await.unwrap();
    assert_eq!((refused.status.as_u16(), refused.reason()), (400, "PAYMENT_DECLINED"));
    let again = deal.customer.client.post(&path, json!({})).await.unwrap();
    assert_eq!(again.reason(), "PAYMENT_CONFIRMATION_REQUIRED", "{}", again.body);
    let right = json!({ "confirmation": "123456" });
    let approved = deal.customer.client.post(&path, right).await.unwrap().ok().unwrap();
    assert_eq!(cents(&approved["total"]), 7_800 + 2_350);
    assert_eq!(approved["state"], "ORDER_STATE_IN_PROGRESS");
    let repair = get(&deal.customer, &deal.path("repair")).await;
    assert_eq!(repair["state"], "REPAIR_STATE_APPROVED");

    let end = json!({ "outcome": "repaired", "tests": [{ "code": "cycle", "passed": true }] });
    let proof = json!({ "kind": "signature.customer", "sha256": "0".repeat(64) });
    for (below, body) in [("repair:finish", end), ("proofs", proof)] {
        deal.worker.client.post(&deal.path(below), body).await.unwrap().ok().unwrap();
    }
    act(&deal.worker, &deal.order, "deliver", json!({})).await;
    let deal = Deal { agreed: 10_150, ..deal };
    deal.close(&mesh.again(&operator).await, (10_150, 0)).await;
    assert_eq!(cents(&deal.see().await["payment"]["captured"]), 10_150);
}
