//! The user service over its real stack, on both databases.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod access;
mod account;
mod addresses;
mod enumeration;
mod limits;
mod operator;
mod recovery;
mod registration;
mod roles;
mod sessions;
mod spelling;
mod storage;
mod world;
