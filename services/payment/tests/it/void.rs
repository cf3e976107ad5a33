//! Giving everything back, and whatever still arrives after it.

use crate::shop::{RACE, Shop, euros};
use chrono::Duration;
use futures::future::join_all;
use kit::testing::{Backend, eventually, refusal};
use proto::quickserve::payment::v1::{self as pb, Outcome};
use sea_orm::{ConnectionTrait, Statement};
use uuid::Uuid;
use yare::parameterized;

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_success_after_the_end_goes_back_by_itself(backend: Backend) {
    let shop = Shop::open(backend).await;
    for (token, wait) in [("tok_late", 61), ("tok_very_late", 1_201)] {
        let request = shop.order(token).await;
        assert_eq!(shop.authorize(&request).await.unwrap().0, Outcome::Pending);
        for _ in 0..2 {
            shop.void(&request.order_id).await;
        }
        assert_eq!(refusal(shop.authorize(&request).await), "PAYMENT_CLOSED");
        assert_eq!(shop.facts("payment.late_refunded", &request.order_id), []);
        shop.pass(Duration::seconds(wait));
        let refunded = shop.fact_in_time("payment.late_refunded", &request.order_id).await;
        assert_eq!(refunded.0, 12_000);
        assert_eq!(shop.facts("payment.authorized", &request.order_id), []);
        let payment = shop.payment(&request.order_id).await;
        assert_eq!(payment.state(), pb::PaymentState::Closed);
        assert_eq!(payment.authorized, euros(0));
        assert_eq!(charge_state(&shop, &request.order_id).await, "VOIDED");
    }
    shop.check_books().await;
}

