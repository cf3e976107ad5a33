//! Payments: found, listed, locked and saved.

use crate::domain::{
    Attempt, AttemptId, Error, Intent, IntentId, OrderId, UserId, attempt,
    intent::{self, FIRST_VERSION, IntentPurpose, State},
};
use chrono::{DateTime, Utc};
use kit::{Tx, storage::page::Page};
use sea_orm::{
    Condition, IntoActiveModel, QueryOrder, QuerySelect,
    entity::prelude::*,
    sea_query::{CaseStatement, ExprTrait, OnConflict},
};

/// Begins a payment; false when the order has one already.
pub async fn insert_intent(tx: &Tx, intent: &Intent) -> Result<bool, Error> {
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

/// Locks the payment of an order until the transaction ends, if it has one.
pub async fn lock_of_order_if_any(tx: &Tx, order: OrderId) -> Result<Option<Intent>, Error> {
    let found = intent::Entity::find().filter(intent::Column::OrderId.eq(order));
    Ok(found.lock_exclusive().one(&**tx).await?)
}

/// Locks the payment of an order until the transaction ends.
pub async fn lock_of_order(tx: &Tx, order: OrderId) -> Result<Intent, Error> {
    lock_of_order_if_any(tx, order).await?.ok_or(Error::PaymentNotFound)
}

/// Locks a payment until the transaction ends.
pub async fn lock_intent(tx: &Tx, id: IntentId) -> Result<Intent, Error> {
    let found = intent::Entity::find_by_id(id).lock_exclusive().one(&**tx).await?;
    found.ok_or(Error::PaymentNotFound)
}

/// Saves a locked payment.
pub async fn save_intent(tx: &Tx, intent: &mut Intent) -> Result<(), Error> {
    intent.version += 1;
    intent.updated_at = tx.now();
    intent.clone().into_active_model().reset_all().update(&**tx).await?;
    Ok(())
}

/// Marks new payments and their first attempts authorised, each with the moment at which its hold runs out, provided that none of them has changed since it began. The
/// payments come first, as everywhere: who holds a payment's row may touch what hangs on it.
pub async fn authorize_first(
    tx: &Tx,
    intents: &[IntentId],
    attempts: &[(AttemptId, Option<DateTime<Utc>>)],
) -> Result<(), Error> {
    let now = tx.now();
    let authorized = intent::Entity::update_many()
        .col_expr(intent::Column::State, Expr::value(State::Authorized))
        .col_expr(intent::Column::Authorized, Expr::col(intent::Column::Amount))
        .col_expr(intent::Column::Version, Expr::col(intent::Column::Version).add(1))
        .col_expr(intent::Column::EventSeq, Expr::col(intent::Column::EventSeq).add(1))
        .col_expr(intent::Column::UpdatedAt, Expr::value(now))
        .filter(intent::Column::Id.is_in(intents.iter().copied()))
        .filter(intent::Column::Version.eq(FIRST_VERSION))
        .exec(&**tx)
        .await?;
    let mut expiry = CaseStatement::new();
    for (id, expires_at) in attempts {
        expiry = expiry.case(attempt::Column::Id.eq(*id), Expr::value(*expires_at));
    }
    let expiry = expiry.finally(Expr::value(Option::<DateTime<Utc>>::None));
    let answered = attempt::Entity::update_many()
        .col_expr(attempt::Column::State, Expr::value(attempt::State::Succeeded))
        .col_expr(attempt::Column::ExpiresAt, expiry.into())
        .col_expr(attempt::Column::UpdatedAt, Expr::value(now))
        .filter(attempt::Column::Id.is_in(attempts.iter().map(|(id, _)| *id)))
        .filter(attempt::Column::State.eq(attempt::State::Unknown))
        .exec(&**tx)
        .await?;
    let all = [intents.len(), attempts.len()].map(u64::try_from);
    match [Ok(authorized.rows_affected), Ok(answered.rows_affected)] == all {
        true => Ok(()),
        false => Err(Error::Raced),
    }
}

/// A payment, if it is `customer`'s; any payment when no customer is given.
pub async fn find_intent(
    db: &impl ConnectionTrait,
    id: IntentId,
    customer: Option<UserId>,
) -> Result<Intent, Error> {
    let found = visible_to(customer).filter(intent::Column::Id.eq(id)).one(db).await?;
    found.ok_or(Error::PaymentNotFound)
}

/// The payment of an order, or of what else is paid.
pub async fn find_of_order(db: &impl ConnectionTrait, order: OrderId) -> Result<Intent, Error> {
    let found = intent::Entity::find().filter(intent::Column::OrderId.eq(order)).one(db).await?;
    found.ok_or(Error::PaymentNotFound)
}

/// Whether an order, or what else is paid, has a payment.
pub async fn has_payment(db: &impl ConnectionTrait, order: OrderId) -> Result<bool, Error> {
    let found = intent::Entity::find().filter(intent::Column::OrderId.eq(order));
    Ok(found.one(db).await?.is_some())
}

/// The payments of `customer`, or all when no customer is given, with their attempts.
pub async fn list_intents(
    db: &impl ConnectionTrait,
    customer: Option<UserId>,
    order: Option<OrderId>,
    page: Page,
) -> Result<Vec<(Intent, Vec<Attempt>)>, Error> {
    let mut query = visible_to(customer);
    if let Some(order) = order {
        query = query.filter(is_for_order(order));
    }
    with_attempts(db, query, page).await
}

/// Selects the payment of an order, and those of its dues.
pub fn is_for_order(order: OrderId) -> Condition {
    Condition::any().add(intent::Column::OrderId.eq(order)).add(intent::Column::ForOrder.eq(order))
}

/// The payments of these orders; without any, those of all orders that are not closed. With their attempts.
pub async fn list_of_orders(
    db: &impl ConnectionTrait,
    orders: &[OrderId],
    page: Page,
) -> Result<Vec<(Intent, Vec<Attempt>)>, Error> {
    let query = intent::Entity::find().filter(intent::Column::Purpose.eq(IntentPurpose::Order));
    let query = match orders {
        [] => query.filter(intent::Column::State.ne(State::Closed)),
        named => query.filter(intent::Column::OrderId.is_in(named.iter().copied())),
    };
    with_attempts(db, query, page).await
}

async fn with_attempts(
    db: &impl ConnectionTrait,
    query: Select<intent::Entity>,
    page: Page,
) -> Result<Vec<(Intent, Vec<Attempt>)>, Error> {
    let rows = page.of(query, intent::Column::Id).all(db).await?;
    let ids = rows.iter().map(|row| row.id);
    let attempts = attempt::Entity::find()
        .filter(attempt::Column::IntentId.is_in(ids))
        .order_by_asc(attempt::Column::CreatedAt)
        .order_by_asc(attempt::Column::Position)
        .all(db)
        .await?;
    let mut found: Vec<_> = rows.into_iter().map(|row| (row, Vec::new())).collect();
    for attempt in attempts {
        let own = found.iter_mut().find(|(row, _)| row.id == attempt.intent_id);
        if let Some((_, own)) = own {
            own.push(attempt);
        }
    }
    Ok(found)
}

fn visible_to(customer: Option<UserId>) -> Select<intent::Entity> {
    match customer {
        Some(customer) => intent::Entity::find().filter(intent::Column::CustomerId.eq(customer)),
        None => intent::Entity::find(),
    }
}
