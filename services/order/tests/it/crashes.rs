//! The process dies, or a called service does, at every step of the saga: what was begun is ended or undone.

use crate::{
    acts::With,
    script::{Fault, refusal},
    town::{Town, booking, keyed},
};
use chrono::Duration;
use kit::{
    rpc::error::reason_of,
    testing::{Backend, acting_as, eventually, eventually_in_time},
};
use proto::quickserve::{fulfilment::v1::OrderState, order::v1 as pb, payment::v1::Outcome};
use tonic::{Code, Status};
use tonic_types::StatusExt;
use yare::parameterized;

/// The steps of a booking that leave the process.
const STEPS: [&str; 2] = ["hold", "authorize"];

impl Town {
    /// Makes a call and goes away before it is answered, as a process that dies does.
    async fn book_and_die(&self, quote: &pb::Quote, step: &str) {
        let calls = self.script.calls(step);
        let (mut api, request) = (self.orders(), keyed(booking(quote), &quote.id));
        let call = acting_as(self.customer, async move { api.create_order(request).await });
        let call = tokio::spawn(call);
        self.until_script("the step is reached", |it| it.calls(step) > calls).await;
        call.abort();
    }

    async fn book_with_key(&self, quote: &pb::Quote) -> Result<pb::Order, Status> {
        let (mut api, request) = (self.orders(), keyed(booking(quote), &quote.id));
        let call = acting_as(self.customer, async move { api.create_order(request).await });
        Ok(call.await?.into_inner().order.unwrap())
    }

    /// The only order, once it is visible.
    async fn only_order(&self) -> pb::Order {
        let orders = async || self.own_orders().await;
        eventually("the order is there", orders, |orders| !orders.is_empty()).await.remove(0)
    }

    async fn own_orders(&self) -> Vec<pb::Order> {
        let mut api = self.orders();
        let listed = api.list_orders(pb::ListOrdersRequest::default());
        acting_as(self.customer, listed).await.unwrap().into_inner().orders
    }

