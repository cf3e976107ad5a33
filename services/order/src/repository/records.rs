//! What is kept about orders.

use super::Orders;
use crate::{
    domain::records::{change_order, dispute, message, order, proof, review, timeline},
    domain::{AccountId, ChangeId, Error, Order, OrderId, ProviderId, Resource},
};
use kit::storage::page::Page;
use sea_orm::{QueryOrder, QuerySelect, entity::prelude::*};

/// Most entries of each kind in the full view; the lists have them all.
const MAX_RECORDS: u64 = 200;

/// All that is kept about one order, oldest first.
#[derive(Debug, Default)]
pub struct Records {
    /// What happened.
    pub timeline: Vec<timeline::Model>,
    /// Proofs.
    pub proofs: Vec<proof::Model>,
    /// Change orders.
    pub change_orders: Vec<change_order::Model>,
    /// Reviews, also unpublished ones.
    pub reviews: Vec<review::Model>,
    /// Disputes.
    pub disputes: Vec<dispute::Model>,
}

impl Orders {
    /// All that is kept about an order.
    pub async fn records(&self, id: OrderId) -> Result<Records, Error> {
        let db = self.db.read();
        let timeline = timeline::Entity::find()
            .filter(timeline::Column::OrderId.eq(id))
            .order_by_asc(timeline::Column::Id)
            .limit(MAX_RECORDS);
        let proofs = proof::Entity::find()
            .filter(proof::Column::OrderId.eq(id))
            .order_by_asc(proof::Column::Id)
            .limit(MAX_RECORDS);
        let change_orders = change_order::Entity::find()
            .filter(change_order::Column::OrderId.eq(id))
            .order_by_asc(change_order::Column::Id)
            .limit(MAX_RECORDS);
        let reviews = review::Entity::find().filter(review::Column::OrderId.eq(id));
        let disputes = dispute::Entity::find()
            .filter(dispute::Column::OrderId.eq(id))
            .order_by_asc(dispute::Column::Id)
            .limit(MAX_RECORDS);
        Ok(Records {
            timeline: timeline.all(db).await?,
            proofs: proofs.all(db).await?,
            change_orders: change_orders.all(db).await?,
            reviews: reviews.all(db).await?,
            disputes: disputes.all(db).await?,
        })
    }

    /// A page of messages.
    pub async fn messages(&self, id: OrderId, page: &Page) -> Result<Vec<message::Model>, Error> {
        let select = message::Entity::find().filter(message::Column::OrderId.eq(id));
        Ok(page.of(select, message::Column::Id).all(self.db.read()).await?)
    }

    /// A page of proofs.
    pub async fn proofs(&self, id: OrderId, page: &Page) -> Result<Vec<proof::Model>, Error> {
        let select = proof::Entity::find().filter(proof::Column::OrderId.eq(id));
        Ok(page.of(select, proof::Column::Id).all(self.db.read()).await?)
    }

    /// The kinds of proof on file.
    pub async fn proof_kinds(&self, id: OrderId) -> Result<Vec<String>, Error> {
        let kinds = proof::Entity::find()
            .select_only()
            .column(proof::Column::Kind)
            .distinct()
            .filter(proof::Column::OrderId.eq(id))
            .order_by_asc(proof::Column::Kind)
            .into_tuple()
            .all(self.db.read())
            .await?;
        Ok(kinds)
    }

    /// A page of change orders.
    pub async fn change_orders(
        &self,
        id: OrderId,
        page: &Page,
    ) -> Result<Vec<change_order::Model>, Error> {
        let select = change_order::Entity::find().filter(change_order::Column::OrderId.eq(id));
        Ok(page.of(select, change_order::Column::Id).all(self.db.read()).await?)
    }

    /// A change order of the order.
    pub async fn change_order(
        &self,
        id: OrderId,
        change: ChangeId,
    ) -> Result<change_order::Model, Error> {
        change_order::Entity::find_by_id(change)
            .filter(change_order::Column::OrderId.eq(id))
            .one(self.db.read())
            .await?
            .ok_or(Error::NotFound(Resource::ChangeOrder))
    }

    /// A page of the timeline.
    pub async fn timeline(&self, id: OrderId, page: &Page) -> Result<Vec<timeline::Model>, Error> {
        let select = timeline::Entity::find().filter(timeline::Column::OrderId.eq(id));
        Ok(page.of(select, timeline::Column::Id).all(self.db.read()).await?)
    }

    /// A page of what customers say of a provider.
    pub async fn provider_reviews(
        &self,
        provider: ProviderId,
        page: &Page,
    ) -> Result<Vec<review::Model>, Error> {
        let select = review::Entity::find()
            .filter(review::Column::ProviderId.eq(provider))
            .filter(review::Column::Side.eq(crate::domain::Actor::Customer))
            .filter(review::Column::PublishedAt.is_not_null());
        Ok(page.of(select, review::Column::Id).all(self.db.read()).await?)
    }

    /// The orders that an account booked, for its erasure.
    pub async fn orders_of(&self, customer: AccountId) -> Result<Vec<Order>, Error> {
        let orders = order::Entity::find()
            .filter(order::Column::CustomerId.eq(customer))
            .all(self.db.read())
            .await?;
        Ok(orders)
    }
}
