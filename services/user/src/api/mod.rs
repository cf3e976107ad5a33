//! The RPCs: who calls, what they ask, one call, the answer.

pub mod accounts;
pub mod auth;
pub mod client;
pub mod convert;
pub mod users;

use crate::domain::{Error, SessionId, UserId};
use kit::Id;
use tonic::Request;

/// The account that calls, and its session.
fn signed_in<T>(request: &Request<T>) -> Result<(UserId, SessionId), Error> {
    let subject = kit::caller_of(request).subject()?;
    Ok((Id::from_uuid(subject.user_id), Id::from_uuid(subject.session_id)))
}