    /// Nobody is charged or held without an order, and an order has both.
    fn consistent(&self, order: Option<&pb::Order>) {
        self.script.with(|memory| {
            for (id, money) in &memory.money {
                let own = order.is_some_and(|order| order.id == *id);
                assert_eq!(money.authorized > 0, own, "money of {id}");
            }
            for (id, _) in memory.slots.keys() {
                assert!(order.is_some_and(|order| order.id == *id), "time of {id}");
            }
        });
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_booking_whose_process_dies_is_gone_on_with_by_another(backend: Backend) {
    let mut town = Town::new(backend).await;
    for (days, step) in (2..).zip(STEPS) {
        for fault in [Fault::Hang, Fault::HangAfter] {
            town.script.with(|memory| (memory.slots.clear(), memory.money.clear()));
            let quote = town.quote(Some(town.profile), Duration::days(days)).await;
            town.script.fail(step, fault.clone());
            town.book_and_die(&quote, step).await;
            if days == 2 {
                let running = town.book_with_key(&quote).await.unwrap_err();
                assert_eq!(reason_of(&running), "IN_PROGRESS");
                assert!(running.get_details_retry_info().is_some(), "{running:?}");
            }
            town.restart().await;
            // The call itself goes on with its booking at once, or the timer does.
            let repeats = matches!(fault, Fault::Hang);
            if repeats {
                town.book_with_key(&quote).await.unwrap();
            } else {
                town.clock.advance(Duration::seconds(31));
            }
            let newest = async || town.only_order().await;
            let order =
                eventually("the order is there", newest, |order| order.quote_id == quote.id).await;
            assert_eq!(order.state(), OrderState::Requested, "{step} {fault:?}");
            town.consistent(Some(&order));
            assert_eq!(town.script.money(&order.id).attempts.len(), 1, "one attempt");
            // Whichever was faster, the call gets the order that came of it.
            let again = town.book_with_key(&quote).await.unwrap();
            assert_eq!(again.id, order.id);
        }
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_booking_that_is_interrupted_gets_through_when_it_is_repeated(backend: Backend) {
    let town = Town::new(backend).await;
    let unavailable = || Fault::Refuse(Status::unavailable("down"));
    for (days, (step, fault)) in (2..).zip([
        ("hold", unavailable()),
        ("hold", Fault::Lose),
        ("authorize", unavailable()),
        ("authorize", Fault::Lose),
        ("authorize", Fault::Refuse(Status::deadline_exceeded("slow"))),
    ]) {
        let quote = town.quote(Some(town.profile), Duration::days(days)).await;
        town.script.fail(step, fault);
        let request = || keyed(booking(&quote), &quote.id);
        let call = async || {
            let call = async { town.orders().create_order(request()).await };
            acting_as(town.customer, call).await
        };
        let error = call().await.unwrap_err();
        assert_eq!(
            (error.code(), reason_of(&error)),
            (Code::Unavailable, "BOOKING_INTERRUPTED".into())
        );
        let order = call().await.unwrap().into_inner().order.unwrap();
        assert_eq!(order.state(), OrderState::Requested);
        let money = town.script.money(&order.id);
        assert_eq!((money.authorized, money.attempts.len()), (10_000, 1));
        assert_eq!(town.script.slots(&order.id).len(), 1);
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_booking_that_nobody_repeats_is_gone_on_with_or_undone(backend: Backend) {
    let town = Town::new(backend).await;
    let quote = town.quote(Some(town.profile), Duration::days(2)).await;
    town.script.fail("authorize", Fault::Lose);
    assert_eq!(reason_of(&town.book(booking(&quote)).await.unwrap_err()), "BOOKING_INTERRUPTED");
    town.clock.advance(Duration::seconds(31));
    let order = town.only_order().await;
    town.consistent(Some(&order));

    // Refused for good after an answer was lost: money and time go back, and the quote can be booked again.
    let quote = town.quote(Some(town.profile), Duration::days(3)).await;
    town.script.fail("authorize", Fault::Lose);
    town.script
        .fail("authorize", Fault::Refuse(refusal(Code::NotFound, "PAYMENT_METHOD_NOT_FOUND")));
    assert_eq!(reason_of(&town.book(booking(&quote)).await.unwrap_err()), "BOOKING_INTERRUPTED");
    town.clock.advance(Duration::seconds(31));
    town.until_script("undone", |it| {
        it.with(|memory| memory.slots.len() == 1 && memory.money.values().any(|money| money.closed))
    })
    .await;
    town.consistent(Some(&order));
    let booked = town.book(booking(&quote)).await.unwrap();
    assert_eq!(booked.state(), OrderState::Requested);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_booking_that_cannot_get_through_is_undone_when_its_hold_is_over(backend: Backend) {
    let town = Town::new(backend).await;
    let quote = town.quote(Some(town.profile), Duration::days(2)).await;
    for _ in 0..200 {
        town.script.fail("authorize", Fault::Lose);
    }
    assert_eq!(reason_of(&town.book(booking(&quote)).await.unwrap_err()), "BOOKING_INTERRUPTED");
    // Once its lease is over the sweep takes it up; from then on order's timers drive it.
    town.clock.advance(Duration::seconds(31));
    town.until_script("the second try", |it| it.calls("authorize") > 1).await;
    town.in_time("undone", |it| {
        it.with(|memory| memory.slots.is_empty() && memory.money.values().all(|money| money.closed))
    })
    .await;
    town.consistent(None);
    assert!(town.own_orders().await.is_empty(), "nobody ever saw it");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_is_owed_after_a_change_is_paid_whatever_fails(backend: Backend) {
    let mut town = Town::new(backend).await;
    // Expiry: void fails twice, release once; then the process dies and another one goes on.
    town.script.with(|memory| memory.outcomes.push_back(Outcome::Pending.into()));
    let id = town.ordered().await.id;
    town.script.fail("void", Fault::Refuse(Status::unavailable("down")));
    town.script.fail("void", Fault::Lose);
    town.script.fail("release", Fault::Refuse(Status::internal("oops")));
    town.clock.advance(Duration::minutes(15));
    town.until(&id, OrderState::Expired).await;
    town.until_script("the first try", |it| it.calls("void") > 0).await;
    town.restart().await;
    town.in_time("money back and time free", |it| it.money(&id).closed && it.slots(&id).is_empty())
        .await;

    // Completion: the capture is lost once and happens once.
    let id = town.delivered().await.id;
    town.script.fail("capture", Fault::Lose);
    town.act(town.customer, "acceptDelivery", &id).await;
    town.until_script("the first try", |it| it.calls("capture") > 0).await;
    let order_service = town.host().of("order");
    let payment = async || town.get(&id).await.payment;
    let captured = |payment: &Option<pb::Payment>| {
        payment.as_ref().is_some_and(|payment| payment.state() == pb::PaymentState::Captured)
    };
    eventually_in_time("the capture is noted", &[order_service], payment, captured).await;
    let money = town.script.money(&id);
    assert_eq!((money.captured, money.captures), (10_000, 1));
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_accept_and_a_cancel_at_once_leave_no_time_taken(backend: Backend) {
    let town = Town::new(backend).await;
    for _ in 0..5 {
        let id = town.ordered().await.id;
        let (cancel_token, _) = town.token(town.customer, &id).await;
        let with = With { cancel_token, ..With::default() };
        let nothing = With::default();
        let (accepted, cancelled) = tokio::join!(
            town.attempt(town.provider, "accept", &id, &nothing),
            town.attempt(town.customer, "cancel", &id, &with),
        );
        let state = town.get(&id).await.state();
        match (accepted.is_ok(), cancelled.is_ok()) {
            (true, false) => assert_eq!(state, OrderState::Assigned),
            (false, true) => assert_eq!(state, OrderState::Cancelled),
            (accepted, cancelled) => panic!("accepted {accepted}, cancelled {cancelled}"),
        }
        if state == OrderState::Assigned {
            let (cancel_token, _) = town.token(town.customer, &id).await;
            let with = With { cancel_token, ..With::default() };
            town.act_with(town.customer, "cancel", &id, &with).await;
        }
        town.until_script("the time is free", |it| it.slots(&id).is_empty()).await;
    }
}
