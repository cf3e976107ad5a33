//! Offers to providers.

use super::{OFFER, Orders};
use crate::{
    domain::records::{offer, order},
    domain::{AccountId, Error, OfferId, OfferState, Order, OrderId, ProviderId, Resource},
};
use chrono::Duration;
use kit::{messaging::timers, storage::page::Page};
use sea_orm::entity::prelude::*;

/// How long the acceptance of an offer may take before its timer takes it up.
const LEASE: Duration = Duration::seconds(60);

impl Orders {
    /// A page of an account's open offers with their orders, the newest first.
    pub async fn offers(
        &self,
        account: AccountId,
        page: &Page,
    ) -> Result<Vec<(offer::Model, Order)>, Error> {
        let open = offer::Entity::find()
            .filter(offer::Column::ProviderUserId.eq(account))
            .filter(offer::Column::State.eq(OfferState::Open))
            .filter(offer::Column::ValidTill.gt(self.db.clock().now()));
        let offers = page.of(open, offer::Column::Id).all(self.db.read()).await?;
        let ids = offers.iter().map(|offer| offer.order_id);
        let orders =
            order::Entity::find().filter(order::Column::Id.is_in(ids)).all(self.db.read()).await?;
        let with_order = |offer: offer::Model| {
            let order = orders.iter().find(|order| order.id == offer.order_id)?.clone();
            Some((offer, order))
        };
        Ok(offers.into_iter().filter_map(with_order).collect())
    }

    /// An offer to the account.
    pub async fn offer(&self, id: OfferId, account: AccountId) -> Result<offer::Model, Error> {
        offer::Entity::find_by_id(id)
            .filter(offer::Column::ProviderUserId.eq(account))
            .one(self.db.read())
            .await?
            .ok_or(Error::NotFound(Resource::Offer))
    }

    /// An offer, for the timer of its acceptance.
    pub async fn any_offer(&self, id: OfferId) -> Result<Option<offer::Model>, Error> {
        Ok(offer::Entity::find_by_id(id).one(self.db.read()).await?)
    }

    /// Notes that an acceptance begins: its timer frees the provider's time should it not get through. False when the
    /// offer is not open any more.
    pub async fn try_offer(&self, id: OfferId) -> Result<bool, Error> {
        self.db
            .write(move |tx| async move {
                let now = tx.now();
                let updated = offer::Entity::update_many()
                    .col_expr(offer::Column::Tried, Expr::value(true))
                    .filter(offer::Column::Id.eq(id))
                    .filter(offer::Column::State.eq(OfferState::Open))
                    .filter(offer::Column::ValidTill.gt(now))
                    .exec(&*tx)
                    .await?;
                if updated.rows_affected == 0 {
                    return Ok(false);
                }
                timers::schedule(&tx, OFFER, id.uuid(), now + LEASE).await?;
                Ok(true)
            })
            .await
    }

    /// Ends an open offer; the next wave need not wait for it. True when none of the order is open any more.
    pub async fn end_offer(&self, offer: &offer::Model, state: OfferState) -> Result<bool, Error> {
        let (id, order_id) = (offer.id, offer.order_id);
        self.db
            .write(move |tx| async move {
                offer::Entity::update_many()
                    .col_expr(offer::Column::State, Expr::value(state))
                    .filter(offer::Column::Id.eq(id))
                    .filter(offer::Column::State.eq(OfferState::Open))
                    .exec(&*tx)
                    .await?;
                let open = offer::Entity::find()
                    .filter(offer::Column::OrderId.eq(order_id))
                    .filter(offer::Column::State.eq(OfferState::Open))
                    .one(&*tx)
                    .await?;
                Ok(open.is_none())
            })
            .await
    }

    /// Takes the timer of an acceptance back, once nothing is left to free.
    pub async fn offer_settled(&self, id: OfferId) -> Result<(), Error> {
        self.db
            .write(move |tx| async move { Ok(timers::cancel(&tx, OFFER, id.uuid()).await?) })
            .await
    }

    /// Providers that are not to be offered the order again: asked in this search, or known to be of no use.
    pub async fn asked(&self, id: OrderId, round: i32) -> Result<Vec<ProviderId>, Error> {
        let offers =
            offer::Entity::find().filter(offer::Column::OrderId.eq(id)).all(self.db.read()).await?;
        let asked = |offer: &offer::Model| {
            offer.round == round || offer.tried || offer.state == OfferState::Declined
        };
        Ok(offers.iter().filter(|offer| asked(offer)).map(|offer| offer.provider_id).collect())
    }
}
