//! A database that is not there yet: a service that starts before it waits.

use super::db::{Db, DbConfig};
use crate::program::clock::Clock;
use sea_orm::DbErr;
use std::time::Duration;

/// The first and the longest pause between two tries.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Why a database cannot be used at the moment.
#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("the database cannot be used: {0}")]
    Away(DbErr),
    #[error(
        "its tables are older than this program, {missing} migrations are missing: run `quickserve migrate`"
    )]
    Old { missing: usize },
}

/// Opens the database of `service` once it is there and its tables are those that this program needs, or newer. Logs what
/// it waits for. What does not pass by waiting is an error: tables that are lost, and a database of the wrong encoding.
pub async fn open_when_ready(config: &DbConfig, clock: &Clock, service: &str) -> Result<Db, DbErr> {
    let mut pause = FIRST_PAUSE;
    let mut told = String::new();
    loop {
        let problem = match try_open(config, clock, service).await {
            Ok(db) => {
                if !told.is_empty() {
                    tracing::info!(service, "the database is ready");
                }
                return Ok(db);
            }
            Err(Problem::Away(error @ DbErr::Custom(_))) => return Err(error),
            Err(problem) => problem.to_string(),
        };
        if problem != told {
            tracing::warn!(service, problem, "the service does not serve yet, and tries again");
            told = problem;
        }
        // Several replicas that started together do not come back together.
        tokio::time::sleep(pause.mul_f64(rand::random_range(0.9..=1.1))).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn try_open(config: &DbConfig, clock: &Clock, service: &str) -> Result<Db, Problem> {
    let db = Db::connect(config, clock.clone()).await.map_err(Problem::Away)?;
    match find_problem(&db, &config.schema, service).await {
        None => Ok(db),
        Some(problem) => {
            // The next try opens it anew.
            let _ = db.close().await;
            Err(problem)
        }
    }
}

async fn find_problem(db: &Db, schema: &str, service: &str) -> Option<Problem> {
    let connection = db.connection();
    if let Err(error) = migrations::refuse_lost_tables(connection, schema, service).await {
        return Some(Problem::Away(error));
    }
    match migrations::missing_migrations(connection, schema, service).await {
        Err(error) => Some(Problem::Away(error)),
        Ok(missing) if missing.is_empty() => None,
        Ok(missing) => Some(Problem::Old { missing: missing.len() }),
    }
}
