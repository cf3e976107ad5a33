//! Refunds: never more than was captured, each once, and only lost while they are repeated.

use crate::shop::{RACE, Shop, euros};
use chrono::Duration;
use futures::future::join_all;
use kit::testing::{Backend, acting_as, refusal};
use proto::quickserve::payment::v1::{self as pb, RefundState};
use tonic::Request;
use yare::parameterized;

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_refund_is_taken_from_all_who_earned(backend: Backend) {
    let shop = Shop::open(backend).await;
    let (order, payout) = shop.captured("tok_ok").await;
    for _ in 0..2 {
        assert_eq!(shop.refund(&order, 3_000, "first").await.unwrap(), 3_000);
    }
    assert_eq!(shop.balance("provider.payable").await, 7_200);
    assert_eq!(shop.balance("platform.commission").await, 1_500);
    assert_eq!(shop.balance("platform.vat").await, 300);
    assert_eq!(shop.fact("payment.refunded", &order).await, (3_000, "GOODWILL".to_owned()));
    assert_eq!(shop.payout(&payout).await.amount, euros(7_200));

    assert_eq!(refusal(shop.refund(&order, 3_001, "first").await), "IDEMPOTENCY_KEY_REUSED");
    assert_eq!(refusal(shop.refund(&order, 9_001, "more").await), "REFUND_EXCEEDS_CAPTURE");
    assert_eq!(shop.refund(&order, 9_000, "rest").await.unwrap(), 12_000);
    for kind in ["provider.payable", "platform.commission", "platform.vat"] {
        assert_eq!(shop.balance(kind).await, 0, "{kind}");
    }
    assert_eq!(shop.payout(&payout).await.state(), pb::PayoutState::Cancelled);
    assert_eq!(refusal(shop.refund(&order, 1, "again").await), "REFUND_EXCEEDS_CAPTURE");
    assert_eq!(shop.facts("payment.refunded", &order).len(), 2);
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn refunds_at_the_same_time_never_exceed_the_capture(backend: Backend) {
    let shop = Shop::open(backend).await;
    for (count, amount, fit) in [(2, 7_000, 1), (RACE, 1_700, 7), (RACE, 600, RACE)] {
        let (order, _) = shop.captured("tok_ok").await;
        let calls = (0..count).map(|n| {
            let (shop, order) = (&shop, &order);
            async move { shop.refund(order, amount, &format!("refund {n}")).await }
        });
        let answers = join_all(calls).await;
        let done = answers.iter().filter(|answer| answer.is_ok()).count();
        assert_eq!(done, fit, "{answers:?}");
        for refused in answers.into_iter().filter(Result::is_err) {
            assert_eq!(refusal(refused), "REFUND_EXCEEDS_CAPTURE");
        }
        let refunded = amount * i64::try_from(fit).unwrap();
        assert_eq!(shop.payment(&order).await.refunded, euros(refunded));
    }
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_refund_that_gets_no_answer_is_repeated(backend: Backend) {
    let shop = Shop::open(backend).await;
    let (order, _) = shop.captured("tok_refund_fails_once").await;
    assert_eq!(shop.refund(&order, 2_000, "first").await.unwrap(), 2_000);
    let payment = shop.payment(&order).await;
    assert_eq!(payment.refunds[0].state(), RefundState::Pending);
    assert_eq!(shop.facts("payment.refunded", &order), []);
    // What is under way counts against the capture.
    assert_eq!(refusal(shop.refund(&order, 10_001, "more").await), "REFUND_EXCEEDS_CAPTURE");
    shop.pass(Duration::seconds(2));
    assert_eq!(shop.fact("payment.refunded", &order).await.0, 2_000);
    let payment = shop.payment(&order).await;
    assert_eq!(payment.refunds[0].state(), RefundState::Succeeded);
    assert_eq!(payment.refunded, euros(2_000));
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_declined_refund_frees_its_amount(backend: Backend) {
    let shop = Shop::open(backend).await;
    let (order, _) = shop.captured("tok_refund_declined").await;
    assert_eq!(refusal(shop.refund(&order, 12_000, "first").await), "PAYMENT_DECLINED");
    assert_eq!(refusal(shop.refund(&order, 12_000, "first").await), "PAYMENT_DECLINED");
    let payment = shop.payment(&order).await;
    assert_eq!(payment.refunded, euros(0));
    assert_eq!(payment.refunds[0].state(), RefundState::Failed);
    assert_eq!(shop.balance("provider.payable").await, 9_600);
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_operator_refunds_with_a_key(backend: Backend) {
    let shop = Shop::open(backend).await;
    let (order, _) = shop.captured("tok_ok").await;
    let (other, _) = shop.captured("tok_ok").await;
    let payment_id = shop.payment(&order).await.id;
    let refund = |payment_id: &str, amount, key: Option<&str>| {
        let mut request = Request::new(pb::CreateRefundRequest {
            payment_id: payment_id.into(),
            amount,
            reason: "broken vase".into(),
        });
        if let Some(key) = key {
            request.metadata_mut().insert("idempotency-key", key.parse().unwrap());
        }
        let (mut client, operator) = (shop.payments(), shop.operator);
        async move {
            let answer = acting_as(operator, client.create_refund(request)).await;
            answer.map(|answer| answer.into_inner().refund.unwrap())
        }
    };
    let first = refund(&payment_id, euros(1_000), Some("k1")).await.unwrap();
    assert_eq!((first.state(), first.amount.clone()), (RefundState::Succeeded, euros(1_000)));
    assert_eq!(refund(&payment_id, euros(1_000), Some("k1")).await.unwrap(), first);
    for (payment, amount) in [(&payment_id, 1_001), (&shop.payment(&other).await.id, 1_000)] {
        let reused = refund(payment, euros(amount), Some("k1")).await;
        assert_eq!(refusal(reused), "IDEMPOTENCY_KEY_REUSED");
    }
    assert_eq!(refusal(refund(&payment_id, euros(1), None).await), "INVALID_ARGUMENT");
    let same = join_all((0..RACE).map(|_| refund(&payment_id, euros(500), Some("k2")))).await;
    for answer in same {
        let answer = answer.map_err(|status| kit::rpc::error::reason_of(&status));
        assert!(answer.is_ok() || answer == Err("IN_PROGRESS".into()), "{answer:?}");
    }
    assert_eq!(shop.payment(&order).await.refunded, euros(1_500));
    let rest = refund(&payment_id, None, Some("k3")).await.unwrap();
    assert_eq!(rest.amount, euros(10_500));
    assert_eq!(refusal(refund(&payment_id, None, Some("k4")).await), "REFUND_EXCEEDS_CAPTURE");
    assert_eq!(shop.payment(&order).await.refunds.len(), 3);
    shop.check_books().await;
}
