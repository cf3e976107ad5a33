//! The queries of appliances; those of orders are in the crate `vertical`.

use crate::domain::appliance::{self, Column, Entity};
use kit::{Tx, storage::page::Page};
use sea_orm::{IntoActiveModel, PaginatorTrait, entity::prelude::*};
use vertical::Error;

/// Inserts an appliance, unless its customer has as many as there may be.
pub async fn insert_appliance(tx: &Tx, row: &appliance::Model) -> Result<(), Error> {
    appliance::check_room(appliances_of(row.customer_id).count(&**tx).await?)?;
    Entity::insert(row.clone().into_active_model()).exec_without_returning(&**tx).await?;
    Ok(())
}

/// The appliances of a customer, the newest first.
pub async fn list_appliances(
    db: &impl ConnectionTrait,
    customer_id: Uuid,
    page: Page,
) -> Result<Vec<appliance::Model>, Error> {
    Ok(page.of(appliances_of(customer_id), Column::Id).all(db).await?)
}

/// An appliance of a customer, if it is theirs.
pub async fn find_appliance(
    db: &impl ConnectionTrait,
    customer_id: Uuid,
    id: Uuid,
) -> Result<Option<appliance::Model>, Error> {
    Ok(appliances_of(customer_id).filter(Column::Id.eq(id)).one(db).await?)
}

/// Deletes an appliance of a customer.
pub async fn delete_appliance(
    db: &impl ConnectionTrait,
    customer_id: Uuid,
    id: Uuid,
) -> Result<(), Error> {
    let deleted = Entity::delete_many()
        .filter(Column::CustomerId.eq(customer_id))
        .filter(Column::Id.eq(id))
        .exec(db)
        .await?;
    match deleted.rows_affected {
        0 => Err(Error::RecordNotFound("APPLIANCE_NOT_FOUND", "the appliance")),
        _ => Ok(()),
    }
}

/// Deletes the appliances of a customer.
pub async fn delete_appliances(tx: &Tx, customer_id: Uuid) -> Result<(), Error> {
    Entity::delete_many().filter(Column::CustomerId.eq(customer_id)).exec(&**tx).await?;
    Ok(())
}

fn appliances_of(customer_id: Uuid) -> Select<Entity> {
    Entity::find().filter(Column::CustomerId.eq(customer_id))
}
