//! Cleaning over its real stack, on both databases.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod fixture;
mod quotes;
mod visits;
