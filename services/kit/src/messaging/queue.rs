//! Rows that wait for a worker. A worker claims what is due under a lease, renews the lease while it works, and sets
//! rows that failed to be due again later. Whatever waits in a table waits this way: events, timers, letters.

use crate::{rpc::error::Error, storage::db::Db};
use async_trait::async_trait;
use chrono::{DateTime, Duration, Utc};
use futures::FutureExt;
use sea_orm::{
    Condition, ConnectionTrait, FromQueryResult, Iterable, PrimaryKeyToColumn, QuerySelect,
    QueryTrait, Select, UpdateMany,
    entity::prelude::*,
    sea_query::{ExprTrait, LockBehavior, LockType},
};
use std::{
    convert::Infallible, future::Future, panic::AssertUnwindSafe, time::Duration as StdDuration,
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// How long a claim holds unless it is renewed. After a crash, another worker takes over when it ends.
pub const LEASE: Duration = Duration::seconds(15);
/// How often a worker renews its claims.
const RENEW_EVERY: Duration = Duration::seconds(5);

/// A table whose rows wait for a worker.
pub trait Queue: EntityTrait {
    /// From when on a row may be worked on.
    const DUE_AT: Self::Column;
    /// The claim that holds the row, if any.
    const CLAIMED_BY: Self::Column;
    /// Until when it does.
    const LEASE_UNTIL: Self::Column;
}

/// Rows that one worker holds until it has settled them.
pub struct Claim<M> {
    /// Names the claim in the rows. A row that another worker took over after the lease ended has another one.
    pub id: Uuid,
    /// The rows as they were when they were claimed.
    pub rows: Vec<M>,
}

/// Whether a row is due and held by no worker.
pub fn is_due<Q: Queue>(now: DateTime<Utc>) -> Condition {
    let free = Condition::any().add(Q::LEASE_UNTIL.is_null()).add(Q::LEASE_UNTIL.lte(now));
    Condition::all().add(Q::DUE_AT.lte(now)).add(free)
}

/// Claims up to `limit` of the rows that `waiting` selects, in its order, in one statement. The rows come back in no
/// order.
pub async fn claim<Q>(db: &Db, waiting: Select<Q>, limit: u64) -> Result<Claim<Q::Model>, Error>
where
    Q: Queue,
    Q::Model: FromQueryResult + Send + Sync,
{
    // Looks first, so that an idle worker writes nothing.
    if !has_due(db, &waiting).await? {
        return Ok(Claim { id: Uuid::nil(), rows: Vec::new() });
    }
    claim_on(db.connection(), db.clock().now(), waiting, limit).await
}

/// Whether one of the rows that `waiting` selects could be claimed.
pub(crate) async fn has_due<Q>(db: &Db, waiting: &Select<Q>) -> Result<bool, Error>
where
    Q: Queue,
    Q::Model: FromQueryResult + Send + Sync,
{
    let due = waiting.clone().filter(is_due::<Q>(db.clock().now())).limit(1);
    Ok(due.one(db.connection()).await?.is_some())
}

/// As [`claim`], on a connection or in a transaction, without looking first.
pub(crate) async fn claim_on<Q>(
    connection: &impl ConnectionTrait,
    now: DateTime<Utc>,
    waiting: Select<Q>,
    limit: u64,
) -> Result<Claim<Q::Model>, Error>
where
    Q: Queue,
    Q::Model: FromQueryResult + Send + Sync,
{
    let id = Uuid::new_v4();
    let due = waiting.filter(is_due::<Q>(now)).limit(limit);
    let keys: Vec<Q::Column> = Q::PrimaryKey::iter().map(|key| key.into_column()).collect();
    let next = due
        .select_only()
        .columns(keys.iter().copied())
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .into_query();
    let key = Expr::tuple(keys.into_iter().map(|key| Expr::col(key.as_column_ref())));
    let rows = Q::update_many()
        .col_expr(Q::CLAIMED_BY, Expr::value(id))
        .col_expr(Q::LEASE_UNTIL, Expr::value(now + LEASE))
        .filter(key.in_subquery(next))
        .exec_with_returning(connection)
        .await?;
    Ok(Claim { id, rows })
}

/// Does `work` on the rows of a claim, and renews its lease until that ends.
pub async fn hold<Q: Queue, T>(db: &Db, claim: Uuid, work: impl Future<Output = T>) -> T {
    tokio::select! {
        done = work => done,
        never = renew::<Q>(db, claim) => match never {},
    }
}

async fn renew<Q: Queue>(db: &Db, claim: Uuid) -> Infallible {
    loop {
        db.clock().sleep(RENEW_EVERY).await;
        let renewed = Q::update_many()
            .col_expr(Q::LEASE_UNTIL, Expr::value(db.clock().now() + LEASE))
            .filter(Q::CLAIMED_BY.eq(claim))
            .exec(db.connection())
            .await;
        if let Err(error) = renewed {
            let table = Q::default().table_name();
            tracing::warn!(%error, table, "cannot renew a lease; another worker may repeat its work");
        }
    }
}

/// The update of rows of a claim that are settled: nobody holds them any more. Rows that another worker took over stay
/// as they are.
pub fn settle<Q: Queue>(claim: Uuid) -> UpdateMany<Q> {
    Q::update_many()
        .col_expr(Q::CLAIMED_BY, Expr::value(Option::<Uuid>::None))
        .col_expr(Q::LEASE_UNTIL, Expr::value(Option::<DateTime<Utc>>::None))
        .filter(Q::CLAIMED_BY.eq(claim))
}

/// How long failed work rests before it is tried again.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    /// The pause after the first failure. It doubles with each further one.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
}

