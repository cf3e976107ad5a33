//! The system as its users meet it: over HTTP and gRPC, in one process and as the real program, on both databases.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod access;
mod accounts;
mod apart;
mod binary;
mod events;
mod journey;
mod mesh;
mod secrets;
mod text;
mod visits;
mod windows;
