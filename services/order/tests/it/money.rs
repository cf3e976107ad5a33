//! Money after the work: what several disputes decide, captures that a card refuses, what a bank takes back.

use crate::{
    acts::With,
    script::{self, Fault},
    town::Town,
};
use chrono::Duration;
use kit::testing::{Backend, acting_as, eventually, refusal};
use proto::quickserve::{
    common::v1::Money,
    fulfilment::v1::OrderState,
    order::v1::{self as pb, DisputeState, PaymentState},
    payment::v1::{PaymentEvent, PayoutEvent},
};
use tonic::{Code, Status};
use uuid::Uuid;
use yare::parameterized;

fn euros(minor_units: i64) -> Option<Money> {
    Some(Money { currency: "EUR".to_owned(), minor_units })
}

/// Captured, refunded and taken back by the bank, as the order shows them.
fn amounts(order: &pb::Order) -> [i64; 3] {
    let payment = order.payment.as_ref().unwrap();
    [&payment.captured, &payment.refunded, &payment.charged_back]
        .map(|money| money.as_ref().unwrap().minor_units)
}

fn payment(order: &pb::Order) -> PaymentState {
    order.payment.as_ref().unwrap().state()
}

impl Town {
    async fn resolve(&self, id: &str, resolution: DisputeState, refund: i64) -> Result<(), Status> {
        let request = pb::ResolveDisputeRequest {
            order_id: id.to_owned(),
            version: 0,
            resolution: resolution.into(),
            refund: euros(refund),
        };
        acting_as(self.operator, self.settlements().resolve_dispute(request)).await.map(drop)
    }

    /// A dispute of the customer's, decided at once.
    async fn disputed(&self, id: &str, resolution: DisputeState, refund: i64) {
        self.act(self.customer, "dispute", id).await;
        self.resolve(id, resolution, refund).await.unwrap();
    }

    /// An order whose price is captured.
    async fn captured(&self) -> String {
        let id = self.completed().await.id;
        self.until_script("captured", |it| it.money(&id).captured == 10_000).await;
        self.until_order(&id, |order| payment(order) == PaymentState::Captured).await;
        id
    }

    /// Waits until the customer sees the order so.
    async fn until_order(&self, id: &str, holds: impl Fn(&pb::Order) -> bool) -> pb::Order {
        eventually("the order", async || self.get(id).await, holds).await
    }

    fn payment_fact(id: &str, amount: i64, [captured, refunded, back]: [i64; 3]) -> PaymentEvent {
        PaymentEvent {
            order_id: id.to_owned(),
            amount: euros(amount),
            captured: euros(captured),
            refunded: euros(refunded),
            charged_back: euros(back),
            ..PaymentEvent::default()
        }
    }

