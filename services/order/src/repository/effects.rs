//! What orders owe to other services.

use super::Orders;
use crate::{
    domain::records::effect,
    domain::{Error, OrderId},
};
use sea_orm::{QueryOrder, entity::prelude::*};

impl Orders {
    /// What an order owes, in the order in which it came to owe it.
    pub async fn owed(&self, id: OrderId) -> Result<Vec<effect::Model>, Error> {
        let rows = effect::Entity::find()
            .filter(effect::Column::OrderId.eq(id))
            .order_by_asc(effect::Column::Seq)
            .all(self.db.read())
            .await?;
        Ok(rows)
    }

    /// Notes that something owed is done.
    pub async fn done(&self, row: &effect::Model) -> Result<(), Error> {
        let (order_id, seq) = (row.order_id, row.seq);
        self.db
            .write(move |tx| async move {
                effect::Entity::delete_by_id((order_id, seq)).exec(&*tx).await?;
                Ok(())
            })
            .await
    }
}
