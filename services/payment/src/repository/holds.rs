//! Holds of payouts: found, inserted and deleted.

use crate::domain::{Error, Hold, OrderId, Payout, hold};
use kit::Tx;
use sea_orm::{
    IntoActiveModel, QueryOrder, QuerySelect, entity::prelude::*, sea_query::OnConflict,
};

/// Inserts a hold; false when it is there already.
pub async fn insert(tx: &Tx, hold: Hold) -> Result<bool, Error> {
    let inserted = hold::Entity::insert(hold.into_active_model())
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(&**tx)
        .await?;
    Ok(inserted > 0)
}

/// Deletes the hold of that subject, reason and reference; false when there was none.
pub async fn delete(tx: &Tx, hold: &Hold) -> Result<bool, Error> {
    let key = (hold.subject, hold.reason, hold.reference.clone());
    let deleted = hold::Entity::delete_by_id(key).exec(&**tx).await?;
    Ok(deleted.rows_affected > 0)
}

/// Whether a payout that is new to others has a hold. The holds are locked until the transaction ends: a transaction that
/// lifts one waits, and finds the payout then.
pub async fn lock_if_any(tx: &Tx, payout: &Payout) -> Result<bool, Error> {
    let found = hold::Entity::find()
        .filter(hold::Column::Subject.is_in(payout.hold_subjects()))
        .lock_shared()
        .all(&**tx)
        .await?;
    Ok(found.iter().any(|hold| hold.covers(payout)))
}

/// What the open claims about an order hold back in all. They are locked until the transaction ends.
pub async fn sum_of_claims(tx: &Tx, order: OrderId) -> Result<i64, Error> {
    let claims = hold::Entity::find()
        .filter(hold::Column::Subject.eq(order.uuid()))
        .filter(hold::Column::Reason.eq(hold::Reason::Claim))
        .lock_shared()
        .all(&**tx)
        .await?;
    let amounts = claims.iter().filter_map(|claim| claim.amount);
    Ok(amounts.fold(0_i64, i64::saturating_add))
}

/// The holds of a payout, its order, its provider and the provider's account, oldest first.
pub async fn list_of_payout(
    db: &impl ConnectionTrait,
    payout: &Payout,
) -> Result<Vec<Hold>, Error> {
    let mut found = list_of_payouts(db, std::slice::from_ref(payout)).await?;
    found.retain(|hold| hold.covers(payout));
    Ok(found)
}

/// The holds of the orders, providers and accounts of several payouts, in one statement; [`Hold::covers`] says which are
/// whose.
pub async fn list_of_payouts(
    db: &impl ConnectionTrait,
    payouts: &[Payout],
) -> Result<Vec<Hold>, Error> {
    let subjects = payouts.iter().flat_map(Payout::hold_subjects);
    let found = hold::Entity::find()
        .filter(hold::Column::Subject.is_in(subjects))
        .order_by_asc(hold::Column::HeldAt)
        .all(db)
        .await?;
    Ok(found)
}
