//! Timers: rows that say when something falls due. Exactly one replica claims each.

use crate::{
    messaging::queue::{self, Backoff, Claim, Queue, Worker},
    program::metrics::{self, ServiceMetrics},
    rpc::error::Error,
    storage::db::{Db, Tx},
};
use async_trait::async_trait;
use chrono::{DateTime, Duration, Utc};
use futures::{StreamExt, stream};
use sea_orm::{ActiveValue::Set, QueryOrder, entity::prelude::*, sea_query::OnConflict};
use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration as StdDuration,
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// Timers claimed at a time.
const BATCH: u64 = 48;
/// Aggregates whose timers fire at the same time.
const AT_ONCE: usize = 16;
/// How long a timer rests after its first failure.
const FIRST_PAUSE: Duration = Duration::seconds(1);
/// How often a worker looks for what no commit of its own process told it of.
const POLL: StdDuration = StdDuration::from_secs(5);

/// Something that falls due for an aggregate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timer {
    /// What falls due, for example `hold_expiry`.
    pub kind: String,
    /// The aggregate it falls due for.
    pub aggregate: Uuid,
    /// When it falls due; it fires then or soon after, never before.
    pub due_at: DateTime<Utc>,
    /// How often it failed before.
    pub attempts: i32,
}

/// Acts on timers.
#[async_trait]
pub trait TimerHandler: Send + Sync {
    /// Acts on a timer that fell due. It may come again after a crash, so the act asks for the state it expects. An
    /// error has it fire again later; a timer scheduled anew meanwhile stays.
    async fn fire(&self, timer: &Timer) -> Result<(), Error>;

    /// The longest pause before a timer of this kind is tried again. It doubles from a second with each failure.
    fn longest_pause(&self, kind: &str) -> Duration {
        let _ = kind;
        Duration::minutes(10)
    }
}