impl Backoff {
    /// The pause after so many failures in a row.
    pub fn pause(self, failures: i32) -> Duration {
        let doublings = u32::try_from(failures.saturating_sub(1).clamp(0, 30)).unwrap_or_default();
        let doubled = self.first.num_milliseconds().saturating_mul(1_i64 << doublings);
        Duration::milliseconds(doubled).min(self.longest)
    }

    /// As [`Backoff::pause`], up to a fifth longer or shorter by chance, so that what failed together does not come
    /// back together. Never longer than the longest.
    pub fn after(self, failures: i32) -> Duration {
        (self.pause(failures) * rand::random_range(80..=120) / 100).min(self.longest)
    }
}

/// Works off a queue.
#[async_trait]
pub trait Worker: Send + Sync {
    /// What it does, for logs.
    fn name(&self) -> &'static str;

    /// How often it looks for what no commit of its own process told it of.
    fn poll(&self) -> StdDuration;

    /// How long it waits after a wake-up for more to come.
    fn linger(&self) -> StdDuration {
        StdDuration::ZERO
    }

    /// Works on what is due, and returns how many rows it took up.
    async fn work_off(&self) -> Result<usize, Error>;

    /// When the next row falls due.
    async fn next_due(&self) -> Result<Option<DateTime<Utc>>, Error>;
}

/// Works off a queue until `stop`: when `wake` says that a commit left something, when the next row falls due, and at
/// intervals for what other processes left.
pub async fn run(db: &Db, worker: &dyn Worker, wake: &Notify, stop: &CancellationToken) {
    let clock = db.clock();
    while !stop.is_cancelled() {
        let worked = AssertUnwindSafe(worker.work_off()).catch_unwind().await;
        let next = match worked.unwrap_or_else(|_| Err(Error::internal("the worker panicked"))) {
            // There may be more.
            Ok(1..) => continue,
            Ok(0) => worker.next_due().await,
            Err(error) => Err(error),
        };
        let next = next.unwrap_or_else(|error| {
            let (worker, again) = (worker.name(), worker.poll());
            tracing::warn!(%error, worker, ?again, "a worker failed, and tries again");
            None
        });
        tokio::select! {
            () = clock.sleep_until(next.unwrap_or_default()), if next.is_some() => {}
            () = wake.notified() => {
                if !worker.linger().is_zero() {
                    stop.run_until_cancelled(tokio::time::sleep(worker.linger())).await;
                }
            }
            () = clock.poll(worker.poll()) => {}
            () = stop.cancelled() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_doubles_up_to_the_longest_and_is_spread() {
        let backoff = Backoff { first: Duration::seconds(1), longest: Duration::seconds(8) };
        for (failures, expected) in [(0, 1_000), (1, 1_000), (2, 2_000), (3, 4_000)] {
            for _ in 0..20 {
                let pause = backoff.after(failures).num_milliseconds();
                assert!((expected * 8 / 10..=expected * 12 / 10).contains(&pause), "{pause}");
            }
        }
        for failures in [4, 5, 40, i32::MAX] {
            assert!(backoff.after(failures) <= backoff.longest);
            assert!(backoff.after(failures) >= backoff.longest * 8 / 10);
        }
        let pauses: std::collections::HashSet<_> = (0..50).map(|_| backoff.after(2)).collect();
        assert!(pauses.len() > 10, "no jitter");
    }
}
