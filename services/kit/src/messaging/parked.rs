//! Events that wait in their consumer's database, because the consumer could not take one of their aggregate. The first
//! event of an aggregate says when it is tried again, or, once it is given up, that the aggregate is parked: then it
//! stays until an operator decides, and is never deleted by time.

use crate::{messaging::event::Event, messaging::queue::Queue, rpc::error::Error, storage::db::Db};
use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set,
    Condition, FromQueryResult, QueryOrder, QuerySelect, Select,
    entity::prelude::*,
    sea_query::{Alias, ExprTrait, OnConflict, Query, SelectStatement},
};

/// Characters of an error that are kept.
const MAX_ERROR_CHARS: usize = 1_000;

/// How an event failed, and what happens next.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    /// Why the consumer did not take it.
    pub error: String,
    /// Tries at which the event itself was at fault.
    pub attempts: i32,
    /// Failures in a row, for whatever reason.
    pub failures: i32,
    /// When it is tried again; never, when it is given up.
    pub next_at: Option<DateTime<Utc>>,
}

/// Whether an earlier event of the same aggregate waits for the consumer.
pub(crate) async fn holds_back(db: &Db, consumer: &str, event: &Event) -> Result<bool, Error> {
    let waiting = of(consumer)
        .filter(Column::Source.eq(&event.source))
        .filter(Column::Aggregate.eq(event.aggregate));
    let found =
        waiting.select_only().column(Column::Seq).into_tuple::<i64>().one(db.connection()).await?;
    Ok(found.is_some())
}

/// Keeps an event for its consumer, because it failed or because it comes behind one that did. Kept once, however
/// often it comes.
pub(crate) async fn hold(
    db: &Db,
    consumer: &str,
    event: &Event,
    failure: Option<Failure>,
) -> Result<(), Error> {
    let now = db.clock().now();
    // One without a failure comes behind one that failed.
    let failure = failure.unwrap_or_else(|| Failure {
        error: String::new(),
        attempts: 0,
        failures: 0,
        next_at: Some(now),
    });
    let row = ActiveModel {
        consumer: Set(consumer.to_owned()),
        event_id: Set(event.id),
        source: Set(event.source.clone()),
        kind: Set(event.kind.clone()),
        aggregate: Set(event.aggregate),
        seq: Set(event.seq),
        occurred_at: Set(event.occurred_at),
        actor: Set(event.actor.clone()),
        traceparent: Set(event.traceparent.clone()),
        data: Set(event.data.clone()),
        error: Set(shortened(&failure.error)),
        attempts: Set(failure.attempts),
        failures: Set(failure.failures),
        held_at: Set(now),
        next_at: Set(failure.next_at),
        claimed_by: Set(None),
        lease_until: Set(None),
    };
    let once = OnConflict::columns([Column::Consumer, Column::EventId]).do_nothing().to_owned();
    Entity::insert(row).on_conflict(once).exec_without_returning(db.connection()).await?;
    Ok(())
}

/// The events that may be tried: an event behind another one of its aggregate waits for it.
pub(crate) fn first_of_each_aggregate(consumer: &str) -> Select<Entity> {
    of(consumer).filter(Expr::exists(earlier(None)).not()).order_by_asc(Column::NextAt)
}

/// The consumer has acted on a claimed event.
pub(crate) async fn remove_claimed(db: &Db, claim: Uuid, event_id: Uuid) -> Result<(), Error> {
    Entity::delete_many()
        .filter(Column::ClaimedBy.eq(claim))
        .filter(Column::EventId.eq(event_id))
        .exec(db.connection())
        .await?;
    Ok(())
}

/// The consumer did not take a claimed event.
pub(crate) async fn retry_later(
    db: &Db,
    claim: Uuid,
    event_id: Uuid,
    failure: Failure,
) -> Result<(), Error> {
    super::queue::settle::<Entity>(claim)
        .col_expr(Column::Error, Expr::value(shortened(&failure.error)))
        .col_expr(Column::Attempts, Expr::value(failure.attempts))
        .col_expr(Column::Failures, Expr::value(failure.failures))
        .col_expr(Column::NextAt, Expr::value(failure.next_at))
        .filter(Column::EventId.eq(event_id))
        .exec(db.connection())
        .await?;
    Ok(())
}

/// How many events wait behind one that was given up, those included.
pub(crate) async fn count(db: &Db, consumer: &str) -> Result<u64, Error> {
    Ok(of(consumer).filter(is_parked()).count(db.connection()).await?)
}

/// How many events the consumers of a database could not take: those that are tried again by themselves, and those that
/// wait for an operator.
pub(crate) async fn count_all(db: &Db) -> Result<(u64, u64), Error> {
    let all = Entity::find().count(db.connection()).await?;
    let parked = Entity::find().filter(is_parked()).count(db.connection()).await?;
    Ok((all.saturating_sub(parked), parked))
}

