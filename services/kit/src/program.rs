//! What a process gives its services: configuration, time, logs and metrics, and the host that holds them.

pub mod admin;
pub mod clock;
pub mod config;
pub mod crash;
mod disk;
pub mod file_stamp;
pub mod host;
pub mod metrics;
mod periodic;
pub mod readiness;
pub mod secret_file;
pub mod telemetry;
