//! Callers that hang up at every point of every step: whoever asks again finds one charge, one capture, one refund.

use crate::shop::{Shop, euros};
use chrono::Duration;
use kit::testing::{Backend, acting_as, eventually};
use proto::quickserve::payment::v1::{self as pb, Outcome};
use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};
use yare::parameterized;

/// Drops the work after it was polled so many times.
struct HangUp<F> {
    polls: usize,
    work: Pin<Box<F>>,
}

impl<F: Future> Future for HangUp<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.polls == 0 {
            return Poll::Ready(None);
        }
        self.polls -= 1;
        self.work.as_mut().poll(context).map(Some)
    }
}

/// How often a call is polled before it is left.
const POLLS: [usize; 8] = [0, 1, 2, 3, 5, 7, 9, 13];

async fn hang_up<F: Future>(polls: usize, work: F) {
    drop(HangUp { polls, work: Box::pin(work) }.await);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_step_that_was_left_half_way_is_finished_by_the_next_call(backend: Backend) {
    let shop = Shop::open(backend).await;
    for polls in POLLS {
        let request = shop.order("tok_ok").await;
        hang_up(polls, shop.authorize(&request)).await;
        eventually(
            "the authorisation",
            async || shop.authorize(&request).await.unwrap().0,
            |seen| *seen == Outcome::Authorized,
        )
        .await;
        let order = request.order_id;
        let settlement = shop.settlement(&order, 12_000);
        let mut client = shop.charges();
        hang_up(polls, client.capture_payment(settlement.clone())).await;
        let capture = async || shop.charges().capture_payment(settlement.clone()).await;
        let captured = eventually("the capture", capture, Result::is_ok).await.unwrap();
        let payout = captured.into_inner().payout_id;
        hang_up(polls, shop.refund(&order, 1_000, "first")).await;
        assert_eq!(shop.refund(&order, 1_000, "first").await.unwrap(), 1_000);
        if polls % 2 == 0 {
            let void = pb::VoidPaymentRequest { order_id: order.clone(), reason: "X".into() };
            let mut client = shop.charges();
            hang_up(polls, client.void_payment(void)).await;
            shop.void(&order).await;
        }
        check(&shop, &order, &payout, polls % 2 == 0).await;
    }
    shop.check_books().await;
}

async fn check(shop: &Shop, order: &str, payout: &str, voided: bool) {
    shop.pass(Duration::seconds(31));
    let refunded = if voided { 12_000 } else { 1_000 };
    eventually(
        "the refunds",
        async || {
            let facts = shop.facts("payment.refunded", order);
            facts.iter().map(|(amount, _)| amount).sum::<i64>()
        },
        |seen| *seen == refunded,
    )
    .await;
    for kind in ["payment.authorized", "payment.captured"] {
        assert_eq!(shop.facts(kind, order), [(12_000, String::new())], "{kind}");
    }
    let payment = shop.payment(order).await;
    assert_eq!((payment.captured, payment.refunded), (euros(12_000), euros(refunded)));
    let earned = if voided { 0 } else { 8_800 };
    assert_eq!(shop.payout(payout).await.amount, euros(earned));
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_step_that_was_left_half_way_is_finished_by_the_sweep(backend: Backend) {
    let shop = Shop::open(backend).await;
    let mut any_begun = false;
    for polls in POLLS {
        let request = shop.order("tok_ok").await;
        hang_up(polls, shop.authorize(&request)).await;
        // Whoever asked never comes back; what it began is known all the same, or never began.
        shop.pass(Duration::seconds(31));
        let list =
            pb::ListPaymentsRequest { order_id: request.order_id.clone(), ..Default::default() };
        let payments = async || {
            let mut client = shop.payments();
            let listed = acting_as(shop.operator, client.list_payments(list.clone())).await;
            listed.unwrap().into_inner().payments
        };
        let found = shop.in_time("an outcome", payments, |found| {
            found.iter().all(|payment| payment.state() == pb::PaymentState::Authorized)
        });
        let begun = !found.await.is_empty();
        shop.void(&request.order_id).await;
        any_begun |= begun;
        assert_eq!(shop.payment(&request.order_id).await.state(), pb::PaymentState::Closed);
    }
    assert!(any_begun, "every call was left before it began");
    shop.check_books().await;
}
