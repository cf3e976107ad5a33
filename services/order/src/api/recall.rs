//! Recalls: an order that makes the work of another one good.

use super::Api;
use crate::{
    convert,
    domain::{
        AccountId, Actor, Error, Order, ParentOrder, Principal, ProviderId, Quote, QuoteId,
        Resource, State,
    },
    repository::{orders, quotes},
};
use kit::{
    Id, Money,
    storage::idempotency::Key,
    values::{money::Currency, time::timestamp},
};
use proto::quickserve::{
    common::v1::TimeWindow, fulfilment::v1 as fulfilment, order::v1::CreateQuoteRequest,
};

/// The order to be made good, and what a quote keeps of it.
pub struct Recalled {
    pub order: Order,
    pub parent: ParentOrder,
}

impl Recalled {
    /// Fails when a quote is for another vertical or another provider than the order. Returns the order's provider, who is
    /// asked to make the work good.
    pub fn check_quote(
        &self,
        vertical: &str,
        provider: Option<ProviderId>,
    ) -> Result<Option<ProviderId>, Error> {
        if self.order.vertical != vertical {
            return Err(
                kit::Error::invalid("vertical", "is not the one of the parent order").into()
            );
        }
        if provider.is_some() && provider != self.order.provider_id {
            let problem = "is not the provider of the parent order: leave it out";
            return Err(kit::Error::invalid("provider_id", problem).into());
        }
        Ok(self.order.provider_id)
    }

    /// The order as its vertical is asked about it.
    pub fn message(&self) -> fulfilment::ParentOrder {
        let ParentOrder { order_id, root_order_id, root_completed_at } = self.parent;
        fulfilment::ParentOrder {
            order_id: order_id.to_string(),
            root_order_id: root_order_id.to_string(),
            root_completed_at: Some(timestamp(root_completed_at)),
        }
    }
}

impl Api {
    /// The order of the customer that `field` names, whose work was accepted.
    pub(super) async fn find_recalled(
        &self,
        customer: AccountId,
        field: &str,
        id: &str,
    ) -> Result<Recalled, Error> {
        let customer = Principal::User { id: customer, operator: false };
        let db = self.app.db.connection();
        let order = orders::get_order(db, Id::parse(field, id)?, &customer).await?;
        if order.side(&customer) != Some(Actor::Customer) {
            return Err(Error::NotFound(Resource::Order));
        }
        let is_accepted = matches!(order.state, State::Completed | State::Closed);
        let completed_at = order.progress.completed_at.filter(|_| is_accepted);
        let completed_at = completed_at.ok_or(Error::RecallState)?;
        let root = order.terms.parent.map_or((order.id, completed_at), |parent| {
            (parent.root_order_id, parent.root_completed_at)
        });
        let (root_order_id, root_completed_at) = root;
        let parent = ParentOrder { order_id: order.id, root_order_id, root_completed_at };
        Ok(Recalled { order, parent })
    }

    /// Prices a free recall of a finished order, as it was and with its provider, and keeps the quote. The same call finds
    /// its quote again.
    pub(super) async fn quote_recall(
        &self,
        customer: AccountId,
        recall_of: &str,
        window: Option<TimeWindow>,
        key: Option<&Key>,
    ) -> Result<QuoteId, Error> {
        let db = self.app.db.connection();
        let id = match key {
            Some(key) => QuoteId::derived(key.derived_id::<Order>().uuid(), "recall"),
            None => Id::new(self.app.db.clock()),
        };
        if quotes::find_quote(db, id, customer).await?.is_some() {
            return Ok(id);
        }
        let Recalled { order, .. } = self.find_recalled(customer, "recall_of", recall_of).await?;
        let request = CreateQuoteRequest {
            vertical: order.vertical.clone(),
            details: convert::details(&order.details.0),
            window,
            address: Some(convert::address(&order.terms.place)),
            parent_order_id: order.id.to_string(),
            ..CreateQuoteRequest::default()
        };
        let quote = Quote { id, ..self.price_quote(customer, request).await? };
        let most = quote.terms.cap.unwrap_or(0).max(quote.total);
        if most > 0 {
            let currency = Currency::parse("currency", &quote.currency)?;
            return Err(Error::RecallCosts(Money::new(currency, most)));
        }
        quotes::insert_quote(db, &quote).await?;
        Ok(id)
    }
}
