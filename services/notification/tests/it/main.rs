//! The service over its real stack, on both databases, beside a scripted user service.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod inbox;
mod mail;
mod scene;
mod settings;
mod smtp;
mod told;
mod watch;
