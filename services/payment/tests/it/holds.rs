//! Holds: each reason holds payouts back on its own.

use crate::shop::{Shop, euros};
use chrono::Duration;
use kit::testing::{Backend, eventually, refusal};
use proto::quickserve::{
    payment::v1::{self as pb, PayoutState},
    provider::v1::ProviderEvent,
    user::v1::UserEvent,
};
use sea_orm::ConnectionTrait;
use yare::parameterized;

const DUE: Duration = Duration::days(2);

fn reasons(payout: &pb::Payout) -> Vec<&str> {
    payout.holds.iter().map(|hold| &*hold.reason).collect()
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_operators_hold_outlives_a_dispute(backend: Backend) {
    let shop = Shop::open(backend).await;
    let (order, payout) = shop.captured("tok_ok").await;
    let frozen = shop.freeze_payout(&payout).await.unwrap();
    assert_eq!((frozen.state(), reasons(&frozen)), (PayoutState::Frozen, vec!["OPERATOR"]));
    shop.freeze(&order, true).await;
    assert_eq!(reasons(&shop.payout(&payout).await), ["OPERATOR", "ORDER_DISPUTE"]);
    shop.freeze(&order, false).await;
    shop.pass(DUE * 2);
    let still = shop.payout(&payout).await;
    assert_eq!((still.state(), reasons(&still)), (PayoutState::Frozen, vec!["OPERATOR"]));
    let released = shop.release_payout(&payout).await.unwrap();
    assert_eq!((released.state(), released.paid), (PayoutState::Paid, euros(9_600)));
    assert_eq!(released.holds, []);
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_dispute_outlives_an_operators_release(backend: Backend) {
    let shop = Shop::open(backend).await;
    let (order, payout) = shop.captured("tok_ok").await;
    shop.freeze(&order, true).await;
    assert_eq!(refusal(shop.release_payout(&payout).await), "PAYOUT_HELD");
    shop.freeze_payout(&payout).await.unwrap();
    let released = shop.release_payout(&payout).await.unwrap();
    assert_eq!((released.state(), reasons(&released)), {
        (PayoutState::Frozen, vec!["ORDER_DISPUTE"])
    });
    shop.pass(DUE);
    shop.freeze(&order, false).await;
    shop.payout_in(&payout, PayoutState::Paid).await;
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_provider_in_bad_standing_is_not_paid_until_all_of_it_ends(backend: Backend) {
    let shop = Shop::open(backend).await;
    let (_, early) = shop.captured("tok_ok").await;
    let (profile, account) = (shop.provider_id.parse().unwrap(), shop.provider.user_id);
    let block = |reason: &str| ProviderEvent {
        provider_id: shop.provider_id.clone(),
        user_id: account.to_string(),
        reason: reason.into(),
        ..ProviderEvent::default()
    };
    let person = UserEvent { user_id: account.to_string() };
    shop.publish("provider.blocked", profile, 1, &block("INACTIVE")).await;
    shop.publish("provider.blocked", profile, 2, &block("FRAUD")).await;
    shop.publish("user.suspended", account, 1, &person).await;
    let held = async || shop.payout(&early).await;
    let both = ["PROVIDER_STANDING", "PROVIDER_STANDING"];
    eventually("both holds", held, |payout| reasons(payout) == both).await;
    assert_eq!(refusal(shop.release_payout(&early).await), "PAYOUT_HELD");
    // What is earned meanwhile is held as well.
    let (_, late) = shop.captured("tok_ok").await;
    assert_eq!(shop.payout(&late).await.state(), PayoutState::Frozen);
    shop.publish("provider.unblocked", profile, 3, &block("FRAUD")).await;
    eventually("one hold", held, |payout| payout.holds.len() == 1).await;
    shop.pass(DUE);
    assert_eq!(shop.payout(&early).await.state(), PayoutState::Frozen);
    shop.publish("user.reinstated", account, 2, &person).await;
    for payout in [&early, &late] {
        shop.payout_in(payout, PayoutState::Paid).await;
    }
    // Other reasons hold nothing, and their end means nothing.
    let (_, next) = shop.captured("tok_ok").await;
    shop.publish("provider.unblocked", profile, 4, &block("INACTIVE")).await;
    shop.pass(DUE);
    shop.payout_in(&next, PayoutState::Paid).await;
    shop.check_books().await;
}

/// What versions before holds had frozen keeps its reason.
#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_was_frozen_before_there_were_holds_stays_frozen(backend: Backend) {
    let shop = Shop::open(backend).await;
    let (disputed_order, disputed) = shop.captured("tok_ok").await;
    let (_, frozen) = shop.captured("tok_ok").await;
    let (_, free) = shop.captured("tok_ok").await;
    let (_, at_the_bank) = shop.captured("tok_ok").await;
    let bank_order = shop.payout(&at_the_bank).await.order_id;
    let charge = shop.charge_of(&bank_order).await;
    let body = format!(
        r#"{{"id":"d1","type":"charge.disputed","data":{{"reference":"{charge}","amount":0}}}}"#
    );
    shop.post(&body).await.unwrap();
    let id = |id: &str| match shop.backend {
        Backend::Sqlite => format!("x'{}'", id.replace('-', "")),
        Backend::Postgres => format!("'{id}'"),
    };
    let limits = match shop.backend {
        Backend::Sqlite => "DROP TRIGGER journals_limits",
        Backend::Postgres => {
            "DROP TRIGGER journals_limits ON journals; DROP FUNCTION ledger_limits"
        }
    };
    // The tables as the version before had them.
    for statement in [
        limits.to_owned(),
        "DROP TABLE payout_holds".to_owned(),
        "DROP TABLE dues".to_owned(),
        "DROP TABLE chargebacks".to_owned(),
        "DROP INDEX intents_for_order".to_owned(),
        "ALTER TABLE intents DROP COLUMN charged_back".to_owned(),
        "ALTER TABLE intents DROP COLUMN for_order".to_owned(),
        "ALTER TABLE intents DROP COLUMN purpose".to_owned(),
        "DELETE FROM seaql_migrations WHERE version IN ('m0004_money', 'm0007_claims_and_caps')"
            .to_owned(),
        format!("UPDATE intents SET frozen = TRUE WHERE order_id = {}", id(&disputed_order)),
        format!("UPDATE intents SET frozen = TRUE WHERE order_id = {}", id(&bank_order)),
        format!("UPDATE payouts SET state = 'FROZEN' WHERE id = {}", id(&disputed)),
        format!("UPDATE payouts SET state = 'FROZEN' WHERE id = {}", id(&frozen)),
    ] {
        shop.db.connection().execute_unprepared(&statement).await.unwrap();
    }
    shop.world.host.of("payment").migrate().await.unwrap();
    for (payout, expected) in [
        (&disputed, vec!["ORDER_DISPUTE"]),
        (&frozen, vec!["OPERATOR"]),
        (&free, vec![]),
        (&at_the_bank, vec!["CHARGEBACK", "ORDER_DISPUTE"]),
    ] {
        let payout = shop.payout(payout).await;
        let mut reasons = reasons(&payout);
        reasons.sort_unstable();
        assert_eq!(reasons, expected);
    }
    shop.freeze(&disputed_order, false).await;
    assert_eq!(shop.payout(&disputed).await.state(), PayoutState::Scheduled);
    shop.check_books().await;
}
