//! Writes what was decided: the order's own row by compare-and-swap, and everything that goes with it.

use super::{AUTHORIZE, DEADLINE, EFFECTS, MOVE};
use crate::{
    convert,
    domain::records::{
        change_order, dispute, effect, message, offer, order, proof, review, timeline,
    },
    domain::{
        ChangeState, DisputeState, Error, OfferState, Order, OrderChange, OrderEvent, Principal,
        Private, RecordChange, TimelineEntry, Timing,
    },
};
use chrono::{DateTime, Duration, Utc};
use kit::{Clock, Id, Tx, messaging::outbox, messaging::timers};
use sea_orm::{ActiveValue::Set, IntoActiveModel, entity::prelude::*};

/// How long a move may take before its timer takes it up.
const MOVE_LEASE: Duration = Duration::seconds(30);

/// What a draft comes to: the rows to write.
#[derive(Clone)]
pub(super) struct Change {
    before: Order,
    after: Order,
    now: DateTime<Utc>,
    entries: Vec<timeline::ActiveModel>,
    facts: Vec<outbox::Fact>,
    rows: Vec<RecordChange>,
    effects: Vec<effect::ActiveModel>,
    timers: Vec<(&'static str, Option<DateTime<Utc>>)>,
}

impl Change {
    /// What `draft` makes of `before`.
    pub(super) fn of(before: Order, draft: OrderChange) -> Self {
        let OrderChange {
            mut order,
            who,
            now,
            timing,
            clock,
            touched,
            entries,
            facts,
            owed,
            rows,
            ..
        } = draft;
        if touched {
            order.version += 1;
            order.updated_at = now;
        }
        let first_seq = order.event_seq + 1;
        order.event_seq += i64::try_from(facts.len()).unwrap_or_default();
        let entries = timeline_rows(&order, &who, now, &clock, entries);
        let fact = |(seq, fact): (i64, &OrderEvent)| {
            let data = convert::event(&order, fact, now);
            outbox::Fact::new(fact.kind, order.id.uuid(), seq, &data)
        };
        let facts = (first_seq..).zip(&facts).map(fact).collect();
        let effects = (0_i64..).zip(owed).map(|(index, effect)| effect::ActiveModel {
            order_id: Set(order.id),
            seq: Set(order.version * 100 + index),
            effect: Set(effect),
            created_at: Set(now),
        });
        let effects: Vec<_> = effects.collect();
        let mut timers = retimed(&before, &order, &timing, who == Principal::System);
        if !effects.is_empty() {
            timers.push((EFFECTS, Some(now)));
        }
        Self { before, after: order, now, entries, facts, rows, effects, timers }
    }

    /// The order as it will be.
    pub(super) const fn after(&self) -> &Order {
        &self.after
    }

