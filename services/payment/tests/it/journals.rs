//! What no-shows and chargebacks post, journal by journal, as the ledger's design lists it. Each journal sums to zero.

use crate::{
    chargebacks::dispute,
    shop::{Shop, fee},
};
use kit::testing::Backend;
use proto::quickserve::payment::v1 as pb;
use sea_orm::{ConnectionTrait, Statement};
use std::collections::BTreeMap;
use uuid::Uuid;
use yare::parameterized;

/// What the customer's bank takes for a dispute.
const DISPUTE_FEE: i64 = 2_000;
const K: &str = "psp.clearing";
const F: &str = "psp.fees";
const E: &str = "order.escrow";
const P: &str = "provider.payable";
const C: &str = "platform.commission";
const V: &str = "platform.vat";
const B: &str = "chargeback";

/// The entries of a journal: account and amount.
type Entries = BTreeMap<String, i64>;

/// The journals of an order by what they post, each of which sums to zero.
async fn journals(shop: &Shop, order: &str) -> BTreeMap<String, Entries> {
    let db = shop.db.connection();
    let query = Statement::from_sql_and_values(
        db.get_database_backend(),
        "SELECT j.reference, a.kind, e.amount FROM entries e \
         JOIN journals j ON j.id = e.journal_id JOIN accounts a ON a.id = e.account_id \
         WHERE j.order_id = $1",
        [Uuid::parse_str(order).unwrap().into()],
    );
    let mut found: BTreeMap<String, Entries> = BTreeMap::new();
    for row in db.query_all_raw(query).await.unwrap() {
        let text = |column| row.try_get::<String>("", column).unwrap();
        let reference = text("reference");
        // A reversal is named by what it undoes.
        let (name, _) = reference.rsplit_once(':').unwrap();
        let entries = found.entry(name.to_owned()).or_default();
        *entries.entry(text("kind")).or_default() += row.try_get::<i64>("", "amount").unwrap();
    }
    for (name, entries) in &found {
        assert_eq!(entries.values().sum::<i64>(), 0, "{name}: {entries:?}");
    }
    found
}

/// Compares an order's journals with the rows of a case.
async fn assert_posted(shop: &Shop, order: &str, expected: &[(&str, &[(&str, i64)])]) {
    let rows = expected.iter().map(|(name, entries)| {
        let entries = entries.iter().map(|(account, amount)| ((*account).to_owned(), *amount));
        ((*name).to_owned(), entries.collect())
    });
    assert_eq!(journals(shop, order).await, rows.collect());
}

/// An order of 120.00 that is captured, and its charge.
async fn captured(shop: &Shop) -> (String, Uuid) {
    let (order, _) = shop.captured("tok_ok").await;
    let charge = shop.charge_of(&order).await;
    (order, charge)
}

async fn open_dispute(shop: &Shop, charge: Uuid) {
    dispute(shop, "charge.disputed", charge, r#","fee":2000"#).await;
}

/// The first two journals of each of these orders.
const CAPTURED: (&str, &[(&str, i64)]) = ("capture", &[(K, -12_000), (E, 12_000)]);
const COMPLETED: (&str, &[(&str, i64)]) =
    ("complete", &[(E, -12_000), (P, 9_600), (C, 2_000), (V, 400)]);

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_no_show_is_captured_and_completed_as_a_fee(backend: Backend) {
    let shop = Shop::open(backend).await;
    let order = shop.authorized("tok_ok").await;
    let mut request = shop.settlement(&order, 12_000);
    request.kind = pb::CaptureKind::Fee.into();
    let answer = shop.charges().capture_payment(request).await.unwrap().into_inner();
    assert_eq!(shop.payout(&answer.payout_id).await.kind, "FEE");
    let taken = ("fee", &[(F, -fee(12_000)), (K, fee(12_000))][..]);
    assert_posted(&shop, &order, &[CAPTURED, taken, COMPLETED]).await;
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_chargeback_is_away_at_once_with_its_fee_and_comes_back_when_it_is_won(backend: Backend) {
    let shop = Shop::open(backend).await;
    let (order, charge) = captured(&shop).await;
    let taken = ("fee", &[(F, -fee(12_000)), (K, fee(12_000))][..]);
    let away = ("chargeback", &[(B, -12_000), (K, 12_000)][..]);
    let its_fee = ("chargeback_fee", &[(F, -DISPUTE_FEE), (K, DISPUTE_FEE)][..]);
    open_dispute(&shop, charge).await;
    assert_posted(&shop, &order, &[CAPTURED, taken, COMPLETED, away, its_fee]).await;
    // Won: the money comes back, the fee does not.
    dispute(&shop, "charge.dispute_won", charge, "").await;
    let back = ("reversal:chargeback", &[(B, 12_000), (K, -12_000)][..]);
    assert_posted(&shop, &order, &[CAPTURED, taken, COMPLETED, away, its_fee, back]).await;
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_lost_chargeback_is_shared_by_all_who_earned(backend: Backend) {
    let shop = Shop::open(backend).await;
    let (order, charge) = captured(&shop).await;
    open_dispute(&shop, charge).await;
    dispute(&shop, "charge.dispute_lost", charge, "").await;
    let taken = ("fee", &[(F, -fee(12_000)), (K, fee(12_000))][..]);
    let away = ("chargeback", &[(B, -12_000), (K, 12_000)][..]);
    let its_fee = ("chargeback_fee", &[(F, -DISPUTE_FEE), (K, DISPUTE_FEE)][..]);
    let borne = ("chargeback_lost", &[(B, 12_000), (P, -9_600), (C, -2_000), (V, -400)][..]);
    assert_posted(&shop, &order, &[CAPTURED, taken, COMPLETED, away, its_fee, borne]).await;
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_chargeback_after_a_refund_is_about_the_rest(backend: Backend) {
    let shop = Shop::open(backend).await;
    let (order, charge) = captured(&shop).await;
    assert_eq!(shop.refund(&order, 3_000, "part").await.unwrap(), 3_000);
    open_dispute(&shop, charge).await;
    dispute(&shop, "charge.dispute_lost", charge, "").await;
    let taken = ("fee", &[(F, -fee(12_000)), (K, fee(12_000))][..]);
    let back = ("refund", &[(P, -2_400), (C, -500), (V, -100), (K, 3_000)][..]);
    let away = ("chargeback", &[(B, -9_000), (K, 9_000)][..]);
    let its_fee = ("chargeback_fee", &[(F, -DISPUTE_FEE), (K, DISPUTE_FEE)][..]);
    let borne = ("chargeback_lost", &[(B, 9_000), (P, -7_200), (C, -1_500), (V, -300)][..]);
    let rows = [CAPTURED, taken, COMPLETED, back, away, its_fee, borne];
    assert_posted(&shop, &order, &rows).await;
    shop.check_books().await;
}
