//! Payouts: once, when due, undisputed, and less what the provider owes.

use crate::shop::{RACE, Shop, euros};
use chrono::Duration;
use futures::future::join_all;
use kit::{
    Role,
    testing::{Backend, acting_as, eventually, refusal, somebody},
};
use proto::quickserve::payment::v1::{self as pb, PayoutState};
use sea_orm::{ConnectionTrait, Statement};
use uuid::Uuid;
use yare::parameterized;

const DUE: Duration = Duration::days(2);

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_payout_is_made_once_when_it_falls_due(backend: Backend) {
    let shop = Shop::open(backend).await;
    let (_, payout) = shop.captured("tok_ok").await;
    shop.pass(DUE - Duration::seconds(1));
    assert_eq!(shop.payout(&payout).await.state(), PayoutState::Scheduled);
    shop.pass(Duration::seconds(1));
    let paid = shop.payout_in(&payout, PayoutState::Paid).await;
    assert_eq!((paid.paid, paid.recovered), (euros(9_600), euros(0)));
    assert!(paid.paid_at.is_some());
    assert_eq!(shop.balance("provider.payable").await, 0);
    // Asking again, as a replica or an operator might, pays nothing more.
    join_all((0..RACE).map(|_| shop.release_payout(&payout))).await;
    shop.pass(Duration::days(1));
    assert_eq!(shop.balance("provider.payable").await, 0);
    eventually(
        "the fact",
        async || shop.payout_facts("payout.paid", &payout),
        |seen| *seen == [9_600],
    )
    .await;
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_dispute_holds_payouts_back(backend: Backend) {
    let shop = Shop::open(backend).await;
    // Before the capture and after it.
    let early = shop.authorized("tok_ok").await;
    shop.freeze(&early, true).await;
    let captured = shop.charges().capture_payment(shop.settlement(&early, 12_000)).await;
    let early_payout = captured.unwrap().into_inner().payout_id;
    let (late, late_payout) = shop.captured("tok_ok").await;
    for _ in 0..2 {
        shop.freeze(&late, true).await;
    }
    shop.pass(DUE * 2);
    for payout in [&early_payout, &late_payout] {
        assert_eq!(shop.payout(payout).await.state(), PayoutState::Frozen);
        eventually(
            "the fact",
            async || shop.payout_facts("payout.frozen", payout),
            |seen| *seen == [9_600],
        )
        .await;
    }
    assert_eq!(shop.balance("provider.payable").await, 19_200);
    for (order, payout) in [(&early, &early_payout), (&late, &late_payout)] {
        shop.freeze(order, false).await;
        shop.payout_in(payout, PayoutState::Paid).await;
        // Too late to hold back what is paid.
        shop.freeze(order, true).await;
        assert_eq!(shop.payout(payout).await.state(), PayoutState::Paid);
    }
    shop.freeze(&Uuid::new_v4().to_string(), true).await;
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_operator_freezes_and_releases(backend: Backend) {
    let shop = Shop::open(backend).await;
    let (_, payout) = shop.captured("tok_ok").await;
    for _ in 0..2 {
        assert_eq!(shop.freeze_payout(&payout).await.unwrap().state(), PayoutState::Frozen);
    }
    shop.pass(DUE * 2);
    assert_eq!(shop.payout(&payout).await.state(), PayoutState::Frozen);
    let released = shop.release_payout(&payout).await.unwrap();
    assert_eq!((released.state(), released.paid), (PayoutState::Paid, euros(9_600)));
    assert_eq!(refusal(shop.freeze_payout(&payout).await), "PAYOUT_STATE");

    let (order, payout) = shop.captured("tok_ok").await;
    let early = shop.release_payout(&payout).await.unwrap();
    assert_eq!(early.state(), PayoutState::Paid);
    shop.void(&order).await;
    let nobody = shop.release_payout(&Uuid::new_v4().to_string()).await;
    assert_eq!(refusal(nobody), "PAYOUT_NOT_FOUND");
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_refund_after_the_payout_is_recovered_from_the_next(backend: Backend) {
    let shop = Shop::open(backend).await;
    let (order, first) = shop.captured("tok_ok").await;
    shop.pass(DUE);
    shop.payout_in(&first, PayoutState::Paid).await;
    shop.refund(&order, 3_000, "late").await.unwrap();
    assert_eq!(shop.balance("provider.payable").await, -2_400);
    assert_eq!(owed(&shop).await, -2_400);

    let (_, second) = shop.captured("tok_ok").await;
    let (_, third) = shop.captured("tok_ok").await;
    assert_eq!(owed(&shop).await, 16_800);
    let paid = shop.release_payout(&second).await.unwrap();
    assert_eq!((paid.paid, paid.recovered), (euros(7_200), euros(2_400)));
    let paid = shop.release_payout(&third).await.unwrap();
    assert_eq!((paid.paid, paid.recovered), (euros(9_600), euros(0)));
    assert_eq!(owed(&shop).await, 0);

    // A debt that swallows a payout whole.
    shop.refund(&order, 9_000, "rest").await.unwrap();
    let (order, fourth) = shop.captured("tok_ok").await;
    shop.refund(&order, 6_000, "half").await.unwrap();
    let swallowed = shop.release_payout(&fourth).await.unwrap();
    assert_eq!(swallowed.state(), PayoutState::Paid);
    assert_eq!((swallowed.paid, swallowed.recovered), (euros(0), euros(4_800)));
    assert_eq!(owed(&shop).await, -2_400);
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn payouts_at_the_same_time_recover_a_debt_once(backend: Backend) {
    let shop = Shop::open(backend).await;
    let (order, first) = shop.captured("tok_ok").await;
    shop.release_payout(&first).await.unwrap();
    shop.refund(&order, 3_000, "late").await.unwrap();
    let mut payouts = Vec::new();
    for _ in 0..5 {
        payouts.push(shop.captured("tok_ok").await.1);
    }
    shop.pass(DUE);
    let released = join_all(payouts.iter().map(|payout| shop.release_payout(payout))).await;
    drop(released);
    let mut recovered = 0;
    for payout in &payouts {
        let paid = shop.payout_in(payout, PayoutState::Paid).await;
        recovered += paid.recovered.unwrap().minor_units;
    }
    assert_eq!(recovered, 2_400);
    assert_eq!(owed(&shop).await, 0);
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_transfer_that_fails_or_comes_back_may_be_made_again(backend: Backend) {
    let shop = Shop::open(backend).await;
    let small = shop.authorized("tok_ok").await;
    let captured = shop.charges().capture_payment(shop.settlement(&small, 100)).await;
    let payout = captured.unwrap().into_inner().payout_id;
    for _ in 0..2 {
        let failed = shop.release_payout(&payout).await.unwrap();
        assert_eq!((failed.state(), &*failed.reason), (PayoutState::Failed, "AMOUNT_TOO_SMALL"));
        assert_eq!(failed.paid, euros(0));
    }
    assert_eq!(owed(&shop).await, 80);
    eventually(
        "the facts",
        async || shop.payout_facts("payout.failed", &payout),
        |seen| *seen == [80, 80],
    )
    .await;

    let (_, payout) = shop.captured("tok_ok").await;
    shop.release_payout(&payout).await.unwrap();
    assert_eq!(owed(&shop).await, 80);
    let transfer = transfer_id(&shop, &payout).await;
    let event = |id: &str, kind: &str| {
        let data = format!(r#"{{"reference":"{transfer}","reason":"ACCOUNT_CLOSED"}}"#);
        format!(r#"{{"id":"{id}","type":"{kind}","data":{data}}}"#)
    };
    // The transfer that came back stays failed whatever order the events have.
    for (id, kind) in [("e1", "payout.paid"), ("e2", "payout.failed"), ("e3", "payout.paid")] {
        shop.post(&event(id, kind)).await.unwrap();
    }
    let back = shop.payout(&payout).await;
    assert_eq!((back.state(), &*back.reason), (PayoutState::Failed, "ACCOUNT_CLOSED"));
    assert_eq!(owed(&shop).await, 9_680);
    let again = shop.release_payout(&payout).await.unwrap();
    assert_eq!((again.state(), again.paid), (PayoutState::Paid, euros(9_600)));
    // An event about the first transfer says nothing of the second.
    shop.post(&event("e4", "payout.failed")).await.unwrap();
    assert_eq!(shop.payout(&payout).await.state(), PayoutState::Paid);
    assert_eq!(owed(&shop).await, 80);
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn providers_see_their_own_payouts_only(backend: Backend) {
    let shop = Shop::open(backend).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(shop.captured("tok_ok").await.1);
    }
    ids.reverse();
    let list = |who, page_size, page_token: String, provider_id: String| {
        let mut client = shop.payouts();
        let request = pb::ListPayoutsRequest { page_size, page_token, provider_id };
        async move { acting_as(who, client.list_payouts(request)).await.unwrap().into_inner() }
    };
    let first = list(shop.provider, 2, String::new(), String::new()).await;
    let second = list(shop.provider, 2, first.next_page_token.clone(), String::new()).await;
    assert_eq!(second.next_page_token, "");
    let seen: Vec<_> = first.payouts.iter().chain(&second.payouts).map(|it| &it.id).collect();
    assert_eq!(seen, ids.iter().collect::<Vec<_>>());
    assert_eq!(first.balances, [euros(28_800).unwrap()]);

    let stranger = somebody(&[Role::Provider]);
    let none = list(stranger, 0, String::new(), shop.provider_id.clone()).await;
    assert_eq!((none.payouts, none.balances), (vec![], vec![]));
    let mut client = shop.payouts();
    let get = pb::GetPayoutRequest { payout_id: ids[0].clone() };
    let foreign = acting_as(stranger, client.get_payout(get)).await;
    assert_eq!(refusal(foreign), "PAYOUT_NOT_FOUND");

    let all = list(shop.operator, 0, String::new(), String::new()).await;
    assert_eq!((all.payouts.len(), all.balances), (3, vec![]));
    let of = list(shop.operator, 0, String::new(), shop.provider_id.clone()).await;
    assert_eq!((of.payouts.len(), of.balances), (3, vec![euros(28_800).unwrap()]));
    shop.check_books().await;
}

/// What the provider is owed.
async fn owed(shop: &Shop) -> i64 {
    let mut client = shop.payouts();
    let request = pb::ListPayoutsRequest::default();
    let answer = acting_as(shop.provider, client.list_payouts(request)).await.unwrap();
    answer.into_inner().balances[0].minor_units
}

/// The reference of a payout's last transfer.
pub async fn transfer_id(shop: &Shop, payout_id: &str) -> Uuid {
    let db = shop.db.connection();
    let query = Statement::from_sql_and_values(
        db.get_database_backend(),
        "SELECT transfer_id FROM payouts WHERE id = $1",
        [Uuid::parse_str(payout_id).unwrap().into()],
    );
    db.query_one_raw(query).await.unwrap().unwrap().try_get("", "transfer_id").unwrap()
}
