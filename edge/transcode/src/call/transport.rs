//! What a failure of the transport means, by its cause.

use std::error::Error;

use h2::Reason;
use tonic::Code;

use crate::body::BoxError;
use crate::failure::Failure;

const UNAVAILABLE: &str = "UPSTREAM_UNAVAILABLE";

/// The call could not be opened. A status that a layer gave is passed on; what a transport says is for the log: it names
/// addresses.
pub(crate) fn unreachable_upstream(error: BoxError) -> Failure {
    let error = match error.downcast::<tonic::Status>() {
        Ok(status) => return Failure::from(&*status),
        Err(error) => error,
    };
    tracing::warn!(error = %describe_error(&*error), "the upstream cannot be reached; the client gets an error");
    match code_of(&*error) {
        Code::Cancelled => {
            let failure = Failure::new(Code::Cancelled, "the upstream cancelled the call");
            failure.with_reason(UNAVAILABLE)
        }
        Code::DeadlineExceeded => Failure::deadline(),
        Code::ResourceExhausted => {
            let failure = Failure::new(Code::ResourceExhausted, "the upstream is overloaded");
            failure.with_reason("UPSTREAM_OVERLOADED")
        }
        _ => {
            let failure = Failure::new(Code::Unavailable, "the upstream cannot be reached");
            failure.with_reason(UNAVAILABLE)
        }
    }
}

/// The answer broke off after it had begun.
pub(crate) fn broken_off(status: &tonic::Status) -> Failure {
    tracing::warn!(code = ?status.code(), error = %describe_error(status), "the upstream broke off; the client gets an error");
    let code = match status.source() {
        Some(cause) => code_of(cause),
        None if matches!(status.code(), Code::Ok | Code::Unknown) => Code::Unavailable,
        None => status.code(),
    };
    Failure::new(code, "the upstream broke off").with_reason(UNAVAILABLE)
}

/// The code is that of the cause: of itself tonic says CANCELLED of a connection that ended, which would tell the client
/// that it had cancelled the call.
fn code_of(error: &(dyn Error + 'static)) -> Code {
    list_causes(error).find_map(code_of_cause).unwrap_or(Code::Unavailable)
}

fn code_of_cause(error: &(dyn Error + 'static)) -> Option<Code> {
    if error.is::<tonic::TimeoutExpired>() {
        return Some(Code::DeadlineExceeded);
    }
    if let Some(status) = error.downcast_ref::<tonic::Status>() {
        // A status without a cause was given on purpose.
        return status.source().is_none().then(|| status.code());
    }
    let error = error.downcast_ref::<h2::Error>()?;
    Some(match error.reason() {
        _ if error.is_io() || error.is_go_away() => Code::Unavailable,
        Some(Reason::REFUSED_STREAM) => Code::Unavailable,
        Some(Reason::CANCEL) => Code::Cancelled,
        Some(Reason::ENHANCE_YOUR_CALM) => Code::ResourceExhausted,
        _ => Code::Internal,
    })
}

fn list_causes<'e>(
    error: &'e (dyn Error + 'static),
) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

fn describe_error(error: &(dyn Error + 'static)) -> String {
    list_causes(error).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
