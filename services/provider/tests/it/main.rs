//! Provider over its real stack, on both databases.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod availability;
mod fixture;
mod profiles;
mod reservations;
mod score;
mod search;
mod vetting;
