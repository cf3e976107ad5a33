//! Timers: rows that say when something falls due. Exactly one replica claims each.

use crate::{
    program::metrics::{self, ServiceMetrics},
    rpc::error::Error,
    storage::db::{Db, Tx},
};
use async_trait::async_trait;
use chrono::{DateTime, Duration, Utc};
use sea_orm::{
    ActiveValue::Set,
    Condition, QueryOrder, QuerySelect,
    entity::prelude::*,
    sea_query::{LockBehavior, LockType, OnConflict},
};
use std::{
    sync::{Arc, PoisonError},
    time::Duration as StdDuration,
};
use tokio_util::sync::CancellationToken;

/// How long a claimed timer may run before another replica takes it up.
const LEASE: Duration = Duration::seconds(30);
/// Timers claimed at a time.
const BATCH: u64 = 50;

/// How often an alarm looks for what no commit of its own process told it of.
const POLL: StdDuration = StdDuration::from_secs(5);

/// Something that falls due for an aggregate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timer {
    /// What falls due, for example `hold_expiry`.
    pub kind: String,
    /// The aggregate it falls due for.
    pub aggregate: Uuid,
    /// When.
    pub due_at: DateTime<Utc>,
    /// How often it failed before.
    pub attempts: i32,
}

/// Acts on timers.
#[async_trait]
pub trait OnTimer: Send + Sync {
    /// Acts on a timer that fell due. It may come again after a crash, so the act asks for the state it expects. An
    /// error has it fire again later; a timer scheduled anew meanwhile stays.
    async fn fire(&self, timer: &Timer) -> Result<(), Error>;
}

/// Sets the timer `kind` of an aggregate, or moves it.
pub async fn schedule(
    tx: &Tx,
    kind: &str,
    aggregate: Uuid,
    due_at: DateTime<Utc>,
) -> Result<(), Error> {
    schedule_all(tx, [(kind, aggregate, due_at)]).await
}

/// Sets timers, or moves them: for each its kind, its aggregate and when it falls due. None may be named twice.
pub async fn schedule_all(
    tx: &Tx,
    timers: impl IntoIterator<Item = (&str, Uuid, DateTime<Utc>)>,
) -> Result<(), Error> {
    let mut timers: Vec<_> = timers.into_iter().collect();
    let Some(first_due) = timers.iter().map(|&(.., due_at)| due_at).min() else { return Ok(()) };
    // In one order everywhere, so that two transactions never wait for each other.
    timers.sort_unstable();
    let rows = timers.into_iter().map(|(kind, aggregate, due_at)| row(kind, aggregate, due_at));
    let moved = [Column::DueAt, Column::ClaimedBy, Column::LeaseUntil, Column::Attempts];
    Entity::insert_many(rows)
        .on_conflict(
            OnConflict::columns([Column::Kind, Column::Aggregate]).update_columns(moved).to_owned(),
        )
        .exec_without_returning(&**tx)
        .await?;
    tx.sets_timer(first_due);
    Ok(())
}

/// Sets the timer `kind` of an aggregate to fire now, unless it is set already.
pub async fn ensure(tx: &Tx, kind: &str, aggregate: Uuid) -> Result<(), Error> {
    let now = tx.now();
    Entity::insert(row(kind, aggregate, now))
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(&**tx)
        .await?;
    tx.sets_timer(now);
    Ok(())
}

/// Takes back the timer `kind` of an aggregate.
pub async fn cancel(tx: &Tx, kind: &str, aggregate: Uuid) -> Result<(), Error> {
    Entity::delete_many()
        .filter(Column::Kind.eq(kind))
        .filter(Column::Aggregate.eq(aggregate))
        .exec(&**tx)
        .await?;
    Ok(())
}

/// Takes back every timer of an aggregate.
pub async fn cancel_all(tx: &Tx, aggregate: Uuid) -> Result<(), Error> {
    Entity::delete_many().filter(Column::Aggregate.eq(aggregate)).exec(&**tx).await?;
    Ok(())
}

/// Fires the timers of one service.
pub struct Alarm {
    db: Db,
    handler: Arc<dyn OnTimer>,
    claimant: Uuid,
}

impl Alarm {
    /// An alarm for the timers in `db`.
    pub fn new(db: Db, handler: Arc<dyn OnTimer>) -> Self {
        Self { db, handler, claimant: Uuid::new_v4() }
    }

    /// Fires what is due, and returns how many timers it took up.
    pub async fn fire_due(&self) -> Result<usize, Error> {
        self.fire_counted(|_| {}).await
    }

    async fn fire_counted(&self, count_kind: impl Fn(&str)) -> Result<usize, Error> {
        let rows = self.claim().await?;
        let count = rows.len();
        for row in rows {
            let timer = Timer {
                kind: row.kind,
                aggregate: row.aggregate,
                due_at: row.due_at,
                attempts: row.attempts,
            };
            match self.handler.fire(&timer).await {
                Ok(()) => {
                    count_kind(&timer.kind);
                    self.finish(&timer).await?;
                }
                Err(error) => {
                    tracing::warn!(%error, timer.kind, %timer.aggregate, "a timer failed");
                    self.retry_later(&timer).await?;
                }
            }
        }
        Ok(count)
    }

