//! Authorising: the cards, repeated calls, races, late answers, a process that dies.

use crate::shop::{RACE, Shop, euros};
use chrono::Duration;
use futures::future::join_all;
use kit::testing::{Backend, eventually, refusal};
use proto::quickserve::payment::v1::{self as pb, Outcome};
use sea_orm::ConnectionTrait;
use yare::parameterized;

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn each_card_does_what_its_token_says(backend: Backend) {
    let shop = Shop::open(backend).await;
    for (token, outcome, why) in [
        ("tok_ok", Outcome::Authorized, ""),
        ("tok_ok_mastercard", Outcome::Authorized, ""),
        ("tok_declined", Outcome::Declined, "CARD_DECLINED"),
        ("tok_insufficient_funds", Outcome::Declined, "INSUFFICIENT_FUNDS"),
        ("tok_expired", Outcome::Declined, "CARD_EXPIRED"),
        ("tok_confirm", Outcome::ConfirmationRequired, ""),
        ("tok_late", Outcome::Pending, ""),
        ("tok_very_late", Outcome::Pending, ""),
        ("tok_late_declined", Outcome::Pending, ""),
        ("tok_never", Outcome::Pending, ""),
        ("tok_timeout_charged", Outcome::Authorized, ""),
        ("tok_timeout_lost", Outcome::Pending, ""),
        ("tok_raise_declined", Outcome::Authorized, ""),
        ("tok_capture_declined", Outcome::Authorized, ""),
        ("tok_refund_fails_once", Outcome::Authorized, ""),
        ("tok_refund_declined", Outcome::Authorized, ""),
    ] {
        let request = shop.order(token).await;
        let first = shop.authorize(&request).await.unwrap();
        assert_eq!(first, (outcome, why.to_owned()), "{token}");
        let again = match token {
            // The repeated call is the one that gets through.
            "tok_timeout_lost" => Outcome::Authorized,
            _ => outcome,
        };
        assert_eq!(shop.authorize(&request).await.unwrap().0, again, "{token} again");
        match outcome {
            Outcome::Authorized => {
                let fact = shop.fact("payment.authorized", &request.order_id).await;
                assert_eq!(fact, (12_000, String::new()));
            }
            Outcome::Declined => {
                let fact = shop.fact("payment.failed", &request.order_id).await;
                assert_eq!(fact, (12_000, why.to_owned()));
            }
            _ => {}
        }
    }
    shop.check_books().await;
}