    fn changes_order(&self) -> bool {
        self.after.version != self.before.version || self.after.event_seq != self.before.event_seq
    }
}

/// Writes a change, or says that somebody else was faster.
pub(super) async fn commit(tx: &Tx, change: Change) -> Result<Order, Error> {
    let order = change.after.clone();
    let written = commit_all(tx, vec![change]).await?;
    if written == [true] { Ok(order) } else { Err(Error::Changed) }
}

/// Writes changes of several orders in as few statements as can be; says for each whether it was written, or somebody
/// else was faster.
pub(super) async fn commit_all(tx: &Tx, changes: Vec<Change>) -> Result<Vec<bool>, Error> {
    let mut written = Vec::with_capacity(changes.len());
    let (mut entries, mut facts, mut effects, mut set) = (vec![], vec![], vec![], vec![]);
    for change in changes {
        let current = !change.changes_order() || update(tx, &change.before, &change.after).await?;
        written.push(current);
        if !current {
            continue;
        }
        entries.extend(change.entries);
        facts.extend(change.facts);
        for row in change.rows {
            write(tx, &change.after, row, change.now).await?;
        }
        effects.extend(change.effects);
        for (kind, due) in change.timers {
            match due {
                Some(due) => set.push((kind, change.after.id.uuid(), due)),
                None => timers::cancel(tx, kind, change.after.id.uuid()).await?,
            }
        }
    }
    if !entries.is_empty() {
        timeline::Entity::insert_many(entries).exec_without_returning(&**tx).await?;
    }
    outbox::record_all(tx, facts).await?;
    if !effects.is_empty() {
        effect::Entity::insert_many(effects).exec_without_returning(&**tx).await?;
    }
    timers::schedule_all(tx, set).await?;
    Ok(written)
}

fn timeline_rows(
    order: &Order,
    who: &Principal,
    now: DateTime<Utc>,
    clock: &Clock,
    entries: Vec<TimelineEntry>,
) -> Vec<timeline::ActiveModel> {
    let actor_id = match who {
        Principal::System => None,
        Principal::User { id, .. } => Some(id.uuid()),
    };
    let row = |(index, entry): (u128, TimelineEntry)| timeline::ActiveModel {
        id: Set(ordered_id(clock, order.version, index)),
        order_id: Set(order.id),
        action: Set(entry.action.to_owned()),
        from_state: Set(entry.from),
        to_state: Set(entry.to),
        actor: Set(entry.actor),
        actor_id: Set(actor_id),
        note: Set(entry.note),
        at: Set(now),
    };
    (0..).zip(entries).map(row).collect()
}

/// The timers whose times change, with their new ones. Whatever a timer itself changes is set anew in any case: the
/// timer that fires is taken away after it.
fn retimed(
    before: &Order,
    after: &Order,
    timing: &Timing,
    by_system: bool,
) -> Vec<(&'static str, Option<DateTime<Utc>>)> {
    let moving = |order: &Order| order.progress.moving.as_ref().map(|it| it.since + MOVE_LEASE);
    let times = [
        (DEADLINE, before.deadline(timing), after.deadline(timing), by_system),
        (AUTHORIZE, before.authorize_at(timing), after.authorize_at(timing), by_system),
        (MOVE, moving(before), moving(after), false),
    ];
    let changed = times
        .into_iter()
        .filter(|(_, before, after, anew)| before != after || (*anew && after.is_some()));
    changed.map(|(kind, _, due, _)| (kind, due)).collect()
}

/// A UUIDv7 whose order within a millisecond is that of the order's versions and of the entries of one change.
fn ordered_id(clock: &Clock, version: i64, index: u128) -> Uuid {
    let id = Id::<()>::new(clock).uuid().as_u128();
    let place = u128::from(version.unsigned_abs() & 0xFFF) << 64;
    Uuid::from_u128((id & !(0xFFF << 64) & !(0xF << 56)) | place | ((index & 0xF) << 56))
}

/// Writes the order's own row; false when it is not as it was seen any more.
async fn update(tx: &Tx, before: &Order, order: &Order) -> Result<bool, Error> {
    let updated = order::Entity::update_many()
        .set(changed(before, order))
        .filter(order::Column::Id.eq(order.id))
        .filter(order::Column::Version.eq(before.version))
        .filter(order::Column::EventSeq.eq(before.event_seq))
        .exec(&**tx)
        .await?;
    Ok(updated.rows_affected > 0)
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

async fn write(tx: &Tx, order: &Order, row: RecordChange, now: DateTime<Utc>) -> Result<(), Error> {
    match row {
        RecordChange::ProposeChange(row) => insert(tx, row).await,
        RecordChange::OpenDispute(row) => insert(tx, row).await,
        RecordChange::Message(row) => insert(tx, row).await,
        RecordChange::Proof(row) => insert(tx, row).await,
        RecordChange::Review(row) => insert(tx, row).await.map_err(reviewed_already),
        RecordChange::Offers(rows) => {
            let rows = rows.into_iter().map(IntoActiveModel::into_active_model);
            offer::Entity::insert_many(rows).exec_without_returning(&**tx).await?;
            Ok(())
        }
        RecordChange::DecideChange(id, state) => decide_change(tx, id, state, now).await,
        RecordChange::MoveDispute(state, refund) => {
            move_dispute(tx, order, state, refund, now).await
        }
        RecordChange::PublishReviews => publish_reviews(tx, order, now).await,
        RecordChange::EndOffers(state, taken) => end_offers(tx, order, state, taken).await,
        RecordChange::ForgetWords(account) => forget_words(tx, order, account).await,
        RecordChange::EffectDone(seq) => {
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
            if kit::storage::db::violates(database, "reviews_order_side", "reviews.side") =>
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
