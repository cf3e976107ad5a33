//! What becomes of orders when somebody may not work, or is not there, any more.

use crate::{
    journey::{act, attempt, cents, get, is_told, noon, post, see},
    mesh::Mesh,
};
use chrono::Duration;
use http::Method;
use kit::testing::{Backend, eventually};
use quickserve::demo::{self, Person, Provider, text_at};
use serde_json::{Value, json};
use yare::parameterized;

/// An order of the provider's on the day that is so far after tomorrow.
async fn book(mesh: &Mesh, customer: &Person, provider: &Provider, day: i64) -> String {
    let start = noon(mesh) + Duration::days(day);
    text_at(&demo::book_cleaning(customer, provider, start).await.unwrap(), "id").unwrap()
}

/// As [`book`], and the provider has said yes.
async fn assign(mesh: &Mesh, customer: &Person, provider: &Provider, day: i64) -> String {
    let order = book(mesh, customer, provider, day).await;
    act(&provider.person, &order, "accept", json!({})).await;
    order
}

/// Waits until an order is in this state.
async fn until(person: &Person, order: &str, state: &str) -> Value {
    let state = format!("ORDER_STATE_{state}");
    eventually(&state, async || see(person, order).await, |seen| seen["state"] == state).await
}

/// Once `other` is asked for the order, the customer gets out of it, and pays nothing.
async fn leaves_for_nothing(customer: &Person, other: &Provider, order: &str) {
    let offers = async || get(&other.person, "/v1/offers").await;
    eventually("another is asked", offers, |offers| offers.to_string().contains(order)).await;
    let preview = act(customer, order, "previewCancel", json!({})).await;
    assert_eq!(cents(&preview["fee"]), 0, "{preview}");
    let token = json!({ "cancel_token": preview["cancel_token"] });
    let cancelled = act(customer, order, "cancel", token).await;
    assert_eq!(cents(&cancelled["cancellation"]["fee"]), 0, "{cancelled}");
    let own = async || see(customer, order).await;
    let released = eventually("the money is free", own, |order| {
        order["payment"]["state"] == "PAYMENT_STATE_RELEASED"
    });
    assert_eq!(cents(&released.await["payment"]["captured"]), 0);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_provider_who_may_not_work_any_more_loses_asked_and_assigned_orders(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let alice = mesh.customer("alice").await;
    // There is somebody else to ask, so that the search goes on.
    let carol = mesh.cleaner(&operator, "carol").await;
    for (name, day) in [("bob", 0), ("dan", 3)] {
        let provider = mesh.cleaner(&operator, name).await;
        let asked = book(&mesh, &alice, &provider, day).await;
        let assigned = assign(&mesh, &alice, &provider, day + 1).await;
        let path = format!("/v1/providers/{}", provider.provider_id);
        if name == "bob" {
            post(&operator, &format!("{path}:block"), json!({ "reason": "SAFETY" })).await;
        } else {
            let documents = get(&operator, &format!("{path}/documents")).await;
            let all = documents["documents"].as_array().unwrap().iter();
            let insurance = all.into_iter().find(|it| it["kind"] == "insurance").unwrap();
            let path = format!("{path}/documents/{}:revoke", text_at(insurance, "id").unwrap());
            post(&operator, &path, json!({ "reason": "FORGED" })).await;
        }
        let (status, reason) = attempt(&provider.person, &asked, "accept", json!({})).await;
        // The order may have gone from the provider already.
        let refusals = ["PROVIDER_NOT_ELIGIBLE", "ORDER_STATE"];
        assert!(status == 400 && refusals.contains(&reason.as_str()), "{status} {reason}");
        until(&alice, &asked, "DECLINED").await;
        until(&alice, &assigned, "SEARCHING").await;
        let (status, reason) = attempt(&provider.person, &assigned, "depart", json!({})).await;
        assert_eq!((status, reason.as_str()), (404, "ORDER_NOT_FOUND"));
        let told = async || is_told(&alice, "order.reassigned.customer").await;
        eventually("the customer is told", told, |told| *told).await;
        leaves_for_nothing(&alice, &carol, &assigned).await;
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn who_leaves_takes_no_order_along_and_costs_the_other_side_nothing(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let alice = mesh.customer("alice").await;
    let carol = mesh.cleaner(&operator, "carol").await;
    for (name, day) in [("erased", 0), ("offboarded", 1), ("suspended", 2)] {
        let provider = mesh.cleaner(&operator, name).await;
        let order = assign(&mesh, &alice, &provider, day).await;
        let Provider { person, provider_id } = &provider;
        match name {
            "erased" => {
                person
                    .client
                    .send(Method::DELETE, "/v1/me", None, &[])
                    .await
                    .unwrap()
                    .ok()
                    .unwrap();
            }
            "offboarded" => {
                post(person, &format!("/v1/providers/{provider_id}:offboard"), json!({})).await;
            }
            _ => {
                let suspend = format!("/v1/users/{}:suspend", person.user_id);
                post(&operator, &suspend, json!({ "reason": "FRAUD" })).await;
            }
        }
        until(&alice, &order, "SEARCHING").await;
        leaves_for_nothing(&alice, &carol, &order).await;
    }
    let told = async || is_told(&alice, "order.reassigned.customer").await;
    eventually("the customer is told", told, |told| *told).await;

    // And no provider travels to a customer who is suspended.
    let (mallory, bob) = (mesh.customer("mallory").await, mesh.cleaner(&operator, "bob").await);
    let order = assign(&mesh, &mallory, &bob, 3).await;
    let suspend = format!("/v1/users/{}:suspend", mallory.user_id);
    post(&operator, &suspend, json!({ "reason": "FRAUD" })).await;
    until(&operator, &order, "CANCELLED").await;
    let told = async || is_told(&bob.person, "order.cancelled.provider").await;
    eventually("the provider is told", told, |told| *told).await;
    let (status, _) = attempt(&bob.person, &order, "depart", json!({})).await;
    assert_eq!(status, 400);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn each_reason_holds_a_profile_and_is_lifted_on_its_own(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let bob = mesh.cleaner(&operator, "bob").await;
    let path = format!("/v1/providers/{}", bob.provider_id);
    let reasons = async || {
        let profile = get(&operator, &path).await;
        let blocks = profile["blocks"].as_array().cloned().unwrap_or_default();
        blocks.iter().map(|block| text_at(block, "reason").unwrap()).collect::<Vec<_>>()
    };
    let account = format!("/v1/users/{}", bob.person.user_id);
    post(&operator, &format!("{account}:suspend"), json!({ "reason": "FRAUD" })).await;
    eventually("the suspension holds", reasons, |held| *held == ["ACCOUNT_SUSPENDED"]).await;
    post(&operator, &format!("{account}:reinstate"), json!({})).await;
    eventually("nothing holds", reasons, Vec::is_empty).await;
    assert_eq!(get(&operator, &path).await["state"], "PROVIDER_STATE_ACTIVE");

    let block = async |reason: &str, until: Value| {
        let body = json!({ "reason": reason, "until": until });
        post(&operator, &format!("{path}:block"), body).await
    };
    let until = mesh.clock.now() + Duration::days(1);
    block("SAFETY", until.to_rfc3339().into()).await;
    let longer = until + Duration::days(6);
    let lengthened = block("SAFETY", longer.to_rfc3339().into()).await;
    let end = text_at(&lengthened, "blocked_until").unwrap();
    assert_eq!(end.parse::<chrono::DateTime<chrono::Utc>>().unwrap(), longer);
    let for_good = block("SAFETY", Value::Null).await;
    assert_eq!(for_good["blocked_until"].as_str(), None, "{for_good}");
    block("FRAUD", Value::Null).await;
    assert_eq!(reasons().await, ["SAFETY", "FRAUD"]);
    post(&operator, &format!("{path}:unblock"), json!({ "reason": "SAFETY" })).await;
    assert_eq!(get(&operator, &path).await["state"], "PROVIDER_STATE_BLOCKED");
    post(&operator, &format!("{path}:unblock"), json!({ "reason": "FRAUD" })).await;
    assert_eq!(get(&operator, &path).await["state"], "PROVIDER_STATE_ACTIVE");
}
