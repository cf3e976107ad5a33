//! Attempts: found, listed and saved. Who touches one holds the row of its payment.

use super::intents;
use crate::domain::{
    Attempt, AttemptId, Error, IntentId, OrderId,
    attempt::{self, AttemptKind, State},
    intent,
};
use chrono::{DateTime, Utc};
use kit::Tx;
use sea_orm::{
    IntoActiveModel, PaginatorTrait, QueryOrder, QuerySelect,
    entity::prelude::*,
    sea_query::{OnConflict, Query},
};

/// Writes down an attempt of a locked payment before it is made, after those that there are; false when it was written down
/// before.
pub async fn insert_attempt(tx: &Tx, attempt: &Attempt) -> Result<bool, Error> {
    let of_intent = attempt::Entity::find().filter(attempt::Column::IntentId.eq(attempt.intent_id));
    let before = of_intent.count(&**tx).await?;
    let position = i32::try_from(before).unwrap_or(i32::MAX);
    let row = Attempt { position, ..attempt.clone() };
    let inserted = attempt::Entity::insert(row.into_active_model())
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(&**tx)
        .await?;
    Ok(inserted > 0)
}

/// Writes down the first attempts of new payments before they are made.
pub async fn insert_all(tx: &Tx, attempts: impl Iterator<Item = &Attempt>) -> Result<(), Error> {
    let rows = attempts.map(|attempt| attempt.clone().into_active_model());
    attempt::Entity::insert_many(rows).exec_without_returning(&**tx).await?;
    Ok(())
}

/// Saves an attempt of a locked payment.
pub async fn save_attempt(tx: &Tx, attempt: &mut Attempt) -> Result<(), Error> {
    attempt.updated_at = tx.now();
    attempt.clone().into_active_model().reset_all().update(&**tx).await?;
    Ok(())
}

/// An attempt by our reference.
pub async fn find_attempt(
    db: &impl ConnectionTrait,
    id: AttemptId,
) -> Result<Option<Attempt>, Error> {
    Ok(attempt::Entity::find_by_id(id).one(db).await?)
}

/// The attempt of that kind and key.
pub async fn find_step(
    db: &impl ConnectionTrait,
    intent: IntentId,
    kind: AttemptKind,
    key: &str,
) -> Result<Option<Attempt>, Error> {
    let found = attempt::Entity::find()
        .filter(attempt::Column::IntentId.eq(intent))
        .filter(attempt::Column::Kind.eq(kind))
        .filter(attempt::Column::Key.eq(key))
        .one(db)
        .await?;
    Ok(found)
}

/// The attempts of a payment, oldest first.
pub async fn list_of_intent(
    db: &impl ConnectionTrait,
    intent: IntentId,
) -> Result<Vec<Attempt>, Error> {
    let found = attempt::Entity::find()
        .filter(attempt::Column::IntentId.eq(intent))
        .order_by_asc(attempt::Column::CreatedAt)
        .order_by_asc(attempt::Column::Position)
        .order_by_asc(attempt::Column::Id)
        .all(db)
        .await?;
    Ok(found)
}

/// The further parts of a refund that several holds bear, in the order in which they were made.
pub async fn list_further_parts(
    db: &impl ConnectionTrait,
    intent: IntentId,
    first: AttemptId,
) -> Result<Vec<Attempt>, Error> {
    let mut found = list_of_intent(db, intent).await?;
    found.retain(|attempt| attempt.part_of == Some(first));
    Ok(found)
}

/// What the refunds of an order and its dues that are under way take out of the order's escrow.
pub async fn sum_from_escrow(tx: &Tx, order: OrderId) -> Result<i64, Error> {
    let payments = Query::select()
        .column(intent::Column::Id)
        .from(intent::Entity)
        .cond_where(intents::is_for_order(order))
        .to_owned();
    let open = [State::Unknown, State::ConfirmationRequired, State::Pending];
    let refunds = attempt::Entity::find()
        .filter(attempt::Column::IntentId.in_subquery(payments))
        .filter(attempt::Column::Kind.eq(AttemptKind::Refund))
        .filter(attempt::Column::State.is_in(open))
        .all(&**tx)
        .await?;
    Ok(refunds.iter().map(|refund| refund.from_escrow).sum())
}

/// Attempts without an answer since `before` that no timer looks after: the process stopped while it asked.
pub async fn list_forgotten(
    db: &impl ConnectionTrait,
    before: DateTime<Utc>,
) -> Result<Vec<Attempt>, Error> {
    let found = attempt::Entity::find()
        .filter(attempt::Column::State.eq(State::Unknown))
        .filter(attempt::Column::Tries.eq(0))
        .filter(attempt::Column::UpdatedAt.lt(before))
        .order_by_asc(attempt::Column::UpdatedAt)
        .limit(100)
        .all(db)
        .await?;
    Ok(found)
}
