//! Offers to providers.

use super::OFFER;
use crate::domain::{
    AccountId, Error, OfferId, OfferState, Order, OrderId, ProviderId, Resource,
    records::{offer, order},
};
use chrono::{DateTime, Duration, Utc};
use kit::{Tx, messaging::timers, storage::page::Page};
use sea_orm::{
    Condition, IntoActiveModel, QueryOrder, QuerySelect,
    entity::prelude::*,
    sea_query::{Func, OnConflict},
};
use std::collections::{BTreeSet, HashMap};

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
    let orders = orders_of(db, &offers).await?;
    let mut with_orders = Vec::with_capacity(offers.len());
    for offer in offers {
        if let Some(order) = orders.get(&offer.order_id) {
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

/// Notes that an acceptance begins: its timer frees the provider's time should it not get through. Returns the offer, with
/// the moment of its first acceptance; none when it is not open any more.
pub async fn begin_acceptance(tx: &Tx, id: OfferId) -> Result<Option<offer::Model>, Error> {
    let first_tried = Func::coalesce([Expr::col(offer::Column::TriedAt), Expr::value(tx.now())]);
    let updated = offer::Entity::update_many()
        .col_expr(offer::Column::Tried, Expr::value(true))
        .col_expr(offer::Column::TriedAt, first_tried.into())
        .filter(offer::Column::Id.eq(id))
        .filter(offer::Column::State.eq(OfferState::Open))
        .filter(offer::Column::ValidTill.gt(tx.now()))
        .exec_with_returning(&**tx)
        .await?;
    let Some(offer) = updated.into_iter().next() else { return Ok(None) };
    timers::schedule_timer(tx, OFFER, id.uuid(), tx.now() + LEASE).await?;
    Ok(Some(offer))
}

/// Takes the timer of an acceptance back, once nothing is left to free.
pub async fn end_acceptance(tx: &Tx, id: OfferId) -> Result<(), Error> {
    Ok(timers::cancel_timer(tx, OFFER, id.uuid()).await?)
}

/// The open offers of an order, those whose time is over included.
pub(super) async fn open_of_order(
    db: &impl ConnectionTrait,
    id: OrderId,
) -> Result<Vec<offer::Model>, Error> {
    let open = offer::Entity::find()
        .filter(offer::Column::OrderId.eq(id))
        .filter(offer::Column::State.eq(OfferState::Open))
        .order_by_asc(offer::Column::Id);
    Ok(open.all(db).await?)
}

/// Inserts the offers of a wave, and returns those that were: a provider has one open offer of a live search, and is
/// skipped meanwhile.
pub async fn insert_offers(
    tx: &Tx,
    mut offers: Vec<offer::Model>,
) -> Result<Vec<offer::Model>, Error> {
    if offers.is_empty() {
        return Ok(offers);
    }
    // In one order for all, since an insert waits for another one of the same provider to commit.
    offers.sort_by_key(|offer| offer.provider_id);
    let rows = offers.iter().map(|offer| offer.clone().into_active_model().reset_all());
    let inserted: Vec<OfferId> = offer::Entity::insert_many(rows)
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_with_returning_keys(&**tx)
        .await?;
    offers.retain(|offer| inserted.contains(&offer.id));
    Ok(offers)
}

/// Those of these providers who have an open offer of a live search.
pub async fn live_offered(
    db: &impl ConnectionTrait,
    providers: Vec<ProviderId>,
) -> Result<Vec<ProviderId>, Error> {
    let open = offer::Entity::find()
        .select_only()
        .column(offer::Column::ProviderId)
        .filter(offer::Column::ProviderId.is_in(providers))
        .filter(offer::Column::Live.eq(true))
        .filter(offer::Column::State.eq(OfferState::Open));
    Ok(open.into_tuple().all(db).await?)
}

/// The offers that were made or have ended since a moment.
pub async fn changed_since(
    db: &impl ConnectionTrait,
    since: DateTime<Utc>,
) -> Result<Vec<offer::Model>, Error> {
    let changed = Condition::any()
        .add(offer::Column::CreatedAt.gte(since))
        .add(offer::Column::EndedAt.gte(since));
    Ok(offer::Entity::find().filter(changed).order_by_asc(offer::Column::Id).all(db).await?)
}

/// The orders of offers, by their ids.
pub async fn orders_of(
    db: &impl ConnectionTrait,
    offers: &[offer::Model],
) -> Result<HashMap<OrderId, Order>, Error> {
    let ids: BTreeSet<_> = offers.iter().map(|offer| offer.order_id).collect();
    let orders = order::Entity::find().filter(order::Column::Id.is_in(ids)).all(db).await?;
    Ok(orders.into_iter().map(|order| (order.id, order)).collect())
}

/// Marks an offer as accepted.
pub(super) async fn accept_offer(tx: &Tx, id: OfferId) -> Result<(), Error> {
    end_offers(tx, vec![id], OfferState::Accepted).await?;
    end_acceptance(tx, id).await
}

/// Ends these offers in a state, from now on.
pub(super) async fn end_offers(tx: &Tx, ids: Vec<OfferId>, state: OfferState) -> Result<(), Error> {
    offer::Entity::update_many()
        .col_expr(offer::Column::State, Expr::value(state))
        .col_expr(offer::Column::EndedAt, Expr::value(tx.now()))
        .filter(offer::Column::Id.is_in(ids))
        .exec(&**tx)
        .await?;
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
