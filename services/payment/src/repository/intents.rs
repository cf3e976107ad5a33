//! Intents and how their captures were split.

use crate::{
    domain::{Error, intent::State},
    entity::{
        Attempt, AttemptId, Capture, Intent, IntentId, OrderId, UserId, attempt, capture, intent,
    },
};
use kit::{Tx, storage::page::Page};
use sea_orm::{
    IntoActiveModel, QueryOrder, QuerySelect,
    entity::prelude::*,
    sea_query::{ExprTrait, OnConflict},
};

/// The version of a payment that nobody has touched since it began.
pub const FIRST_VERSION: i64 = 1;

/// Begins a payment; false when the order has one already.
pub async fn insert(tx: &Tx, intent: &Intent) -> Result<bool, Error> {
    Ok(!insert_all(tx, std::iter::once(intent)).await?.is_empty())
}

/// Begins payments; returns those whose orders had none.
pub async fn insert_all(
    tx: &Tx,
    intents: impl Iterator<Item = &Intent>,
) -> Result<Vec<IntentId>, Error> {
    let rows = intents.map(|intent| intent.clone().into_active_model());
    let inserted = intent::Entity::insert_many(rows)
        .on_conflict(OnConflict::column(intent::Column::OrderId).do_nothing().to_owned())
        .exec_with_returning_keys(&**tx)
        .await?;
    Ok(inserted)
}

/// The payment of an order, locked until the transaction ends.
pub async fn lock_order(tx: &Tx, order: OrderId) -> Result<Option<Intent>, Error> {
    let found = intent::Entity::find().filter(intent::Column::OrderId.eq(order));
    Ok(found.lock_exclusive().one(&**tx).await?)
}

/// A payment, locked until the transaction ends.
pub async fn lock(tx: &Tx, id: IntentId) -> Result<Intent, Error> {
    let found = intent::Entity::find_by_id(id).lock_exclusive().one(&**tx).await?;
    found.ok_or(Error::PaymentNotFound)
}

/// Writes a locked payment back.
pub async fn save(tx: &Tx, mut intent: Intent) -> Result<Intent, Error> {
    intent.version += 1;
    intent.updated_at = tx.now();
    Ok(intent.into_active_model().reset_all().update(&**tx).await?)
}

/// Marks new payments and their first attempts authorised, provided that nobody touched any of them. The payments come
/// first, as everywhere: whoever holds its row may touch what hangs on it.
pub async fn authorize_first(
    tx: &Tx,
    intents: &[IntentId],
    attempts: &[AttemptId],
) -> Result<(), Error> {
    let now = tx.now();
    let next = |counter: intent::Column| Expr::col(counter).add(1);
    let authorized = intent::Entity::update_many()
        .col_expr(intent::Column::State, Expr::value(State::Authorized))
        .col_expr(intent::Column::Authorized, Expr::col(intent::Column::Amount))
        .col_expr(intent::Column::Version, next(intent::Column::Version))
        .col_expr(intent::Column::EventSeq, next(intent::Column::EventSeq))
        .col_expr(intent::Column::UpdatedAt, Expr::value(now))
        .filter(intent::Column::Id.is_in(intents.iter().copied()))
        .filter(intent::Column::Version.eq(FIRST_VERSION))
        .exec(&**tx)
        .await?;
    let answered = attempt::Entity::update_many()
        .col_expr(attempt::Column::State, Expr::value(crate::domain::attempt::State::Succeeded))
        .col_expr(attempt::Column::UpdatedAt, Expr::value(now))
        .filter(attempt::Column::Id.is_in(attempts.iter().copied()))
        .filter(attempt::Column::State.eq(crate::domain::attempt::State::Unknown))
        .exec(&**tx)
        .await?;
    let all = [intents.len(), attempts.len()].map(u64::try_from);
    match [Ok(authorized.rows_affected), Ok(answered.rows_affected)] == all {
        true => Ok(()),
        false => Err(Error::Raced),
    }
}

/// Sets `amount` aside for a refund, unless the refunds would exceed what was captured. The condition is part of the
/// statement, so that refunds made at the same time cannot pass it together.
pub async fn reserve_refund(tx: &Tx, id: IntentId, amount: i64) -> Result<(), Error> {
    let refunded = Expr::col(intent::Column::Refunded).add(amount);
    let reserved = intent::Entity::update_many()
        .col_expr(intent::Column::Refunded, refunded.clone())
        .col_expr(intent::Column::Version, Expr::col(intent::Column::Version).add(1))
        .col_expr(intent::Column::UpdatedAt, Expr::value(tx.now()))
        .filter(intent::Column::Id.eq(id))
        .filter(refunded.lte(Expr::col(intent::Column::Captured)))
        .exec(&**tx)
        .await?;
    if reserved.rows_affected == 1 { Ok(()) } else { Err(Error::ExceedsCapture) }
}

/// The payment that `customer`, or anybody when none is given, may see.
pub async fn find(
    db: &impl ConnectionTrait,
    id: IntentId,
    customer: Option<UserId>,
) -> Result<Intent, Error> {
    let found = visible(customer).filter(intent::Column::Id.eq(id)).one(db).await?;
    found.ok_or(Error::PaymentNotFound)
}

/// The payments that `customer`, or anybody when none is given, may see, with their attempts.
pub async fn list(
    db: &impl ConnectionTrait,
    customer: Option<UserId>,
    order: Option<OrderId>,
    page: Page,
) -> Result<Vec<(Intent, Vec<Attempt>)>, Error> {
    let mut query = visible(customer);
    if let Some(order) = order {
        query = query.filter(intent::Column::OrderId.eq(order));
    }
    let rows = page.of(query, intent::Column::Id).all(db).await?;
    let ids = rows.iter().map(|row| row.id);
    let attempts = attempt::Entity::find()
        .filter(attempt::Column::IntentId.is_in(ids))
        .order_by_asc(attempt::Column::CreatedAt)
        .all(db)
        .await?;
    let with_attempts = |row: Intent| {
        let own = attempts.iter().filter(|attempt| attempt.intent_id == row.id);
        let own = own.cloned().collect();
        (row, own)
    };
    Ok(rows.into_iter().map(with_attempts).collect())
}

fn visible(customer: Option<UserId>) -> Select<intent::Entity> {
    match customer {
        Some(customer) => intent::Entity::find().filter(intent::Column::CustomerId.eq(customer)),
        None => intent::Entity::find(),
    }
}

/// Writes down how a capture is to be split.
pub async fn insert_capture(tx: &Tx, capture: Capture) -> Result<(), Error> {
    capture::Entity::insert(capture.into_active_model()).exec_without_returning(&**tx).await?;
    Ok(())
}

/// How a payment's capture was split.
pub async fn capture(tx: &Tx, intent: IntentId) -> Result<Option<Capture>, Error> {
    Ok(capture::Entity::find_by_id(intent).one(&**tx).await?)
}

/// Writes a capture back.
pub async fn save_capture(tx: &Tx, capture: Capture) -> Result<(), Error> {
    capture.into_active_model().reset_all().update(&**tx).await?;
    Ok(())
}
