//! A service's database: SQLite or PostgreSQL, chosen by its URL; one door to a transaction.

use crate::{
    program::clock::Clock,
    rpc::error::Error,
    storage::{connect, idempotency},
    values::id::Id,
};
use chrono::{DateTime, Utc};
use sea_orm::{
    ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    SqliteTransactionMode, TransactionOptions, TransactionTrait,
};
use serde::Deserialize;
use std::{
    future::Future,
    ops::Deref,
    path::Path,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{self, Poll},
};
use tokio::sync::Notify;
use tonic::Response;

/// A service's database.
#[derive(Clone)]
pub struct Db {
    connection: DatabaseConnection,
    clock: Clock,
    wakes: Arc<Wakes>,
    /// Whether some connection of the pool may have an open transaction without an owner.
    suspect: Arc<AtomicBool>,
}

/// Wakes the workers of this process when a commit left something for them.
#[derive(Default)]
pub(crate) struct Wakes {
    /// A fact waits in the outbox.
    pub(crate) facts: Notify,
    /// A timer falls due before the one the timer worker sleeps for.
    pub(crate) timers: Notify,
    /// When the timer worker means to wake by itself.
    pub(crate) next_due: Mutex<Option<DateTime<Utc>>>,
}

/// What a transaction leaves for the workers.
#[derive(Default)]
struct Left {
    facts: bool,
    first_due: Option<DateTime<Utc>>,
}

/// The section `database` of the configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DbSettings {
    /// Most connections of each service to PostgreSQL, at least 1.
    pub connections: u32,
    /// With fewer mebibytes left on the disk of the data folder, the process says that it is not ready.
    pub min_free_mib: u64,
}

impl Default for DbSettings {
    fn default() -> Self {
        Self { connections: 8, min_free_mib: 64 }
    }
}

/// Where a service keeps its tables, and how many connections it may hold.
#[derive(Clone, Debug)]
pub struct DbConfig {
    /// `sqlite:` or `postgres:` URL.
    pub url: String,
    /// PostgreSQL schema that holds the service's tables; SQLite has a file a service instead.
    pub schema: String,
    /// Most connections of the pool.
    pub connections: u32,
}

impl DbConfig {
    /// The file of `service` in `folder`.
    pub fn sqlite(folder: &Path, service: &str) -> Self {
        let url = format!("sqlite://{}?mode=rwc", super::files::file(folder, service).display());
        Self { url, schema: service.to_owned(), connections: 4 }
    }

    /// The schema of `service` in the PostgreSQL database at `url`.
    pub fn postgres(url: &str, service: &str) -> Self {
        let DbSettings { connections, .. } = DbSettings::default();
        Self { url: url.to_owned(), schema: service.to_owned(), connections }
    }
}

/// An open transaction. It is rolled back unless it is committed.
pub struct Tx {
    transaction: DatabaseTransaction,
    clock: Clock,
    now: DateTime<Utc>,
    key: Option<idempotency::Key>,
    wakes: Arc<Wakes>,
    left: Mutex<Left>,
}

/// How a call that came with an idempotency key begins.
pub enum Begun<M> {
    /// Its effect is still to come; [`Tx::commit_answer`] keeps the answer with it.
    New(Tx),
    /// It took effect before, with this answer.
    Answered(M),
}

impl Tx {
    /// The time to write into rows: when the transaction began, the same for all of them.
    pub const fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// The service's clock, for new ids.
    pub const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// A new id for a row that only its own table knows.
    pub fn new_uuid(&self) -> uuid::Uuid {
        Id::<()>::new(&self.clock).uuid()
    }

    /// Commits, and wakes the workers for which the transaction left something.
    pub async fn commit(self) -> Result<(), Error> {
        self.transaction.commit().await?;
        self.wakes.wake(&self.left.into_inner().unwrap_or_else(PoisonError::into_inner));
        Ok(())
    }

    /// Commits a call's effect together with its answer, which the same call gets again when it is repeated.
    pub async fn commit_answer<M: prost::Message>(self, answer: M) -> Result<Response<M>, Error> {
        if let Some(key) = &self.key {
            idempotency::finish_key(&self, key, &answer).await?;
        }
        self.commit().await?;
        Ok(Response::new(answer))
    }

    /// Notes that the transaction records a fact.
    pub(crate) fn records_fact(&self) {
        self.left.lock().unwrap_or_else(PoisonError::into_inner).facts = true;
    }

    /// Notes that the transaction sets a timer.
    pub(crate) fn sets_timer(&self, due_at: DateTime<Utc>) {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.first_due = Some(left.first_due.map_or(due_at, |first| first.min(due_at)));
    }
}

impl Deref for Tx {
    type Target = DatabaseTransaction;
    fn deref(&self) -> &DatabaseTransaction {
        &self.transaction
    }
}

impl Db {
    /// Opens the pool. Nothing is migrated here. A PostgreSQL database that does not keep its texts in UTF-8 is refused.
    pub async fn connect(config: &DbConfig, clock: Clock) -> Result<Self, DbErr> {
        let suspect = Arc::<AtomicBool>::default();
        let connection =
            Database::connect(connect::connect_options(config, suspect.clone())).await?;
        if connection.get_database_backend() == DbBackend::Postgres {
            connect::check_encoding(&connection).await?;
        }
        Ok(Self { connection, clock, wakes: Arc::default(), suspect })
    }

