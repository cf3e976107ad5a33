//! Whose fault it is: what happened decides, not who presses the button.

use crate::{
    journey::{act, attempt, cents, see},
    mesh::Mesh,
};
use chrono::Duration;
use kit::testing::Backend;
use quickserve::demo::{self, text_at};
use serde_json::json;
use yare::parameterized;

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn who_arrives_early_and_unseen_makes_no_fee(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let (alice, bob) = (mesh.customer("alice").await, mesh.cleaner(&operator, "bob").await);
    let start = mesh.clock.now() + Duration::minutes(170);
    let order = demo::book_cleaning(&alice, &bob, start).await.unwrap();
    let id = text_at(&order, "id").unwrap();
    act(&bob.person, &id, "accept", json!({})).await;
    act(&bob.person, &id, "depart", json!({})).await;
    let arrived = act(&bob.person, &id, "arrive", json!({})).await;
    assert_eq!(arrived["arrival_flagged"], true, "{arrived}");
    let bell = json!({ "channel": "bell" });
    for _ in 0..2 {
        let (status, reason) = attempt(&bob.person, &id, "contactAttempt", bell.clone()).await;
        assert_eq!((status, reason.as_str()), (400, "CONTACT_ATTEMPT_TOO_EARLY"));
    }
    mesh.clock.advance(Duration::minutes(16));
    let cleaner = mesh.again(&bob.person).await;
    let (status, reason) = attempt(&cleaner, &id, "noShow", json!({})).await;
    assert_eq!((status, reason.as_str()), (400, "CONTACT_ATTEMPTS_MISSING"));

    // From the start on they count, minutes apart; that the provider was there still shows nowhere.
    mesh.clock.advance(start - mesh.clock.now());
    let cleaner = mesh.again(&cleaner).await;
    act(&cleaner, &id, "contactAttempt", bell.clone()).await;
    let (status, reason) = attempt(&cleaner, &id, "contactAttempt", bell.clone()).await;
    assert_eq!((status, reason.as_str()), (400, "CONTACT_ATTEMPT_TOO_EARLY"));
    mesh.clock.advance(Duration::minutes(5));
    act(&cleaner, &id, "contactAttempt", bell).await;
    let (status, reason) = attempt(&cleaner, &id, "noShow", json!({})).await;
    assert_eq!((status, reason.as_str()), (400, "NO_SHOW_TOO_EARLY"));
    mesh.clock.advance(Duration::minutes(10));
    let cleaner = mesh.again(&cleaner).await;
    let (status, reason) = attempt(&cleaner, &id, "noShow", json!({})).await;
    assert_eq!((status, reason.as_str()), (400, "ARRIVAL_NOT_PROVEN"));

    // No timer takes a fee either.
    let own = async || see(&mesh.again(&alice).await, &id).await;
    let ended = mesh.in_time("the end", own, |order| order["state"] == "ORDER_STATE_CANCELLED");
    let ended = ended.await;
    assert_eq!(ended["cancellation"]["fault"], "provider", "{ended}");
    assert_eq!(cents(&ended["cancellation"]["fee"]), 0, "{ended}");
    let released = mesh.in_time("the money is free", own, |order| {
        order["payment"]["state"] == "PAYMENT_STATE_RELEASED"
    });
    assert_eq!(cents(&released.await["payment"]["captured"]), 0);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_customer_whose_provider_did_not_come_cancels_for_nothing(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let (alice, bob) = (mesh.customer("alice").await, mesh.cleaner(&operator, "bob").await);
    let start = mesh.clock.now() + Duration::hours(3);
    let order = demo::book_cleaning(&alice, &bob, start).await.unwrap();
    let id = text_at(&order, "id").unwrap();
    act(&bob.person, &id, "accept", json!({})).await;
    let preview = act(&alice, &id, "previewCancel", json!({})).await;
    assert_eq!(cents(&preview["fee"]), 2_800, "before the start it is the customer's fault");
    mesh.clock.advance(Duration::hours(3) + Duration::minutes(31));
    let alice = mesh.again(&alice).await;
    let preview = act(&alice, &id, "previewCancel", json!({})).await;
    assert_eq!(cents(&preview["fee"]), 0, "{preview}");
    let token = json!({ "cancel_token": preview["cancel_token"] });
    let cancelled = act(&alice, &id, "cancel", token).await;
    assert_eq!(cancelled["cancellation"]["fault"], "provider", "{cancelled}");
    assert_eq!(cents(&cancelled["cancellation"]["fee"]), 0, "{cancelled}");
}
