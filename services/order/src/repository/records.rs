//! What is kept about orders.

use super::{
    erasure::{self, Forgotten},
    offers,
};
use crate::domain::{
    Actor, ChangeId, ChangeState, DisputeState, Error, Order, OrderId, ProviderId, RecordChange,
    Resource,
    records::{change_order, dispute, effect, message, proof, review, timeline},
};
use chrono::{DateTime, Utc};
use kit::{Tx, storage::page::Page};
use sea_orm::{ActiveModelTrait, IntoActiveModel, QueryOrder, QuerySelect, entity::prelude::*};

/// Most entries of each kind in the full view; the lists have them all.
const MAX_RECORDS: u64 = 200;

/// All that is kept about one order, oldest first.
#[derive(Debug, Default)]
pub struct Records {
    pub timeline: Vec<timeline::Model>,
    pub proofs: Vec<proof::Model>,
    pub change_orders: Vec<change_order::Model>,
    /// Reviews, also unpublished ones.
    pub reviews: Vec<review::Model>,
    pub disputes: Vec<dispute::Model>,
}

/// All that is kept about an order, up to a number of each kind.
pub async fn all_records(db: &impl ConnectionTrait, id: OrderId) -> Result<Records, Error> {
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

/// The dispute of an order that is not resolved, if there is one.
pub async fn open_dispute(
    db: &impl ConnectionTrait,
    id: OrderId,
) -> Result<Option<dispute::Model>, Error> {
    let open = dispute::Entity::find()
        .filter(dispute::Column::OrderId.eq(id))
        .filter(dispute::Column::ResolvedAt.is_null());
    Ok(open.one(db).await?)
}

/// A page of messages.
pub async fn list_messages(
    db: &impl ConnectionTrait,
    id: OrderId,
    page: &Page,
) -> Result<Vec<message::Model>, Error> {
    let select = message::Entity::find().filter(message::Column::OrderId.eq(id));
    Ok(page.of(select, message::Column::Id).all(db).await?)
}

/// A page of proofs.
pub async fn list_proofs(
    db: &impl ConnectionTrait,
    id: OrderId,
    page: &Page,
) -> Result<Vec<proof::Model>, Error> {
    let select = proof::Entity::find().filter(proof::Column::OrderId.eq(id));
    Ok(page.of(select, proof::Column::Id).all(db).await?)
}

/// A page of change orders.
pub async fn change_orders(
    db: &impl ConnectionTrait,
    id: OrderId,
    page: &Page,
) -> Result<Vec<change_order::Model>, Error> {
    let select = change_order::Entity::find().filter(change_order::Column::OrderId.eq(id));
    Ok(page.of(select, change_order::Column::Id).all(db).await?)
}

/// A change order of the order.
pub async fn change_order(
    db: &impl ConnectionTrait,
    id: OrderId,
    change: ChangeId,
) -> Result<change_order::Model, Error> {
    change_order::Entity::find_by_id(change)
        .filter(change_order::Column::OrderId.eq(id))
        .one(db)
        .await?
        .ok_or(Error::NotFound(Resource::ChangeOrder))
}

/// A page of the timeline.
pub async fn list_timeline(
    db: &impl ConnectionTrait,
    id: OrderId,
    page: &Page,
) -> Result<Vec<timeline::Model>, Error> {
    let select = timeline::Entity::find().filter(timeline::Column::OrderId.eq(id));
    Ok(page.of(select, timeline::Column::Id).all(db).await?)
}

/// A page of what customers say of a provider.
pub async fn provider_reviews(
    db: &impl ConnectionTrait,
    provider: ProviderId,
    page: &Page,
) -> Result<Vec<review::Model>, Error> {
    let select = review::Entity::find()
        .filter(review::Column::ProviderId.eq(provider))
        .filter(review::Column::Side.eq(Actor::Customer))
        .filter(review::Column::PublishedAt.is_not_null());
    Ok(page.of(select, review::Column::Id).all(db).await?)
}

/// Writes a change of a row that belongs to the order.
pub(super) async fn write_records(
    tx: &Tx,
    order: &Order,
    record: RecordChange,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    match record {
        RecordChange::ProposeChange(row) => insert_record(tx, row.into_active_model()).await,
        RecordChange::OpenDispute(row) => insert_record(tx, row.into_active_model()).await,
        RecordChange::Message(row) => insert_record(tx, row.into_active_model()).await,
        RecordChange::Proof(row) => insert_record(tx, row.into_active_model()).await,
        RecordChange::Review(row) => insert_record(tx, row.into_active_model()).await,
        RecordChange::DecideChange(id, state) => decide_change(tx, id, state, now).await,
        RecordChange::MoveDispute(state, refund) => {
            move_dispute(tx, order.id, state, refund, now).await
        }
        RecordChange::NoteLoss(amount) => note_loss(tx, order.id, amount).await,
        RecordChange::PublishReviews => publish_reviews(tx, order.id, now).await,
        RecordChange::AcceptOffer(id) => offers::accept_offer(tx, id).await,
        RecordChange::EndOffers(ids, state) => offers::end_offers(tx, ids, state).await,
        RecordChange::ForgetWords(account, side) => {
            let of_order = Forgotten::OfOrder(order.id);
            erasure::forget_words(tx, of_order, account).await?;
            erasure::forget_side(tx, order.id, side).await
        }
        RecordChange::ForgetPositions => erasure::forget_positions(tx, order.id).await,
        RecordChange::SideEffectDone(seq) => {
            effect::Entity::delete_by_id((order.id, seq)).exec(&**tx).await?;
            Ok(())
        }
    }
}

async fn insert_record<A>(tx: &Tx, row: A) -> Result<(), Error>
where
    A: ActiveModelTrait + Send,
{
    A::Entity::insert(row).exec_without_returning(&**tx).await?;
    Ok(())
}

async fn decide_change(
    tx: &Tx,
    id: ChangeId,
    state: ChangeState,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    change_order::Entity::update_many()
        .col_expr(change_order::Column::State, Expr::value(state))
        .col_expr(change_order::Column::DecidedAt, Expr::value(now))
        .filter(change_order::Column::Id.eq(id))
        .exec(&**tx)
        .await?;
    Ok(())
}

async fn move_dispute(
    tx: &Tx,
    order: OrderId,
    state: DisputeState,
    refund: Option<i64>,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let mut update = dispute::Entity::update_many()
        .col_expr(dispute::Column::State, Expr::value(state))
        .filter(dispute::Column::OrderId.eq(order))
        .filter(dispute::Column::ResolvedAt.is_null());
    if let Some(refund) = refund {
        update = update
            .col_expr(dispute::Column::Refund, Expr::value(refund))
            .col_expr(dispute::Column::ResolvedAt, Expr::value(now));
    }
    update.exec(&**tx).await?;
    Ok(())
}

async fn note_loss(tx: &Tx, order: OrderId, amount: i64) -> Result<(), Error> {
    dispute::Entity::update_many()
        .col_expr(dispute::Column::Refund, Expr::value(amount))
        .filter(dispute::Column::OrderId.eq(order))
        .filter(dispute::Column::ResolvedAt.is_null())
        .exec(&**tx)
        .await?;
    Ok(())
}

async fn publish_reviews(tx: &Tx, order: OrderId, now: DateTime<Utc>) -> Result<(), Error> {
    review::Entity::update_many()
        .col_expr(review::Column::PublishedAt, Expr::value(now))
        .filter(review::Column::OrderId.eq(order))
        .filter(review::Column::PublishedAt.is_null())
        .exec(&**tx)
        .await?;
    Ok(())
}
