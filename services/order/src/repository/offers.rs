//! Offers to providers.

use super::OFFER;
use crate::domain::{
    AccountId, Error, OfferId, OfferState, Order, OrderId, ProviderId, Resource,
    records::{offer, order},
};
use chrono::{DateTime, Duration, Utc};
use kit::{Tx, messaging::timers, storage::page::Page};
use sea_orm::{Condition, IntoActiveModel, entity::prelude::*};

/// How long the acceptance of an offer may take before its timer takes it up.
const LEASE: Duration = Duration::seconds(60);

/// A page of an account's open offers with their orders, the newest first.
pub async fn list_open(
    db: &impl ConnectionTrait,
    account: AccountId,
    now: DateTime<Utc>,
    page: &Page,
) -> Result<Vec<(offer::Model, Order)>, Error> {
    let open = offer::Entity::find()
        .filter(offer::Column::ProviderUserId.eq(account))
        .filter(offer::Column::State.eq(OfferState::Open))
        .filter(offer::Column::ValidTill.gt(now));
    let offers = page.of(open, offer::Column::Id).all(db).await?;
    let ids = offers.iter().map(|offer| offer.order_id);
    let orders = order::Entity::find().filter(order::Column::Id.is_in(ids)).all(db).await?;
    let mut with_orders = Vec::with_capacity(offers.len());
    for offer in offers {
        if let Some(order) = orders.iter().find(|order| order.id == offer.order_id) {
            with_orders.push((offer, order.clone()));
        }
    }
    Ok(with_orders)
}

/// Every open offer to an account.
pub async fn all_open(
    db: &impl ConnectionTrait,
    account: AccountId,
) -> Result<Vec<offer::Model>, Error> {
    let open = offer::Entity::find()
        .filter(offer::Column::ProviderUserId.eq(account))
        .filter(offer::Column::State.eq(OfferState::Open));
    Ok(open.all(db).await?)
}

/// An offer to the account.
pub async fn get_offer(
    db: &impl ConnectionTrait,
    id: OfferId,
    account: AccountId,
) -> Result<offer::Model, Error> {
    offer::Entity::find_by_id(id)
        .filter(offer::Column::ProviderUserId.eq(account))
        .one(db)
        .await?
        .ok_or(Error::NotFound(Resource::Offer))
}

/// An offer to any account, for the timer of its acceptance.
pub async fn find_offers(
    db: &impl ConnectionTrait,
    id: OfferId,
) -> Result<Option<offer::Model>, Error> {
    Ok(offer::Entity::find_by_id(id).one(db).await?)
}

/// Notes that an acceptance begins: its timer frees the provider's time should it not get through. False when the offer
/// is not open any more.
pub async fn begin_acceptance(tx: &Tx, id: OfferId) -> Result<bool, Error> {
    let updated = offer::Entity::update_many()
        .col_expr(offer::Column::Tried, Expr::value(true))
        .filter(offer::Column::Id.eq(id))
        .filter(offer::Column::State.eq(OfferState::Open))
        .filter(offer::Column::ValidTill.gt(tx.now()))
        .exec(&**tx)
        .await?;
    if updated.rows_affected == 0 {
        return Ok(false);
    }
    timers::schedule_timer(tx, OFFER, id.uuid(), tx.now() + LEASE).await?;
    Ok(true)
}

/// Takes the timer of an acceptance back, once nothing is left to free.
pub async fn end_acceptance(tx: &Tx, id: OfferId) -> Result<(), Error> {
    Ok(timers::cancel_timer(tx, OFFER, id.uuid()).await?)
}

/// Ends an open offer. True when no offer of its order is open any more, so that the next wave need not wait.
pub async fn end_offers(tx: &Tx, offer: &offer::Model, state: OfferState) -> Result<bool, Error> {
    offer::Entity::update_many()
        .col_expr(offer::Column::State, Expr::value(state))
        .filter(offer::Column::Id.eq(offer.id))
        .filter(offer::Column::State.eq(OfferState::Open))
        .exec(&**tx)
        .await?;
    let open = offer::Entity::find()
        .filter(offer::Column::OrderId.eq(offer.order_id))
        .filter(offer::Column::State.eq(OfferState::Open))
        .one(&**tx)
        .await?;
    Ok(open.is_none())
}

/// Inserts the offers of a wave.
pub(super) async fn insert_all(tx: &Tx, offers: Vec<offer::Model>) -> Result<(), Error> {
    let rows = offers.into_iter().map(IntoActiveModel::into_active_model);
    offer::Entity::insert_many(rows).exec_without_returning(&**tx).await?;
    Ok(())
}

/// Ends the open offers of an order, except for one that was accepted.
pub(super) async fn end_all(
    tx: &Tx,
    order: OrderId,
    state: OfferState,
    accepted: Option<OfferId>,
) -> Result<(), Error> {
    let open = offer::Entity::update_many()
        .filter(offer::Column::OrderId.eq(order))
        .filter(offer::Column::State.eq(OfferState::Open));
    if let Some(accepted) = accepted {
        open.clone()
            .col_expr(offer::Column::State, Expr::value(OfferState::Accepted))
            .filter(offer::Column::Id.eq(accepted))
            .exec(&**tx)
            .await?;
        end_acceptance(tx, accepted).await?;
    }
    open.col_expr(offer::Column::State, Expr::value(state)).exec(&**tx).await?;
    Ok(())
}

/// Providers that are not to be offered the order again: those asked in this round, and those who declined in any. A
/// provider who was slower than another one in an earlier round is asked again.
pub async fn providers_to_exclude(
    db: &impl ConnectionTrait,
    id: OrderId,
    round: i32,
) -> Result<Vec<ProviderId>, Error> {
    let of_round_or_declined = Condition::any()
        .add(offer::Column::Round.eq(round))
        .add(offer::Column::State.eq(OfferState::Declined));
    let offers = offer::Entity::find()
        .filter(offer::Column::OrderId.eq(id))
        .filter(of_round_or_declined)
        .all(db)
        .await?;
    Ok(offers.into_iter().map(|offer| offer.provider_id).collect())
}
