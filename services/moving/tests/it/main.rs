//! Moving over its real stack, on both databases.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod changes;
mod claims;
mod fixture;
mod moves;
mod quotes;
