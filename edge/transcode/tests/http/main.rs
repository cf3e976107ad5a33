//! The HTTP side as its clients see it, before a fake upstream.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod anything;
mod bodies;
mod compression;
mod connections;
mod direct;
mod errors;
mod events;
mod headers;
mod query;
mod quiet;
mod reflection;
mod refusals;
mod routes;
mod server;
mod slow;
mod stopping;
mod streams;
mod support;
mod versions;
mod websocket;
