//! What the outside meets: REST from the contracts, gRPC and gRPC-Web on one port, with identity, policy and limits
//! before any service is called. It knows no domain: everything follows from the descriptors.
//!
//! The walk of a request: [`listener`] → [`connection`] → [`front`] → [`core`] → [`gate`] → [`rest`] or [`native`] →
//! [`upstream`].

mod client;
mod config;
mod connection;
mod core;
mod docs;
mod front;
mod gate;
mod health;
mod listener;
mod metrics;
mod native;
mod openapi;
mod pages;
mod rate;
mod record;
mod rest;
mod revocations;
mod table;
mod tls;
mod upstream;
mod wire;

pub use client::Network;
pub use config::Config;

use crate::{core::Core, front::Front};
use std::sync::Arc;
use tokio::net::TcpListener;

/// Serves the outside on `listener` until the host stops, then drains for a bounded time.
///
/// # Errors
/// When the configuration cannot be used: an origin or a certificate that is malformed.
pub async fn start(host: &kit::Host, listener: TcpListener, config: Config) -> anyhow::Result<()> {
    config.check()?;
    let tls = tls::acceptor(&config)?;
    let stop = host.stop_token();
    let core = Arc::new(Core::new(host, config)?);
    host.spawn(revocations::follow(host.clone(), core.health().clone()));
    let front = Arc::new(Front::new(core)?);
    listener::serve(listener, front, tls, stop).await;
    Ok(())
}

/// The OpenAPI 3.1 document of every RPC that the outside can reach.
pub fn openapi() -> serde_json::Value {
    openapi::document()
}