    /// The connection outside a transaction: each statement commits by itself.
    pub const fn connection(&self) -> &DatabaseConnection {
        &self.connection
    }

    /// The service's clock.
    pub const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Begins a transaction. On SQLite it takes the write lock at once, so that reading first and writing then cannot
    /// fail for want of it.
    ///
    /// A future that is dropped while it begins or ends a transaction can leave it open, so call this only where no
    /// caller can drop the work half way: in the handler of an RPC that changes something or writes down who reads (the
    /// guard runs it to its end), in a worker, or in a task of its own.
    #[expect(clippy::disallowed_methods, reason = "the one door to a transaction")]
    pub async fn begin(&self) -> Result<Tx, Error> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let begun = Begin {
            mark: Mark { suspect: self.suspect.clone(), armed: true },
            begin: self.connection.begin_with_options(options),
        };
        let transaction = begun.await?;
        let now = self.clock.now();
        let (clock, wakes) = (self.clock.clone(), self.wakes.clone());
        Ok(Tx { transaction, clock, now, key: None, wakes, left: Mutex::default() })
    }

    /// As [`Db::begin`] for a call that takes effect once for its idempotency key: the same key and content get the
    /// first answer again. A call without a key always takes effect.
    pub async fn begin_call<M>(&self, key: Option<idempotency::Key>) -> Result<Begun<M>, Error>
    where
        M: prost::Message + Default,
    {
        let tx = self.begin().await?;
        let Some(key) = key else { return Ok(Begun::New(tx)) };
        match idempotency::begin_key(&tx, &key).await? {
            idempotency::Begun::New | idempotency::Begun::Unfinished => {
                Ok(Begun::New(Tx { key: Some(key), ..tx }))
            }
            idempotency::Begun::Replay(bytes) => {
                Ok(Begun::Answered(M::decode(bytes.as_slice()).map_err(Error::internal)?))
            }
        }
    }

    pub(crate) fn wakes(&self) -> &Wakes {
        &self.wakes
    }

    /// Moves what is in SQLite's log into the file and empties the log, unless somebody reads at the moment. Nothing that
    /// was deleted before can be read from either afterwards: the file overwrites it (`secure_delete`).
    pub async fn empty_log(&self) -> Result<(), Error> {
        if self.connection.get_database_backend() == DbBackend::Sqlite {
            self.connection.execute_unprepared("PRAGMA wal_checkpoint(TRUNCATE)").await?;
        }
        Ok(())
    }

    /// Closes the pool.
    pub async fn close(self) -> Result<(), DbErr> {
        self.connection.close().await
    }
}

/// A transaction that begins.
///
/// A BEGIN that is dropped half way hands its connection back to the pool with the transaction open, and what is
/// written on it later is lost. It is not dropped, because it has a task of its own; should it happen all the same, the
/// pool is told before the connection returns to it (the mark is dropped first), and rolls back from then on.
struct Begin<F> {
    mark: Mark,
    begin: F,
}

struct Mark {
    suspect: Arc<AtomicBool>,
    armed: bool,
}

impl<F: Future + Unpin> Future for Begin<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut task::Context<'_>) -> Poll<F::Output> {
        let begun = Pin::new(&mut self.begin).poll(context);
        self.mark.armed = begun.is_pending();
        begun
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        if self.armed {
            self.suspect.store(true, Ordering::SeqCst);
        }
    }
}

impl Wakes {
    fn wake(&self, left: &Left) {
        if left.facts {
            self.facts.notify_one();
        }
        if let Some(due) = left.first_due {
            let next = *self.next_due.lock().unwrap_or_else(PoisonError::into_inner);
            if next.is_none_or(|next| due < next) {
                self.timers.notify_one();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Backend, World};
    use sea_orm::ConnectionTrait;
    use std::time::Duration;

    /// Drops transactions somewhere in their BEGIN, outside of a task of their own, and then writes with acknowledgement.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_begin_dropped_half_way_loses_no_later_write() {
        let world = World::new(Backend::Postgres).await;
        let host = world.host.of("cleaning");
        host.migrate().await.unwrap();
        let config = host.database_config();
        let db = Db::connect(&config, world.clock.clone()).await.unwrap();
        for polls in 0..300 {
            let mut run = Box::pin(async { db.begin().await?.commit().await });
            for _ in 0..polls % 6 {
                if futures::poll!(&mut run).is_ready() {
                    break;
                }
                tokio::time::sleep(Duration::from_micros(100 * (polls % 7))).await;
            }
        }
        assert!(db.suspect.load(Ordering::SeqCst), "no BEGIN was dropped");
        let insert = |number: i32| {
            format!("INSERT INTO inbox VALUES ('t{number}', '{}', now())", uuid::Uuid::new_v4())
        };
        for number in 0..40 {
            db.connection().execute_unprepared(&insert(number)).await.unwrap();
        }
        let other = Db::connect(&config, world.clock.clone()).await.unwrap();
        let seen = other.connection().query_one_raw(sea_orm::Statement::from_string(
            sea_orm::DbBackend::Postgres,
            "SELECT count(*) AS n FROM inbox",
        ));
        let seen: i64 = seen.await.unwrap().unwrap().try_get("", "n").unwrap();
        assert_eq!(seen, 40);
    }
}
