//! What the outside meets: REST from the contracts, gRPC and gRPC-Web on one port, with identity, policy and limits
//! before any service is called. It knows no domain: everything follows from the descriptors.
//!
//! The walk of a request: [`listener`] → [`connection`] → [`front`] → [`core`] → [`gate`] → [`rest`] or [`native`] →
//! [`upstream`].

mod client;
mod coding;
mod config;
mod connection;
mod core;
mod docs;
mod flood;
mod front;
mod gate;
mod health;
mod listener;
mod metrics;
mod native;
mod openapi;
mod pages;
mod places;
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
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// An edge whose configuration is found good.
pub struct Edge {
    front: Arc<Front>,
    tls: Option<TlsAcceptor>,
    stop: CancellationToken,
}

impl Edge {
    /// An edge of `host`, before it listens.
    ///
    /// # Errors
    /// When the configuration cannot be used: an origin or a certificate that is malformed.
    pub fn new(host: &kit::Host, config: Config) -> anyhow::Result<Self> {
        config.check()?;
        let tls = tls::acceptor(&config)?;
        let core = Arc::new(Core::new(host, config)?);
        host.spawn(revocations::follow(host.clone(), core.health().clone()));
        Ok(Self { front: Arc::new(Front::new(core)?), tls, stop: host.stop_token() })
    }

    /// Serves the outside on `listener` until the host stops, then drains for a bounded time.
    pub async fn serve(self, listener: TcpListener) {
        listener::serve(listener, self.front, self.tls, self.stop).await;
    }
}

/// The OpenAPI 3.1 document of every RPC that the outside can reach.
pub fn openapi() -> serde_json::Value {
    openapi::document()
}
