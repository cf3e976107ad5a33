//! Money that banks send back: disputes of charges, and refunds that do not arrive.

use crate::shop::{Shop, euros};
use chrono::Duration;
use kit::testing::{Backend, acting_as, eventually, refusal};
use proto::quickserve::payment::v1::{self as pb, PayoutState, RefundState};
use sea_orm::ConnectionTrait;
use tonic::Request;
use uuid::Uuid;
use yare::parameterized;

/// What the payment provider takes for a capture of 120 euros.
const FEE: i64 = 12 * 14 + 25;

/// The payment provider says `kind` of a charge, with further fields.
pub async fn dispute(shop: &Shop, kind: &str, charge: Uuid, more: &str) {
    let id = format!("{kind} {charge} {more}");
    let data = format!(r#"{{"reference":"{charge}","reason":"fraudulent"{more}}}"#);
    let body = serde_json::json!({"id": id, "type": kind, "data": {}}).to_string();
    shop.post(&body.replace("{}", &data)).await.unwrap();
}

async fn assert_balances(shop: &Shop, expected: [i64; 6]) {
    let kinds = [
        "psp.clearing",
        "psp.fees",
        "chargeback",
        "provider.payable",
        "platform.commission",
        "platform.vat",
    ];
    let mut balances = Vec::new();
    for kind in kinds {
        balances.push(shop.balance(kind).await);
    }
    assert_eq!(balances, expected, "{kinds:?}");
}

fn reasons(payout: &pb::Payout) -> Vec<&str> {
    payout.holds.iter().map(|hold| &*hold.reason).collect()
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_chargeback_takes_the_money_and_refuses_refunds(backend: Backend) {
    let shop = Shop::open(backend).await;
    let (order, payout) = shop.captured("tok_ok").await;
    let charge = shop.charge_of(&order).await;
    for _ in 0..2 {
        dispute(&shop, "charge.disputed", charge, r#","fee":2000"#).await;
    }
    let away = [FEE + 2_000, -FEE - 2_000, -12_000, 9_600, 2_000, 400];
    assert_balances(&shop, away).await;
    assert_eq!(shop.payment(&order).await.charged_back, euros(12_000));
    assert_eq!(reasons(&shop.payout(&payout).await), ["CHARGEBACK"]);

    assert_eq!(refusal(shop.refund(&order, 12_000, "rest").await), "CHARGED_BACK");
    let payment_id = shop.payment(&order).await.id;
    let mut by_operator =
        Request::new(pb::CreateRefundRequest { payment_id, amount: None, reason: "rest".into() });
    by_operator.metadata_mut().insert("idempotency-key", "k1".parse().unwrap());
    let mut client = shop.payments();
    let refused = acting_as(shop.operator, client.create_refund(by_operator)).await;
    assert_eq!(refusal(refused), "CHARGED_BACK");
    shop.void(&order).await;
    assert_balances(&shop, away).await;

    // Won: the money is back, its fee is not, and the payout goes on.
    let (order, payout) = shop.captured("tok_ok").await;
    let charge = shop.charge_of(&order).await;
    dispute(&shop, "charge.disputed", charge, r#","fee":2000"#).await;
    dispute(&shop, "charge.dispute_won", charge, "").await;
    let won = [-12_000 + 2 * (FEE + 2_000), -2 * (FEE + 2_000), -12_000, 19_200, 4_000, 800];
    assert_balances(&shop, won).await;
    assert_eq!(shop.fact("payment.chargeback_won", &order).await.0, 12_000);
    assert_eq!(shop.payout(&payout).await.state(), PayoutState::Scheduled);
    assert_eq!(shop.refund(&order, 3_000, "goodwill").await.unwrap(), 3_000);
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_lost_chargeback_is_borne_by_all_who_earned(backend: Backend) {
    let shop = Shop::open(backend).await;
    let (order, payout) = shop.captured("tok_ok").await;
    shop.refund(&order, 3_000, "goodwill").await.unwrap();
    let charge = shop.charge_of(&order).await;
    // Events come in any order: the end before the beginning.
    dispute(&shop, "charge.dispute_lost", charge, "").await;
    dispute(&shop, "charge.disputed", charge, "").await;
    dispute(&shop, "charge.dispute_won", charge, "").await;
    assert_balances(&shop, [FEE, -FEE, 0, 0, 0, 0]).await;
    assert_eq!(shop.fact("payment.disputed", &order).await.0, 9_000);
    assert_eq!(shop.fact("payment.chargeback_lost", &order).await.0, 9_000);
    assert_eq!(shop.facts("payment.chargeback_won", &order), []);
    assert_eq!(shop.payout(&payout).await.state(), PayoutState::Cancelled);
    assert_eq!(refusal(shop.refund(&order, 1, "more").await), "CHARGED_BACK");

    // A part of the charge, after the payout: the provider owes its share.
    let (order, payout) = shop.captured("tok_ok").await;
    shop.release_payout(&payout).await.unwrap();
    let charge = shop.charge_of(&order).await;
    dispute(&shop, "charge.disputed", charge, r#","amount":3000"#).await;
    dispute(&shop, "charge.dispute_lost", charge, "").await;
    assert_eq!(shop.balance("provider.payable").await, -2_400);
    assert_eq!(shop.payment(&order).await.charged_back, euros(3_000));
    // What the bank left may be refunded, and no more.
    let more = shop.refund(&order, 9_001, "more").await;
    assert_eq!(refusal(more), "REFUND_EXCEEDS_CAPTURE");
    assert_eq!(shop.refund(&order, 9_000, "rest").await.unwrap(), 9_000);
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_payment_that_was_closed_during_a_dispute_goes_back_after_it(backend: Backend) {
    let shop = Shop::open(backend).await;
    let (order, _) = shop.captured("tok_ok").await;
    let charge = shop.charge_of(&order).await;
    dispute(&shop, "charge.disputed", charge, r#","amount":3000"#).await;
    shop.void(&order).await;
    assert_eq!(shop.payment(&order).await.refunded, euros(0));
    dispute(&shop, "charge.dispute_won", charge, "").await;
    assert_eq!(shop.fact("payment.refunded", &order).await.0, 12_000);
    assert_balances(&shop, [FEE, -FEE, 0, 0, 0, 0]).await;
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn cards_of_the_sandbox_are_disputed(backend: Backend) {
    let shop = Shop::open(backend).await;
    for (token, end) in [
        ("tok_disputed", ""),
        ("tok_dispute_won", "payment.chargeback_won"),
        ("tok_dispute_lost", "payment.chargeback_lost"),
    ] {
        let (order, payout) = shop.captured(token).await;
        shop.pass(Duration::seconds(61));
        assert_eq!(shop.fact("payment.disputed", &order).await.0, 12_000, "{token}");
        assert_eq!(shop.payout(&payout).await.state(), PayoutState::Frozen);
        shop.pass(Duration::seconds(600));
        if end.is_empty() {
            continue;
        }
        assert_eq!(shop.fact(end, &order).await.0, 12_000, "{token}");
    }
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_refund_that_comes_back_is_undone(backend: Backend) {
    let shop = Shop::open(backend).await;
    let (order, payout) = shop.captured("tok_refund_comes_back").await;
    for (key, amount) in [("part", 3_000), ("all", 12_000)] {
        shop.refund(&order, amount, key).await.unwrap();
        let left = 9_600 - amount / 10 * 8;
        assert_eq!(shop.balance("provider.payable").await, left);
        shop.pass(Duration::seconds(61));
        let refunded = async || shop.payment(&order).await.refunded;
        eventually("the refund comes back", refunded, |refunded| *refunded == euros(0)).await;
        let refund = shop.payment(&order).await.refunds.pop().unwrap();
        assert_eq!(refund.state(), RefundState::Reversed);
        assert_balances(&shop, [-12_000 + FEE, -FEE, 0, 9_600, 2_000, 400]).await;
        let restored = shop.payout(&payout).await;
        assert_eq!((restored.state(), restored.amount), (PayoutState::Scheduled, euros(9_600)));
    }
    let facts = async || shop.facts("payment.refund_failed", &order);
    eventually("the facts", facts, |facts| facts.len() == 2).await;
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_was_kept_back_for_a_refund_that_comes_back_is_paid(backend: Backend) {
    let shop = Shop::open(backend).await;
    let (order, first) = shop.captured("tok_refund_comes_back").await;
    shop.release_payout(&first).await.unwrap();
    shop.refund(&order, 3_000, "part").await.unwrap();
    let (_, second) = shop.captured("tok_ok").await;
    let paid = shop.release_payout(&second).await.unwrap();
    assert_eq!((paid.paid, paid.recovered), (euros(7_200), euros(2_400)));
    shop.pass(Duration::seconds(61));
    assert_eq!(shop.fact("payment.refund_failed", &order).await.0, 3_000);
    let balance = async || shop.balance("provider.payable").await;
    eventually("the correction is paid", balance, |balance| *balance == 0).await;
    let mut client = shop.payouts();
    let all = acting_as(shop.provider, client.list_payouts(pb::ListPayoutsRequest::default()));
    let payouts = all.await.unwrap().into_inner().payouts;
    let correction = payouts.iter().find(|payout| payout.kind == "CORRECTION").unwrap();
    assert_eq!((correction.state(), correction.paid.clone()), (PayoutState::Paid, euros(2_400)));
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn each_charge_that_is_disputed_holds_the_payouts(backend: Backend) {
    let shop = Shop::open(backend).await;
    // One charge for the order, and one for what was owed beyond it.
    let order = shop.authorized("tok_ok").await;
    let line = pb::DueLine {
        code: "moving.volume".into(),
        amount: euros(25_000),
        provider_earns: true,
        pass_through: false,
    };
    let request = pb::CapturePaymentRequest { due: vec![line], ..shop.settlement(&order, 12_000) };
    let captured = shop.charges().capture_payment(request).await.unwrap().into_inner();
    let mut client = shop.dues();
    let dues = acting_as(shop.customer, client.list_dues(pb::ListDuesRequest::default())).await;
    let due = dues.unwrap().into_inner().dues.remove(0);
    let pay = pb::PayDueRequest { due_id: due.id.clone(), ..Default::default() };
    acting_as(shop.customer, client.pay_due(pay)).await.unwrap();
    let charges = [shop.charge_of(&order).await, shop.charge_of(&due.id).await];
    for charge in charges {
        dispute(&shop, "charge.disputed", charge, "").await;
    }
    let payout = captured.payout_id;
    assert_eq!(reasons(&shop.payout(&payout).await), ["CHARGEBACK", "CHARGEBACK"]);
    for (charge, left) in charges.into_iter().zip([1, 0]) {
        dispute(&shop, "charge.dispute_won", charge, "").await;
        assert_eq!(shop.payout(&payout).await.holds.len(), left);
        let state = [PayoutState::Scheduled, PayoutState::Frozen][left];
        assert_eq!(shop.payout(&payout).await.state(), state);
    }
    let won = async || shop.messages("payment.chargeback_won", &order);
    let won = eventually("both facts", won, |won| won.len() == 2).await;
    let first = won.iter().find(|fact| fact.due_id.is_empty()).unwrap();
    let last = won.iter().find(|fact| fact.due_id == due.id).unwrap();
    assert!(first.still_disputed && !last.still_disputed && last.beside_capture);
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_dispute_that_an_earlier_version_wrote_down_ends(backend: Backend) {
    let shop = Shop::open(backend).await;
    let (order, payout) = shop.captured("tok_ok").await;
    let charge = shop.charge_of(&order).await;
    dispute(&shop, "charge.disputed", charge, "").await;
    let as_before = "UPDATE payout_holds SET reference = '' WHERE reason = 'CHARGEBACK'";
    shop.db.connection().execute_unprepared(as_before).await.unwrap();
    assert_eq!(shop.payout(&payout).await.state(), PayoutState::Frozen);
    dispute(&shop, "charge.dispute_won", charge, "").await;
    assert_eq!(shop.payout(&payout).await.state(), PayoutState::Scheduled);
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn every_refund_that_comes_back_after_the_payout_is_corrected(backend: Backend) {
    let shop = Shop::open(backend).await;
    let (order, first) = shop.captured("tok_refund_comes_back").await;
    shop.release_payout(&first).await.unwrap();
    for (number, key) in [(1, "part"), (2, "more")] {
        shop.refund(&order, 3_000, key).await.unwrap();
        let (_, next) = shop.captured("tok_ok").await;
        let paid = shop.release_payout(&next).await.unwrap();
        assert_eq!((paid.paid, paid.recovered), (euros(7_200), euros(2_400)), "{key}");
        shop.pass(Duration::seconds(61));
        let back = async || shop.facts("payment.refund_failed", &order).len();
        eventually("the refund comes back", back, |back| *back == number).await;
        let balance = async || shop.balance("provider.payable").await;
        eventually("the correction is paid", balance, |balance| *balance == 0).await;
    }
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn decisions_that_add_up_to_more_give_back_what_is_left(backend: Backend) {
    let shop = Shop::open(backend).await;
    let (order, _) = shop.captured("tok_ok").await;
    let request = |amount, key: &str| pb::RefundPaymentRequest {
        order_id: order.clone(),
        amount: euros(amount),
        step_key: key.into(),
        reason: "DISPUTE".into(),
        at_most: true,
    };
    // A goodwill refund, a split decision, then one for the customer, and another.
    for (amount, key, given, total) in [
        (1_000, "goodwill", 1_000, 1_000),
        (2_000, "split", 2_000, 3_000),
        (12_000, "customer", 9_000, 12_000),
        (12_000, "customer", 9_000, 12_000),
        (12_000, "again", 0, 12_000),
    ] {
        let refunded = shop.charges().refund_payment(request(amount, key)).await.unwrap();
        let refunded = refunded.into_inner();
        assert_eq!((refunded.amount, refunded.refunded), (euros(given), euros(total)), "{key}");
    }
    let more = shop.refund(&order, 1, "more").await.unwrap_err();
    assert_eq!(more.code(), tonic::Code::FailedPrecondition);
    assert_eq!(kit::rpc::error::reason_of(&more), "REFUND_EXCEEDS_CAPTURE");
    shop.check_books().await;
}
