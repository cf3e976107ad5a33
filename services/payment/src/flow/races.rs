//! What the payment provider says while something else is decided: each test takes the steps of two calls one by one, in
//! the order that goes wrong where a rule is not kept.

mod till;

use super::*;
use crate::{
    domain::{
        Error,
        attempt::{AttemptKind, State},
        decision::AuthorizationRequest,
        due, intent,
        ledger::Account,
    },
    psp::sandbox::CONFIRMATION_CODE,
    repository::{dues, intents, journals},
};
use chrono::Duration;
use kit::testing::Backend;
use sea_orm::{ConnectionTrait, Statement};
use till::Till;
use yare::parameterized;

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_outcome_that_comes_as_the_time_ends_counts(backend: Backend) {
    let till = Till::open(backend, "tok_confirm").await;
    let order = till.new_order();
    let request = till.request(12_000, "first");
    till.payments.authorize(order, request.clone()).await.unwrap();
    // The timer has read the attempt, and decides that its time is over.
    let read_before = till.attempts(order, AttemptKind::Authorize).await.remove(0);
    assert_eq!(read_before.state, State::ConfirmationRequired);
    till.world.clock.advance(Duration::minutes(31));
    let confirmation = CONFIRMATION_CODE.to_owned();
    let confirmed = AuthorizationRequest { confirmation, ..request };
    let outcome = till.payments.authorize(order, confirmed).await.unwrap();
    assert_eq!(outcome.status, AuthorizationStatus::Authorized);
    let intent = till.intent(order).await;
    till.payments.settle_attempt(&intent, read_before).await.unwrap();
    assert_eq!(till.attempts(order, AttemptKind::Authorize).await[0].state, State::Succeeded);
    let captured = till.payments.capture(till.capture_request(order, 12_000)).await.unwrap();
    assert_eq!(captured.amount, 12_000);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_is_just_being_captured_is_not_given_back(backend: Backend) {
    let till = Till::open(backend, "tok_ok").await;
    let order = till.authorized().await;
    till.ask_for_capture(order).await;
    // The order is moved.
    let released = till.payments.release_authorization(order, "first").await;
    assert!(matches!(released, Err(Error::Pending)), "{released:?}");
    till.settle(order).await;
    till.payments.release_authorization(order, "first").await.unwrap();
    let intent = till.intent(order).await;
    assert_eq!((intent.state, intent.captured), (intent::State::Authorized, 12_000));
    assert_eq!((intent.authorized, till.escrow(order).await), (12_000, 12_000));
    // It covers the order at its new time, and goes back when that is cancelled.
    till.payments.authorize(order, till.request(12_000, "second")).await.unwrap();
    assert_eq!(till.attempts(order, AttemptKind::Authorize).await.len(), 1);
    till.payments.void(order, "CANCELLED").await.unwrap();
    assert_eq!(till.intent(order).await.refunded, 12_000);
    assert_eq!(till.escrow(order).await, 0);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn money_on_its_way_into_escrow_goes_back_when_nothing_is_due(backend: Backend) {
    let till = Till::open(backend, "tok_ok").await;
    let order = till.authorized().await;
    till.ask_for_capture(order).await;
    for _ in 0..2 {
        till.payments.capture(till.capture_request(order, 0)).await.unwrap();
    }
    till.settle(order).await;
    let intent = till.intent(order).await;
    assert_eq!((intent.state, intent.refunded), (intent::State::Captured, 12_000));
    assert_eq!(till.escrow(order).await, 0);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn nothing_is_due_where_a_capture_into_escrow_is_refused(backend: Backend) {
    let till = Till::open(backend, "tok_capture_declined").await;
    let order = till.authorized().await;
    till.ask_for_capture(order).await;
    let captured = till.payments.capture(till.capture_request(order, 0)).await.unwrap();
    assert_eq!((captured.amount, captured.refunded), (0, 0));
    till.settle(order).await;
    assert_eq!(till.intent(order).await.state, intent::State::Captured);
    assert_eq!(till.attempts(order, AttemptKind::Authorize).await[0].state, State::Released);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn the_fee_of_a_capture_is_booked_when_its_event_comes_first(backend: Backend) {
    let till = Till::open(backend, "tok_ok").await;
    let order = till.authorized().await;
    let capture = till.ask_for_capture(order).await;
    let event = serde_json::json!({
        "id": "evt_1",
        "type": "capture.succeeded",
        "data": {"reference": capture.id.uuid(), "fee": 193},
    });
    let tx = till.payments.db.begin().await.unwrap();
    psp_event::take_event(&tx, serde_json::from_value(event).unwrap()).await.unwrap();
    tx.commit().await.unwrap();
    // The reply follows, and says the same.
    let intent = till.intent(order).await;
    till.payments.settle_attempt(&intent, capture.clone()).await.unwrap();
    let tx = till.payments.db.begin().await.unwrap();
    let fee = journals::list_entries(&tx, &format!("fee:{}", capture.id)).await.unwrap();
    assert_eq!(journals::amount_of(&fee, Account::Fees, "EUR"), -193);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_due_that_was_waived_or_lowered_meanwhile_is_not_charged(backend: Backend) {
    let till = Till::open(backend, "tok_ok").await;
    let (order, due) = till.with_due().await;
    till.begin_to_pay(&due).await;
    // It is lowered without its payment, as earlier versions did.
    let tx = till.payments.db.begin().await.unwrap();
    let mut lowered = dues::lock(&tx, due.id).await.unwrap();
    lowered.lower(500).unwrap();
    dues::save(&tx, &mut lowered).await.unwrap();
    tx.commit().await.unwrap();
    let (subject, request) = (due.payment_subject(), till.request(2_500, "first"));
    let outcome = till.payments.authorize_further(subject, request).await.unwrap();
    let reason = "DUE_CHANGED".to_owned();
    assert_eq!(outcome.status, AuthorizationStatus::Declined { reason });
    // What is left may be paid.
    assert_eq!(till.intent(subject).await.amount, 2_000);
    // And waived.
    let tx = till.payments.db.begin().await.unwrap();
    let mut main = intents::lock_of_order(&tx, order).await.unwrap();
    let mut waived = dues::lock(&tx, due.id).await.unwrap();
    waived.waive().unwrap();
    dues::save(&tx, &mut waived).await.unwrap();
    intents::save_intent(&tx, &mut main).await.unwrap();
    tx.commit().await.unwrap();
    let request = till.request(2_000, "second");
    till.payments.authorize_further(subject, request).await.unwrap();
    till.settle(subject).await;
    assert_eq!(till.due(due.id).await.state, due::State::Waived);
    assert_eq!(till.attempts(subject, AttemptKind::Capture).await, []);
    let charges = till.attempts(subject, AttemptKind::Authorize).await;
    assert!(charges.iter().all(|charge| charge.state == State::Released), "{charges:?}");
}

/// Only PostgreSQL runs two transactions at a time.
#[tokio::test(flavor = "multi_thread")]
async fn a_waiver_finds_the_payment_that_begins_at_the_same_time() {
    let till = Till::open(Backend::Postgres, "tok_ok").await;
    let (_, due) = till.with_due().await;
    let tx = till.payments.db.begin().await.unwrap();
    open_due_payment(&tx, due.id, till.customer).await.unwrap();
    let waiver = tokio::spawn({
        let (payments, id) = (till.payments.clone(), due.id);
        async move { payments.waive_due(id).await }
    });
    till.a_session_waits().await;
    tx.commit().await.unwrap();
    let waived = waiver.await.unwrap();
    assert!(matches!(waived, Err(Error::Pending)), "{waived:?}");
    till.payments.waive_due(due.id).await.unwrap();
    assert!(till.intent(due.payment_subject()).await.is_closed());
}

/// Only PostgreSQL runs two transactions at a time.
#[tokio::test(flavor = "multi_thread")]
async fn the_payment_of_a_due_is_locked_before_the_due() {
    let till = Till::open(Backend::Postgres, "tok_ok").await;
    let (order, due) = till.with_due().await;
    till.begin_to_pay(&due).await;
    // The payment provider answers about the payment of the due while the order is given back.
    let tx = till.payments.db.begin().await.unwrap();
    intents::lock_of_order(&tx, due.payment_subject()).await.unwrap();
    let void = tokio::spawn({
        let payments = till.payments.clone();
        async move { payments.void(order, "CANCELLED").await }
    });
    till.a_session_waits().await;
    dues::lock(&tx, due.id).await.unwrap();
    tx.commit().await.unwrap();
    void.await.unwrap().unwrap();
    assert_eq!(till.due(due.id).await.state, due::State::Waived);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_a_closed_due_has_in_escrow_is_not_given_back_for_the_order(backend: Backend) {
    let till = Till::open(backend, "tok_ok").await;
    let (order, due) = till.with_due().await;
    till.begin_to_pay(&due).await;
    let subject = due.payment_subject();
    till.payments.authorize_further(subject, till.request(2_500, "first")).await.unwrap();
    // It is given up while it is being captured, so that its money goes back through the escrow of the order.
    let tx = till.payments.db.begin().await.unwrap();
    let mut main = intents::lock_of_order(&tx, order).await.unwrap();
    void::close_beyond_cap_dues(&tx, &mut main, "WAIVED").await.unwrap();
    intents::save_intent(&tx, &mut main).await.unwrap();
    tx.commit().await.unwrap();
    let capture = till.attempts(subject, AttemptKind::Capture).await.remove(0);
    let payment = till.intent(subject).await;
    till.payments.run_attempt(payment, capture).await.unwrap();
    assert_eq!(till.escrow(order).await, 2_500);
    let refund = RefundRequest {
        amount: RefundAmount::Exactly(1_000),
        currency: "EUR".into(),
        key: "goodwill".into(),
        reason: "GOODWILL".into(),
    };
    till.payments.refund_order(order, refund).await.unwrap();
    assert_eq!(till.attempts(order, AttemptKind::Refund).await[0].from_escrow, 0);
    till.settle(subject).await;
    assert_eq!(till.intent(subject).await.refunded, 2_500);
    assert_eq!(till.escrow(order).await, 0);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_raise_that_was_given_up_before_its_answer_is_made_anew(backend: Backend) {
    let till = Till::open(backend, "tok_ok").await;
    let order = till.authorized().await;
    let tx = till.payments.db.begin().await.unwrap();
    let intent = intents::lock_of_order(&tx, order).await.unwrap();
    raise::find_or_open_raise(&tx, &intent, 500, "change").await.unwrap();
    tx.commit().await.unwrap();
    till.payments.release_raise(order, "change").await.unwrap();
    assert_eq!(till.attempts(order, AttemptKind::Raise).await[0].state, State::Failed);
    for _ in 0..2 {
        let request = raise::RaiseRequest {
            currency: "EUR".into(),
            amount: 500,
            key: "change".into(),
            confirmation: String::new(),
        };
        let raised = till.payments.raise_authorization(order, request).await.unwrap();
        assert_eq!(raised.intent.authorized, 12_500);
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_captures_and_bookings_look_up_has_an_index(backend: Backend) {
    let till = Till::open(backend, "tok_ok").await;
    let (order, _) = till.with_due().await;
    let intent = till.intent(order).await;
    let tx = till.payments.db.begin().await.unwrap();
    let explain = match backend {
        Backend::Sqlite => "EXPLAIN QUERY PLAN",
        Backend::Postgres => {
            // Tables of a few rows are read as a whole otherwise.
            tx.execute_unprepared("SET LOCAL enable_seqscan = off").await.unwrap();
            "EXPLAIN"
        }
    };
    for (query, id, index) in [
        ("SELECT * FROM payouts WHERE intent_id = $1", intent.id.uuid(), "payouts_intent"),
        ("SELECT * FROM payouts WHERE order_id = $1", order.uuid(), "payouts_order"),
        ("SELECT * FROM chargebacks WHERE intent_id = $1", intent.id.uuid(), "chargebacks_intent"),
        (
            "SELECT customer_id FROM dues WHERE customer_id = $1 AND state = 'OPEN'",
            till.customer.uuid(),
            "dues_open",
        ),
    ] {
        let explained = format!("{explain} {query}");
        let statement =
            Statement::from_sql_and_values(tx.get_database_backend(), explained, [id.into()]);
        let plan = tx.query_all_raw(statement).await.unwrap();
        let column = if backend == Backend::Sqlite { "detail" } else { "QUERY PLAN" };
        let plan: Vec<String> = plan.iter().map(|row| row.try_get("", column).unwrap()).collect();
        let plan = plan.join(" ");
        assert!(plan.split_whitespace().any(|word| word == index), "{query}: {plan}");
    }
}
