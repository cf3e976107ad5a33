//! Payouts: found, listed, locked and saved.

use crate::domain::{
    Error, IntentId, OrderId, Payout, PayoutId, ProviderId, UserId,
    payout::{self, State},
};
use kit::{Tx, storage::page::Page};
use sea_orm::{
    Condition, IntoActiveModel, QueryOrder, QuerySelect, QueryTrait, entity::prelude::*,
    sea_query::OnConflict,
};

/// Which payouts a caller asks for and may see.
#[derive(Clone, Copy, Debug, Default)]
pub struct PayoutFilter {
    /// Only those of this account; none for operators.
    pub user: Option<UserId>,
    /// Only those of this profile.
    pub provider: Option<ProviderId>,
}

impl PayoutFilter {
    /// Whether nothing is left out.
    pub const fn is_everything(self) -> bool {
        self.user.is_none() && self.provider.is_none()
    }
}

/// Schedules a payout; false when the order and the provider have one already for the same capture.
pub async fn insert_payout(tx: &Tx, payout: &Payout) -> Result<bool, Error> {
    let inserted = payout::Entity::insert(payout.clone().into_active_model())
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(&**tx)
        .await?;
    Ok(inserted > 0)
}

/// Locks a payout until the transaction ends.
pub async fn lock_payout(tx: &Tx, id: PayoutId) -> Result<Payout, Error> {
    let found = payout::Entity::find_by_id(id).lock_exclusive().one(&**tx).await?;
    found.ok_or(Error::PayoutNotFound)
}

/// Locks the payouts of a payment until the transaction ends.
pub async fn lock_of_intent(tx: &Tx, intent: IntentId) -> Result<Vec<Payout>, Error> {
    let found = payout::Entity::find().filter(payout::Column::IntentId.eq(intent));
    Ok(found.order_by_asc(payout::Column::Id).lock_exclusive().all(&**tx).await?)
}

/// Locks the payouts of an order until the transaction ends, oldest first.
pub async fn lock_of_order(tx: &Tx, order: OrderId) -> Result<Vec<Payout>, Error> {
    let found = payout::Entity::find().filter(payout::Column::OrderId.eq(order));
    Ok(found.order_by_asc(payout::Column::Id).lock_exclusive().all(&**tx).await?)
}

/// Locks the payouts that a hold of `subject` is about and that are not paid yet, until the transaction ends.
pub async fn lock_of_subject(tx: &Tx, subject: Uuid) -> Result<Vec<Payout>, Error> {
    let subjects = Condition::any()
        .add(payout::Column::Id.eq(subject))
        .add(payout::Column::OrderId.eq(subject))
        .add(payout::Column::ProviderId.eq(subject))
        .add(payout::Column::ProviderUserId.eq(subject));
    let found = payout::Entity::find()
        .filter(subjects)
        .filter(payout::Column::State.is_in([State::Scheduled, State::Frozen]))
        .order_by_asc(payout::Column::Id)
        .lock_exclusive()
        .all(&**tx)
        .await?;
    Ok(found)
}

/// Saves a locked payout.
pub async fn save_payout(tx: &Tx, payout: &mut Payout) -> Result<(), Error> {
    payout.version += 1;
    payout.updated_at = tx.now();
    payout.clone().into_active_model().reset_all().update(&**tx).await?;
    Ok(())
}

/// The payout `id`, when the filter lets it through.
pub async fn find_payout(
    db: &impl ConnectionTrait,
    id: PayoutId,
    filter: PayoutFilter,
) -> Result<Payout, Error> {
    let found = select_payouts(filter).filter(payout::Column::Id.eq(id)).one(db).await?;
    found.ok_or(Error::PayoutNotFound)
}

/// The payout whose last transfer the payment provider knows by this reference.
pub async fn find_of_transfer(
    db: &impl ConnectionTrait,
    transfer: Uuid,
) -> Result<Option<Payout>, Error> {
    Ok(payout::Entity::find().filter(payout::Column::TransferId.eq(transfer)).one(db).await?)
}

/// The payout of a payment; where claims have split it, what is not held back.
pub async fn find_of_intent(
    db: &impl ConnectionTrait,
    intent: IntentId,
) -> Result<Option<Payout>, Error> {
    let found = payout::Entity::find().filter(payout::Column::IntentId.eq(intent));
    Ok(found.order_by_asc(payout::Column::Id).one(db).await?)
}

/// The payouts that the filter lets through, newest first.
pub async fn list_payouts(
    db: &impl ConnectionTrait,
    filter: PayoutFilter,
    page: Page,
) -> Result<Vec<Payout>, Error> {
    Ok(page.of(select_payouts(filter), payout::Column::Id).all(db).await?)
}

/// Sum of a provider's payouts that are still to be paid, less what those on their way keep back.
pub async fn sum_unpaid(tx: &Tx, provider: ProviderId, currency: &str) -> Result<i64, Error> {
    let sum: Option<i64> = payout::Entity::find()
        .select_only()
        .expr(Expr::cust("CAST(SUM(amount - recovered) AS BIGINT)"))
        .filter(payout::Column::ProviderId.eq(provider))
        .filter(payout::Column::Currency.eq(currency))
        .filter(payout::Column::State.is_in([
            State::Scheduled,
            State::Frozen,
            State::Paying,
            State::Failed,
        ]))
        .into_tuple::<Option<i64>>()
        .one(&**tx)
        .await?
        .flatten();
    Ok(sum.unwrap_or_default())
}

/// The profiles of the payouts that the filter lets through.
pub fn list_providers(filter: PayoutFilter) -> sea_orm::sea_query::SelectStatement {
    select_payouts(filter).select_only().column(payout::Column::ProviderId).distinct().into_query()
}

fn select_payouts(filter: PayoutFilter) -> Select<payout::Entity> {
    let mut query = payout::Entity::find();
    if let Some(user) = filter.user {
        query = query.filter(payout::Column::ProviderUserId.eq(user));
    }
    if let Some(provider) = filter.provider {
        query = query.filter(payout::Column::ProviderId.eq(provider));
    }
    query
}
