//! Facts that user publishes. It acts on none.

use crate::domain::{Error, User};
use kit::{Tx, messaging::outbox};
use proto::quickserve::user::v1 as pb;

pub const REGISTERED: &str = "user.registered";
/// The address of an existing account was registered again.
pub const REGISTRATION_REPEATED: &str = "user.registration_repeated";
/// The e-mail address was proven.
pub const CONTACT_VERIFIED: &str = "user.contact_verified";
/// The password was set anew.
pub const PASSWORD_CHANGED: &str = "user.password_changed";
/// A spent refresh token came back.
pub const SESSION_REUSED: &str = "user.session_reused";
/// An operator closed the account.
pub const SUSPENDED: &str = "user.suspended";
/// An operator opened the account again.
pub const REINSTATED: &str = "user.reinstated";
/// The owner erased the account.
pub const ERASED: &str = "user.erased";

/// Writes down a fact about `user`, which the caller saves in the same transaction: it counts the facts.
pub async fn record_event(tx: &Tx, user: &mut User, kind: &str) -> Result<(), Error> {
    user.event_seq += 1;
    let event = pb::UserEvent { user_id: user.id.to_string() };
    outbox::record_event(tx, kind, user.id.uuid(), user.event_seq, &event).await?;
    Ok(())
}
