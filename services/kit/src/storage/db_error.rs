//! What a failure of the database means: a rule that it enforces, or a database that cannot serve just now.

use sea_orm::{DbErr, RuntimeErr};
use sqlx::error::{DatabaseError, ErrorKind};

/// Whether the unique index or exclusion constraint `constraint` refused a row. PostgreSQL names the constraint; SQLite
/// names the `columns` of an index instead, as in `users.email` or `reviews.order_id, reviews.side`.
pub fn is_duplicate(error: &DbErr, constraint: &str, columns: &str) -> bool {
    let Some(error) = database_error(error) else { return false };
    if !matches!(error.kind(), ErrorKind::UniqueViolation | ErrorKind::Other) {
        return false;
    }
    let of_sqlite = error.message().strip_prefix("UNIQUE constraint failed: ");
    error.constraint() == Some(constraint) || of_sqlite == Some(columns)
}

/// Whether the guard `name` refused a row: a constraint of PostgreSQL, or a trigger of SQLite that raises its name.
pub fn is_refused_by(error: &DbErr, name: &str) -> bool {
    database_error(error)
        .is_some_and(|error| error.constraint() == Some(name) || error.message() == name)
}

/// Whether PostgreSQL broke the transaction off because it and others waited for each other.
pub fn is_deadlock(error: &DbErr) -> bool {
    database_error(error).is_some_and(|error| error.code().as_deref() == Some("40P01"))
}

/// Whether the database has no room left to write.
pub fn is_full(error: &DbErr) -> bool {
    let code = database_error(error).and_then(DatabaseError::code);
    matches!(code.as_deref(), Some(SQLITE_FULL | "53100"))
}

/// Whether the database could not serve for a reason that passes: it is away or restarting, has no connection, lock or
/// room to give, or ended the session. What was asked may be right, and may be asked again.
pub fn is_unavailable(error: &DbErr) -> bool {
    let source = match error {
        DbErr::ConnectionAcquire(_) => return true,
        DbErr::Conn(RuntimeErr::SqlxError(source))
        | DbErr::Exec(RuntimeErr::SqlxError(source))
        | DbErr::Query(RuntimeErr::SqlxError(source)) => source,
        _ => return false,
    };
    match &**source {
        // A server that goes away may hang up on somebody who is just connecting, in the middle of the greeting.
        sqlx::Error::Protocol(_) => matches!(error, DbErr::Conn(_)),
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| may_pass(&code)),
        _ => false,
    }
}

/// SQLite's primary code for a full disk; its extended codes keep it in the lowest byte.
const SQLITE_FULL: &str = "13";

/// Whether a code of SQLite (a number) or PostgreSQL (SQLSTATE) tells of a state that passes.
fn may_pass(code: &str) -> bool {
    if code.len() == 5 {
        // Connection, resources, operator intervention, cancelled by a time limit, and lost races for locks.
        return ["08", "53", "57"].iter().any(|class| code.starts_with(class))
            || matches!(code, "25P03" | "40001" | "40P01" | "55P03");
    }
    // BUSY, LOCKED, READONLY, IOERR, FULL, CANTOPEN.
    let primary = code.parse::<u32>().map(|code| code & 0xFF);
    matches!(primary, Ok(5 | 6 | 8 | 10 | 13 | 14))
}

fn database_error(error: &DbErr) -> Option<&dyn DatabaseError> {
    match error {
        DbErr::Exec(RuntimeErr::SqlxError(source))
        | DbErr::Query(RuntimeErr::SqlxError(source)) => source.as_database_error(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{is_unavailable, may_pass};
    use sea_orm::{DbErr, RuntimeErr};
    use std::sync::Arc;

    #[test]
    fn a_greeting_that_breaks_off_is_a_server_that_is_away() {
        let broken = || {
            let problem = "unexpected response from SSLRequest: 0x00".to_owned();
            RuntimeErr::SqlxError(Arc::new(sqlx::Error::Protocol(problem)))
        };
        assert!(is_unavailable(&DbErr::Conn(broken())));
        assert!(!is_unavailable(&DbErr::Query(broken())));
    }

    #[test]
    fn a_state_that_passes_is_told_from_a_mistake() {
        for code in [
            "57P01", "57P03", "08006", "53300", "53100", "40P01", "55P03", "57014", "5", "261",
            "13", "10",
        ] {
            assert!(may_pass(code), "{code}");
        }
        for code in ["23505", "42P01", "22P02", "0A000", "1", "19", "2067", "1555"] {
            assert!(!may_pass(code), "{code}");
        }
    }
}
