//! The outbox: facts commit with the change they tell of, and a relay hands them on at least once, in order for each
//! aggregate.

use crate::{
    messaging::bus::Bus,
    messaging::event::Event,
    program::metrics,
    program::telemetry,
    rpc::context::Context,
    rpc::error::Error,
    storage::db::{Db, Tx},
    values::id::Id,
};
use chrono::{DateTime, Duration, Utc};
use sea_orm::{
    ActiveValue::Set,
    Condition, QueryOrder, QuerySelect, QueryTrait,
    entity::prelude::*,
    sea_query::{Alias, ExprTrait, LockBehavior, LockType, Query},
};
use std::{collections::HashSet, sync::Arc, time::Duration as StdDuration};
use tokio_util::sync::CancellationToken;

/// How long a relay may take over what it claimed before another one does.
const LEASE: Duration = Duration::seconds(15);
/// Facts a relay claims at a time.
const BATCH: u64 = 100;
/// How often a relay looks for what no commit of its own process told it of.
const POLL: StdDuration = StdDuration::from_secs(1);
/// How often the metrics are told of the backlog.
const OBSERVE: StdDuration = StdDuration::from_secs(15);
/// Deliveries after which a fact is set aside for a person to look at.
const ATTEMPTS_MOST: i32 = 12;
/// Longest wait between two deliveries.
const BACKOFF_MOST: Duration = Duration::minutes(10);

/// A fact to write down, by whom and in which trace.
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
    /// A fact about an aggregate that the request being served makes true. `seq` counts the facts of the aggregate
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

/// Writes down a fact in the transaction of the change it tells of. `seq` counts the facts of the aggregate from 1.
pub async fn record<M: prost::Message>(
    tx: &Tx,
    kind: &str,
    aggregate: Uuid,
    seq: i64,
    data: &M,
) -> Result<(), Error> {
    record_all(tx, [Fact::new(kind, aggregate, seq, data)]).await
}

/// Writes down facts in the transaction of the changes they tell of.
pub async fn record_all(tx: &Tx, facts: impl IntoIterator<Item = Fact>) -> Result<(), Error> {
    let now = tx.now();
    let row = |fact: Fact| ActiveModel {
        id: Set(Id::<Event>::new(tx.clock()).uuid()),
        kind: Set(fact.kind),
        aggregate: Set(fact.aggregate),
        seq: Set(fact.seq),
        occurred_at: Set(now),
        actor: Set(fact.actor),
        traceparent: Set(fact.traceparent),
        data: Set(fact.data),
        claimed_by: Set(None),
        lease_until: Set(None),
        attempts: Set(0),
        next_at: Set(now),
        state: Set(PENDING),
    };
    let rows: Vec<_> = facts.into_iter().map(row).collect();
    if !rows.is_empty() {
        Entity::insert_many(rows).exec_without_returning(&**tx).await?;
        tx.records_fact();
    }
    Ok(())
}

/// Hands facts from one service's outbox to the bus.
#[derive(Clone)]
pub struct Relay {
    service: Arc<str>,
    db: Db,
    bus: Arc<dyn Bus>,
    claimant: Uuid,
}

impl Relay {
    /// A relay for the outbox of `service`.
    pub fn new(service: &str, db: Db, bus: Arc<dyn Bus>) -> Self {
        Self { service: service.into(), db, bus, claimant: Uuid::new_v4() }
    }

    /// Delivers what is due, and returns how many facts it took up.
    pub async fn deliver_due(&self) -> Result<usize, Error> {
        let rows = self.claim().await?;
        let count = rows.len();
        let mut done = Vec::with_capacity(count);
        let mut stuck = HashSet::new();
        for row in rows {
            // A fact never overtakes an earlier one of the same aggregate.
            if stuck.contains(&row.aggregate) {
                self.give_back(&row).await?;
                continue;
            }
            let event = self.event(&row);
            match self.bus.publish(&event).await {
                Ok(()) => done.push(row.id),
                Err(error) => {
                    tracing::warn!(%error, event.kind, event.id = %event.id, "not delivered");
                    stuck.insert(row.aggregate);
                    self.retry_later(row).await?;
                }
            }
        }
        self.mark_done(done).await?;
        Ok(count)
    }