/// Orders that are paid at the same moment share transactions: each still gets its own answer.
#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn payments_made_together_do_not_mix(backend: Backend) {
    let shop = Shop::open(backend).await;
    let tokens = ["tok_ok", "tok_declined", "tok_late", "tok_timeout_charged", "tok_confirm"];
    let mut requests = Vec::new();
    for token in tokens.into_iter().cycle().take(15) {
        requests.push((token, shop.order(token).await));
    }
    let cardless = pb::AuthorizePaymentRequest {
        order_id: uuid::Uuid::new_v4().to_string(),
        customer_id: uuid::Uuid::new_v4().to_string(),
        payment_method_id: String::new(),
        ..requests[0].1.clone()
    };
    requests.push(("no card", cardless));
    let answers = join_all(requests.iter().map(|(_, request)| shop.authorize(request))).await;
    for ((token, request), answer) in requests.iter().zip(answers) {
        let outcome = match *token {
            "tok_declined" => Outcome::Declined,
            "tok_late" => Outcome::Pending,
            "tok_confirm" => Outcome::ConfirmationRequired,
            "no card" => {
                assert_eq!(refusal(answer), "PAYMENT_METHOD_NOT_FOUND");
                continue;
            }
            _ => Outcome::Authorized,
        };
        assert_eq!(answer.unwrap().0, outcome, "{token}");
        let payment = shop.payment(&request.order_id).await;
        let authorized = if outcome == Outcome::Authorized { 12_000 } else { 0 };
        assert_eq!(payment.authorized, euros(authorized), "{token}");
        if outcome == Outcome::Authorized {
            shop.fact("payment.authorized", &request.order_id).await;
            assert_eq!(shop.facts("payment.authorized", &request.order_id).len(), 1);
        }
    }
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_confirmed_charge_is_authorized_and_a_wrong_code_declines_it(backend: Backend) {
    let shop = Shop::open(backend).await;
    let mut request = shop.order("tok_confirm").await;
    let asked = shop.charges().authorize_payment(request.clone()).await.unwrap().into_inner();
    assert!(asked.confirmation_url.starts_with("https://"));
    let payment = shop.payment(&request.order_id).await;
    assert_eq!(payment.state(), pb::PaymentState::ConfirmationRequired);
    assert_eq!(payment.confirmation_url, asked.confirmation_url);
    request.confirmation = "123456".into();
    for _ in 0..2 {
        let outcome = shop.authorize(&request).await.unwrap();
        assert_eq!(outcome.0, Outcome::Authorized);
    }

    // The confirmation may come under a key of its own.
    let mut request = shop.order("tok_confirm").await;
    shop.authorize(&request).await.unwrap();
    request.confirmation = "000000".into();
    request.attempt_key = "second".into();
    for _ in 0..2 {
        let outcome = shop.authorize(&request).await.unwrap();
        assert_eq!(outcome, (Outcome::Declined, "CONFIRMATION_FAILED".to_owned()));
    }
    assert_eq!(shop.payment(&request.order_id).await.decline_reason, "CONFIRMATION_FAILED");
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn another_card_may_follow_one_that_was_declined_or_waits_for_its_customer(backend: Backend) {
    let shop = Shop::open(backend).await;
    for token in ["tok_declined", "tok_confirm"] {
        let mut request = shop.order(token).await;
        let first = shop.authorize(&request).await.unwrap().0;
        assert_ne!(first, Outcome::Authorized);
        request.attempt_key = "second".into();
        request.payment_method_id = shop.card("tok_ok").await;
        assert_eq!(shop.authorize(&request).await.unwrap().0, Outcome::Authorized);
        let payment = shop.payment(&request.order_id).await;
        assert_eq!(payment.authorized, euros(12_000));
        assert_eq!(payment.payment_method_id, request.payment_method_id);
    }
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_late_charge_is_authorized_by_its_event(backend: Backend) {
    let shop = Shop::open(backend).await;
    let late = shop.order("tok_late").await;
    let declined = shop.order("tok_late_declined").await;
    for request in [&late, &declined] {
        assert_eq!(shop.authorize(request).await.unwrap().0, Outcome::Pending);
        let mut other = request.clone();
        other.attempt_key = "second".into();
        other.payment_method_id = shop.card("tok_ok").await;
        // An open outcome is never overtaken by a second charge.
        assert_eq!(shop.authorize(&other).await.unwrap().0, Outcome::Pending);
    }
    assert_eq!(shop.payment(&late.order_id).await.state(), pb::PaymentState::Pending);
    shop.pass(Duration::seconds(61));
    assert_eq!(shop.fact("payment.authorized", &late.order_id).await.0, 12_000);
    assert_eq!(shop.fact("payment.failed", &declined.order_id).await.1, "CARD_DECLINED");
    assert_eq!(shop.authorize(&late).await.unwrap().0, Outcome::Authorized);
    assert_eq!(shop.authorize(&declined).await.unwrap().0, Outcome::Declined);
    assert_eq!(shop.facts("payment.authorized", &late.order_id).len(), 1);
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_lost_call_is_repeated_by_the_timer_and_silence_is_given_up(backend: Backend) {
    let shop = Shop::open(backend).await;
    let lost = shop.order("tok_timeout_lost").await;
    assert_eq!(shop.authorize(&lost).await.unwrap().0, Outcome::Pending);
    shop.pass(Duration::seconds(2));
    assert_eq!(shop.fact("payment.authorized", &lost.order_id).await.0, 12_000);

    let mut silent = shop.order("tok_never").await;
    assert_eq!(shop.authorize(&silent).await.unwrap().0, Outcome::Pending);
    shop.pass(Duration::minutes(31));
    let fact = shop.fact("payment.failed", &silent.order_id).await;
    assert_eq!(fact.1, "PAYMENT_TIMED_OUT");
    let outcome = shop.authorize(&silent).await.unwrap();
    assert_eq!(outcome.0, Outcome::Declined);
    silent.attempt_key = "second".into();
    silent.payment_method_id = shop.card("tok_ok").await;
    assert_eq!(shop.authorize(&silent).await.unwrap().0, Outcome::Authorized);
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn calls_at_the_same_time_charge_once(backend: Backend) {
    let shop = Shop::open(backend).await;
    for (keys, token) in [(1, "tok_ok"), (RACE, "tok_ok"), (1, "tok_timeout_charged")] {
        let request = shop.order(token).await;
        let calls = (0..RACE).map(|n| {
            let attempt_key = format!("key {}", n % keys);
            let request = pb::AuthorizePaymentRequest { attempt_key, ..request.clone() };
            let shop = &shop;
            async move { shop.authorize(&request).await.unwrap().0 }
        });
        let outcomes = join_all(calls).await;
        assert!(outcomes.contains(&Outcome::Authorized), "{outcomes:?}");
        assert!(
            outcomes.iter().all(|it| matches!(it, Outcome::Authorized | Outcome::Pending)),
            "{outcomes:?}"
        );
        shop.fact("payment.authorized", &request.order_id).await;
        assert_eq!(shop.facts("payment.authorized", &request.order_id).len(), 1);
        assert_eq!(shop.payment(&request.order_id).await.authorized, euros(12_000));
    }
    let charged = shop
        .db
        .connection()
        .query_one_raw(sea_orm::Statement::from_string(
            shop.db.connection().get_database_backend(),
            "SELECT COUNT(*) AS n FROM sandbox_charges",
        ))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(charged.try_get::<i64>("", "n").unwrap(), 3);
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_key_with_another_amount_is_refused(backend: Backend) {
    let shop = Shop::open(backend).await;
    let mut request = shop.order("tok_ok").await;
    shop.authorize(&request).await.unwrap();
    request.amount = euros(12_001);
    assert_eq!(refusal(shop.authorize(&request).await), "IDEMPOTENCY_KEY_REUSED");
    request.attempt_key = "second".into();
    assert_eq!(refusal(shop.authorize(&request).await), "PAYMENT_STATE");
    request.amount = euros(12_000);
    assert_eq!(shop.authorize(&request).await.unwrap().0, Outcome::Authorized);

    let mut request = shop.order("tok_ok").await;
    request.payment_method_id = uuid::Uuid::new_v4().to_string();
    assert_eq!(refusal(shop.authorize(&request).await), "PAYMENT_METHOD_NOT_FOUND");
    for wrong in [-1, 100_000_000_001] {
        request.amount = euros(wrong);
        assert_eq!(refusal(shop.authorize(&request).await), "INVALID_ARGUMENT");
    }
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_price_of_zero_needs_no_card(backend: Backend) {
    let shop = Shop::open(backend).await;
    let mut request = shop.order("tok_declined").await;
    request.amount = euros(0);
    for _ in 0..2 {
        assert_eq!(shop.authorize(&request).await.unwrap().0, Outcome::Authorized);
    }
    for _ in 0..2 {
        let settlement = shop.settlement(&request.order_id, 0);
        let captured = shop.charges().capture_payment(settlement).await.unwrap().into_inner();
        assert_eq!((captured.captured, captured.payout_id), (euros(0), String::new()));
    }
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_method_on_file_is_charged_later(backend: Backend) {
    let shop = Shop::open(backend).await;
    shop.card("tok_declined").await;
    let mut request = shop.order("tok_ok").await;
    request.save_method_only = true;
    for _ in 0..2 {
        assert_eq!(shop.authorize(&request).await.unwrap().0, Outcome::MethodSaved);
    }
    let payment = shop.payment(&request.order_id).await;
    assert_eq!(payment.state(), pb::PaymentState::MethodSaved);
    assert_eq!(payment.authorized, euros(0));
    assert_eq!(shop.facts("payment.authorized", &request.order_id), []);

    // The method of the order is taken, not the default, which would be declined.
    request.save_method_only = false;
    request.payment_method_id = String::new();
    request.attempt_key = "start - 24 h".into();
    for _ in 0..2 {
        assert_eq!(shop.authorize(&request).await.unwrap().0, Outcome::Authorized);
    }
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn the_default_method_pays_when_none_is_named(backend: Backend) {
    let shop = Shop::open(backend).await;
    let mut request = shop.order("tok_ok").await;
    let default = std::mem::take(&mut request.payment_method_id);
    shop.card("tok_declined").await;
    assert_eq!(shop.authorize(&request).await.unwrap().0, Outcome::Authorized);
    assert_eq!(shop.payment(&request.order_id).await.payment_method_id, default);
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_process_that_dies_while_it_asks_is_picked_up(backend: Backend) {
    let shop = Shop::open(backend).await;
    let order = shop.authorized("tok_ok").await;
    shop.fact("payment.authorized", &order).await;
    // As if the answer had never been written down.
    for statement in [
        "UPDATE attempts SET state = 'UNKNOWN', tries = 0",
        "UPDATE intents SET state = 'OPEN', authorized = 0",
    ] {
        shop.db.connection().execute_unprepared(statement).await.unwrap();
    }
    shop.pass(Duration::seconds(31));
    eventually(
        "the payment is found",
        async || shop.payment(&order).await.state(),
        |seen| *seen == pb::PaymentState::Authorized,
    )
    .await;
    shop.check_books().await;
}
