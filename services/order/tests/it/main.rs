//! Orders over the real stack on both databases, with scripted provider, payment and vertical.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod access;
mod acts;
mod booking;
mod cancelling;
mod concurrency;
mod crashes;
mod life;
mod payments;
mod script;
mod search;
mod servers;
mod states;
mod town;
