//! Repair over its real stack, on both databases.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod appliances;
mod estimates;
mod fixture;
mod parts;
mod quotes;
mod recalls;
mod repairs;
mod sla;
