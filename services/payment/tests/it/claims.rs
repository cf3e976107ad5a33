//! Claims: each holds its amount of the payout back, and no more; what is not claimed is paid.

use crate::{
    payouts::transfer_id,
    shop::{Shop, euros},
};
use chrono::Duration;
use kit::testing::{Backend, acting_as, eventually, refusal};
use proto::quickserve::payment::v1::{self as pb, PayoutState};
use uuid::Uuid;
use yare::parameterized;

const DUE: Duration = Duration::days(2);

async fn claim(shop: &Shop, order: &str, claim: Uuid, amount: i64) {
    let request = pb::SetPayoutFrozenRequest {
        order_id: order.into(),
        frozen: amount > 0,
        amount: euros(amount).filter(|_| amount > 0),
        claim_id: claim.to_string(),
    };
    shop.charges().set_payout_frozen(request).await.unwrap();
}

/// The payouts of an order by kind, with amount and state, as an operator sees them.
async fn payouts(shop: &Shop, order: &str) -> Vec<(String, i64, PayoutState)> {
    let mut client = shop.payouts();
    let answer = acting_as(shop.operator, client.list_payouts(pb::ListPayoutsRequest::default()));
    let payouts = answer.await.unwrap().into_inner().payouts.into_iter();
    let mut found: Vec<_> = payouts
        .filter(|payout| payout.order_id == order)
        .map(|it| (it.kind.clone(), it.amount.as_ref().unwrap().minor_units, it.state()))
        .collect();
    found.sort_by_key(|(kind, ..)| kind != "SERVICE");
    found
}

fn of(kind: &str, amount: i64, state: PayoutState) -> (String, i64, PayoutState) {
    (kind.to_owned(), amount, state)
}

