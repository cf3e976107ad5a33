//! Failures: domain words become one of a few kinds, and only this file knows their gRPC codes.
//!
//! A service has an error enum of its own, says the [`Kind`] of each variant by implementing [`Fault`], and embeds
//! [`Error`] for what every service can meet. [`status_of`] turns a fault into the answer.

use crate::storage::db_error;
#[doc(no_inline)]
pub use sea_orm::DbErr;
use std::{collections::HashMap, time::Duration};
use tonic::Code;
#[doc(no_inline)]
pub use tonic::Status;
use tonic_types::{ErrorDetails, StatusExt};

/// The `domain` of every `google.rpc.ErrorInfo` that QuickServe answers.
pub const DOMAIN: &str = "quickserve";

/// After how long a call that is still at work is repeated.
const IN_PROGRESS_RETRY_AFTER: Duration = Duration::from_secs(1);

/// What kind of failure an error is. Reasons are stable codes, part of the contract, such as `ORDER_STATE`.
#[derive(Debug, Clone)]
pub enum Kind {
    /// A field of the request is wrong (INVALID_ARGUMENT). The error's text follows the field's name.
    Invalid {
        /// Path of the field, for example `window.start`.
        field: String,
    },
    /// The caller is not signed in (UNAUTHENTICATED).
    Unauthenticated(&'static str),
    /// The caller may not do this (PERMISSION_DENIED).
    Denied(&'static str),
    /// The object is absent, or not the caller's to see (NOT_FOUND).
    NotFound(&'static str),
    /// The object exists already (ALREADY_EXISTS).
    Exists(&'static str),
    /// The object's state does not allow it (FAILED_PRECONDITION).
    Precondition(&'static str),
    /// Another call won a race (ABORTED).
    Conflict(&'static str),
    /// The same call is still at work (ABORTED, with the time after which it can be repeated).
    InProgress,
    /// Too much was asked (RESOURCE_EXHAUSTED).
    Exhausted {
        /// Stable code that clients act on, such as `OVERLOADED`.
        reason: &'static str,
        /// When to try again.
        retry_after: Duration,
    },
    /// The service cannot answer now (UNAVAILABLE).
    Unavailable {
        /// Stable code that clients act on, such as `OVERLOADED`.
        reason: &'static str,
        /// When to try again.
        retry_after: Duration,
    },
    /// A called service failed; its answer is passed on where it concerns the caller.
    Upstream(Box<Status>),
    /// Our fault (INTERNAL): logged once, never sent.
    Internal,
}

/// An error that can say what kind it is.
pub trait Fault: std::error::Error {
    /// The kind of this failure.
    fn kind(&self) -> Kind;

    /// Facts that go out with the reason, for example `allowed_actions`.
    fn metadata(&self) -> HashMap<String, String> {
        HashMap::new()
    }
}

/// Failures that every service can meet.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A field of the request is wrong.
    #[error("{field} {problem}")]
    Invalid {
        /// Path of the field.
        field: String,
        /// What is wrong with it, continuing a sentence that starts with the field.
        problem: String,
    },
    /// The caller is not signed in.
    #[error("sign in first")]
    Unauthenticated,
    /// The caller may not do this.
    #[error("not allowed")]
    Denied,
    /// The version the caller saw is not the current one.
    #[error("the object has changed since you read it")]
    VersionMismatch,
    /// An idempotency key came back with another body.
    #[error("the idempotency key was used with another request")]
    KeyReused,
    /// The first call with this idempotency key has not finished.
    #[error("the first call with this idempotency key is still running")]
    InProgress,
    /// The database failed.
    #[error("the database failed: {0}")]
    Database(#[from] DbErr),
    /// A called service failed.
    #[error("a called service failed: {0}")]
    Upstream(Box<Status>),
    /// Something that must hold does not.
    #[error("{0}")]
    Internal(String),
}

impl Error {
    /// A wrong field.
    pub fn invalid(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), problem: problem.into() }
    }

    /// An error that only the log explains.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        Self::Internal(cause.to_string())
    }

    /// A service's own failure as timers and consumers report it. What may pass stays told from what never will, since
    /// only the latter counts as a try.
    pub fn from_fault(fault: &dyn Fault) -> Self {
        match fault.kind() {
            Kind::Conflict(_)
            | Kind::InProgress
            | Kind::Exhausted { .. }
            | Kind::Unavailable { .. } => Self::Upstream(Box::new(status_of(fault))),
            Kind::Upstream(status) => Self::Upstream(status),
            _ => Self::internal(fault),
        }
    }
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        Self::Upstream(Box::new(status))
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        status_of(&error)
    }
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Invalid { field, .. } => Kind::Invalid { field: field.clone() },
            Self::Unauthenticated => Kind::Unauthenticated("UNAUTHENTICATED"),
            Self::Denied => Kind::Denied("PERMISSION_DENIED"),
            Self::VersionMismatch => Kind::Conflict("VERSION_MISMATCH"),
            Self::KeyReused => Kind::Exists("IDEMPOTENCY_KEY_REUSED"),
            Self::InProgress => Kind::InProgress,
            Self::Database(error) if db_error::is_full(error) => {
                Kind::Unavailable { reason: "DATABASE_FULL", retry_after: Duration::from_secs(30) }
            }
            Self::Database(error) if db_error::is_unavailable(error) => {
                Kind::Unavailable { reason: "DATABASE_BUSY", retry_after: Duration::from_secs(1) }
            }
            Self::Database(_) | Self::Internal(_) => Kind::Internal,
            Self::Upstream(status) => Kind::Upstream(status.clone()),
        }
    }
}

