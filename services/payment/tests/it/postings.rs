//! What each case posts, to the cent, as the ledger's design lists it. Each posting sums to zero.

use crate::shop::{Shop, euros, fee};
use chrono::Duration;
use kit::testing::{Backend, acting_as, eventually};
use proto::quickserve::payment::v1::{self as pb, DueState};
use yare::parameterized;

/// When a hold is to be secured.
const DAY_SIX: Duration = Duration::days(6);

/// Clearing and fees after captures of these amounts.
fn captured(amounts: &[i64]) -> [i64; 2] {
    let fees: i64 = amounts.iter().map(|amount| fee(*amount)).sum();
    [fees - amounts.iter().sum::<i64>(), -fees]
}

/// A new order of that price, authorised on a card.
async fn order_of(shop: &Shop, token: &str, price: i64) -> String {
    let mut request = shop.order(token).await;
    request.amount = euros(price);
    shop.authorize(&request).await.unwrap();
    request.order_id
}

async fn pay_due(shop: &Shop, waive: bool) {
    let mut client = shop.dues();
    let listed = acting_as(shop.customer, client.list_dues(pb::ListDuesRequest::default())).await;
    let due = listed.unwrap().into_inner().dues.remove(0);
    let ended = if waive {
        let request = pb::WaiveDueRequest { due_id: due.id };
        acting_as(shop.operator, client.waive_due(request)).await.unwrap().into_inner().due
    } else {
        let payment_method_id = shop.card("tok_ok").await;
        let request = pb::PayDueRequest { due_id: due.id, payment_method_id, ..Default::default() };
        acting_as(shop.customer, client.pay_due(request)).await.unwrap().into_inner().due
    };
    let expected = if waive { DueState::Waived } else { DueState::Paid };
    assert_eq!(ended.unwrap().state(), expected);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_hold_that_is_released_posts_nothing(backend: Backend) {
    let shop = Shop::open(backend).await;
    let order = shop.authorized("tok_second_hold").await;
    shop.raise(&order, 4_000, "change").await.unwrap();
    shop.void(&order).await;
    // A success that comes too late goes back.
    let late = shop.order("tok_late").await;
    shop.authorize(&late).await.unwrap();
    shop.void(&late.order_id).await;
    shop.pass(Duration::seconds(61));
    shop.fact_in_time("payment.late_refunded", &late.order_id).await;
    assert_eq!(shop.ledger().await, [0; 8]);
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_capture_waits_in_escrow_and_is_completed(backend: Backend) {
    let shop = Shop::open(backend).await;
    let order = shop.authorized("tok_ok").await;
    shop.pass(DAY_SIX);
    shop.secure(&order, true).await;
    let [clearing, fees] = captured(&[12_000]);
    assert_eq!(shop.ledger().await, [clearing, fees, 12_000, 0, 0, 0, 0, 0]);
    shop.check_books().await;
    shop.capture(&order, 12_000).await.unwrap();
    assert_eq!(shop.ledger().await, [clearing, fees, 0, 9_600, 2_000, 400, 0, 0]);
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_part_of_what_is_reserved_is_captured(backend: Backend) {
    let shop = Shop::open(backend).await;
    let order = shop.authorized("tok_ok").await;
    shop.capture(&order, 10_000).await.unwrap();
    let [clearing, fees] = captured(&[10_000]);
    assert_eq!(shop.ledger().await, [clearing, fees, 0, 8_000, 1_667, 333, 0, 0]);
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_was_captured_before_the_decision_and_is_too_much_goes_back(backend: Backend) {
    let shop = Shop::open(backend).await;
    let order = shop.authorized("tok_ok").await;
    shop.pass(DAY_SIX);
    shop.secure(&order, true).await;
    let answer = shop.capture(&order, 8_000).await.unwrap();
    assert_eq!((answer.captured, answer.refunded), (euros(12_000), euros(4_000)));
    assert_eq!(shop.fact("payment.refunded", &order).await, (4_000, "NOT_NEEDED".to_owned()));
    let [clearing, fees] = captured(&[12_000]);
    assert_eq!(shop.ledger().await, [clearing + 4_000, fees, 0, 6_400, 1_333, 267, 0, 0]);
    assert_eq!(shop.holds(&order).await, [(12_000, 12_000, 4_000, "CAPTURED".to_owned())]);
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_change_order_is_captured_over_both_holds(backend: Backend) {
    let shop = Shop::open(backend).await;
    let order = order_of(&shop, "tok_second_hold", 10_000).await;
    assert_eq!(shop.raise(&order, 4_000, "change").await.unwrap(), 14_000);
    shop.capture(&order, 14_000).await.unwrap();
    let [clearing, fees] = captured(&[10_000, 4_000]);
    assert_eq!(shop.ledger().await, [clearing, fees, 0, 11_200, 2_333, 467, 0, 0]);
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_refund_is_shared_and_comes_back(backend: Backend) {
    let shop = Shop::open(backend).await;
    let order = shop.authorized("tok_refund_comes_back").await;
    shop.capture(&order, 12_000).await.unwrap();
    shop.refund(&order, 3_000, "part").await.unwrap();
    let [clearing, fees] = captured(&[12_000]);
    assert_eq!(shop.ledger().await, [clearing + 3_000, fees, 0, 7_200, 1_500, 300, 0, 0]);
    shop.pass(Duration::seconds(61));
    shop.fact("payment.refund_failed", &order).await;
    assert_eq!(shop.ledger().await, [clearing, fees, 0, 9_600, 2_000, 400, 0, 0]);
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_fee_for_cancelling_is_shared_as_its_policy_says(backend: Backend) {
    for (gross, earned) in [(6_000, [4_800, 1_000, 200]), (3_000, [2_400, 3_000, 600])] {
        let shop = Shop::open(backend).await;
        let order = shop.authorized("tok_ok").await;
        let mut request = shop.settlement(&order, 6_000);
        request.kind = pb::CaptureKind::Fee.into();
        request.provider_gross = euros(gross);
        shop.charges().capture_payment(request).await.unwrap();
        let ([clearing, fees], [payable, commission, vat]) = (captured(&[6_000]), earned);
        assert_eq!(shop.ledger().await, [clearing, fees, 0, payable, commission, vat, 0, 0]);
        shop.check_books().await;
    }
}

/// An estimate of 1000.00, of which 1100.00 are authorised; the work comes to 1350.00.
async fn estimate_exceeded(backend: Backend) -> Shop {
    let shop = Shop::open(backend).await;
    let order = order_of(&shop, "tok_ok", 110_000).await;
    let line = pb::DueLine {
        code: "moving.volume".into(),
        amount: euros(25_000),
        provider_earns: true,
        pass_through: false,
    };
    let request = pb::CapturePaymentRequest { due: vec![line], ..shop.settlement(&order, 110_000) };
    shop.charges().capture_payment(request).await.unwrap();
    let [clearing, fees] = captured(&[110_000]);
    let earned = [clearing, fees, 0, 88_000, 18_333, 3_667, -25_000, 25_000];
    assert_eq!(shop.ledger().await, earned);
    shop
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_a_move_costs_beyond_its_cap_is_owed_and_earned_once_it_is_paid(backend: Backend) {
    let shop = estimate_exceeded(backend).await;
    pay_due(&shop, false).await;
    let [clearing, fees] = captured(&[110_000, 25_000]);
    assert_eq!(shop.ledger().await, [clearing, fees, 0, 108_000, 22_500, 4_500, 0, 0]);
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_is_waived_of_a_move_is_not_earned(backend: Backend) {
    let shop = estimate_exceeded(backend).await;
    pay_due(&shop, true).await;
    let [clearing, fees] = captured(&[110_000]);
    assert_eq!(shop.ledger().await, [clearing, fees, 0, 88_000, 18_333, 3_667, 0, 0]);
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_recall_costs_nothing_and_posts_nothing(backend: Backend) {
    let shop = Shop::open(backend).await;
    let order = order_of(&shop, "tok_declined", 0).await;
    shop.capture(&order, 0).await.unwrap();
    assert_eq!(shop.ledger().await, [0; 8]);
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_passes_through_carries_no_commission(backend: Backend) {
    let shop = Shop::open(backend).await;
    let order = shop.authorized("tok_ok").await;
    let request = pb::CapturePaymentRequest {
        commission_base: euros(10_000),
        ..shop.settlement(&order, 12_000)
    };
    shop.charges().capture_payment(request).await.unwrap();
    let [clearing, fees] = captured(&[12_000]);
    assert_eq!(shop.ledger().await, [clearing, fees, 0, 10_000, 1_667, 333, 0, 0]);
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_payout_is_less_what_is_owed_for_an_earlier_one(backend: Backend) {
    let shop = Shop::open(backend).await;
    let (order, _) = shop.captured("tok_ok").await;
    shop.pass(Duration::days(2));
    let payable = async || shop.balance("provider.payable").await;
    eventually("the first payout", payable, |left| *left == 0).await;
    shop.refund(&order, 3_000, "part").await.unwrap();
    assert_eq!(payable().await, -2_400);
    let (_, second) = shop.captured("tok_ok").await;
    shop.pass(Duration::days(2));
    let paid = shop.payout_in(&second, pb::PayoutState::Paid).await;
    assert_eq!((paid.paid, paid.recovered), (euros(7_200), euros(2_400)));
    let [clearing, fees] = captured(&[12_000, 12_000]);
    let out = clearing + 3_000 + 9_600 + 7_200;
    assert_eq!(shop.ledger().await, [out, fees, 0, 0, 3_500, 700, 0, 0]);
    shop.check_books().await;
}
