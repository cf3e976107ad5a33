//! The system as its users meet it: over HTTP and gRPC, in one process and as the real program, on both databases.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod access;
mod accounts;
mod allowed;
mod apart;
mod appointments;
mod binary;
mod care;
mod carers;
mod certificates;
mod drivers;
mod dues;
mod erasure;
mod events;
mod fault;
mod journey;
mod left_behind;
mod mesh;
mod money;
mod moves;
mod protocol;
mod recalls;
mod repairs;
mod rides;
mod secrets;
mod series;
mod standing;
mod text;
mod tracking;
mod trades;
mod upgrade;
mod visits;
mod windows;
