//! Writes what was decided: the order's own row by compare-and-swap, and everything that goes with it.

use super::{AUTHORIZE, DEADLINE, EFFECTS, MOVE};
use crate::{
    convert,
    domain::{
        ChangeState, DisputeState, Draft, Effect, Error, OfferState, Order, Private, Row, Who,
    },
    entity::{change_order, dispute, effect, message, offer, order, proof, review, timeline},
};
use chrono::{DateTime, Duration, Utc};
use kit::{Clock, Id, Tx, outbox, timers};
use sea_orm::{ActiveValue::Set, IntoActiveModel, entity::prelude::*};

/// How long a move may take before its timer takes it up.
const MOVE_LEASE: Duration = Duration::seconds(30);

/// Writes the draft over `before`, or says that somebody else was faster.
pub(super) async fn commit(tx: &Tx, before: &Order, draft: Draft) -> Result<Order, Error> {
    let Draft { mut order, who, now, timing, touched, entries, facts, owed, rows, .. } = draft;
    if touched {
        order.version += 1;
        order.updated_at = now;
    }
    let first_seq = order.event_seq + 1;
    order.event_seq += i64::try_from(facts.len()).unwrap_or_default();
    if touched || !facts.is_empty() {
        update(tx, before, &order).await?;
    }
    let actor_id = match &who {
        Who::System => None,
        Who::User { id, .. } => Some(id.uuid()),
    };
    let entries: Vec<_> = (0_u128..)
        .zip(entries)
        .map(|(index, entry)| timeline::ActiveModel {
            id: Set(ordered_id(tx.clock(), order.version, index)),
            order_id: Set(order.id),
            action: Set(entry.action.to_owned()),
            from_state: Set(entry.from),
            to_state: Set(entry.to),
            actor: Set(entry.actor),
            actor_id: Set(actor_id),
            note: Set(entry.note),
            at: Set(now),
        })
        .collect();
    if !entries.is_empty() {
        timeline::Entity::insert_many(entries).exec_without_returning(&**tx).await?;
    }
    for (seq, fact) in (first_seq..).zip(&facts) {
        let data = convert::event(&order, fact, now);
        outbox::record(tx, fact.kind, order.id.uuid(), seq, &data).await?;
    }
    for row in rows {
        write(tx, &order, row, now).await?;
    }
    owe(tx, &order, owed, now).await?;
    let system = who == Who::System;
    let deadlines = (before.deadline(&timing), order.deadline(&timing));
    retime(tx, DEADLINE, &order, deadlines, system).await?;
    let authorizations = (before.authorize_at(&timing), order.authorize_at(&timing));
    retime(tx, AUTHORIZE, &order, authorizations, system).await?;
    let moving = |order: &Order| order.progress.moving.as_ref().map(|it| it.since + MOVE_LEASE);
    retime(tx, MOVE, &order, (moving(before), moving(&order)), false).await?;
    Ok(order)
}

/// A UUIDv7 whose order within a millisecond is that of the order's versions and of the entries of one change.
fn ordered_id(clock: &Clock, version: i64, index: u128) -> Uuid {
    let id = Id::<()>::new(clock).uuid().as_u128();
    let place = u128::from(version.unsigned_abs() & 0xFFF) << 64;
    Uuid::from_u128((id & !(0xFFF << 64) & !(0xF << 56)) | place | ((index & 0xF) << 56))
}

async fn update(tx: &Tx, before: &Order, order: &Order) -> Result<(), Error> {
    let updated = order::Entity::update_many()
        .set(changed(before, order))
        .filter(order::Column::Id.eq(order.id))
        .filter(order::Column::Version.eq(before.version))
        .filter(order::Column::EventSeq.eq(before.event_seq))
        .exec(&**tx)
        .await?;
    if updated.rows_affected == 0 { Err(Error::Changed) } else { Ok(()) }
}

/// The columns that differ.
fn changed(before: &Order, order: &Order) -> order::ActiveModel {
    let mut row = before.clone().into_active_model();
    let order = order.clone();
    row.state.set_if_not_equals(order.state);
    row.disputed.set_if_not_equals(order.disputed);
    row.booking.set_if_not_equals(order.booking);
    row.given_up.set_if_not_equals(order.given_up);
    row.provider_id.set_if_not_equals(order.provider_id);
    row.provider_user_id.set_if_not_equals(order.provider_user_id);
    row.provider_name.set_if_not_equals(order.provider_name);
    row.window_start.set_if_not_equals(order.window_start);
    row.window_end.set_if_not_equals(order.window_end);
    row.time_zone.set_if_not_equals(order.time_zone);
    row.details.set_if_not_equals(order.details);
    row.terms.set_if_not_equals(order.terms);
    row.notes.set_if_not_equals(order.notes);
    row.total.set_if_not_equals(order.total);
    row.payment.set_if_not_equals(order.payment);
    row.progress.set_if_not_equals(order.progress);
    row.version.set_if_not_equals(order.version);
    row.event_seq.set_if_not_equals(order.event_seq);
    row.updated_at.set_if_not_equals(order.updated_at);
    row
}

async fn owe(tx: &Tx, order: &Order, owed: Vec<Effect>, now: DateTime<Utc>) -> Result<(), Error> {
    if owed.is_empty() {
        return Ok(());
    }
    let rows = (0_i64..).zip(owed).map(|(index, effect)| effect::ActiveModel {
        order_id: Set(order.id),
        seq: Set(order.version * 100 + index),
        effect: Set(effect),
        created_at: Set(now),
    });
    effect::Entity::insert_many(rows).exec_without_returning(&**tx).await?;
    timers::schedule(tx, EFFECTS, order.id.uuid(), now).await?;
    Ok(())
}

