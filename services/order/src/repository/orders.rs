//! Orders: read, locked and saved. Ownership is in the query: an order that is not the caller's is absent.

use super::{AUTHORIZE, DEADLINE, MOVE, REPRICE, SERIES_NEWS, SIDE_EFFECTS, offers, records};
use crate::{
    domain::{
        AccountId, ClosedChange, Error, Order, OrderChange, OrderId, Principal, QuoteId, Resource,
        SideEffect, State, Timing,
        records::{
            effect,
            order::{Column, Entity},
            proof, timeline,
        },
    },
    events,
};
use chrono::{DateTime, Duration, Utc};
use kit::{
    Clock, Id, Tx,
    messaging::{outbox, timers},
    storage::page::Page,
};
use sea_orm::{ActiveValue::Set, Condition, Iterable, QueryOrder, QuerySelect, entity::prelude::*};
use std::{collections::BTreeSet, sync::Arc};

/// Most orders that a calendar shows.
const MAX_APPOINTMENTS: u64 = 1_000;
/// How long a move may take before its timer takes it up.
const MOVE_LEASE: Duration = Duration::seconds(30);
/// How long a call may take to tell the vertical before the timer does it.
const TELL_LEASE: Duration = Duration::seconds(1);

/// How long a caller may take to run the side effects of its change before their timer does.
const SIDE_EFFECT_LEASE: Duration = Duration::seconds(5);

/// Which orders a list is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderFilter {
    /// Those the account booked or is to render.
    Either(AccountId),
    /// Those the account booked.
    Customer(AccountId),
    /// Those the account is to render.
    Provider(AccountId),
    All,
}

/// The order, if `principal` may see it.
pub async fn get_order(
    db: &impl ConnectionTrait,
    id: OrderId,
    principal: &Principal,
) -> Result<Order, Error> {
    find_order(id, principal).one(db).await?.ok_or(Error::NotFound(Resource::Order))
}

/// Begins a change of the order, which nothing else changes until the transaction ends.
pub async fn lock_order(
    tx: &Tx,
    id: OrderId,
    principal: &Principal,
    timing: &Arc<Timing>,
) -> Result<OrderChange, Error> {
    let order = find_order(id, principal).lock_exclusive().one(&**tx).await?;
    let order = order.ok_or(Error::NotFound(Resource::Order))?;
    let mut change = OrderChange::new(order, *principal, tx.now(), timing.clone())?;
    if change.order.state == State::Searching {
        change.open_offers = offers::open_of_order(&**tx, id).await?;
    }
    Ok(change)
}

/// A page of orders, the newest first.
pub async fn list_orders(
    db: &impl ConnectionTrait,
    filter: OrderFilter,
    states: &[State],
    page: &Page,
) -> Result<Vec<Order>, Error> {
    let mut select =
        Entity::find().filter(Column::Booking.eq(false)).filter(matching_filter(filter));
    if !states.is_empty() {
        select = select.filter(Column::State.is_in(states.iter().copied()));
    }
    Ok(page.of(select, Column::Id).all(db).await?)
}

/// The orders that an account is asked for or has taken, and whose work has not begun.
pub async fn before_work_of(
    db: &impl ConnectionTrait,
    provider: AccountId,
) -> Result<Vec<Order>, Error> {
    let states = State::ALL.into_iter().filter(|state| state.is_before_work());
    let orders = Entity::find()
        .filter(Column::ProviderUserId.eq(provider))
        .filter(Column::Booking.eq(false))
        .filter(Column::State.is_in(states));
    Ok(orders.all(db).await?)
}

/// A page of the orders that go on, the newest first.
pub async fn list_going_on(db: &impl ConnectionTrait, page: &Page) -> Result<Vec<Order>, Error> {
    let states = State::ALL.into_iter().filter(|state| !state.is_final());
    let select =
        Entity::find().filter(Column::Booking.eq(false)).filter(Column::State.is_in(states));
    Ok(page.of(select, Column::Id).all(db).await?)
}

/// The order, if there is one of this id.
pub async fn find_by_id(db: &impl ConnectionTrait, id: OrderId) -> Result<Option<Order>, Error> {
    Ok(Entity::find_by_id(id).one(db).await?)
}

/// The orders that an account booked, those under way included.
pub async fn booked_by(
    db: &impl ConnectionTrait,
    customer: AccountId,
) -> Result<Vec<Order>, Error> {
    Ok(Entity::find().filter(Column::CustomerId.eq(customer)).all(db).await?)
}

/// The orders that an account is asked for or has taken, those under way and those that are over.
pub async fn rendered_by(
    db: &impl ConnectionTrait,
    provider: AccountId,
) -> Result<Vec<Order>, Error> {
    Ok(Entity::find().filter(Column::ProviderUserId.eq(provider)).all(db).await?)
}

