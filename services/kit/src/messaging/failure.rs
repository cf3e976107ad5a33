//! Why a consumer did not take an event: because of the event, or because something it needs is away.

use crate::{rpc::error::Error, storage::db_error::is_unavailable};
use tonic::Code;

/// Whether trying again soon is bound to fail the same way. What is only away comes back: a database, a called service,
/// a lock that somebody else holds.
pub fn is_poison(error: &Error) -> bool {
    match error {
        Error::Database(error) => !is_unavailable(error),
        Error::Upstream(status) => !matches!(
            status.code(),
            Code::Unavailable
                | Code::DeadlineExceeded
                | Code::ResourceExhausted
                | Code::Cancelled
                | Code::Aborted
        ),
        Error::VersionMismatch | Error::InProgress => false,
        Error::Invalid { .. }
        | Error::Unauthenticated
        | Error::Denied
        | Error::KeyReused
        | Error::Internal(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sea_orm::{ConnAcquireErr, DbErr};
    use tonic::Status;

    #[test]
    fn what_is_away_is_no_poison() {
        let away = [
            Error::from(Status::unavailable("restarting")),
            Error::from(Status::deadline_exceeded("slow")),
            Error::from(Status::aborted("lost a race")),
            Error::Database(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)),
            Error::VersionMismatch,
        ];
        for error in away {
            assert!(!is_poison(&error), "{error}");
        }
        let poison = [
            Error::internal("no such order"),
            Error::from(Status::invalid_argument("a field")),
            Error::from(Status::internal("a bug")),
            Error::Database(DbErr::Type("a column".to_owned())),
        ];
        for error in poison {
            assert!(is_poison(&error), "{error}");
        }
    }
}