async fn until(shop: &Shop, order: &str, expected: &[(String, i64, PayoutState)]) {
    eventually("the payouts", async || payouts(shop, order).await, |found| found == expected).await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_claim_freezes_exactly_its_amount(backend: Backend) {
    let shop = Shop::open(backend).await;
    let (table, lamp) = (Uuid::new_v4(), Uuid::new_v4());
    // Before the capture, and after it.
    let order = shop.authorized("tok_ok").await;
    claim(&shop, &order, table, 3_000).await;
    let captured = shop.charges().capture_payment(shop.settlement(&order, 12_000)).await.unwrap();
    let payout = captured.into_inner().payout_id;
    let service = |amount| of("SERVICE", amount, PayoutState::Scheduled);
    let held = |amount| of("HELD", amount, PayoutState::Frozen);
    assert_eq!(payouts(&shop, &order).await, [service(6_600), held(3_000)]);
    for _ in 0..2 {
        claim(&shop, &order, lamp, 500).await;
    }
    assert_eq!(payouts(&shop, &order).await, [service(6_100), held(3_500)]);
    let shown = shop.payout(&payout).await;
    assert!(shown.holds.is_empty(), "the rest is free: {shown:?}");
    // One is withdrawn, and its part is the provider's again.
    claim(&shop, &order, lamp, 0).await;
    assert_eq!(payouts(&shop, &order).await, [service(6_600), held(3_000)]);
    shop.pass(DUE);
    let paid = of("SERVICE", 6_600, PayoutState::Paid);
    until(&shop, &order, &[paid.clone(), held(3_000)]).await;
    assert_eq!(shop.balance("provider.payable").await, 3_000);
    // The claim is settled with a refund of 20.00, of which the provider bears 16.00.
    shop.refund(&order, 2_000, "claim").await.unwrap();
    claim(&shop, &order, table, 0).await;
    until(&shop, &order, &[paid, of("HELD", 1_400, PayoutState::Paid)]).await;
    assert_eq!(shop.balance("provider.payable").await, 0);
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn claims_hold_no_more_than_there_is(backend: Backend) {
    let shop = Shop::open(backend).await;
    let (order, payout) = shop.captured("tok_ok").await;
    let (house, lamp) = (Uuid::new_v4(), Uuid::new_v4());
    claim(&shop, &order, house, 1_000_000).await;
    let all = [of("SERVICE", 0, PayoutState::Cancelled), of("HELD", 9_600, PayoutState::Frozen)];
    assert_eq!(payouts(&shop, &order).await, all);
    claim(&shop, &order, lamp, 100).await;
    assert_eq!(payouts(&shop, &order).await, all);
    // A dispute holds both parts; an operator cannot pay what a claim holds.
    shop.freeze(&order, true).await;
    claim(&shop, &order, house, 0).await;
    let parts = [of("SERVICE", 9_500, PayoutState::Frozen), of("HELD", 100, PayoutState::Frozen)];
    assert_eq!(payouts(&shop, &order).await, parts);
    shop.freeze(&order, false).await;
    let parts = [of("SERVICE", 9_500, PayoutState::Scheduled), parts[1].clone()];
    assert_eq!(payouts(&shop, &order).await, parts);
    shop.pass(DUE);
    shop.payout_in(&payout, PayoutState::Paid).await;
    let mut client = shop.payouts();
    let listed = acting_as(shop.operator, client.list_payouts(pb::ListPayoutsRequest::default()));
    let listed = listed.await.unwrap().into_inner().payouts;
    let held = listed.into_iter().find(|payout| payout.kind == "HELD").unwrap();
    assert_eq!(held.holds[0].reason, "CLAIM");
    assert_eq!(refusal(shop.release_payout(&held.id).await), "PAYOUT_HELD");
    claim(&shop, &order, lamp, 0).await;
    shop.payout_in(&held.id, PayoutState::Paid).await;
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_one_claim_frees_after_the_payout_is_paid_beside_another(backend: Backend) {
    let shop = Shop::open(backend).await;
    let (order, payout) = shop.captured("tok_ok").await;
    let (table, lamp) = (Uuid::new_v4(), Uuid::new_v4());
    claim(&shop, &order, table, 3_000).await;
    claim(&shop, &order, lamp, 500).await;
    shop.pass(DUE);
    shop.payout_in(&payout, PayoutState::Paid).await;
    claim(&shop, &order, table, 0).await;
    until(
        &shop,
        &order,
        &[
            of("SERVICE", 6_100, PayoutState::Paid),
            of("FREED", 3_000, PayoutState::Paid),
            of("HELD", 500, PayoutState::Frozen),
        ],
    )
    .await;
    claim(&shop, &order, lamp, 0).await;
    let paid = async || shop.balance("provider.payable").await;
    eventually("all is paid", paid, |left| *left == 0).await;
    shop.check_books().await;
}

/// The bank of the provider sends a payout back that was made.
async fn send_back(shop: &Shop, payout: &str) {
    let transfer = transfer_id(shop, payout).await;
    let data = format!(r#"{{"reference":"{transfer}","reason":"ACCOUNT_CLOSED"}}"#);
    let body = format!(r#"{{"id":"{transfer}","type":"payout.failed","data":{data}}}"#);
    shop.post(&body).await.unwrap();
    assert_eq!(shop.payout(payout).await.state(), PayoutState::Failed);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_claim_that_is_opened_after_a_payout_failed_holds_its_amount(backend: Backend) {
    let shop = Shop::open(backend).await;
    let (order, payout) = shop.captured("tok_ok").await;
    let (table, lamp) = (Uuid::new_v4(), Uuid::new_v4());
    shop.release_payout(&payout).await.unwrap();
    send_back(&shop, &payout).await;
    claim(&shop, &order, table, 3_000).await;
    let released = shop.release_payout(&payout).await.unwrap();
    assert_eq!((released.state(), released.paid), (PayoutState::Paid, euros(6_600)));
    let held = of("HELD", 3_000, PayoutState::Frozen);
    let paid = of("SERVICE", 6_600, PayoutState::Paid);
    assert_eq!(payouts(&shop, &order).await, [paid, held]);
    // The claim is over, and what it held is paid. Then the rest comes back, and there is another claim.
    claim(&shop, &order, table, 0).await;
    let balance = async || shop.balance("provider.payable").await;
    eventually("all is paid", balance, |left| *left == 0).await;
    send_back(&shop, &payout).await;
    claim(&shop, &order, lamp, 500).await;
    let released = shop.release_payout(&payout).await.unwrap();
    assert_eq!(released.paid, euros(6_100));
    assert!(payouts(&shop, &order).await.contains(&of("HELD", 500, PayoutState::Frozen)));
    assert_eq!(shop.balance("provider.payable").await, 500);
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_claim_holds_what_a_refund_that_comes_back_restores(backend: Backend) {
    let shop = Shop::open(backend).await;
    let (order, _) = shop.captured("tok_refund_comes_back").await;
    shop.refund(&order, 12_000, "all").await.unwrap();
    claim(&shop, &order, Uuid::new_v4(), 3_000).await;
    assert_eq!(payouts(&shop, &order).await, [of("SERVICE", 0, PayoutState::Cancelled)]);
    shop.pass(Duration::seconds(61));
    let restored =
        [of("SERVICE", 6_600, PayoutState::Scheduled), of("HELD", 3_000, PayoutState::Frozen)];
    until(&shop, &order, &restored).await;
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_each_claim_frees_after_the_payout_is_paid_at_once(backend: Backend) {
    let shop = Shop::open(backend).await;
    let (order, payout) = shop.captured("tok_ok").await;
    let claims = [Uuid::new_v4(), Uuid::new_v4(), Uuid::new_v4()];
    for id in claims {
        claim(&shop, &order, id, 1_000).await;
    }
    shop.pass(DUE);
    shop.payout_in(&payout, PayoutState::Paid).await;
    for (id, left) in claims.into_iter().zip([2_000, 1_000, 0]) {
        claim(&shop, &order, id, 0).await;
        let balance = async || shop.balance("provider.payable").await;
        eventually("it is paid", balance, |balance| *balance == left).await;
    }
    shop.check_books().await;
}