/// The orders of an account, as customer and as provider, that end after `since`, the earliest first.
pub async fn ending_after(
    db: &impl ConnectionTrait,
    account: AccountId,
    since: DateTime<Utc>,
) -> Result<Vec<Order>, Error> {
    let found = Entity::find()
        .filter(Column::Booking.eq(false))
        .filter(matching_filter(OrderFilter::Either(account)))
        .filter(Column::WindowEnd.gt(since))
        .order_by_asc(Column::WindowStart)
        .order_by_asc(Column::Id)
        .limit(MAX_APPOINTMENTS)
        .all(db)
        .await?;
    Ok(found)
}

/// The bookings of a customer at a provider that wait for a payment, their windows at most `around` a given one.
pub async fn unpaid_around(
    db: &impl ConnectionTrait,
    order: &Order,
    around: Duration,
) -> Result<Vec<Order>, Error> {
    let found = Entity::find()
        .filter(Column::CustomerId.eq(order.customer_id))
        .filter(Column::ProviderId.eq(order.provider_id))
        .filter(Column::State.eq(State::PendingPayment))
        .filter(Column::Booking.eq(false))
        .filter(Column::WindowStart.lt(order.window_end + around))
        .filter(Column::WindowEnd.gt(order.window_start - around))
        .all(db)
        .await?;
    Ok(found)
}

/// The orders of these quotes, those under way included and those that were given up left out.
pub async fn of_quotes(
    db: &impl ConnectionTrait,
    quotes: Vec<QuoteId>,
) -> Result<Vec<Order>, Error> {
    if quotes.is_empty() {
        return Ok(Vec::new());
    }
    let found = Entity::find()
        .filter(Column::QuoteId.is_in(quotes))
        .filter(Column::GivenUp.eq(false))
        .all(db)
        .await?;
    Ok(found)
}

/// The orders of these ids.
pub async fn of_ids(db: &impl ConnectionTrait, ids: Vec<OrderId>) -> Result<Vec<Order>, Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    Ok(Entity::find().filter(Column::Id.is_in(ids)).all(db).await?)
}

/// The kinds of proof on file, which the vertical asks for before a delivery.
pub async fn proof_kinds(db: &impl ConnectionTrait, id: OrderId) -> Result<Vec<String>, Error> {
    let kinds = proof::Entity::find()
        .select_only()
        .column(proof::Column::Kind)
        .distinct()
        .filter(proof::Column::OrderId.eq(id))
        .order_by_asc(proof::Column::Kind)
        .into_tuple()
        .all(db)
        .await?;
    Ok(kinds)
}

fn find_order(id: OrderId, principal: &Principal) -> sea_orm::Select<Entity> {
    let select = Entity::find_by_id(id);
    match principal {
        Principal::System => select,
        Principal::User { operator: true, .. } => select.filter(Column::Booking.eq(false)),
        Principal::User { id, operator: false } => select
            .filter(Column::Booking.eq(false))
            .filter(matching_filter(OrderFilter::Either(*id))),
    }
}

fn matching_filter(filter: OrderFilter) -> Condition {
    match filter {
        OrderFilter::All => Condition::all(),
        OrderFilter::Customer(id) => Condition::all().add(Column::CustomerId.eq(id)),
        OrderFilter::Provider(id) => Condition::all().add(Column::ProviderUserId.eq(id)),
        OrderFilter::Either(id) => {
            Condition::any().add(Column::CustomerId.eq(id)).add(Column::ProviderUserId.eq(id))
        }
    }
}

/// Saves the change of a locked order, and all that belongs to it: timeline, events, side effects, records, timers.
pub async fn save_order(tx: &Tx, change: OrderChange) -> Result<Order, Error> {
    let change = OrderWrite::new(change.close());
    let order = change.change.order.clone();
    let written = save_all(tx, vec![change]).await?;
    if written == [true] { Ok(order) } else { Err(Error::Changed) }
}

/// A change to write, with its events as they are published on behalf of the present request.
#[derive(Clone)]
pub(super) struct OrderWrite {
    change: ClosedChange,
    events: Vec<outbox::Fact>,
}

impl OrderWrite {
    pub(super) fn new(change: ClosedChange) -> Self {
        let events = events::encode_event(&change);
        Self { change, events }
    }
}

/// Saves the changes of several orders in as few statements as possible. Says for each whether it was saved, or its
/// order had changed since it was read, which only happens to an order that was not locked.
pub(super) async fn save_all(tx: &Tx, changes: Vec<OrderWrite>) -> Result<Vec<bool>, Error> {
    let mut written = Vec::with_capacity(changes.len());
    let (mut entries, mut events, mut effects, mut due) = (vec![], vec![], vec![], vec![]);
    // Two orders of one series set its timer once.
    let mut with_news = BTreeSet::new();
    for OrderWrite { change, events: published } in changes {
        let is_current = update_order(tx, &change).await?;
        written.push(is_current);
        if !is_current {
            continue;
        }
        for (kind, at) in changed_timers(&change) {
            match at {
                Some(at) => due.push((kind, change.order.id.uuid(), at)),
                None => timers::cancel_timer(tx, kind, change.order.id.uuid()).await?,
            }
        }
        with_news.extend(series_with_news(&change));
        let change = change.into_inner();
        entries.extend(timeline_rows(&change, tx.clock()));
        effects.extend(side_effect_rows(&change));
        events.extend(published);
        for record in change.records {
            records::write_records(tx, &change.order, record, change.now).await?;
        }
    }
    if !entries.is_empty() {
        timeline::Entity::insert_many(entries).exec_without_returning(&**tx).await?;
    }
    outbox::record_all(tx, events).await?;
    if !effects.is_empty() {
        effect::Entity::insert_many(effects).exec_without_returning(&**tx).await?;
    }
    due.extend(with_news.into_iter().map(|series| (SERIES_NEWS, series, tx.now())));
    timers::schedule_all(tx, due).await?;
    Ok(written)
}

