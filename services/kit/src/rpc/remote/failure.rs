//! Says what a failed call means by its cause, not by the code that happened to come out.

use super::CallReach;
use h2::Reason;
use std::{error::Error, io};
use tonic::{Code, ConnectError, Status, TimeoutExpired};

/// The call was not answered in time.
pub(super) fn too_late() -> Status {
    Status::deadline_exceeded("the call took too long")
}

fn unavailable() -> Status {
    Status::unavailable("the called service cannot be reached")
}

/// The status for a failure of the transport.
pub(super) fn status_of_failure(error: &(dyn Error + 'static)) -> Status {
    find_cause(error).unwrap_or_else(unavailable)
}

/// The status for one that came out of tonic: its own words when the peer sent it, ours when the transport failed.
pub(super) fn rename_failure(status: Status) -> Status {
    match status.source().and_then(find_cause) {
        Some(found) => found,
        None => status,
    }
}

/// How far a call that failed like this came. It was not processed when the peer was closing the connection and did not
/// get to it (RFC 9113, section 6.8), or refused the stream (section 8.7).
pub(super) fn reach_of(error: &(dyn Error + 'static)) -> CallReach {
    for error in std::iter::successors(Some(error), |&error| error.source()) {
        if error.is::<ConnectError>() {
            return CallReach::Unsent;
        }
        if let Some(error) = error.downcast_ref::<hyper::Error>()
            && error.is_canceled()
        {
            return CallReach::Unprocessed;
        }
        if let Some(error) = error.downcast_ref::<h2::Error>() {
            let refused = error.reason() == Some(Reason::REFUSED_STREAM);
            let unprocessed = error.is_remote() && (error.is_go_away() || refused);
            return if unprocessed { CallReach::Unprocessed } else { CallReach::Unknown };
        }
    }
    CallReach::Unknown
}

/// The first cause in the chain that says what happened.
fn find_cause(error: &(dyn Error + 'static)) -> Option<Status> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(found) = recognise_failure(error) {
            return Some(found);
        }
        cause = error.source();
    }
    None
}

fn recognise_failure(error: &(dyn Error + 'static)) -> Option<Status> {
    if let Some(status) = error.downcast_ref::<Status>() {
        return Some(status.clone());
    }
    if error.is::<TimeoutExpired>() {
        return Some(too_late());
    }
    if error.is::<ConnectError>() || error.is::<io::Error>() {
        return Some(unavailable());
    }
    if let Some(error) = error.downcast_ref::<hyper::Error>() {
        // A ping without an answer; a request that the closing connection did not take.
        return (error.is_timeout() || error.is_canceled() || error.is_closed()).then(unavailable);
    }
    let error = error.downcast_ref::<h2::Error>()?;
    if error.is_go_away() || error.is_io() {
        return Some(unavailable());
    }
    let code = match error.reason()? {
        Reason::REFUSED_STREAM => return Some(unavailable()),
        // Our own side gave the connection up, because calls piled up that a silent peer did not answer.
        Reason::ENHANCE_YOUR_CALM if !error.is_remote() => return Some(unavailable()),
        Reason::CANCEL => Code::Cancelled,
        Reason::ENHANCE_YOUR_CALM => Code::ResourceExhausted,
        _ => Code::Internal,
    };
    Some(Status::new(code, "the called service broke off the call"))
}