/// An event that an operator must decide on, or that waits behind one.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Parked {
    /// The consumer that could not take it.
    pub consumer: String,
    /// Identifies the event.
    pub event_id: Uuid,
    /// The service that published it.
    pub source: String,
    /// What happened, for example `order.created`.
    pub kind: String,
    /// What it happened to.
    pub aggregate: Uuid,
    /// Its number among the events of the aggregate.
    pub seq: i64,
    /// Why it was not taken; empty for one that waits behind another.
    pub error: String,
    /// How often it was tried.
    pub attempts: i32,
    /// When it came.
    pub held_at: DateTime<Utc>,
    /// The event's protobuf message.
    pub data: Vec<u8>,
}

/// The parked events of a database, those of an aggregate in order, at most `limit`.
pub async fn list(db: &Db, limit: u64) -> Result<Vec<Parked>, Error> {
    let parked = Entity::find()
        .filter(is_parked())
        .order_by_asc(Column::Consumer)
        .order_by_asc(Column::Source)
        .order_by_asc(Column::Aggregate)
        .order_by_asc(Column::Seq)
        .limit(limit);
    Ok(parked.into_model::<Parked>().all(db.connection()).await?)
}

/// When the first waiting event is tried again, or is being tried.
#[cfg(feature = "testing")]
pub(crate) async fn first_due(db: &Db) -> Result<Option<DateTime<Utc>>, Error> {
    let waiting = Entity::find().filter(Expr::exists(earlier(None)).not());
    let rows = waiting.all(db.connection()).await?;
    Ok(rows.into_iter().filter_map(|row| row.next_at).min())
}

/// Has parked aggregates tried again: one of them, or all without a name. The first event of each is tried at once and
/// the others follow in order; a first one that fails again is parked again, since its tries still count. Returns how
/// many aggregates that are.
pub async fn retry(db: &Db, aggregate: Option<Uuid>) -> Result<u64, Error> {
    let mut given_up = Entity::update_many()
        .col_expr(Column::NextAt, Expr::value(db.clock().now()))
        .filter(Column::NextAt.is_null());
    if let Some(aggregate) = aggregate {
        given_up = given_up.filter(Column::Aggregate.eq(aggregate));
    }
    Ok(given_up.exec(db.connection()).await?.rows_affected)
}

/// Drops the event that holds its aggregate back, for each consumer that has given it up; what waits behind it is
/// delivered. False when no parked event of that id is the first of its aggregate.
pub async fn drop_first(db: &Db, event_id: Uuid) -> Result<bool, Error> {
    let dropped = Entity::delete_many()
        .filter(Column::EventId.eq(event_id))
        .filter(Column::NextAt.is_null())
        .exec(db.connection())
        .await?;
    Ok(dropped.rows_affected > 0)
}

fn of(consumer: &str) -> Select<Entity> {
    Entity::find().filter(Column::Consumer.eq(consumer))
}

/// Whether an event was given up or comes behind one that was.
fn is_parked() -> Condition {
    let given_up = Expr::col((earlier_alias(), Column::NextAt)).is_null();
    Condition::any().add(Column::NextAt.is_null()).add(Expr::exists(earlier(Some(given_up))))
}

fn earlier_alias() -> Alias {
    Alias::new("earlier")
}

fn is_same_as_earlier(column: Column) -> Expr {
    Expr::col((earlier_alias(), column)).equals((Entity, column))
}

/// The earlier events that wait of the same aggregate, for the same consumer.
fn earlier(and: Option<Expr>) -> SelectStatement {
    let earlier = earlier_alias();
    let mut events = Query::select();
    events
        .expr(Expr::value(1))
        .from_as(Entity, earlier.clone())
        .and_where(is_same_as_earlier(Column::Consumer))
        .and_where(is_same_as_earlier(Column::Source))
        .and_where(is_same_as_earlier(Column::Aggregate))
        .and_where(Expr::col((earlier.clone(), Column::Seq)).lt(Expr::col((Entity, Column::Seq))));
    if let Some(and) = and {
        events.and_where(and);
    }
    events
}

fn shortened(error: &str) -> String {
    // PostgreSQL keeps no NUL in a text.
    error.chars().filter(|it| *it != '\0').take(MAX_ERROR_CHARS).collect()
}

impl From<Model> for Event {
    fn from(row: Model) -> Self {
        Self {
            id: row.event_id,
            source: row.source,
            kind: row.kind,
            aggregate: row.aggregate,
            seq: row.seq,
            occurred_at: row.occurred_at,
            actor: row.actor,
            traceparent: row.traceparent,
            data: row.data,
            only_for: None,
        }
    }
}

impl Queue for Entity {
    const DUE_AT: Column = Column::NextAt;
    const CLAIMED_BY: Column = Column::ClaimedBy;
    const LEASE_UNTIL: Column = Column::LeaseUntil;
}

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "parked_events")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub consumer: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub event_id: Uuid,
        pub source: String,
        pub kind: String,
        pub aggregate: Uuid,
        pub seq: i64,
        pub occurred_at: DateTimeUtc,
        pub actor: String,
        pub traceparent: String,
        pub data: Vec<u8>,
        pub error: String,
        pub attempts: i32,
        pub failures: i32,
        pub held_at: DateTimeUtc,
        pub next_at: Option<DateTimeUtc>,
        pub claimed_by: Option<Uuid>,
        pub lease_until: Option<DateTimeUtc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
use entity::{ActiveModel, Column};
pub(crate) use entity::{Entity, Model};
