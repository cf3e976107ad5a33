//! The tables: one migrator a service, for SQLite and PostgreSQL. What only one engine can say stays here.
//!
//! A new service adds its module and its line in [`run_up`] and in `version`.

mod addressees;
mod child_assistance;
mod cleaning;
mod common;
mod composed;
mod delivery;
mod leases;
mod moving;
mod notification;
mod order;
mod payment;
mod provider;
mod record;
mod repair;
mod transport;
mod user;
mod version;
mod vertical;

pub use record::refuse_lost_tables;
pub use version::missing_migrations;

use sea_orm_migration::{
    MigratorTrait,
    sea_orm::{
        ConnectOptions, ConnectionTrait, Database, DatabaseTransaction, DbBackend, DbErr,
        RuntimeErr, SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
    },
};
use std::time::Duration;
use tokio::time::Instant;

/// How long a migration waits for others of the same SQLite file.
const MAX_WAIT: Duration = Duration::from_secs(60);
/// How long it waits before it tries again.
const PAUSE: Duration = Duration::from_millis(20);

/// Brings the tables of `service` up to date in the database at `url`, in the schema `schema` on PostgreSQL.
///
/// Everything happens in one transaction under a lock, so that of many processes that start together one migrates and
/// the others find the work done, and a failure leaves the tables as they were.
pub async fn migrate_service(url: &str, schema: &str, service: &str) -> Result<(), DbErr> {
    migrate_some(url, schema, service, None).await
}

/// As [`migrate_service`], but only the first `steps` migrations: for tests of what an earlier version has left.
pub async fn migrate_first(
    url: &str,
    schema: &str,
    service: &str,
    steps: u32,
) -> Result<(), DbErr> {
    migrate_some(url, schema, service, Some(steps)).await
}

async fn migrate_some(
    url: &str,
    schema: &str,
    service: &str,
    steps: Option<u32>,
) -> Result<(), DbErr> {
    let deadline = Instant::now() + MAX_WAIT;
    loop {
        match try_migrate(url, schema, service, steps).await {
            // SQLite does not wait for others while it changes the mode of a journal, or opens and closes one: it fails.
            Err(error) if is_sqlite_busy(&error) && Instant::now() < deadline => {
                tokio::time::sleep(PAUSE).await;
            }
            done => return done,
        }
    }
}

/// Whether SQLite failed because another connection has the file locked.
fn is_sqlite_busy(error: &DbErr) -> bool {
    const BUSY: u32 = 5;
    let source = match error {
        DbErr::Conn(RuntimeErr::SqlxError(source))
        | DbErr::Exec(RuntimeErr::SqlxError(source))
        | DbErr::Query(RuntimeErr::SqlxError(source)) => source,
        _ => return false,
    };
    let code = source.as_database_error().and_then(|error| error.code());
    // Extended codes keep the primary one in the lowest byte. Those of PostgreSQL have five characters.
    let code = code.filter(|code| code.len() < 5).and_then(|code| code.parse::<u32>().ok());
    code.is_some_and(|code| code & 0xFF == BUSY)
}

#[expect(clippy::disallowed_methods, reason = "the pool is closed afterwards")]
async fn try_migrate(
    url: &str,
    schema: &str,
    service: &str,
    steps: Option<u32>,
) -> Result<(), DbErr> {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    let sqlite = url.starts_with("sqlite");
    if !sqlite {
        options.set_schema_search_path(format!("{schema},public"));
    }
    let connection = Database::connect(options).await?;
    if sqlite {
        connection.execute_unprepared("PRAGMA journal_mode = WAL").await?;
    }
    let transaction = connection
        .begin_with_options(TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        })
        .await?;
    lock_database(&transaction).await?;
    record::prepare_record(&transaction).await?;
    refuse_lost_tables(&transaction, schema, service).await?;
    make_schema(&transaction, schema).await?;
    run_up(&transaction, service, steps).await?;
    record::note_tables(&transaction, service).await?;
    transaction.commit().await?;
    connection.close().await
}

/// Whether the SQLite database at `url` has tables that were made here.
pub async fn sqlite_has_tables(url: &str) -> Result<bool, DbErr> {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    let connection = Database::connect(options).await?;
    let tables = "SELECT 1 FROM sqlite_schema WHERE name = 'seaql_migrations'";
    let found = connection.query_one_raw(Statement::from_string(DbBackend::Sqlite, tables)).await?;
    connection.close().await?;
    Ok(found.is_some())
}

/// SQLite's transaction is the lock.
async fn lock_database(transaction: &DatabaseTransaction) -> Result<(), DbErr> {
    if transaction.get_database_backend() == DbBackend::Postgres {
        transaction.execute_unprepared("SELECT pg_advisory_xact_lock(7240127)").await?;
    }
    Ok(())
}

/// SQLite's file is the schema.
async fn make_schema(transaction: &DatabaseTransaction, schema: &str) -> Result<(), DbErr> {
    if transaction.get_database_backend() == DbBackend::Postgres {
        let make = format!("CREATE SCHEMA IF NOT EXISTS \"{schema}\"");
        transaction.execute_unprepared(&make).await?;
    }
    Ok(())
}

async fn run_up(
    transaction: &DatabaseTransaction,
    service: &str,
    steps: Option<u32>,
) -> Result<(), DbErr> {
    match service {
        "child_assistance" => child_assistance::Migrator::up(transaction, steps).await,
        "cleaning" => cleaning::Migrator::up(transaction, steps).await,
        "moving" => moving::Migrator::up(transaction, steps).await,
        "notification" => notification::Migrator::up(transaction, steps).await,
        "order" => order::Migrator::up(transaction, steps).await,
        "payment" => payment::Migrator::up(transaction, steps).await,
        "provider" => provider::Migrator::up(transaction, steps).await,
        "repair" => repair::Migrator::up(transaction, steps).await,
        "transport" => transport::Migrator::up(transaction, steps).await,
        "user" => user::Migrator::up(transaction, steps).await,
        other => Err(DbErr::Migration(format!("no service is called {other}"))),
    }
}
