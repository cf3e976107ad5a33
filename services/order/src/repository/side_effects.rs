//! What other services have still to do for orders.

use crate::domain::{Error, OrderId, SideEffect, records::effect};
use sea_orm::{QueryOrder, entity::prelude::*};

/// The side effects of an order that are not done, in the order in which they were decided.
pub async fn pending_side_effects(
    db: &impl ConnectionTrait,
    id: OrderId,
) -> Result<Vec<effect::Model>, Error> {
    let rows = effect::Entity::find()
        .filter(effect::Column::OrderId.eq(id))
        .order_by_asc(effect::Column::Seq)
        .all(db)
        .await?;
    Ok(rows)
}

/// Whether a side effect is not done yet.
pub async fn is_pending(db: &impl ConnectionTrait, id: OrderId, seq: i64) -> Result<bool, Error> {
    Ok(effect::Entity::find_by_id((id, seq)).one(db).await?.is_some())
}

/// What is on its way back to the customer of an order, as far as payment has not answered yet.
pub async fn pending_refunds(db: &impl ConnectionTrait, id: OrderId) -> Result<i64, Error> {
    let rows = pending_side_effects(db, id).await?;
    let refunds = rows.iter().map(|row| match row.effect {
        SideEffect::Refund { amount, .. } => amount,
        _ => 0,
    });
    Ok(refunds.sum())
}

/// Deletes side effects that are done.
pub async fn delete_side_effect(
    db: &impl ConnectionTrait,
    id: OrderId,
    seqs: &[i64],
) -> Result<(), Error> {
    effect::Entity::delete_many()
        .filter(effect::Column::OrderId.eq(id))
        .filter(effect::Column::Seq.is_in(seqs.iter().copied()))
        .exec(db)
        .await?;
    Ok(())
}
