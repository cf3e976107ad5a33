//! Several holds for one order: a raise that is a second hold, captures and refunds over all of them.

use crate::shop::{Shop, euros, fee};
use chrono::Duration;
use kit::testing::{Backend, acting_as, eventually, refusal};
use proto::quickserve::payment::v1::{self as pb, DueState, PayoutState};
use yare::parameterized;

fn hold(amount: i64, captured: i64, refunded: i64, state: &str) -> (i64, i64, i64, String) {
    (amount, captured, refunded, state.to_owned())
}

/// An order of 120.00 with a second hold of 40.00.
async fn raised(shop: &Shop, token: &str) -> String {
    let order = shop.authorized(token).await;
    for _ in 0..2 {
        assert_eq!(shop.raise(&order, 4_000, "change 1").await.unwrap(), 16_000);
    }
    order
}

async fn only_due(shop: &Shop) -> pb::Due {
    let mut client = shop.dues();
    let listed = acting_as(shop.customer, client.list_dues(pb::ListDuesRequest::default())).await;
    listed.unwrap().into_inner().dues.remove(0)
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_raise_is_a_second_hold_where_the_card_makes_one(backend: Backend) {
    let shop = Shop::open(backend).await;
    let order = raised(&shop, "tok_second_hold").await;
    let second = hold(4_000, 0, 0, "AUTHORIZED");
    assert_eq!(shop.holds(&order).await, [hold(12_000, 0, 0, "AUTHORIZED"), second]);
    let same = raised(&shop, "tok_ok").await;
    assert_eq!(shop.holds(&same).await, [hold(16_000, 0, 0, "AUTHORIZED")]);
    for order in [&order, &same] {
        shop.void(order).await;
        assert!(shop.holds(order).await.iter().all(|(.., state)| state == "VOIDED"));
    }
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn the_oldest_hold_is_captured_first_and_the_rest_is_freed(backend: Backend) {
    let shop = Shop::open(backend).await;
    let order = raised(&shop, "tok_second_hold").await;
    let answer = shop.capture(&order, 13_000).await.unwrap();
    assert_eq!(answer.captured, euros(13_000));
    let expected = [hold(12_000, 12_000, 0, "CAPTURED"), hold(4_000, 1_000, 0, "CAPTURED")];
    assert_eq!(shop.holds(&order).await, expected);
    assert_eq!(shop.capture(&order, 13_000).await.unwrap(), answer);
    assert_eq!(refusal(shop.capture(&order, 13_001).await), "PAYMENT_STATE");
    shop.fact("payment.captured", &order).await;
    assert_eq!(shop.facts("payment.captured", &order).len(), 1);

    let order = raised(&shop, "tok_second_hold").await;
    shop.capture(&order, 9_000).await.unwrap();
    let freed = hold(4_000, 0, 0, "VOIDED");
    let holds = async || shop.holds(&order).await;
    eventually("the second hold is freed", holds, |holds| holds.last() == Some(&freed)).await;
    assert_eq!(shop.holds(&order).await[0], hold(12_000, 9_000, 0, "CAPTURED"));
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_a_later_hold_refuses_is_owed(backend: Backend) {
    let shop = Shop::open(backend).await;
    let order = raised(&shop, "tok_second_capture_declined").await;
    let answer = shop.capture(&order, 16_000).await.unwrap();
    assert_eq!(answer.captured, euros(12_000));
    assert_eq!(shop.capture(&order, 16_000).await.unwrap(), answer);
    let payment = shop.payment(&order).await;
    assert_eq!(payment.state(), pb::PaymentState::Captured);
    let clearing = fee(12_000) - 12_000;
    let [_, fees, ..] = shop.ledger().await;
    let owed = [clearing, fees, 0, 9_600, 2_000, 400, -4_000, 4_000];
    assert_eq!(shop.ledger().await, owed);
    assert_eq!(shop.fact("payment.due_created", &order).await.0, 4_000);
    let due = only_due(&shop).await;
    assert_eq!((due.state(), due.reason.as_str()), (DueState::Open, "AUTHORIZATION_EXPIRED"));

    // Once it is paid it is earned as well, by a payout of its own.
    let payment_method_id = shop.card("tok_ok").await;
    let request = pb::PayDueRequest { due_id: due.id, payment_method_id, ..Default::default() };
    acting_as(shop.customer, shop.dues().pay_due(request)).await.unwrap();
    let [.., payable, commission, vat, dues, deferred] = shop.ledger().await;
    assert_eq!([payable, commission, vat, dues, deferred], [12_800, 2_667, 533, 0, 0]);
    shop.pass(Duration::days(2));
    let payable = async || shop.balance("provider.payable").await;
    eventually("both are paid out", payable, |left| *left == 0).await;
    let mut client = shop.payouts();
    let listed = acting_as(shop.operator, client.list_payouts(pb::ListPayoutsRequest::default()));
    let payouts = listed.await.unwrap().into_inner().payouts;
    let mut kinds: Vec<_> = payouts.iter().map(|payout| payout.kind.as_str()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["REST", "SERVICE"]);
    assert!(payouts.iter().all(|payout| payout.state() == PayoutState::Paid));
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_due_of_a_part_is_given_up_with_the_order(backend: Backend) {
    let shop = Shop::open(backend).await;
    for refunds in [true, false] {
        let order = raised(&shop, "tok_second_capture_declined").await;
        shop.capture(&order, 16_000).await.unwrap();
        if refunds {
            shop.refund(&order, 12_000, "all").await.unwrap();
        } else {
            shop.void(&order).await;
        }
        assert_eq!(only_due(&shop).await.state(), DueState::Waived);
        let [.., escrow, payable, commission, vat, dues, deferred] = shop.ledger().await;
        assert_eq!([escrow, payable, commission, vat, dues, deferred], [0; 6]);
    }
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_refund_goes_back_to_the_holds_that_took_it(backend: Backend) {
    let shop = Shop::open(backend).await;
    let order = raised(&shop, "tok_second_hold").await;
    shop.capture(&order, 16_000).await.unwrap();
    assert_eq!(shop.refund(&order, 14_000, "much").await.unwrap(), 14_000);
    assert_eq!(shop.refund(&order, 14_000, "much").await.unwrap(), 14_000);
    assert_eq!(refusal(shop.refund(&order, 13_999, "much").await), "IDEMPOTENCY_KEY_REUSED");
    let expected =
        [hold(12_000, 12_000, 12_000, "CAPTURED"), hold(4_000, 4_000, 2_000, "CAPTURED")];
    assert_eq!(shop.holds(&order).await, expected);
    assert_eq!(refusal(shop.refund(&order, 2_001, "more").await), "REFUND_EXCEEDS_CAPTURE");
    assert_eq!(shop.refund(&order, 2_000, "rest").await.unwrap(), 16_000);
    let refunds = shop.payment(&order).await.refunds;
    let amounts: Vec<_> =
        refunds.iter().map(|it| it.amount.as_ref().unwrap().minor_units).collect();
    assert_eq!(amounts, [12_000, 2_000, 2_000]);
    assert_eq!(shop.balance("provider.payable").await, 0);
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_raise_that_is_not_needed_is_given_back_alone(backend: Backend) {
    let shop = Shop::open(backend).await;
    for token in ["tok_second_hold", "tok_ok", "tok_renewal_declined"] {
        let order = raised(&shop, token).await;
        // A step that never came, and one that did, twice.
        for key in ["change 2", "change 1", "change 1"] {
            shop.release(&order, key, true).await;
        }
        assert_eq!(shop.payment(&order).await.authorized, euros(12_000), "{token}");
        let reserved = async || {
            let holds = shop.holds(&order).await.into_iter();
            holds.filter(|(.., state)| state == "AUTHORIZED").map(|(amount, ..)| amount).sum()
        };
        // A card that is not asked without its customer keeps the hold until the capture.
        let left: i64 = if token == "tok_renewal_declined" { 16_000 } else { 12_000 };
        eventually("the raise is freed", reserved, |reserved: &i64| *reserved == left).await;
        assert_eq!(refusal(shop.capture(&order, 16_000).await), "CAPTURE_EXCEEDS_AUTHORIZATION");

        // The same step may raise again.
        assert_eq!(shop.raise(&order, 3_000, "change 1").await.unwrap(), 15_000);
        assert_eq!(shop.raise(&order, 3_000, "change 1").await.unwrap(), 15_000);
        assert_eq!(shop.capture(&order, 15_000).await.unwrap().captured, euros(15_000));
        // Captured, it is no matter of raises any more.
        shop.release(&order, "change 1", true).await;
        let taken: i64 = shop.holds(&order).await.iter().map(|(_, captured, ..)| captured).sum();
        assert_eq!(taken, 15_000, "{token}");
    }
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn the_dispute_of_a_second_hold_is_about_its_money(backend: Backend) {
    let shop = Shop::open(backend).await;
    let order = raised(&shop, "tok_second_hold").await;
    shop.capture(&order, 16_000).await.unwrap();
    let db = shop.db.connection();
    let query = "SELECT id FROM attempts WHERE separate";
    let query =
        sea_orm::Statement::from_string(sea_orm::ConnectionTrait::get_database_backend(db), query);
    let row = sea_orm::ConnectionTrait::query_one_raw(db, query).await.unwrap().unwrap();
    let second: uuid::Uuid = row.try_get("", "id").unwrap();
    for (id, kind) in [("d1", "charge.disputed"), ("d2", "charge.dispute_lost")] {
        let body = format!(r#"{{"id":"{id}","type":"{kind}","data":{{"reference":"{second}"}}}}"#);
        shop.post(&body).await.unwrap();
    }
    assert_eq!(shop.fact("payment.chargeback_lost", &order).await.0, 4_000);
    assert_eq!(shop.payment(&order).await.charged_back, euros(4_000));
    assert_eq!(shop.balance("provider.payable").await, 9_600);
    assert_eq!(shop.refund(&order, 12_000, "rest").await.unwrap(), 12_000);
    assert_eq!(shop.holds(&order).await[0], hold(12_000, 12_000, 12_000, "CAPTURED"));
    shop.check_books().await;
}

/// What a raise of 40.00 is answered with.
async fn raise_with(
    shop: &Shop,
    order: &str,
    confirmation: &str,
) -> pb::RaiseAuthorizationResponse {
    let request = pb::RaiseAuthorizationRequest {
        order_id: order.to_owned(),
        amount: euros(4_000),
        step_key: "change 1".to_owned(),
        confirmation: confirmation.to_owned(),
    };
    shop.charges().raise_authorization(request).await.unwrap().into_inner()
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_raise_waits_for_the_confirmation_of_the_customer(backend: Backend) {
    let shop = Shop::open(backend).await;
    let order = shop.authorized("tok_raise_confirm").await;
    for _ in 0..2 {
        let asked = raise_with(&shop, &order, "").await;
        assert_eq!(asked.outcome(), pb::Outcome::ConfirmationRequired);
        assert!(!asked.confirmation_url.is_empty());
        assert_eq!(asked.authorized, euros(12_000));
    }
    // A wrong code refuses this raise; the next one is asked for anew.
    let request = pb::RaiseAuthorizationRequest {
        order_id: order.clone(),
        amount: euros(4_000),
        step_key: "change 1".to_owned(),
        confirmation: "000000".to_owned(),
    };
    let refused = shop.charges().raise_authorization(request).await;
    assert_eq!(refusal(refused), "PAYMENT_DECLINED");
    let again = raise_with(&shop, &order, "").await;
    assert_eq!(again.outcome(), pb::Outcome::ConfirmationRequired);
    for _ in 0..2 {
        let raised = raise_with(&shop, &order, "123456").await;
        assert_eq!(raised.outcome(), pb::Outcome::Authorized);
        assert_eq!(raised.authorized, euros(16_000));
    }
    assert_eq!(shop.capture(&order, 16_000).await.unwrap().captured, euros(16_000));
    let taken = |hold: &(i64, i64, i64, String)| hold.3 == "CAPTURED";
    let holds = shop.holds(&order).await;
    assert_eq!(holds.iter().filter(|hold| taken(hold)).map(|it| it.1).sum::<i64>(), 16_000);
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_raise_that_is_not_confirmed_is_given_up_with_its_change_or_its_order(backend: Backend) {
    let shop = Shop::open(backend).await;
    for is_voided in [false, true] {
        let order = shop.authorized("tok_raise_confirm").await;
        raise_with(&shop, &order, "").await;
        match is_voided {
            true => shop.void(&order).await,
            false => shop.release(&order, "change 1", true).await,
        }
        let confirms = async || {
            let holds = shop.holds(&order).await.into_iter();
            holds.filter(|(.., state)| state == "CONFIRM").count()
        };
        shop.in_time("nothing waits for the customer", confirms, |left| *left == 0).await;
        if !is_voided {
            assert_eq!(shop.capture(&order, 12_000).await.unwrap().captured, euros(12_000));
        }
    }
    shop.check_books().await;
}
