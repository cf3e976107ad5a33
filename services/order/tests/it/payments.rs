//! Payments that want the customer, come late, or are asked for close to the start.

use crate::{
    script::{self, Fault},
    town::Town,
};
use chrono::Duration;
use kit::{
    rpc::error::reason_of,
    testing::{Backend, acting_as, eventually},
};
use proto::quickserve::{
    fulfilment::v1::OrderState,
    order::v1 as pb,
    payment::v1::{Outcome, PaymentEvent},
};
use tonic::Code;
use uuid::Uuid;
use yare::parameterized;

impl Town {
    fn next_attempt(&self, outcome: Outcome) {
        self.script.with(|memory| memory.outcomes.push_back(outcome.into()));
    }

    async fn confirm(&self, id: &str, method: &str, confirmation: &str) -> pb::Order {
        let request = pb::ConfirmPaymentRequest {
            order_id: id.to_owned(),
            version: 0,
            payment_method_id: method.to_owned(),
            confirmation: confirmation.to_owned(),
        };
        let answer = acting_as(self.customer, self.orders().confirm_payment(request)).await;
        answer.unwrap().into_inner().order.unwrap()
    }

    fn payment_event(id: &str, reason: &str) -> PaymentEvent {
        let (order_id, reason) = (id.to_owned(), reason.to_owned());
        PaymentEvent { order_id, reason, ..PaymentEvent::default() }
    }
}