/// The late answer and the question that gives it back meet in any order; whichever is first, nothing is kept.
#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_success_that_meets_its_cancellation_goes_back(backend: Backend) {
    let shop = Shop::open(backend).await;
    let mut orders = Vec::new();
    for _ in 0..RACE {
        let request = shop.order("tok_late").await;
        shop.authorize(&request).await.unwrap();
        orders.push(request.order_id);
    }
    shop.pass(Duration::seconds(60));
    join_all(orders.iter().map(|order| shop.void(order))).await;
    for order in &orders {
        let state = async || charge_state(&shop, order).await;
        shop.in_time("a voided charge", state, |state| state == "VOIDED").await;
    }
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_closed_payment_keeps_nothing_at_the_provider(backend: Backend) {
    let shop = Shop::open(backend).await;
    for (token, state) in [
        ("tok_ok", "VOIDED"),
        ("tok_timeout_charged", "VOIDED"),
        ("tok_timeout_lost", "CANCELLED"),
        ("tok_confirm", "CANCELLED"),
        ("tok_never", "CANCELLED"),
        ("tok_declined", "DECLINED"),
    ] {
        let request = shop.order(token).await;
        shop.authorize(&request).await.unwrap();
        shop.void(&request.order_id).await;
        shop.void(&request.order_id).await;
        assert_eq!(charge_state(&shop, &request.order_id).await, state, "{token}");
        assert_eq!(refusal(shop.authorize(&request).await), "PAYMENT_CLOSED", "{token}");
        assert_eq!(
            shop.payment(&request.order_id).await.state(),
            pb::PaymentState::Closed,
            "{token}"
        );
    }
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_never_began_may_be_closed_and_stays_closed(backend: Backend) {
    let shop = Shop::open(backend).await;
    let mut request = shop.order("tok_ok").await;
    join_all((0..RACE).map(|_| shop.void(&request.order_id))).await;
    assert_eq!(refusal(shop.authorize(&request).await), "PAYMENT_CLOSED");
    request.save_method_only = true;
    assert_eq!(refusal(shop.authorize(&request).await), "PAYMENT_CLOSED");
    let refund = shop.refund(&request.order_id, 1, "first").await;
    assert_eq!(refusal(refund), "INVALID_ARGUMENT");
    let nobody = shop.refund(&Uuid::new_v4().to_string(), 1, "first").await;
    assert_eq!(refusal(nobody), "PAYMENT_NOT_FOUND");
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_was_captured_is_refunded(backend: Backend) {
    let shop = Shop::open(backend).await;
    for token in ["tok_ok", "tok_refund_fails_once"] {
        let (order, payout) = shop.captured(token).await;
        if token == "tok_ok" {
            shop.refund(&order, 2_000, "before").await.unwrap();
        }
        shop.void(&order).await;
        shop.void(&order).await;
        shop.pass(Duration::seconds(2));
        eventually(
            "the refund",
            async || shop.payout(&payout).await.state(),
            |seen| *seen == pb::PayoutState::Cancelled,
        )
        .await;
        let payment = shop.payment(&order).await;
        assert_eq!(payment.refunded, euros(12_000));
        assert_eq!(shop.balance("provider.payable").await, 0);
        let given_back = shop.facts("payment.refunded", &order);
        let total: i64 = given_back.iter().map(|(amount, _)| amount).sum();
        assert!(total <= 12_000, "{given_back:?}");
    }
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn whoever_wins_between_authorizing_and_closing_nothing_is_kept(backend: Backend) {
    let shop = Shop::open(backend).await;
    for token in ["tok_ok", "tok_timeout_charged", "tok_timeout_lost"] {
        for _ in 0..5 {
            let request = shop.order(token).await;
            tokio::join!(
                async { drop(shop.authorize(&request).await) },
                shop.void(&request.order_id)
            );
            shop.pass(Duration::seconds(40));
            let state = async || charge_state(&shop, &request.order_id).await;
            eventually("the charge is given back", state, |state| {
                ["VOIDED", "CANCELLED", ""].contains(&state.as_str())
            })
            .await;
            assert_eq!(refusal(shop.authorize(&request).await), "PAYMENT_CLOSED");
        }
    }
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_capture_that_succeeds_after_the_end_is_refunded(backend: Backend) {
    let shop = Shop::open(backend).await;
    let (order, payout) = shop.captured("tok_ok").await;
    shop.refund(&order, 1, "one").await.unwrap();
    shop.void(&order).await;
    assert_eq!(shop.payment(&order).await.refunded, euros(12_000));
    assert_eq!(shop.payout(&payout).await.state(), pb::PayoutState::Cancelled);

    // As if the capture's answer had been lost: it is written down, and nothing is known of it.
    let order = shop.authorized("tok_ok").await;
    let statement = format!(
        "INSERT INTO captures SELECT id, {}, 'SERVICE', 12000, NULL, NULL, 'cleaning', 0, 10000, \
         2000, 0, 0, 0, created_at, NULL, 0 FROM intents WHERE state = 'AUTHORIZED'",
        match shop.backend {
            kit::testing::Backend::Sqlite => "randomblob(16)",
            kit::testing::Backend::Postgres => "gen_random_uuid()",
        }
    );
    shop.db.connection().execute_unprepared(&statement).await.unwrap();
    for statement in
        ["INSERT INTO attempts SELECT c.attempt_id, a.intent_id, 'CAPTURE', 'capture', '', a.id, \
         NULL, 12000, 'UNKNOWN', '', '', '', 0, 1, a.deadline_at, a.created_at, a.updated_at, \
         1, NULL, FALSE, NULL, 0 \
         FROM attempts a JOIN captures c ON c.intent_id = a.intent_id JOIN intents i ON i.id = \
         a.intent_id WHERE a.kind = 'AUTHORIZE' AND i.state = 'AUTHORIZED'"]
    {
        shop.db.connection().execute_unprepared(statement).await.unwrap();
    }
    shop.void(&order).await;
    shop.pass(Duration::seconds(2));
    assert_eq!(shop.fact("payment.refunded", &order).await.0, 12_000);
    assert_eq!(shop.fact("payment.captured", &order).await.0, 12_000);
    let payment = shop.payment(&order).await;
    assert_eq!(payment.state(), pb::PaymentState::Closed);
    assert_eq!(payment.refunded, euros(12_000));
    shop.check_books().await;
}

/// What the sandbox holds of an order's charge, empty when it never heard of one.
async fn charge_state(shop: &crate::shop::Shop, order_id: &str) -> String {
    let order = Uuid::parse_str(order_id).unwrap();
    let db = shop.db.connection();
    let query = Statement::from_sql_and_values(
        db.get_database_backend(),
        "SELECT s.state FROM sandbox_charges s JOIN attempts a ON a.id = s.reference \
         JOIN intents i ON i.id = a.intent_id WHERE i.order_id = $1",
        [order.into()],
    );
    let row = db.query_one_raw(query).await.unwrap();
    row.map(|row| row.try_get("", "state").unwrap()).unwrap_or_default()
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_authorisation_is_given_back_for_another_one_later(backend: Backend) {
    let shop = Shop::open(backend).await;
    let first = shop.order("tok_ok").await;
    assert_eq!(shop.authorize(&first).await.unwrap().0, Outcome::Authorized);
    let release = async |key: &str| {
        shop.release(&first.order_id, key, false).await;
    };
    release(&first.attempt_key).await;
    assert_eq!(charge_state(&shop, &first.order_id).await, "VOIDED");
    let payment = shop.payment(&first.order_id).await;
    assert_eq!((payment.state(), payment.authorized), (pb::PaymentState::MethodSaved, euros(0)));

    // Another price, with the method that is on file.
    let second = pb::AuthorizePaymentRequest {
        attempt_key: "later".to_owned(),
        amount: euros(15_000),
        payment_method_id: String::new(),
        ..first.clone()
    };
    assert_eq!(shop.authorize(&second).await.unwrap().0, Outcome::Authorized);
    // A repeated or late call gives back what it meant, and nothing else.
    release(&first.attempt_key).await;
    let payment = shop.payment(&first.order_id).await;
    assert_eq!(
        (payment.state(), payment.authorized),
        (pb::PaymentState::Authorized, euros(15_000))
    );
    let settlement = shop.settlement(&first.order_id, 15_000);
    shop.charges().capture_payment(settlement).await.unwrap();
    release("later").await;
    assert_eq!(shop.payment(&first.order_id).await.state(), pb::PaymentState::Captured);
    shop.check_books().await;
}
