//! Every query of claims. Those of orders are the same in every vertical.

use crate::domain::claim::{Column, Entity, Model as DamageClaim};
use kit::Tx;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, PaginatorTrait,
    QueryFilter, QueryOrder,
};
use uuid::Uuid;
use vertical::Error;

/// A claim of any move.
pub async fn find_claim(db: &impl ConnectionTrait, id: Uuid) -> Result<DamageClaim, Error> {
    Entity::find_by_id(id).one(db).await?.ok_or_else(claim_not_found)
}

/// What is said of a claim that is absent, or not the caller's.
pub const fn claim_not_found() -> Error {
    Error::RecordNotFound("CLAIM_NOT_FOUND", "claim")
}

/// The claims about an order, oldest first.
pub async fn list_claims(
    db: &impl ConnectionTrait,
    order_id: Uuid,
) -> Result<Vec<DamageClaim>, Error> {
    let claims = Entity::find()
        .filter(Column::OrderId.eq(order_id))
        .order_by_asc(Column::OpenedAt)
        .order_by_asc(Column::Id);
    Ok(claims.all(db).await?)
}

/// How many claims about an order there are, the decided ones included.
pub async fn count_claims(db: &impl ConnectionTrait, order_id: Uuid) -> Result<u64, Error> {
    Ok(Entity::find().filter(Column::OrderId.eq(order_id)).count(db).await?)
}

/// Inserts a claim.
pub async fn insert_claim(tx: &Tx, claim: &DamageClaim) -> Result<(), Error> {
    claim.clone().into_active_model().insert(&**tx).await?;
    Ok(())
}

/// Saves a claim whose order is locked.
pub async fn save_claim(tx: &Tx, claim: &DamageClaim) -> Result<(), Error> {
    claim.clone().into_active_model().reset_all().update(&**tx).await?;
    Ok(())
}