fn payment(order: &pb::Order) -> pb::PaymentState {
    order.payment.as_ref().unwrap().state()
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_declined_card_is_replaced_by_another(backend: Backend) {
    let town = Town::new(backend).await;
    town.next_attempt(Outcome::Declined);
    let order = town.ordered().await;
    assert_eq!(
        (order.state(), payment(&order)),
        (OrderState::PendingPayment, pb::PaymentState::Declined)
    );
    assert_eq!(order.payment.as_ref().unwrap().decline_reason, "CARD_DECLINED");
    assert_eq!(order.allowed_actions, ["confirmPayment", "previewCancel", "cancel"]);
    town.next_attempt(Outcome::Declined);
    let order = town.confirm(&order.id, "", "").await;
    assert_eq!(payment(&order), pb::PaymentState::Declined);
    let order = town.confirm(&order.id, &Uuid::new_v4().to_string(), "").await;
    assert_eq!(
        (order.state(), payment(&order)),
        (OrderState::Requested, pb::PaymentState::Authorized)
    );
    assert_eq!(town.script.money(&order.id).attempts.len(), 3, "each attempt has its own key");
    town.until_fact(&order.id, "order.requested").await;
    assert_eq!(town.events.kinds_of(&order.id), ["order.created", "order.requested"]);
    let error = town.attempt(town.customer, "confirmPayment", &order.id, &Default::default()).await;
    assert_eq!(reason_of(&error.unwrap_err()), "PAYMENT_SETTLED");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_card_that_wants_a_confirmation_gets_one(backend: Backend) {
    let town = Town::new(backend).await;
    town.next_attempt(Outcome::ConfirmationRequired);
    let order = town.ordered().await;
    assert_eq!(payment(&order), pb::PaymentState::ConfirmationRequired);
    assert_eq!(order.payment.as_ref().unwrap().confirmation_url, "https://psp.test/3ds");
    let order = town.confirm(&order.id, "", "proof").await;
    assert_eq!(order.state(), OrderState::Requested);
    assert_eq!(town.script.money(&order.id).attempts.len(), 1, "the same attempt");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_attempt_that_is_not_known_is_told_later(backend: Backend) {
    let town = Town::new(backend).await;
    let known = town.ordered_ahead(Duration::days(4)).await;
    town.next_attempt(Outcome::Pending);
    let first = town.ordered_ahead(Duration::days(2)).await;
    town.next_attempt(Outcome::Pending);
    let second = town.ordered_ahead(Duration::days(3)).await;
    assert_eq!(payment(&first), pb::PaymentState::Pending);
    town.publish("payment.authorized", Town::payment_event(&known.id, "")).await;
    town.publish("payment.authorized", Town::payment_event(&first.id, "")).await;
    town.until(&first.id, OrderState::Requested).await;
    assert_eq!(town.get(&known.id).await, known, "what is known changes nothing");
    town.publish("payment.failed", Town::payment_event(&second.id, "CARD_DECLINED")).await;
    eventually(
        "the decline is noted",
        async || payment(&town.get(&second.id).await),
        |seen| *seen == pb::PaymentState::Declined,
    )
    .await;
    town.until_fact(&second.id, "order.payment_failed").await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_unpaid_booking_expires_and_a_later_success_is_given_back(backend: Backend) {
    let town = Town::new(backend).await;
    town.next_attempt(Outcome::Pending);
    let id = town.ordered().await.id;
    town.clock.advance(Duration::minutes(14));
    assert_eq!(town.get(&id).await.state(), OrderState::PendingPayment);
    town.clock.advance(Duration::minutes(1));
    town.until(&id, OrderState::Expired).await;
    town.until_script("money back, then time free", |script| {
        script.money(&id).closed && script.slots(&id).is_empty()
    })
    .await;
    let order_of_calls = town.script.with(|memory| {
        let at = |rpc| memory.calls.iter().position(|call| *call == rpc).unwrap();
        (at("void"), at("release"))
    });
    assert!(order_of_calls.0 < order_of_calls.1, "void first, then release");
    town.publish("payment.authorized", Town::payment_event(&id, "")).await;
    town.until_script("given back again", |script| script.money(&id).voids == 2).await;
    assert_eq!(town.get(&id).await.state(), OrderState::Expired);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_start_far_ahead_is_authorised_a_day_before(backend: Backend) {
    let town = Town::new(backend).await;
    let order = town.ordered_ahead(Duration::days(10)).await;
    assert_eq!(
        (order.state(), payment(&order)),
        (OrderState::Requested, pb::PaymentState::MethodSaved)
    );
    assert_eq!(town.script.money(&order.id).authorized, 0);
    town.act(town.provider, "accept", &order.id).await;
    town.clock.advance(Duration::days(9) - Duration::minutes(1));
    assert_eq!(town.script.calls("authorize"), 1);
    town.clock.advance(Duration::minutes(1));
    eventually(
        "the price is authorised",
        async || payment(&town.get(&order.id).await),
        |seen| *seen == pb::PaymentState::Authorized,
    )
    .await;
    assert_eq!(town.script.money(&order.id).authorized, 10_000);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_method_that_fails_late_is_asked_for_again_and_at_last_given_up(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.ordered_ahead(Duration::days(10)).await.id;
    town.act(town.provider, "accept", &id).await;
    for _ in 0..4 {
        town.next_attempt(Outcome::Declined);
    }
    town.clock.advance(Duration::days(9));
    for attempts in 2..=5 {
        town.until_script("an attempt", |script| script.calls("authorize") == attempts).await;
        eventually(
            "the decline is noted",
            async || payment(&town.get(&id).await),
            |seen| *seen == pb::PaymentState::Declined,
        )
        .await;
        assert!(town.get(&id).await.allowed_actions.contains(&"confirmPayment".to_owned()));
        town.clock.advance(Duration::hours(6));
    }
    let order = town.until(&id, OrderState::Cancelled).await;
    assert_eq!(order.cancellation.unwrap().reason, "PAYMENT_FAILED");
    town.until_script("the time is free", |script| script.slots(&id).is_empty()).await;
    town.until_fact(&id, "order.payment_failed").await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_chargeback_freezes_the_payout(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.completed().await.id;
    town.until_script("captured", |script| script.money(&id).captured == 10_000).await;
    town.publish("payment.disputed", Town::payment_event(&id, "FRAUD")).await;
    town.until_script("frozen", |script| script.money(&id).frozen).await;
    let order = town.full(town.operator, &id).await;
    assert!(order.disputed);
    assert_eq!(order.disputes[0].opened_by, "payment");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_card_that_is_gone_a_day_before_counts_as_declined(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.ordered_ahead(Duration::days(15)).await.id;
    town.act(town.provider, "accept", &id).await;
    let gone = script::refusal(Code::NotFound, "PAYMENT_METHOD_NOT_FOUND");
    town.script.fail("authorize", Fault::Refuse(gone));
    town.clock.advance(Duration::days(14));
    let order = eventually(
        "the decline is noted",
        async || town.get(&id).await,
        |order| payment(order) == pb::PaymentState::Declined,
    )
    .await;
    assert_eq!(order.payment.unwrap().decline_reason, "PAYMENT_METHOD_NOT_FOUND");
    assert!(order.allowed_actions.contains(&"confirmPayment".to_owned()));
    town.until_fact(&id, "order.payment_failed").await;
    let order = town.confirm(&id, &Uuid::new_v4().to_string(), "").await;
    assert_eq!(payment(&order), pb::PaymentState::Authorized);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_card_on_file_is_replaced_before_it_is_charged(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.ordered_ahead(Duration::days(15)).await.id;
    town.act(town.provider, "accept", &id).await;
    let other = Uuid::new_v4().to_string();
    let order = town.confirm(&id, &other, "").await;
    assert_eq!(payment(&order), pb::PaymentState::MethodSaved);
    town.clock.advance(Duration::days(10));
    // So close to the start the card is authorised at once; one that is declined is asked for again like any other.
    town.next_attempt(Outcome::Declined);
    let order = town.confirm(&id, &other, "").await;
    assert_eq!(payment(&order), pb::PaymentState::Declined);
    town.clock.advance(Duration::days(4));
    eventually(
        "the price is authorised",
        async || payment(&town.get(&id).await),
        |seen| *seen == pb::PaymentState::Authorized,
    )
    .await;
}

/// Money that runs out is reserved anew as long as there is work to do, and taken once it is done or in dispute.
#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_is_reserved_is_secured_before_it_runs_out(backend: Backend) {
    let town = Town::new(backend).await;
    let requested = town.ordered_ahead(Duration::days(4)).await.id;
    let at_work = town.at_work().await.id;
    let disputed = town.at_work().await.id;
    town.act(town.customer, "sos", &disputed).await;
    let delivered = town.delivered().await.id;
    let completed = town.completed().await.id;
    let expected = [
        (&completed, None),
        (&requested, Some(false)),
        (&at_work, Some(false)),
        (&disputed, Some(true)),
        (&delivered, Some(true)),
    ];
    for (id, _) in expected {
        town.publish("payment.hold_expiring", Town::payment_event(id, "")).await;
    }
    let expected: Vec<_> =
        expected.iter().filter_map(|(id, taken)| Some(((*id).clone(), (*taken)?))).collect();
    town.until_script("secured", |it| it.with(|memory| memory.secured.len()) >= expected.len())
        .await;
    let mut secured = town.script.with(|memory| memory.secured.clone());
    secured.sort_by_key(|(id, _)| expected.iter().position(|(known, _)| known == id));
    assert_eq!(secured, expected);
}

/// More was taken in time than is due: what payment gives back by itself is known at once.
#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_goes_back_of_a_capture_is_noted_with_it(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.delivered().await.id;
    town.script.with(|memory| memory.money.get_mut(&id).unwrap().in_escrow = 12_500);
    town.act(town.customer, "acceptDelivery", &id).await;
    let order = async || town.get(&id).await.payment.unwrap();
    let payment = eventually("captured", order, |it| it.state() == pb::PaymentState::Captured);
    let payment = payment.await;
    let amounts = [payment.captured, payment.refunded].map(|money| money.unwrap().minor_units);
    assert_eq!(amounts, [12_500, 2_500]);
}
