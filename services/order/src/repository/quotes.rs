//! Quotes.

use super::Orders;
use crate::{
    domain::records::{order, quote},
    domain::{AccountId, Error, OrderId, Quote, QuoteId, Resource},
};
use kit::storage::idempotency;
use sea_orm::{IntoActiveModel, QuerySelect, entity::prelude::*};

impl Orders {
    /// Keeps a quote, once for each key.
    pub async fn create_quote<M, A>(
        &self,
        key: Option<idempotency::Key>,
        quote: Quote,
        answer: A,
    ) -> Result<M, Error>
    where
        M: prost::Message + Default + 'static,
        A: FnOnce(Quote) -> M + Send + 'static,
    {
        let row = quote.clone().into_active_model().reset_all();
        if key.is_none() {
            // One statement is a transaction by itself.
            quote::Entity::insert(row).exec_without_returning(self.db.read()).await?;
            return Ok(answer(quote));
        }
        self.db
            .write_once(key, move |tx| async move {
                quote::Entity::insert(row).exec_without_returning(&*tx).await?;
                Ok(answer(quote))
            })
            .await
    }

    /// A quote of the account; of anybody for operators.
    pub async fn quote(&self, id: QuoteId, customer: Option<AccountId>) -> Result<Quote, Error> {
        let mut select = quote::Entity::find_by_id(id);
        if let Some(customer) = customer {
            select = select.filter(quote::Column::CustomerId.eq(customer));
        }
        select.one(self.db.read()).await?.ok_or(Error::NotFound(Resource::Quote))
    }

    /// The order that a quote became.
    pub async fn order_of_quote(&self, id: QuoteId) -> Result<Option<OrderId>, Error> {
        let found = order::Entity::find()
            .select_only()
            .column(order::Column::Id)
            .filter(order::Column::QuoteId.eq(id))
            .filter(order::Column::Booking.eq(false));
        Ok(found.into_tuple().one(self.db.read()).await?)
    }
}
