//! What other services have still to do for orders.

use crate::domain::{Error, OrderId, records::effect};
use sea_orm::{QueryOrder, entity::prelude::*};

/// The side effects of an order that are not done, in the order in which they were decided.
pub async fn pending(db: &impl ConnectionTrait, id: OrderId) -> Result<Vec<effect::Model>, Error> {
    let rows = effect::Entity::find()
        .filter(effect::Column::OrderId.eq(id))
        .order_by_asc(effect::Column::Seq)
        .all(db)
        .await?;
    Ok(rows)
}

/// Deletes a side effect that is done.
pub async fn delete(db: &impl ConnectionTrait, id: OrderId, seq: i64) -> Result<(), Error> {
    effect::Entity::delete_by_id((id, seq)).exec(db).await?;
    Ok(())
}