    /// Delivers until `stop`, as soon as a commit leaves facts and at intervals for what other replicas left.
    pub async fn run(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            match self.deliver_due().await {
                Ok(count) if count > 0 => continue,
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, service = &*self.service, "the relay failed"),
            }
            tokio::select! {
                () = self.db.wakes().facts.notified() => {}
                () = self.db.clock().poll(POLL) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// How many facts wait, and since when the oldest does.
    pub async fn backlog(&self) -> Result<(u64, Option<DateTime<Utc>>), Error> {
        let waiting = Entity::find().filter(Column::State.eq(PENDING));
        let oldest =
            waiting.clone().order_by_asc(Column::OccurredAt).one(self.db.connection()).await?;
        let count = waiting.count(self.db.connection()).await?;
        Ok((count, oldest.map(|row| row.occurred_at)))
    }

    /// Tells the metrics of the backlog until `stop`.
    pub async fn observe(self, stop: CancellationToken) {
        let metrics = metrics::service(&self.service);
        while !stop.is_cancelled() {
            match self.backlog().await {
                Ok((count, oldest)) => {
                    let age = oldest.and_then(|at| (self.db.clock().now() - at).to_std().ok());
                    metrics.outbox(count, age.unwrap_or_default());
                }
                Err(error) => tracing::warn!(%error, service = &*self.service, "no backlog"),
            }
            tokio::select! {
                () = tokio::time::sleep(OBSERVE) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Claims in one statement. Asks first whether there is anything, so that an idle relay writes nothing.
    async fn claim(&self) -> Result<Vec<Model>, Error> {
        let now = self.db.clock().now();
        if due(now).one(self.db.connection()).await?.is_none() {
            return Ok(Vec::new());
        }
        let next = due(now)
            .select_only()
            .column(Column::Id)
            .order_by_asc(Column::OccurredAt)
            .order_by_asc(Column::Seq)
            .limit(BATCH)
            .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
        let mut rows = Entity::update_many()
            .col_expr(Column::ClaimedBy, Expr::value(self.claimant))
            .col_expr(Column::LeaseUntil, Expr::value(now + LEASE))
            .filter(Column::Id.in_subquery(next.into_query()))
            .exec_with_returning(self.db.connection())
            .await?;
        rows.sort_by_key(|row| (row.occurred_at, row.seq));
        Ok(rows)
    }

    async fn mark_done(&self, ids: Vec<Uuid>) -> Result<(), Error> {
        if ids.is_empty() {
            return Ok(());
        }
        Entity::delete_many()
            .filter(Column::Id.is_in(ids))
            .filter(Column::ClaimedBy.eq(self.claimant))
            .exec(self.db.connection())
            .await?;
        Ok(())
    }

    async fn give_back(&self, row: &Model) -> Result<(), Error> {
        self.update(row.id, None, row.attempts, row.next_at, PENDING).await
    }

    async fn retry_later(&self, row: Model) -> Result<(), Error> {
        let attempts = row.attempts + 1;
        let state = if attempts >= ATTEMPTS_MOST { DEAD } else { PENDING };
        if state == DEAD {
            tracing::error!(event.kind = row.kind, event.id = %row.id, "set aside after too many tries");
        }
        let next_at = self.db.clock().now() + backoff(attempts);
        self.update(row.id, None, attempts, next_at, state).await
    }

    async fn update(
        &self,
        id: Uuid,
        lease: Option<DateTime<Utc>>,
        attempts: i32,
        next_at: DateTime<Utc>,
        state: i16,
    ) -> Result<(), Error> {
        Entity::update_many()
            .col_expr(Column::LeaseUntil, Expr::value(lease))
            .col_expr(Column::Attempts, Expr::value(attempts))
            .col_expr(Column::NextAt, Expr::value(next_at))
            .col_expr(Column::State, Expr::value(state))
            .filter(Column::Id.eq(id))
            .filter(Column::ClaimedBy.eq(self.claimant))
            .exec(self.db.connection())
            .await?;
        Ok(())
    }

    fn event(&self, row: &Model) -> Event {
        Event {
            id: row.id,
            source: self.service.to_string(),
            kind: row.kind.clone(),
            aggregate: row.aggregate,
            seq: row.seq,
            occurred_at: row.occurred_at,
            actor: row.actor.clone(),
            traceparent: row.traceparent.clone(),
            data: row.data.clone(),
        }
    }
}

/// When the first fact falls due, or fell due and is being delivered. A fact waits for the earlier ones of its aggregate.
#[cfg(feature = "testing")]
pub(crate) async fn first_due(db: &Db) -> Result<Option<DateTime<Utc>>, Error> {
    let waiting = Entity::find().filter(Column::State.eq(PENDING)).order_by_asc(Column::Seq);
    let mut aggregates = HashSet::new();
    let rows = waiting.all(db.connection()).await?.into_iter();
    Ok(rows.filter(|row| aggregates.insert(row.aggregate)).map(|row| row.next_at).min())
}

/// Facts that wait, that are not leased, and whose aggregate has no earlier one held up.
fn due(now: DateTime<Utc>) -> sea_orm::Select<Entity> {
    let earlier = Alias::new("earlier");
    let held_up = Condition::any()
        .add(Expr::col((earlier.clone(), Column::LeaseUntil)).gt(now))
        .add(Expr::col((earlier.clone(), Column::NextAt)).gt(now));
    let blocked = Query::select()
        .expr(Expr::value(1))
        .from_as(Entity, earlier.clone())
        .and_where(
            Expr::col((earlier.clone(), Column::Aggregate)).equals((Entity, Column::Aggregate)),
        )
        .and_where(Expr::col((earlier.clone(), Column::Seq)).lt(Expr::col((Entity, Column::Seq))))
        .and_where(Expr::col((earlier, Column::State)).eq(PENDING))
        .cond_where(held_up)
        .to_owned();
    Entity::find()
        .filter(Column::State.eq(PENDING))
        .filter(Column::NextAt.lte(now))
        .filter(Condition::any().add(Column::LeaseUntil.is_null()).add(Column::LeaseUntil.lte(now)))
        .filter(Expr::exists(blocked).not())
}

/// Doubles from a quarter of a second, with the attempt's own jitter of up to a fifth.
fn backoff(attempts: i32) -> Duration {
    let doubled = 250_i64.saturating_mul(1_i64 << attempts.clamp(0, 20));
    let jitter = rand::random_range(80..=120);
    Duration::milliseconds(doubled.saturating_mul(jitter) / 100).min(BACKOFF_MOST)
}

/// The relay will deliver the fact.
const PENDING: i16 = 0;
/// The fact was set aside after too many tries.
const DEAD: i16 = 1;

mod entity {
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
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
use entity::{ActiveModel, Column, Entity, Model};
