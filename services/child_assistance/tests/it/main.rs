//! Child_assistance over its real stack, on both databases.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod codes;
mod custody;
mod erasure;
mod families;
mod fixture;
mod handovers;
mod keys;
mod late;
mod limits;
mod matrix;
mod quotes;
mod races;
mod readers;
