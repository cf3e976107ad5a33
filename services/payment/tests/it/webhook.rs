//! The webhook: only what is signed counts, each event once, in any order.

use crate::shop::{RACE, Shop};
use chrono::Duration;
use futures::future::join_all;
use kit::testing::{Backend, eventually, refusal};
use proto::quickserve::payment::v1 as pb;
use tonic::Code;
use uuid::Uuid;
use yare::parameterized;

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn forged_and_stale_events_have_no_effect(backend: Backend) {
    let shop = Shop::open(backend).await;
    let request = shop.order("tok_never").await;
    shop.authorize(&request).await.unwrap();
    let body = event("evt_1", "charge.authorized", shop.charge_of(&request.order_id).await);
    let now = shop.world.clock.now().timestamp();
    let good = shop.sign(now, &body);
    let changed = body.replace("evt_1", "evt_2");
    for (name, signature, body) in [
        ("sandbox", None, &body),
        ("sandbox", Some(String::new()), &body),
        ("sandbox", Some("t=1,v1=00".to_owned()), &body),
        ("sandbox", Some(good.replace("v1=", "v1=0")), &body),
        ("sandbox", Some(good.replace("v1=", "v0=")), &body),
        ("sandbox", Some(good.replace(&now.to_string(), &(now + 1).to_string())), &body),
        ("sandbox", Some(good.clone()), &changed),
        ("sandbox", Some(shop.sign(now - 301, &body)), &body),
        ("sandbox", Some(shop.sign(now + 301, &body)), &body),
    ] {
        let answer = shop.post_signed(name, signature.as_deref(), body).await;
        let refused = answer.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied, "{signature:?}");
        assert_eq!(kit::rpc::error::reason_of(&refused), "SIGNATURE_INVALID");
    }
    let elsewhere = shop.post_signed("stripe", Some(&good), &body).await;
    assert_eq!(refusal(elsewhere), "PSP_NOT_FOUND");
    for malformed in ["", "{}", "[]", "null", r#"{"id":"x","type":"y","data":{"reference":1}}"#] {
        assert_eq!(refusal(shop.post(malformed).await), "INVALID_ARGUMENT", "{malformed}");
    }
    let payment = shop.payment(&request.order_id).await;
    assert_eq!(payment.state(), pb::PaymentState::Pending);

    // While a secret is being changed the sender signs with both.
    let both = good.replace(",v1=", &format!(",v1={},v1=", "0".repeat(64)));
    shop.post_signed("sandbox", Some(&both), &body).await.unwrap();
    let payment = shop.payment(&request.order_id).await;
    assert_eq!(payment.state(), pb::PaymentState::Authorized);
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn events_take_effect_once(backend: Backend) {
    let shop = Shop::open(backend).await;
    let request = shop.order("tok_never").await;
    shop.authorize(&request).await.unwrap();
    let body = event("evt_1", "charge.authorized", shop.charge_of(&request.order_id).await);
    for answer in join_all((0..RACE).map(|_| shop.post(&body))).await {
        answer.unwrap();
    }
    shop.fact("payment.authorized", &request.order_id).await;
    assert_eq!(shop.facts("payment.authorized", &request.order_id).len(), 1);
    // What nobody knows, or knows as something else, is taken and ignored.
    let known = shop.charge_of(&request.order_id).await;
    let before = shop.payment(&request.order_id).await;
    for (id, kind, reference) in [
        ("evt_2", "charge.authorized", Uuid::new_v4()),
        ("evt_3", "refund.succeeded", known),
        ("evt_4", "payout.failed", known),
        ("evt_5", "balance.available", known),
    ] {
        shop.post(&event(id, kind, reference)).await.unwrap();
    }
    assert_eq!(shop.payment(&request.order_id).await, before);
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn events_in_any_order_end_in_the_same_state(backend: Backend) {
    let shop = Shop::open(backend).await;
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    for (last, state) in [
        ("charge.authorized", pb::PaymentState::Authorized),
        ("charge.declined", pb::PaymentState::Open),
    ] {
        for (n, order) in orders.iter().enumerate() {
            let request = shop.order("tok_never").await;
            shop.authorize(&request).await.unwrap();
            let reference = shop.charge_of(&request.order_id).await;
            let kinds = ["charge.pending", last, last];
            for index in order {
                let id = format!("{last} {n} {index}");
                shop.post(&event(&id, kinds[*index], reference)).await.unwrap();
            }
            let payment = shop.payment(&request.order_id).await;
            assert_eq!(payment.state(), state, "{last} {order:?}");
            let facts = match last {
                "charge.authorized" => shop.fact("payment.authorized", &request.order_id).await,
                _ => shop.fact("payment.failed", &request.order_id).await,
            };
            assert_eq!(facts.0, 12_000);
        }
    }
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_refund_may_be_settled_by_its_event(backend: Backend) {
    let shop = Shop::open(backend).await;
    let (order, _) = shop.captured("tok_refund_fails_once").await;
    shop.refund(&order, 2_000, "first").await.unwrap();
    let refund = shop.payment(&order).await.refunds[0].id.parse().unwrap();
    for id in ["r1", "r2"] {
        shop.post(&event(id, "refund.succeeded", refund)).await.unwrap();
    }
    assert_eq!(shop.fact("payment.refunded", &order).await.0, 2_000);
    // The timer that would have repeated it finds nothing to do.
    shop.pass(Duration::minutes(2));
    assert_eq!(shop.facts("payment.refunded", &order).len(), 1);
    assert_eq!(shop.balance("provider.payable").await, 8_000);
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_dispute_at_the_bank_freezes_the_payout(backend: Backend) {
    let shop = Shop::open(backend).await;
    let (order, payout) = shop.captured("tok_ok").await;
    let charge = shop.charge_of(&order).await;
    shop.post(&event("d1", "charge.disputed", charge)).await.unwrap();
    assert_eq!(shop.fact("payment.disputed", &order).await.0, 12_000);
    shop.pass(Duration::days(3));
    eventually(
        "the payout is frozen",
        async || shop.payout(&payout).await.state(),
        |seen| *seen == pb::PayoutState::Frozen,
    )
    .await;
    shop.check_books().await;
}

fn event(id: &str, kind: &str, reference: Uuid) -> String {
    let reason = if kind.ends_with("declined") { "CARD_DECLINED" } else { "" };
    let data = format!(r#"{{"reference":"{reference}","reason":"{reason}","more":[]}}"#);
    format!(r#"{{"id":"{id}","type":"{kind}","data":{data}}}"#)
}