/// Sets the timer `kind` of an aggregate, or moves it.
pub async fn schedule_timer(
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
pub async fn ensure_timer(tx: &Tx, kind: &str, aggregate: Uuid) -> Result<(), Error> {
    let now = tx.now();
    Entity::insert(row(kind, aggregate, now))
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(&**tx)
        .await?;
    tx.sets_timer(now);
    Ok(())
}

/// Takes back the timer `kind` of an aggregate.
pub async fn cancel_timer(tx: &Tx, kind: &str, aggregate: Uuid) -> Result<(), Error> {
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
pub struct TimerWorker {
    db: Db,
    handler: Arc<dyn TimerHandler>,
    metrics: ServiceMetrics,
    stop: CancellationToken,
}

impl TimerWorker {
    /// A worker for the timers of `service` in `db`.
    pub fn new(service: &str, db: Db, handler: Arc<dyn TimerHandler>) -> Self {
        let (metrics, stop) = (metrics::service(service), CancellationToken::new());
        Self { db, handler, metrics, stop }
    }

    /// Fires what is due, and returns how many timers it took up. Those of one aggregate fire one after the other,
    /// several aggregates at a time. Once the worker stops, those that have not begun are given back at once, so that
    /// another replica fires them.
    pub async fn fire_due(&self) -> Result<usize, Error> {
        let waiting = Entity::find().order_by_asc(Column::DueAt);
        let Claim { id, rows } = queue::claim(&self.db, waiting, BATCH).await?;
        let count = rows.len();
        let mut aggregates: BTreeMap<Uuid, Vec<Timer>> = BTreeMap::new();
        for row in rows {
            aggregates.entry(row.aggregate).or_default().push(Timer::from(row));
        }
        let begun = Begun::default();
        let fire_all = stream::iter(aggregates)
            .map(|(aggregate, timers)| self.fire_in_order(id, aggregate, timers, &begun))
            .buffer_unordered(AT_ONCE)
            .collect::<Vec<_>>();
        let give_back = async {
            self.stop.cancelled().await;
            let begun = begun.close();
            let rest = queue::settle::<Entity>(id).filter(Column::Aggregate.is_not_in(begun));
            rest.exec(self.db.connection()).await
        };
        let fire_and_give_back = async {
            let mut fire_all = std::pin::pin!(fire_all);
            tokio::select! {
                fired = &mut fire_all => Ok::<_, Error>(fired),
                given_back = give_back => {
                    given_back?;
                    Ok(fire_all.await)
                }
            }
        };
        for fired in queue::hold::<Entity, _>(&self.db, id, fire_and_give_back).await? {
            fired?;
        }
        Ok(count)
    }

    /// Fires until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        self.stop = stop.clone();
        queue::run(&self.db, &self, &self.db.wakes().timers, &stop).await;
    }

    async fn fire_in_order(
        &self,
        claim: Uuid,
        aggregate: Uuid,
        mut timers: Vec<Timer>,
        begun: &Begun,
    ) -> Result<(), Error> {
        if !begun.begin(aggregate) {
            return Ok(());
        }
        timers.sort_by_key(|timer| timer.due_at);
        for timer in timers {
            if self.stop.is_cancelled() {
                let rest = queue::settle::<Entity>(claim).filter(Column::Aggregate.eq(aggregate));
                rest.exec(self.db.connection()).await?;
                return Ok(());
            }
            match self.fire(&timer).await {
                Ok(()) => {
                    self.metrics.timer_fired(&timer.kind);
                    self.remove_claimed(claim, &timer).await?;
                }
                Err(error) => self.retry_later(claim, &timer, &error).await?,
            }
        }
        Ok(())
    }

    /// Calls the handler. It has a task of its own, so that a panic ends nothing but this try.
    async fn fire(&self, timer: &Timer) -> Result<(), Error> {
        let (handler, own) = (self.handler.clone(), timer.clone());
        let task = async move { handler.fire(&own).await };
        let fired = tokio::spawn(task.instrument(tracing::Span::current())).await;
        fired.unwrap_or_else(|_| Err(Error::internal("the handler panicked")))
    }

    /// Removes a timer that has fired. One that was scheduled anew meanwhile is no longer claimed, and stays.
    async fn remove_claimed(&self, claim: Uuid, timer: &Timer) -> Result<(), Error> {
        Entity::delete_many()
            .filter(Column::Kind.eq(&timer.kind))
            .filter(Column::Aggregate.eq(timer.aggregate))
            .filter(Column::ClaimedBy.eq(claim))
            .exec(self.db.connection())
            .await?;
        Ok(())
    }

    async fn retry_later(&self, claim: Uuid, timer: &Timer, error: &Error) -> Result<(), Error> {
        let attempts = timer.attempts.saturating_add(1);
        let longest = self.handler.longest_pause(&timer.kind);
        let pause = Backoff { first: FIRST_PAUSE, longest }.after(attempts);
        let due_at = self.db.clock().now() + pause;
        tracing::warn!(
            %error, timer.kind, %timer.aggregate, attempts, %due_at,
            "a timer failed, and fires again"
        );
        queue::settle::<Entity>(claim)
            .col_expr(Column::DueAt, Expr::value(due_at))
            .col_expr(Column::Attempts, Expr::value(attempts))
            .filter(Column::Kind.eq(&timer.kind))
            .filter(Column::Aggregate.eq(timer.aggregate))
            .exec(self.db.connection())
            .await?;
        Ok(())
    }
}

/// The aggregates of a claim whose timers have begun to fire, until no more may begin.
struct Begun(Mutex<Option<HashSet<Uuid>>>);

impl Begun {
    /// Notes that an aggregate begins. False when it may not any more.
    fn begin(&self, aggregate: Uuid) -> bool {
        let mut begun = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        begun.as_mut().map(|begun| begun.insert(aggregate)).is_some()
    }

    /// Lets no more begin, and returns those that have.
    fn close(&self) -> HashSet<Uuid> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default()
    }
}

impl Default for Begun {
    fn default() -> Self {
        Self(Mutex::new(Some(HashSet::new())))
    }
}

#[async_trait]
impl Worker for TimerWorker {
    fn name(&self) -> &'static str {
        "timers"
    }

    fn poll(&self) -> StdDuration {
        POLL
    }

    async fn work_off(&self) -> Result<usize, Error> {
        self.fire_due().await
    }

    async fn next_due(&self) -> Result<Option<DateTime<Utc>>, Error> {
        let next = Entity::find().order_by_asc(Column::DueAt).one(self.db.connection()).await?;
        let next = next.map(|row| row.lease_until.map_or(row.due_at, |end| row.due_at.max(end)));
        *self.db.wakes().next_due.lock().unwrap_or_else(PoisonError::into_inner) = next;
        Ok(next)
    }
}

/// How many timers are due.
pub(crate) async fn count_due(db: &Db) -> Result<u64, Error> {
    let due = Entity::find().filter(Column::DueAt.lte(db.clock().now()));
    Ok(due.count(db.connection()).await?)
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

impl From<Model> for Timer {
    fn from(row: Model) -> Self {
        let Model { kind, aggregate, due_at, attempts, claimed_by: _, lease_until: _ } = row;
        Self { kind, aggregate, due_at, attempts }
    }
}

impl Queue for Entity {
    const DUE_AT: Column = Column::DueAt;
    const CLAIMED_BY: Column = Column::ClaimedBy;
    const LEASE_UNTIL: Column = Column::LeaseUntil;
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
