//! The user service over its real stack, on both databases.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod access;
mod account;
mod addresses;
mod enumeration;
mod limits;
mod operator;
mod recovery;
mod registration;
mod sessions;
mod storage;
mod world;
