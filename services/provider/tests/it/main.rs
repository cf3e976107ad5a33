//! Provider over its real stack, on both databases.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod assets;
mod availability;
mod blocks;
mod copies;
mod crews;
mod crowd;
mod eligibility;
mod firm;
mod fixture;
mod live;
mod profiles;
mod reservations;
mod running;
mod score;
mod search;
mod staffing;
mod tracking;
mod upgrade;
mod vetting;