/// Sets a timer anew when its time changed. Whatever a timer itself changes is set anew in any case: the timer that
/// fires is taken away after it.
async fn retime(
    tx: &Tx,
    kind: &str,
    order: &Order,
    (before, after): (Option<DateTime<Utc>>, Option<DateTime<Utc>>),
    always: bool,
) -> Result<(), Error> {
    match after {
        Some(due) if always || before != after => {
            timers::schedule(tx, kind, order.id.uuid(), due).await?;
        }
        None if before.is_some() => timers::cancel(tx, kind, order.id.uuid()).await?,
        Some(_) | None => {}
    }
    Ok(())
}

async fn write(tx: &Tx, order: &Order, row: Row, now: DateTime<Utc>) -> Result<(), Error> {
    match row {
        Row::ProposeChange(row) => insert(tx, row).await,
        Row::OpenDispute(row) => insert(tx, row).await,
        Row::Message(row) => insert(tx, row).await,
        Row::Proof(row) => insert(tx, row).await,
        Row::Review(row) => insert(tx, row).await.map_err(reviewed_already),
        Row::Offers(rows) => {
            let rows = rows.into_iter().map(IntoActiveModel::into_active_model);
            offer::Entity::insert_many(rows).exec_without_returning(&**tx).await?;
            Ok(())
        }
        Row::DecideChange(id, state) => decide_change(tx, id, state, now).await,
        Row::MoveDispute(state, refund) => move_dispute(tx, order, state, refund, now).await,
        Row::PublishReviews => publish_reviews(tx, order, now).await,
        Row::EndOffers(state, taken) => end_offers(tx, order, state, taken).await,
        Row::ForgetWords(account) => forget_words(tx, order, account).await,
        Row::EffectDone(seq) => {
            effect::Entity::delete_by_id((order.id, seq)).exec(&**tx).await?;
            Ok(())
        }
    }
}

async fn insert<M>(tx: &Tx, row: M) -> Result<(), Error>
where
    M: IntoActiveModel<<M::Entity as EntityWrites>::Row> + ModelTrait,
    M::Entity: EntityWrites,
{
    M::Entity::insert(row.into_active_model()).exec_without_returning(&**tx).await?;
    Ok(())
}

/// Names the active model of an entity, so that rows of any table are inserted alike.
trait EntityWrites: EntityTrait {
    /// Its active model.
    type Row: sea_orm::ActiveModelTrait<Entity = Self> + Send;
}

impl EntityWrites for change_order::Entity {
    type Row = change_order::ActiveModel;
}
impl EntityWrites for dispute::Entity {
    type Row = dispute::ActiveModel;
}
impl EntityWrites for message::Entity {
    type Row = message::ActiveModel;
}
impl EntityWrites for proof::Entity {
    type Row = proof::ActiveModel;
}
impl EntityWrites for review::Entity {
    type Row = review::ActiveModel;
}

fn reviewed_already(error: Error) -> Error {
    match error {
        Error::Kit(kit::Error::Database(ref database))
            if kit::db::violates(database, "reviews_order_side", "reviews.side") =>
        {
            Error::ReviewedAlready
        }
        error => error,
    }
}

async fn decide_change(
    tx: &Tx,
    id: crate::domain::ChangeId,
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
    order: &Order,
    state: DisputeState,
    refund: Option<i64>,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let mut update = dispute::Entity::update_many()
        .col_expr(dispute::Column::State, Expr::value(state))
        .filter(dispute::Column::OrderId.eq(order.id))
        .filter(dispute::Column::ResolvedAt.is_null());
    if let Some(refund) = refund {
        update = update
            .col_expr(dispute::Column::Refund, Expr::value(refund))
            .col_expr(dispute::Column::ResolvedAt, Expr::value(now));
    }
    update.exec(&**tx).await?;
    Ok(())
}

async fn publish_reviews(tx: &Tx, order: &Order, now: DateTime<Utc>) -> Result<(), Error> {
    review::Entity::update_many()
        .col_expr(review::Column::PublishedAt, Expr::value(now))
        .filter(review::Column::OrderId.eq(order.id))
        .filter(review::Column::PublishedAt.is_null())
        .exec(&**tx)
        .await?;
    Ok(())
}

async fn end_offers(
    tx: &Tx,
    order: &Order,
    state: OfferState,
    taken: Option<crate::domain::OfferId>,
) -> Result<(), Error> {
    let open = || {
        offer::Entity::update_many()
            .filter(offer::Column::OrderId.eq(order.id))
            .filter(offer::Column::State.eq(OfferState::Open))
    };
    if let Some(taken) = taken {
        open()
            .col_expr(offer::Column::State, Expr::value(OfferState::Accepted))
            .filter(offer::Column::Id.eq(taken))
            .exec(&**tx)
            .await?;
        timers::cancel(tx, super::OFFER, taken.uuid()).await?;
    }
    open().col_expr(offer::Column::State, Expr::value(state)).exec(&**tx).await?;
    Ok(())
}

async fn forget_words(
    tx: &Tx,
    order: &Order,
    account: crate::domain::AccountId,
) -> Result<(), Error> {
    message::Entity::update_many()
        .col_expr(message::Column::Body, Expr::value(Private::default()))
        .filter(message::Column::OrderId.eq(order.id))
        .filter(message::Column::AuthorId.eq(account))
        .exec(&**tx)
        .await?;
    Ok(())
}
