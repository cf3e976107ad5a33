//! How the pool of a service's database is opened.

use super::db::DbConfig;
use sea_orm::{ConnectOptions, ConnectionTrait, DatabaseConnection, DbBackend, DbErr, Statement};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// How long a statement waits for a connection. PostgreSQL may be away: then the caller hears so within its own
/// deadline. SQLite's connections wait for its one writer.
const MAX_POSTGRES_WAIT: Duration = Duration::from_millis(1_500);
const MAX_SQLITE_WAIT: Duration = Duration::from_secs(5);
/// A connection to PostgreSQL that rested longer is asked whether it is still there before it is used.
const TRUSTED_REST: Duration = Duration::from_millis(500);

/// The server counts characters and compares texts by the encoding of the database: in any other than UTF-8 the same
/// statements would have other results.
pub async fn check_encoding(connection: &DatabaseConnection) -> Result<(), DbErr> {
    let shown = connection.query_one_raw(Statement::from_string(
        DbBackend::Postgres,
        "SELECT current_setting('server_encoding')",
    ));
    let encoding: String = match shown.await? {
        Some(row) => row.try_get_by_index(0)?,
        None => String::new(),
    };
    if encoding != "UTF8" {
        let problem = format!(
            "the database keeps its texts in {encoding}; make it anew with \
             CREATE DATABASE … TEMPLATE template0 ENCODING 'UTF8'"
        );
        return Err(DbErr::Custom(problem));
    }
    Ok(())
}

/// The options of the pool. `suspect` says whether a connection that comes back may have an open transaction.
pub fn connect_options(config: &DbConfig, suspect: Arc<AtomicBool>) -> ConnectOptions {
    let mut options = ConnectOptions::new(&config.url);
    options.max_connections(config.connections).test_before_acquire(false).sqlx_logging(false);
    if config.url.starts_with("sqlite") {
        options.acquire_timeout(MAX_SQLITE_WAIT).map_sqlx_sqlite_opts(|sqlite| {
            sqlite
                .journal_mode(sqlx::sqlite::SqliteJournalMode::Wal)
                .synchronous(sqlx::sqlite::SqliteSynchronous::Full)
                .busy_timeout(Duration::from_secs(5))
                // What is deleted is overwritten, so that the file of an erased account has nothing to read.
                .pragma("secure_delete", "ON")
                .foreign_keys(true)
        });
    } else {
        let schema = config.schema.clone();
        options
            .acquire_timeout(MAX_POSTGRES_WAIT)
            .set_schema_search_path(format!("{schema},public"))
            .set_application_name(schema)
            .map_sqlx_postgres_opts(|postgres| {
                postgres.options([
                    ("statement_timeout", "10s"),
                    ("lock_timeout", "3s"),
                    ("idle_in_transaction_session_timeout", "15s"),
                ])
            })
            .map_sqlx_postgres_pool_opts(move |pool| {
                let suspect = suspect.clone();
                let pool = pool.before_acquire(|connection, rest| {
                    Box::pin(async move {
                        if rest.idle_for > TRUSTED_REST {
                            sqlx::Connection::ping(connection).await?;
                        }
                        Ok(true)
                    })
                });
                pool.after_release(move |connection, _| {
                    let suspect = suspect.load(Ordering::SeqCst);
                    Box::pin(async move {
                        if suspect {
                            sqlx::Executor::execute(connection, "ROLLBACK").await?;
                        }
                        Ok(true)
                    })
                })
            });
    }
    options
}
