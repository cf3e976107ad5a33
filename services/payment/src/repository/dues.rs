//! Dues: found, listed, locked and saved. Who locks a due and its payment locks the payment first.

use crate::domain::{Due, DueId, Error, UserId, due};
use kit::{Tx, storage::page::Page};
use sea_orm::{IntoActiveModel, QuerySelect, entity::prelude::*};

/// Inserts a new due.
pub async fn insert(tx: &Tx, due: &Due) -> Result<(), Error> {
    due::Entity::insert(due.clone().into_active_model()).exec_without_returning(&**tx).await?;
    Ok(())
}

/// Locks a due until the transaction ends.
pub async fn lock(tx: &Tx, id: DueId) -> Result<Due, Error> {
    let found = due::Entity::find_by_id(id).lock_exclusive().one(&**tx).await?;
    found.ok_or(Error::DueNotFound)
}

/// Saves a locked due.
pub async fn save(tx: &Tx, due: &mut Due) -> Result<(), Error> {
    due.version += 1;
    due.updated_at = tx.now();
    due.clone().into_active_model().reset_all().update(&**tx).await?;
    Ok(())
}

/// A due, if it is `customer`'s; any due when no customer is given.
pub async fn find(
    db: &impl ConnectionTrait,
    id: DueId,
    customer: Option<UserId>,
) -> Result<Due, Error> {
    let found = visible(customer).filter(due::Column::Id.eq(id)).one(db).await?;
    found.ok_or(Error::DueNotFound)
}

/// Locks a due until the transaction ends, if there is one.
pub async fn lock_if_any(tx: &Tx, id: DueId) -> Result<Option<Due>, Error> {
    Ok(due::Entity::find_by_id(id).lock_exclusive().one(&**tx).await?)
}

/// Whether a customer owes something.
pub async fn is_any_open(db: &impl ConnectionTrait, customer: UserId) -> Result<bool, Error> {
    let open = visible(Some(customer)).filter(due::Column::State.eq(due::State::Open));
    Ok(open.one(db).await?.is_some())
}

/// The dues of `customer`, or all when no customer is given, newest first.
pub async fn list(
    db: &impl ConnectionTrait,
    customer: Option<UserId>,
    page: Page,
) -> Result<Vec<Due>, Error> {
    Ok(page.of(visible(customer), due::Column::Id).all(db).await?)
}

fn visible(customer: Option<UserId>) -> Select<due::Entity> {
    match customer {
        Some(customer) => due::Entity::find().filter(due::Column::CustomerId.eq(customer)),
        None => due::Entity::find(),
    }
}