    /// What the disputes of an order decided to give back.
    async fn decided(&self, id: &str) -> Vec<i64> {
        let disputes = self.full(self.operator, id).await.disputes;
        disputes.into_iter().map(|dispute| dispute.refund.unwrap().minor_units).collect()
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_disputes_decide_before_the_capture_adds_up(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.delivered().await.id;
    town.disputed(&id, DisputeState::ResolvedSplit, 2_000).await;
    town.act(town.provider, "dispute", &id).await;
    town.resolve(&id, DisputeState::ResolvedProvider, 0).await.unwrap();
    town.disputed(&id, DisputeState::ResolvedSplit, 1_000).await;
    town.act(town.customer, "acceptDelivery", &id).await;
    town.until_script("captured", |it| it.money(&id).captured == 7_000).await;
    let order = town.until_order(&id, |order| payment(order) == PaymentState::Captured).await;
    assert_eq!(amounts(&order), [7_000, 0, 0]);
    assert_eq!(town.decided(&id).await, [2_000, 0, 1_000]);

    // All of it, in two steps: nothing is captured.
    let id = town.delivered().await.id;
    town.disputed(&id, DisputeState::ResolvedSplit, 2_000).await;
    town.act(town.customer, "dispute", &id).await;
    let all = town.resolve(&id, DisputeState::ResolvedSplit, 8_000).await;
    assert_eq!(refusal(all), "INVALID_ARGUMENT");
    town.resolve(&id, DisputeState::ResolvedCustomer, 0).await.unwrap();
    town.act(town.customer, "acceptDelivery", &id).await;
    town.until_script("released", |it| it.money(&id).closed).await;
    assert_eq!(town.decided(&id).await, [2_000, 8_000]);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_second_dispute_gives_back_what_is_left(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.captured().await;
    // The first refund has no answer yet when the second dispute is decided.
    for _ in 0..3 {
        town.script.fail("refund", Fault::Refuse(Status::unavailable("down")));
    }
    town.disputed(&id, DisputeState::ResolvedSplit, 2_000).await;
    town.disputed(&id, DisputeState::ResolvedCustomer, 0).await;
    assert_eq!(town.decided(&id).await, [2_000, 8_000]);
    town.in_time("all is back", |it| it.money(&id).refunded == 10_000 && !it.money(&id).frozen)
        .await;
    let order = town.until_order(&id, |order| amounts(order)[1] == 10_000).await;
    assert_eq!(amounts(&order), [10_000, 10_000, 0]);
    // No payout is waited for.
    town.clock.advance(Duration::days(8));
    town.until(&id, OrderState::Closed).await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_an_operator_refunds_at_payment_counts(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.captured().await;
    town.script.with(|memory| memory.money.get_mut(&id).unwrap().refunded = 1_000);
    let goodwill = Town::payment_fact(&id, 1_000, [10_000, 1_000, 0]);
    town.publish("payment.refunded", goodwill).await;
    town.until_order(&id, |order| amounts(order) == [10_000, 1_000, 0]).await;
    town.disputed(&id, DisputeState::ResolvedCustomer, 0).await;
    town.until_order(&id, |order| amounts(order) == [10_000, 10_000, 0]).await;
    assert_eq!(town.decided(&id).await, [9_000]);
    // It comes back from the bank.
    let failed = Town::payment_fact(&id, 9_000, [10_000, 1_000, 0]);
    town.publish("payment.refund_failed", failed).await;
    town.until_order(&id, |order| amounts(order) == [10_000, 1_000, 0]).await;

    // An order that was refunded as a whole waits for no payout.
    let id = town.captured().await;
    let whole = Town::payment_fact(&id, 10_000, [10_000, 10_000, 0]);
    town.publish("payment.refunded", whole).await;
    town.until_order(&id, |order| amounts(order)[1] == 10_000).await;
    town.clock.advance(Duration::days(8));
    town.until(&id, OrderState::Closed).await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_refusal_for_good_is_told_to_an_operator(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.captured().await;
    let charged_back = script::refusal(Code::FailedPrecondition, "CHARGED_BACK");
    town.script.fail("refund", Fault::Refuse(charged_back));
    town.disputed(&id, DisputeState::ResolvedSplit, 4_000).await;
    town.until_fact(&id, "order.side_effect_refused").await;
    town.until_script("the payout goes on", |it| !it.money(&id).frozen).await;
    let full = town.full(town.operator, &id).await;
    assert_eq!(amounts(&full), [10_000, 0, 0], "what was really paid");
    let entry = full.timeline.iter().find(|entry| entry.action == "sideEffectRefused").unwrap();
    assert_eq!(entry.note, "refund: CHARGED_BACK");
    town.clock.advance(Duration::hours(1));
    town.disputed(&id, DisputeState::ResolvedSplit, 4_000).await;
    town.until_order(&id, |order| amounts(order)[1] == 4_000).await;
    assert_eq!(town.script.calls("refund"), 2, "the one that was refused is not repeated");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_declined_capture_is_owed_by_the_customer(backend: Backend) {
    let town = Town::new(backend).await;
    let declined = || Fault::Refuse(script::refusal(Code::FailedPrecondition, "PAYMENT_DECLINED"));
    let mut owed = Vec::new();
    for _ in 0..3 {
        town.script.fail("capture", declined());
        let id = town.completed().await.id;
        town.until_order(&id, |order| payment(order) == PaymentState::Due).await;
        let due_id = Uuid::new_v4().to_string();
        let created = Town::payment_fact(&id, 10_000, [0, 0, 0]);
        let created = PaymentEvent { due_id: due_id.clone(), ..created };
        town.publish("payment.due_created", created).await;
        let shows = |order: &pb::Order| order.payment.as_ref().unwrap().due_id == due_id;
        town.until_order(&id, shows).await;
        let provider = town.get_as(town.provider, &id).await.unwrap();
        assert_eq!((payment(&provider), provider.payment.unwrap().due_id), {
            (PaymentState::Due, String::new())
        });
        owed.push(id);
    }
    town.clock.advance(Duration::hours(1));
    assert_eq!(town.script.calls("capture"), 3, "a final no is not asked for again");

    // Paid: the payout follows.
    let paid = Town::payment_fact(&owed[0], 10_000, [10_000, 0, 0]);
    town.publish("payment.due_paid", paid).await;
    let order = town.until_order(&owed[0], |it| payment(it) == PaymentState::Captured).await;
    assert_eq!(amounts(&order), [10_000, 0, 0]);

    // Given up: nothing is to be paid out.
    let waived = Town::payment_fact(&owed[1], 10_000, [0, 0, 0]);
    town.publish("payment.due_waived", waived).await;
    town.until_order(&owed[1], |it| payment(it) == PaymentState::Released).await;

    // A dispute takes off what is owed.
    town.disputed(&owed[2], DisputeState::ResolvedSplit, 3_000).await;
    town.disputed(&owed[2], DisputeState::ResolvedCustomer, 0).await;
    assert_eq!(town.decided(&owed[2]).await, [3_000, 7_000]);

    town.clock.advance(Duration::days(8));
    town.until(&owed[1], OrderState::Closed).await;
    assert_eq!(town.get(&owed[0]).await.state(), OrderState::Completed);
    let payout = PayoutEvent { order_id: owed[0].clone(), ..PayoutEvent::default() };
    town.publish("payout.paid", payout).await;
    town.until(&owed[0], OrderState::Closed).await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_the_bank_decides_ends_the_dispute_that_it_began(backend: Backend) {
    let town = Town::new(backend).await;
    for (kind, state, refund, after) in [
        ("payment.chargeback_won", DisputeState::ResolvedProvider, 0, [10_000, 0, 0]),
        ("payment.chargeback_lost", DisputeState::ResolvedCustomer, 10_000, [10_000, 0, 10_000]),
    ] {
        let id = town.captured().await;
        let away = Town::payment_fact(&id, 10_000, [10_000, 0, 10_000]);
        town.publish("payment.disputed", away).await;
        town.until_script("frozen", |it| it.money(&id).frozen).await;
        assert_eq!(amounts(&town.get(&id).await), [10_000, 0, 10_000]);
        town.publish(kind, Town::payment_fact(&id, 10_000, after)).await;
        town.until_script("the payout goes on", |it| !it.money(&id).frozen).await;
        let order = town.full(town.operator, &id).await;
        assert_eq!((order.disputed, amounts(&order)), (false, after), "{kind}");
        let dispute = &order.disputes[0];
        assert_eq!((dispute.state(), dispute.refund.clone()), (state, euros(refund)), "{kind}");
        assert_eq!(town.script.money(&id).refunded, 0, "the bank has done it");
    }
    // A dispute that a side opened is an operator's to decide.
    let id = town.captured().await;
    town.act(town.customer, "dispute", &id).await;
    let lost = Town::payment_fact(&id, 10_000, [10_000, 0, 10_000]);
    town.publish("payment.disputed", lost.clone()).await;
    town.publish("payment.chargeback_lost", lost).await;
    town.until_order(&id, |order| amounts(order)[2] == 10_000).await;
    assert!(town.get(&id).await.disputed);
    town.resolve(&id, DisputeState::ResolvedCustomer, 0).await.unwrap();
    assert_eq!(town.decided(&id).await, [0], "the customer has it all");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_dispute_ends_with_the_last_charge_that_the_bank_looks_at(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.captured().await;
    let tell = async |kind: &str, fact: PaymentEvent| town.publish_as("payment", kind, &fact).await;
    tell("payment.disputed", Town::payment_fact(&id, 4_000, [10_000, 0, 4_000])).await;
    tell("payment.disputed", Town::payment_fact(&id, 6_000, [10_000, 0, 10_000])).await;
    let lost = Town::payment_fact(&id, 4_000, [10_000, 0, 10_000]);
    tell("payment.chargeback_lost", PaymentEvent { still_disputed: true, ..lost }).await;
    let order = town.full(town.operator, &id).await;
    assert_eq!((order.disputed, amounts(&order)), (true, [10_000, 0, 10_000]));
    let won = Town::payment_fact(&id, 6_000, [10_000, 0, 4_000]);
    tell("payment.chargeback_won", won).await;
    town.until_script("the payout goes on", |it| !it.money(&id).frozen).await;
    let order = town.full(town.operator, &id).await;
    assert_eq!((order.disputed, amounts(&order)), (false, [10_000, 0, 4_000]));
    let dispute = &order.disputes[0];
    assert_eq!((dispute.state(), &dispute.refund), (DisputeState::ResolvedCustomer, &euros(4_000)));
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_is_told_of_a_due_beside_the_capture_is_not_the_order_s_own(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.captured().await;
    for (kind, moved) in [
        ("payment.refunded", [2_500, 2_500, 0]),
        ("payment.disputed", [2_500, 0, 2_500]),
        ("payment.chargeback_lost", [2_500, 0, 2_500]),
        ("payment.refund_failed", [2_500, 0, 0]),
    ] {
        let fact = Town::payment_fact(&id, 2_500, moved);
        let fact = PaymentEvent { beside_capture: true, ..fact };
        town.publish_as("payment", kind, &fact).await;
        assert_eq!(amounts(&town.get(&id).await), [10_000, 0, 0], "{kind}");
    }
    // All of the order's own payment is left to be given back.
    town.act(town.customer, "dispute", &id).await;
    town.resolve(&id, DisputeState::ResolvedCustomer, 0).await.unwrap();
    assert_eq!(town.decided(&id).await, [2_500, 10_000]);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn disputes_are_bounded_in_number(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.captured().await;
    for who in [town.customer, town.provider] {
        for _ in 0..3 {
            assert!(
                town.get_as(who, &id).await.unwrap().allowed_actions.contains(&"dispute".into())
            );
            town.act(who, "dispute", &id).await;
            town.resolve(&id, DisputeState::ResolvedProvider, 0).await.unwrap();
        }
        let order = town.get_as(who, &id).await.unwrap();
        assert!(!order.allowed_actions.contains(&"dispute".to_owned()));
        let more = town.attempt(who, "dispute", &id, &With::default()).await;
        assert_eq!(refusal(more), "DISPUTE_LIMIT");
    }
    // Operators and banks are not bounded by what the sides did.
    town.act(town.operator, "dispute", &id).await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn disputes_are_bounded_in_time(backend: Backend) {
    let town = Town::new(backend).await;
    let completed = town.captured().await;
    let absent = town.reach(OrderState::NoShow).await.id;
    let cancelled = town.ordered_ahead(Duration::hours(2)).await.id;
    town.act(town.provider, "accept", &cancelled).await;
    let (cancel_token, _) = town.token(town.customer, &cancelled).await;
    let with = With { cancel_token, ..With::default() };
    town.act_with(town.customer, "cancel", &cancelled, &with).await;
    for id in [&completed, &absent, &cancelled] {
        town.act(town.customer, "dispute", id).await;
        town.resolve(id, DisputeState::ResolvedProvider, 0).await.unwrap();
    }
    town.clock.advance(Duration::days(7));
    for id in [&completed, &absent, &cancelled] {
        for who in [town.customer, town.provider] {
            let late = town.attempt(who, "dispute", id, &With::default()).await;
            assert_eq!(refusal(late), "DISPUTE_WINDOW_OVER");
            let order = town.get_as(who, id).await.unwrap();
            assert!(!order.allowed_actions.contains(&"dispute".to_owned()));
        }
    }
}
