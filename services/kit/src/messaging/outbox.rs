//! The outbox: events commit with the change they tell of. The [`relay`](crate::messaging::relay) takes them from here
//! to their consumers.

use crate::{
    messaging::event::Event, messaging::queue::Queue, program::telemetry, rpc::context::Context,
    rpc::error::Error, storage::db::Db, storage::db::Tx, values::id::Id,
};
use sea_orm::{ActiveValue::Set, entity::prelude::*};

/// An event to write down, by whom and in which trace.
#[derive(Clone, Debug)]
pub struct Fact {
    kind: String,
    aggregate: Uuid,
    seq: i64,
    actor: String,
    traceparent: String,
    data: Vec<u8>,
}

impl Fact {
    /// An event of an aggregate that the request being served brings about. `seq` counts the events of the aggregate
    /// from 1.
    pub fn new<M: prost::Message>(kind: &str, aggregate: Uuid, seq: i64, data: &M) -> Self {
        Self {
            kind: kind.to_owned(),
            aggregate,
            seq,
            actor: Context::current().actor.to_string(),
            traceparent: telemetry::current_traceparent().unwrap_or_default(),
            data: data.encode_to_vec(),
        }
    }
}

/// Writes down an event in the transaction of the change it tells of. `seq` counts the events of the aggregate from 1.
pub async fn record_event<M: prost::Message>(
    tx: &Tx,
    kind: &str,
    aggregate: Uuid,
    seq: i64,
    data: &M,
) -> Result<(), Error> {
    record_all(tx, [Fact::new(kind, aggregate, seq, data)]).await
}

/// Writes down events in the transaction of the changes they tell of.
pub async fn record_all(tx: &Tx, events: impl IntoIterator<Item = Fact>) -> Result<(), Error> {
    let rows: Vec<_> = events.into_iter().map(|event| waiting_row(tx, event)).collect();
    if !rows.is_empty() {
        Entity::insert_many(rows).exec_without_returning(&**tx).await?;
        tx.records_fact();
    }
    Ok(())
}

fn waiting_row(tx: &Tx, event: Fact) -> ActiveModel {
    let now = tx.now();
    ActiveModel {
        id: Set(Id::<Event>::new(tx.clock()).uuid()),
        kind: Set(event.kind),
        aggregate: Set(event.aggregate),
        seq: Set(event.seq),
        occurred_at: Set(now),
        actor: Set(event.actor),
        traceparent: Set(event.traceparent),
        data: Set(event.data),
        claimed_by: Set(None),
        lease_until: Set(None),
        attempts: Set(0),
        next_at: Set(now),
        state: Set(WAITING),
        only_for: Set(None),
        done_at: Set(None),
    }
}

/// The relay is still to publish the event.
pub(crate) const WAITING: i16 = 0;
/// Every consumer that wants the event has taken it.
pub(crate) const TAKEN: i16 = 1;
/// No consumer wanted the event. It is offered again when a process starts that has one.
pub(crate) const UNCLAIMED: i16 = 2;

/// Which events are published again, and for whom.
#[derive(Clone, Debug, Default)]
pub(crate) struct Replay {
    /// Those that happened since then; all that are kept without.
    pub since: Option<DateTimeUtc>,
    /// The only consumer that they are for; all without.
    pub only_for: Option<String>,
}

/// Puts the events back to waiting that were published and are still kept. Returns how many.
pub(crate) async fn publish_again(db: &Db, replay: &Replay) -> Result<u64, Error> {
    let tx = db.begin().await?;
    // What is under way for one consumer is delivered to all: another one may have need of it now. A relay that has
    // claimed it publishes it once more.
    Entity::update_many()
        .col_expr(Column::OnlyFor, Expr::value(Option::<String>::None))
        .col_expr(Column::ClaimedBy, Expr::value(Option::<Uuid>::None))
        .col_expr(Column::LeaseUntil, Expr::value(Option::<DateTimeUtc>::None))
        .filter(Column::State.eq(WAITING))
        .filter(Column::OnlyFor.is_not_null())
        .exec(&*tx)
        .await?;
    let mut published = Entity::update_many()
        .col_expr(Column::State, Expr::value(WAITING))
        .col_expr(Column::DoneAt, Expr::value(Option::<DateTimeUtc>::None))
        .col_expr(Column::NextAt, Expr::value(tx.now()))
        .col_expr(Column::Attempts, Expr::value(0))
        .col_expr(Column::OnlyFor, Expr::value(replay.only_for.clone()))
        .filter(Column::State.ne(WAITING));
    if let Some(since) = replay.since {
        published = published.filter(Column::OccurredAt.gte(since));
    }
    let again = published.exec(&*tx).await?;
    tx.commit().await?;
    db.wakes().facts.notify_one();
    Ok(again.rows_affected)
}

/// How many events are still to be published.
pub(crate) async fn count_waiting(db: &Db) -> Result<u64, Error> {
    let waiting = Entity::find().filter(entity::Column::State.eq(WAITING));
    Ok(waiting.count(db.connection()).await?)
}

/// When the first event falls due, or fell due and is being published. An event waits for the earlier ones of its
/// aggregate.
#[cfg(feature = "testing")]
pub(crate) async fn first_due(db: &Db) -> Result<Option<chrono::DateTime<chrono::Utc>>, Error> {
    let waiting = Entity::find().filter(entity::Column::State.eq(WAITING));
    let mut rows = waiting.all(db.connection()).await?;
    rows.sort_by_key(|row| row.seq);
    let mut aggregates = std::collections::HashSet::new();
    let firsts = rows.into_iter().filter(|row| aggregates.insert(row.aggregate));
    Ok(firsts.map(|row| row.next_at).min())
}

impl Queue for Entity {
    const DUE_AT: Column = Column::NextAt;
    const CLAIMED_BY: Column = Column::ClaimedBy;
    const LEASE_UNTIL: Column = Column::LeaseUntil;
}

pub(crate) mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "outbox")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub kind: String,
        pub aggregate: Uuid,
        pub seq: i64,
        pub occurred_at: DateTimeUtc,
        pub actor: String,
        pub traceparent: String,
        pub data: Vec<u8>,
        pub claimed_by: Option<Uuid>,
        pub lease_until: Option<DateTimeUtc>,
        pub attempts: i32,
        pub next_at: DateTimeUtc,
        pub state: i16,
        pub only_for: Option<String>,
        pub done_at: Option<DateTimeUtc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
use entity::{ActiveModel, Column, Entity};
