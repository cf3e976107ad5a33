//! Capturing and raising: the split, repeated calls, refusals.

use crate::shop::{RACE, Shop, euros};
use futures::future::join_all;
use kit::testing::{Backend, refusal};
use proto::quickserve::payment::v1 as pb;
use std::collections::HashSet;
use yare::parameterized;

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_capture_is_split_in_the_ledger(backend: Backend) {
    let shop = Shop::open(backend).await;
    let (order, payout) = shop.captured("tok_ok").await;
    assert_eq!(shop.fact("payment.captured", &order).await.0, 12_000);
    assert_eq!(shop.payout_facts("payout.scheduled", &payout).len(), 1);
    let fee = 12 * 14 + 25;
    for (kind, balance) in [
        ("psp.clearing", -12_000 + fee),
        ("psp.fees", -fee),
        ("order.escrow", 0),
        ("provider.payable", 9_600),
        ("platform.commission", 2_000),
        ("platform.vat", 400),
    ] {
        assert_eq!(shop.balance(kind).await, balance, "{kind}");
    }
    let payment = shop.payment(&order).await;
    assert_eq!(payment.state(), pb::PaymentState::Captured);
    assert_eq!(payment.captured, euros(12_000));
    let payout = shop.payout(&payout).await;
    assert_eq!((payout.gross, payout.amount, payout.paid), (euros(12_000), euros(9_600), euros(0)));
    assert_eq!(payout.kind, "SERVICE");
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_fee_may_be_shared_or_the_platforms_own(backend: Backend) {
    let shop = Shop::open(backend).await;
    let order = shop.authorized("tok_ok").await;
    let mut fee = shop.settlement(&order, 6_000);
    fee.kind = pb::CaptureKind::Fee.into();
    fee.provider_gross = euros(3_000);
    let captured = shop.charges().capture_payment(fee).await.unwrap().into_inner();
    let payout = shop.payout(&captured.payout_id).await;
    assert_eq!((payout.kind.as_str(), payout.amount), ("FEE", euros(2_400)));
    assert_eq!(shop.balance("platform.commission").await, 3_000);
    assert_eq!(shop.balance("platform.vat").await, 600);

    let order = shop.authorized("tok_ok").await;
    let mut own = shop.settlement(&order, 6_000);
    own.provider_gross = euros(0);
    own.provider_id = String::new();
    own.provider_user_id = String::new();
    let captured = shop.charges().capture_payment(own).await.unwrap().into_inner();
    assert_eq!(captured.payout_id, "");
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_order_is_captured_once(backend: Backend) {
    let shop = Shop::open(backend).await;
    let order = shop.authorized("tok_ok").await;
    let calls = (0..RACE).map(|_| {
        let request = shop.settlement(&order, 10_000);
        let mut client = shop.charges();
        async move { client.capture_payment(request).await.unwrap().into_inner() }
    });
    let answers = join_all(calls).await;
    assert!(answers.iter().all(|answer| answer.captured == euros(10_000)));
    let payouts: HashSet<_> = answers.into_iter().map(|answer| answer.payout_id).collect();
    assert_eq!(payouts.len(), 1);
    assert_eq!(shop.balance("provider.payable").await, 8_000);
    shop.fact("payment.captured", &order).await;
    assert_eq!(shop.facts("payment.captured", &order).len(), 1);

    let other = shop.charges().capture_payment(shop.settlement(&order, 9_999)).await;
    assert_eq!(refusal(other), "PAYMENT_STATE");
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_cannot_be_captured_is_refused(backend: Backend) {
    let shop = Shop::open(backend).await;
    let mut client = shop.charges();
    let nobody = shop.settlement(&uuid::Uuid::new_v4().to_string(), 1);
    assert_eq!(refusal(client.capture_payment(nobody).await), "PAYMENT_NOT_FOUND");

    let order = shop.authorized("tok_ok").await;
    let more = shop.settlement(&order, 12_001);
    assert_eq!(refusal(client.capture_payment(more).await), "CAPTURE_EXCEEDS_AUTHORIZATION");
    let mut gross = shop.settlement(&order, 12_000);
    gross.provider_gross = euros(12_001);
    assert_eq!(refusal(client.capture_payment(gross).await), "INVALID_ARGUMENT");
    let mut nameless = shop.settlement(&order, 12_000);
    nameless.provider_id = String::new();
    assert_eq!(refusal(client.capture_payment(nameless).await), "INVALID_ARGUMENT");
    let mut dollars = shop.settlement(&order, 12_000);
    dollars.amount.as_mut().unwrap().currency = "USD".into();
    assert_eq!(refusal(client.capture_payment(dollars).await), "INVALID_ARGUMENT");

    let pending = shop.order("tok_never").await;
    shop.authorize(&pending).await.unwrap();
    let early = shop.settlement(&pending.order_id, 1);
    assert_eq!(refusal(client.capture_payment(early).await), "PAYMENT_STATE");

    let declined = shop.authorized("tok_capture_declined").await;
    for _ in 0..2 {
        let answer = client.capture_payment(shop.settlement(&declined, 12_000)).await;
        assert_eq!(refusal(answer), "PAYMENT_DECLINED");
    }
    let fact = shop.fact("payment.failed", &declined).await;
    assert_eq!(fact.1, "AUTHORIZATION_EXPIRED");
    shop.void(&declined).await;
    assert_eq!(shop.payment(&declined).await.captured, euros(0));
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_raise_is_captured_with_the_price(backend: Backend) {
    let shop = Shop::open(backend).await;
    let raise = |order: &str, amount, key: &str| pb::RaiseAuthorizationRequest {
        order_id: order.into(),
        amount: euros(amount),
        step_key: key.into(),
        ..pb::RaiseAuthorizationRequest::default()
    };
    let mut client = shop.charges();
    let order = shop.authorized("tok_ok").await;
    for _ in 0..2 {
        let raised = client.raise_authorization(raise(&order, 3_000, "change 1")).await;
        assert_eq!(raised.unwrap().into_inner().authorized, euros(15_000));
    }
    let other = client.raise_authorization(raise(&order, 3_001, "change 1")).await;
    assert_eq!(refusal(other), "IDEMPOTENCY_KEY_REUSED");
    let second = client.raise_authorization(raise(&order, 500, "change 2")).await;
    assert_eq!(second.unwrap().into_inner().authorized, euros(15_500));
    client.capture_payment(shop.settlement(&order, 15_500)).await.unwrap();
    let late = client.raise_authorization(raise(&order, 1, "change 3")).await;
    assert_eq!(refusal(late), "PAYMENT_STATE");

    let refused = shop.authorized("tok_raise_declined").await;
    for _ in 0..2 {
        let answer = client.raise_authorization(raise(&refused, 1, "change 1")).await;
        assert_eq!(refusal(answer), "PAYMENT_DECLINED");
    }
    assert_eq!(shop.payment(&refused).await.authorized, euros(12_000));
    let nobody = raise(&uuid::Uuid::new_v4().to_string(), 1, "change 1");
    assert_eq!(refusal(client.raise_authorization(nobody).await), "PAYMENT_NOT_FOUND");
    shop.check_books().await;
}
