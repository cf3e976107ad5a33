//! Holds that run out after a week: before that their money is reserved anew, or taken into escrow.

use crate::shop::{Shop, euros, fee};
use chrono::Duration;
use kit::testing::{Backend, acting_as, eventually, refusal};
use proto::quickserve::payment::v1::{self as pb, DueState, Outcome};
use sea_orm::ConnectionTrait;
use yare::parameterized;

/// When a hold is to be secured, and when it runs out.
const DAY_SIX: Duration = Duration::days(6);

/// Amount and state of each hold, and how much was captured of it.
fn hold(amount: i64, captured: i64, state: &str) -> (i64, i64, i64, String) {
    (amount, captured, 0, state.to_owned())
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn it_is_said_in_time_that_a_hold_runs_out(backend: Backend) {
    let shop = Shop::open(backend).await;
    let order = shop.authorized("tok_ok").await;
    let late = shop.order("tok_late").await;
    shop.authorize(&late).await.unwrap();
    let captured = shop.captured("tok_ok").await.0;
    // Nothing runs out yet, so that nothing is to be secured.
    shop.secure(&order, true).await;
    assert_eq!(shop.holds(&order).await, [hold(12_000, 0, "AUTHORIZED")]);
    shop.pass(Duration::seconds(61));
    shop.fact_in_time("payment.authorized", &late.order_id).await;
    shop.pass(DAY_SIX - Duration::seconds(62));
    assert_eq!(shop.facts("payment.hold_expiring", &order), []);
    shop.pass(Duration::seconds(61));
    for order in [&order, &late.order_id] {
        assert_eq!(shop.fact("payment.hold_expiring", order).await.0, 12_000);
    }
    // It is said again until something is done.
    shop.pass(Duration::hours(1));
    let said = async || shop.facts("payment.hold_expiring", &order).len();
    eventually("it is said again", said, |said| *said == 2).await;
    assert_eq!(shop.facts("payment.hold_expiring", &captured), []);
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn before_the_work_the_money_is_reserved_anew(backend: Backend) {
    let shop = Shop::open(backend).await;
    for token in ["tok_ok", "tok_timeout_charged", "tok_timeout_lost"] {
        let request = shop.order(token).await;
        shop.authorize(&request).await.unwrap();
        shop.authorize(&request).await.unwrap();
        let order = &request.order_id;
        shop.raise(order, 3_000, "change").await.unwrap();
        shop.pass(DAY_SIX);
        for _ in 0..2 {
            shop.secure(order, false).await;
        }
        let renewed = [hold(15_000, 0, "VOIDED"), hold(15_000, 0, "AUTHORIZED")];
        let holds = async || shop.holds(order).await;
        shop.in_time("the hold is renewed", holds, |holds| *holds == renewed).await;
        // The calls of the booking and of the change are answered as before.
        assert_eq!(shop.authorize(&request).await.unwrap().0, Outcome::Authorized, "{token}");
        assert_eq!(shop.raise(order, 3_000, "change").await.unwrap(), 15_000, "{token}");
        let payment = shop.payment(order).await;
        assert_eq!(
            (payment.state(), payment.authorized),
            (pb::PaymentState::Authorized, euros(15_000))
        );
        shop.pass(Duration::days(3));
        shop.capture(order, 15_000).await.unwrap();
        assert_eq!(shop.holds(order).await[1], hold(15_000, 15_000, "CAPTURED"));
        assert_eq!(shop.facts("payment.authorized", order).len(), 1, "{token}");
    }
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_cannot_be_reserved_anew_is_taken_into_escrow(backend: Backend) {
    let shop = Shop::open(backend).await;
    for token in ["tok_renewal_declined", "tok_confirm"] {
        let mut request = shop.order(token).await;
        request.confirmation = "123456".into();
        shop.authorize(&request).await.unwrap();
        shop.authorize(&request).await.unwrap();
        let order = &request.order_id;
        shop.pass(DAY_SIX);
        shop.secure(order, false).await;
        let captured = async || shop.holds(order).await.remove(0);
        let taken = hold(12_000, 12_000, "CAPTURED");
        eventually("it is captured", captured, |hold| *hold == taken).await;
        assert_eq!(shop.balance("order.escrow").await, 12_000, "{token}");
        assert!(shop.trial_balance().await.balanced);
        // The order is cancelled: all of it goes back.
        shop.void(order).await;
        shop.fact_in_time("payment.refunded", order).await;
        assert_eq!(shop.balance("order.escrow").await, 0, "{token}");
        assert_eq!(shop.balance("provider.payable").await, 0, "{token}");
        let holds = shop.holds(order).await;
        assert!(holds.iter().all(|(.., state)| state != "AUTHORIZED"), "{token} {holds:?}");
    }
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn money_of_done_work_waits_in_escrow_for_the_decision(backend: Backend) {
    let shop = Shop::open(backend).await;
    let order = shop.authorized("tok_second_hold").await;
    shop.pass(Duration::days(2));
    shop.raise(&order, 4_000, "change").await.unwrap();
    shop.pass(Duration::days(4));
    for _ in 0..2 {
        shop.secure(&order, true).await;
    }
    // The second hold lives two days longer.
    let expected = [hold(12_000, 12_000, "CAPTURED"), hold(4_000, 0, "AUTHORIZED")];
    assert_eq!(shop.holds(&order).await, expected);
    assert_eq!(shop.payment(&order).await.captured, euros(12_000));
    assert_eq!(shop.facts("payment.captured", &order), []);
    // A part went back before the decision: those who earn bear it.
    shop.refund(&order, 1_000, "goodwill").await.unwrap();
    let answer = shop.capture(&order, 13_000).await.unwrap();
    assert_eq!((answer.captured, answer.refunded), (euros(13_000), euros(1_000)));
    assert_eq!(shop.holds(&order).await[1], hold(4_000, 1_000, "CAPTURED"));
    let [.., escrow, payable, commission, vat, dues, deferred] = shop.ledger().await;
    assert_eq!([escrow, payable, commission, vat, dues, deferred], [0, 9_600, 2_000, 400, 0, 0]);
    assert_eq!(shop.payout(&answer.payout_id).await.amount, euros(9_600));
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn nothing_may_be_due_of_what_waits_in_escrow(backend: Backend) {
    let shop = Shop::open(backend).await;
    let order = shop.authorized("tok_ok").await;
    shop.pass(DAY_SIX);
    shop.secure(&order, true).await;
    for _ in 0..2 {
        let answer = shop.capture(&order, 0).await.unwrap();
        assert_eq!((answer.refunded, answer.payout_id), (euros(12_000), String::new()));
    }
    shop.fact_in_time("payment.refunded", &order).await;
    let clearing = fee(12_000);
    let posted = [clearing, -clearing, 0, 0, 0, 0, 0, 0];
    assert_eq!(shop.ledger().await, posted);
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_hold_that_has_run_out_is_owed(backend: Backend) {
    let shop = Shop::open(backend).await;
    let order = shop.authorized("tok_ok").await;
    shop.pass(Duration::days(8));
    assert_eq!(refusal(shop.capture(&order, 12_000).await), "PAYMENT_DECLINED");
    let mut client = shop.dues();
    let listed = acting_as(shop.customer, client.list_dues(pb::ListDuesRequest::default())).await;
    let due = listed.unwrap().into_inner().dues.remove(0);
    assert_eq!((due.state(), due.reason.as_str()), (DueState::Open, "AUTHORIZATION_EXPIRED"));
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn money_that_cannot_be_taken_in_time_is_owed_in_the_end(backend: Backend) {
    let shop = Shop::open(backend).await;
    let order = shop.authorized("tok_capture_declined").await;
    shop.pass(DAY_SIX);
    shop.secure(&order, true).await;
    assert_eq!(shop.facts("payment.failed", &order), []);
    assert_eq!(refusal(shop.capture(&order, 12_000).await), "PAYMENT_DECLINED");
    let [.., escrow, payable, _, _, dues, deferred] = shop.ledger().await;
    assert_eq!([escrow, payable, dues, deferred], [0, 0, -12_000, 12_000]);
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_renewed_authorisation_is_given_back_for_a_move(backend: Backend) {
    let shop = Shop::open(backend).await;
    let first = shop.order("tok_second_hold").await;
    shop.authorize(&first).await.unwrap();
    shop.raise(&first.order_id, 4_000, "change").await.unwrap();
    shop.pass(DAY_SIX);
    shop.secure(&first.order_id, false).await;
    shop.release(&first.order_id, &first.attempt_key, false).await;
    let holds = shop.holds(&first.order_id).await;
    assert_eq!(holds.len(), 4);
    assert!(holds.iter().all(|(.., state)| state == "VOIDED"), "{holds:?}");
    let payment = shop.payment(&first.order_id).await;
    assert_eq!((payment.state(), payment.authorized), (pb::PaymentState::MethodSaved, euros(0)));
    // What another attempt reserves since is no matter of the first one.
    let attempt_key = "later".to_owned();
    let second = pb::AuthorizePaymentRequest { attempt_key, ..first.clone() };
    assert_eq!(shop.authorize(&second).await.unwrap().0, Outcome::Authorized);
    shop.release(&first.order_id, &first.attempt_key, false).await;
    assert_eq!(shop.payment(&first.order_id).await.authorized, euros(12_000));
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_charge_in_escrow_that_its_bank_takes_back_is_borne_at_the_split(backend: Backend) {
    let shop = Shop::open(backend).await;
    let order = shop.authorized("tok_ok").await;
    let charge = shop.charge_of(&order).await;
    shop.pass(DAY_SIX);
    shop.secure(&order, true).await;
    for (id, kind) in [("d1", "charge.disputed"), ("d2", "charge.dispute_lost")] {
        let body = format!(
            r#"{{"id":"{id}","type":"{kind}","data":{{"reference":"{charge}","amount":3000}}}}"#
        );
        shop.post(&body).await.unwrap();
    }
    assert_eq!(shop.balance("order.escrow").await, 9_000);
    // 80.00 are due, 30.00 of 120.00 are gone: 10.00 go back.
    let answer = shop.capture(&order, 8_000).await.unwrap();
    assert_eq!(answer.refunded, euros(1_000));
    shop.fact_in_time("payment.refunded", &order).await;
    let [.., escrow, payable, commission, vat, _, _] = shop.ledger().await;
    assert_eq!([escrow, payable, commission, vat], [0, 6_400, 1_333, 267]);
    shop.check_books().await;
}

/// What earlier versions have captured is split, and what they have reserved is captured as before.
#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn payments_of_earlier_versions_go_on(backend: Backend) {
    let shop = Shop::open(backend).await;
    let captured = shop.captured("tok_ok").await.0;
    let reserved = shop.authorized("tok_ok").await;
    let raised = shop.authorized("tok_ok").await;
    shop.raise(&raised, 1_000, "change").await.unwrap();
    // The tables as the version before had them.
    let dropped = [
        ("attempts", "position"),
        ("attempts", "expires_at"),
        ("attempts", "separate"),
        ("attempts", "part_of"),
        ("attempts", "from_escrow"),
        ("captures", "split_at"),
        ("captures", "uncaptured"),
        ("sandbox_charges", "expires_at"),
    ];
    let columns =
        dropped.map(|(table, column)| format!("ALTER TABLE {table} DROP COLUMN {column}"));
    let others = [
        "DELETE FROM timers WHERE kind = 'hold'".to_owned(),
        "DELETE FROM seaql_migrations WHERE version = 'm0008_card_holds'".to_owned(),
    ];
    for statement in columns.into_iter().chain(others) {
        shop.db.connection().execute_unprepared(&statement).await.unwrap();
    }
    shop.world.host.of("payment").migrate().await.unwrap();
    shop.refund(&captured, 3_000, "part").await.unwrap();
    assert_eq!(shop.balance("provider.payable").await, 7_200);
    // The payment provider never said when these run out.
    shop.pass(Duration::days(8));
    shop.secure(&reserved, true).await;
    assert_eq!(shop.capture(&reserved, 12_000).await.unwrap().captured, euros(12_000));
    assert_eq!(shop.capture(&raised, 13_000).await.unwrap().captured, euros(13_000));
    shop.check_books().await;
}