/// Makes an error enum of a service, with a variant `Kit` for this module's [`Error`], what every such enum is: a
/// failure of the database becomes one of its errors, and its errors become the answers of RPCs and the failures of
/// consumers and timers. It stands beside `impl Fault` for the enum.
#[macro_export]
macro_rules! service_error {
    ($error:ident) => {
        impl From<$crate::rpc::error::DbErr> for $error {
            fn from(error: $crate::rpc::error::DbErr) -> Self {
                Self::Kit(error.into())
            }
        }

        impl From<$error> for $crate::rpc::error::Status {
            fn from(error: $error) -> Self {
                $crate::rpc::error::status_of(&error)
            }
        }

        impl From<$error> for $crate::Error {
            fn from(error: $error) -> Self {
                match error {
                    $error::Kit(error) => error,
                    other => Self::from_fault(&other),
                }
            }
        }
    };
}

/// The answer to a failure. The message is the fault's own text; an internal one is logged here and not sent.
pub fn status_of(fault: &dyn Fault) -> Status {
    let message = fault.to_string();
    let (code, reason) = match fault.kind() {
        Kind::Invalid { field } => return invalid(&field, &message),
        Kind::Unauthenticated(reason) => (Code::Unauthenticated, reason),
        Kind::Denied(reason) => (Code::PermissionDenied, reason),
        Kind::NotFound(reason) => (Code::NotFound, reason),
        Kind::Exists(reason) => (Code::AlreadyExists, reason),
        Kind::Precondition(reason) => (Code::FailedPrecondition, reason),
        Kind::Conflict(reason) => (Code::Aborted, reason),
        Kind::InProgress => {
            return try_later(Code::Aborted, "IN_PROGRESS", message, IN_PROGRESS_RETRY_AFTER);
        }
        Kind::Exhausted { reason, retry_after } => {
            return try_later(Code::ResourceExhausted, reason, message, retry_after);
        }
        Kind::Unavailable { reason, retry_after } => {
            tracing::warn!(error = %message, reason, "unavailable");
            return try_later(Code::Unavailable, reason, "try again shortly", retry_after);
        }
        Kind::Upstream(status) => return passed_on(*status),
        Kind::Internal => {
            tracing::error!(error = %message, "internal error");
            return internal();
        }
    };
    let details = ErrorDetails::with_error_info(reason, DOMAIN, fault.metadata());
    Status::with_error_details(code, message, details)
}

/// The answer that says no more than that we failed.
pub fn internal() -> Status {
    Status::internal("internal error")
}

fn invalid(field: &str, message: &str) -> Status {
    let description = message.strip_prefix(field).unwrap_or(message).trim_start();
    let mut details = ErrorDetails::with_bad_request_violation(field, description);
    details.set_error_info("INVALID_ARGUMENT", DOMAIN, HashMap::new());
    Status::with_error_details(Code::InvalidArgument, message, details)
}

fn try_later(
    code: Code,
    reason: &'static str,
    message: impl Into<String>,
    after: Duration,
) -> Status {
    let mut details = ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new());
    details.set_retry_info(Some(after));
    Status::with_error_details(code, message, details)
}

/// What a called service answered concerns our caller only where it is about the request itself.
fn passed_on(status: Status) -> Status {
    match status.code() {
        Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::ResourceExhausted
        | Code::Unavailable
        | Code::DeadlineExceeded
        | Code::Cancelled => status,
        code => {
            tracing::error!(?code, error = status.message(), "a called service failed");
            internal()
        }
    }
}

/// The stable reason that a status carries, or an empty text.
pub fn reason_of(status: &Status) -> String {
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_internal_cause_is_never_sent() {
        let status = status_of(&Error::internal("password=hunter2"));
        assert_eq!(status.code(), Code::Internal);
        assert_eq!(status.message(), "internal error");
        assert!(status.details().is_empty());
    }

    #[test]
    fn a_wrong_field_is_named_once() {
        let status = status_of(&Error::invalid("window.start", "must be in the future"));
        let request = status.get_details_bad_request().unwrap();
        assert_eq!(request.field_violations[0].field, "window.start");
        assert_eq!(request.field_violations[0].description, "must be in the future");
        assert_eq!(reason_of(&status), "INVALID_ARGUMENT");
    }

    #[test]
    fn only_answers_about_the_request_are_passed_on() {
        let denied = status_of(&Error::from(Status::permission_denied("order may not")));
        assert_eq!(denied.code(), Code::Internal);
        let taken = Status::with_error_details(
            Code::Aborted,
            "taken",
            ErrorDetails::with_error_info("SLOT_TAKEN", DOMAIN, HashMap::new()),
        );
        assert_eq!(reason_of(&status_of(&Error::from(taken))), "SLOT_TAKEN");
    }
}