    /// Fires until `stop`: when the next timer falls due, and at intervals for what other replicas set.
    pub async fn run(self, service: &str, stop: CancellationToken) {
        let metrics = metrics::service(service);
        while !stop.is_cancelled() {
            let next = match self.fire_and_look_ahead(&metrics).await {
                Ok(next) => next,
                Err(error) => {
                    tracing::warn!(%error, "the alarm failed");
                    None
                }
            };
            let clock = self.db.clock();
            tokio::select! {
                () = async { clock.sleep_until(next.unwrap_or(DateTime::<Utc>::MAX_UTC)).await }, if next.is_some() => {}
                () = self.db.wakes().timers.notified() => {}
                () = clock.poll(POLL) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    async fn fire_and_look_ahead(
        &self,
        metrics: &ServiceMetrics,
    ) -> Result<Option<DateTime<Utc>>, Error> {
        while self.fire_counted(|kind| metrics.timer_fired(kind)).await? > 0 {}
        let next = self.next_due().await?;
        *self.db.wakes().next_due.lock().unwrap_or_else(PoisonError::into_inner) = next;
        Ok(next)
    }

    /// When the next timer falls due that is not leased.
    async fn next_due(&self) -> Result<Option<DateTime<Utc>>, Error> {
        let next = Entity::find().order_by_asc(Column::DueAt).one(self.db.connection()).await?;
        Ok(next.map(|row| row.lease_until.map_or(row.due_at, |lease| row.due_at.max(lease))))
    }

    async fn claim(&self) -> Result<Vec<Model>, Error> {
        if due(self.db.clock().now()).one(self.db.connection()).await?.is_none() {
            return Ok(Vec::new());
        }
        let tx = self.db.begin().await?;
        let now = tx.now();
        let rows = due(now)
            .order_by_asc(Column::DueAt)
            .limit(BATCH)
            .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
            .all(&*tx)
            .await?;
        for row in &rows {
            of(&row.kind, row.aggregate)
                .col_expr(Column::ClaimedBy, Expr::value(self.claimant))
                .col_expr(Column::LeaseUntil, Expr::value(now + LEASE))
                .exec(&*tx)
                .await?;
        }
        tx.commit().await?;
        Ok(rows)
    }

    async fn finish(&self, timer: &Timer) -> Result<(), Error> {
        Entity::delete_many()
            .filter(Column::Kind.eq(&timer.kind))
            .filter(Column::Aggregate.eq(timer.aggregate))
            .filter(Column::ClaimedBy.eq(self.claimant))
            .exec(self.db.connection())
            .await?;
        Ok(())
    }

    async fn retry_later(&self, timer: &Timer) -> Result<(), Error> {
        let wait = Duration::seconds(1_i64 << timer.attempts.clamp(0, 9));
        of(&timer.kind, timer.aggregate)
            .col_expr(Column::DueAt, Expr::value(self.db.clock().now() + wait))
            .col_expr(Column::LeaseUntil, Expr::value(Option::<DateTime<Utc>>::None))
            .col_expr(Column::ClaimedBy, Expr::value(Option::<Uuid>::None))
            .col_expr(Column::Attempts, Expr::value(timer.attempts + 1))
            .filter(Column::ClaimedBy.eq(self.claimant))
            .exec(self.db.connection())
            .await?;
        Ok(())
    }
}

/// When the first timer falls due, or fell due and is being worked on.
#[cfg(feature = "testing")]
pub(crate) async fn first_due(db: &Db) -> Result<Option<DateTime<Utc>>, Error> {
    let first = Entity::find().order_by_asc(Column::DueAt).one(db.connection()).await?;
    Ok(first.map(|row| row.due_at))
}

fn row(kind: &str, aggregate: Uuid, due_at: DateTime<Utc>) -> ActiveModel {
    ActiveModel {
        kind: Set(kind.to_owned()),
        aggregate: Set(aggregate),
        due_at: Set(due_at),
        claimed_by: Set(None),
        lease_until: Set(None),
        attempts: Set(0),
    }
}

fn of(kind: &str, aggregate: Uuid) -> sea_orm::UpdateMany<Entity> {
    Entity::update_many().filter(Column::Kind.eq(kind)).filter(Column::Aggregate.eq(aggregate))
}

fn due(now: DateTime<Utc>) -> sea_orm::Select<Entity> {
    Entity::find()
        .filter(Column::DueAt.lte(now))
        .filter(Condition::any().add(Column::LeaseUntil.is_null()).add(Column::LeaseUntil.lte(now)))
}

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "timers")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub kind: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub aggregate: Uuid,
        pub due_at: DateTimeUtc,
        pub claimed_by: Option<Uuid>,
        pub lease_until: Option<DateTimeUtc>,
        pub attempts: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
use entity::{ActiveModel, Column, Entity, Model};
