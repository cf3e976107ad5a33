//! The tables: one migrator a service, for SQLite and PostgreSQL. What only one engine can say stays here.
//!
//! A new service adds its module and its line in [`run_up`].

mod cleaning;
mod common;
mod composed;
mod delivery;
mod notification;
mod order;
mod payment;
mod provider;
mod record;
mod user;

pub use record::refuse_lost_tables;

use sea_orm_migration::{
    MigratorTrait,
    sea_orm::{
        ConnectOptions, ConnectionTrait, Database, DatabaseTransaction, DbBackend, DbErr,
        SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
    },
};

/// Brings the tables of `service` up to date in the database at `url`, in the schema `schema` on PostgreSQL.
///
/// Everything happens in one transaction under a lock, so that of many processes that start together one migrates and
/// the others find the work done, and a failure leaves the tables as they were.
#[expect(clippy::disallowed_methods, reason = "the pool is closed afterwards")]
pub async fn migrate_service(url: &str, schema: &str, service: &str) -> Result<(), DbErr> {
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
    run_up(&transaction, service).await?;
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

async fn run_up(transaction: &DatabaseTransaction, service: &str) -> Result<(), DbErr> {
    match service {
        "cleaning" => cleaning::Migrator::up(transaction, None).await,
        "notification" => notification::Migrator::up(transaction, None).await,
        "order" => order::Migrator::up(transaction, None).await,
        "payment" => payment::Migrator::up(transaction, None).await,
        "provider" => provider::Migrator::up(transaction, None).await,
        "user" => user::Migrator::up(transaction, None).await,
        other => Err(DbErr::Migration(format!("no service is called {other}"))),
    }
}