/// The series that is to hear of a change: its visit has come to nothing, or was moved.
fn series_with_news(change: &ClosedChange) -> Option<Uuid> {
    let (before, after) = (change.before(), &change.order);
    let has_ended = after.came_to_nothing() && before.state != after.state;
    let is_moved = before.window_start != after.window_start;
    let link = after.terms.series.filter(|_| !after.given_up && (has_ended || is_moved));
    link.map(|link| link.series_id.uuid())
}

/// Writes the columns of the order's own row that differ. False when the row is not as it was read any more.
async fn update_order(tx: &Tx, change: &ClosedChange) -> Result<bool, Error> {
    let (before, after) = (change.before(), &change.order);
    let mut update = Entity::update_many();
    let mut differs = false;
    for column in Column::iter() {
        let value = after.get(column);
        if value != before.get(column) {
            differs = true;
            update = update.col_expr(column, Expr::value(value));
        }
    }
    if !differs {
        return Ok(true);
    }
    let updated = update
        .filter(Column::Id.eq(before.id))
        .filter(Column::Version.eq(before.version))
        .filter(Column::EventSeq.eq(before.event_seq))
        .exec(&**tx)
        .await?;
    Ok(updated.rows_affected > 0)
}

fn timeline_rows(change: &OrderChange, clock: &Clock) -> Vec<timeline::ActiveModel> {
    let actor_id = change.principal.account().ok().map(Id::uuid);
    (0..)
        .zip(&change.entries)
        .map(|(index, entry)| timeline::ActiveModel {
            id: Set(ordered_id(clock, change.order.version, index)),
            order_id: Set(change.order.id),
            action: Set(entry.action.to_owned()),
            from_state: Set(entry.from),
            to_state: Set(entry.to),
            actor: Set(entry.actor),
            actor_id: Set(actor_id),
            note: Set(entry.note.clone()),
            at: Set(change.now),
        })
        .collect()
}

/// A UUIDv7 whose order within a millisecond is that of the order's versions and of the entries of one change.
fn ordered_id(clock: &Clock, version: i64, index: u128) -> Uuid {
    let id = Id::<()>::new(clock).uuid().as_u128();
    let place = u128::from(version.unsigned_abs() & 0xFFF) << 64;
    Uuid::from_u128((id & !(0xFFF << 64) & !(0xF << 56)) | place | ((index & 0xF) << 56))
}

fn side_effect_rows(change: &OrderChange) -> Vec<effect::ActiveModel> {
    (0_i64..)
        .zip(&change.side_effects)
        .map(|(index, effect)| effect::ActiveModel {
            order_id: Set(change.order.id),
            seq: Set(change.order.version * 100 + index),
            effect: Set(effect.clone()),
            created_at: Set(change.now),
        })
        .collect()
}

/// The timers whose times change, with their new ones. What a timer itself changes sets its times anew in any case: the
/// timer that fires is taken away after it.
fn changed_timers(change: &ClosedChange) -> Vec<(&'static str, Option<DateTime<Utc>>)> {
    let (before, after, timing) = (change.before(), &change.order, &change.timing);
    let by_system = change.principal == Principal::System;
    let times = [
        (DEADLINE, before.deadline(timing), after.deadline(timing), by_system),
        (AUTHORIZE, before.authorize_at(timing), after.authorize_at(timing), by_system),
        (REPRICE, before.reprice_at(timing), after.reprice_at(timing), by_system),
        (MOVE, move_lease_end(before), move_lease_end(after), false),
    ];
    let mut changed: Vec<_> = times
        .into_iter()
        .filter(|(_, before, after, anew)| before != after || (*anew && after.is_some()))
        .map(|(kind, _, due, _)| (kind, due))
        .collect();
    if let Some(due) = side_effects_due(change) {
        changed.push((SIDE_EFFECTS, Some(due)));
    }
    changed
}

/// When the timer runs what the change has decided. A call tells the vertical itself once it has committed, and some
/// calls run all of their side effects.
fn side_effects_due(change: &OrderChange) -> Option<DateTime<Utc>> {
    let is_call = change.principal != Principal::System;
    let lease = match change.side_effects.as_slice() {
        [] => return None,
        [..] if change.caller_runs_side_effects => SIDE_EFFECT_LEASE,
        [SideEffect::TellVertical] if is_call => TELL_LEASE,
        [..] => Duration::zero(),
    };
    Some(change.now + lease)
}

fn move_lease_end(order: &Order) -> Option<DateTime<Utc>> {
    order.progress.moving.as_ref().map(|moving| moving.since + MOVE_LEASE)
}
