//! What the outside meets: REST from the contracts, gRPC and gRPC-Web on one port, with identity, policy and limits
//! before any service is called. It knows no domain: everything follows from the descriptors.
//!
//! The walk of a request: the crate `listener` → [`front`] → [`core`] → [`gate`] → [`rest`] or [`native`] →
//! [`upstream`].

mod client;
mod coding;
mod config;
mod core;
mod docs;
mod front;
mod gate;
mod health;
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

pub use client::Network;
pub use config::Config;

use crate::{
    core::Core,
    front::{Front, Outside},
};
use listener::Listener;
use std::{sync::Arc, time::Duration};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// An edge whose configuration is found good.
pub struct Edge {
    front: Arc<Front>,
    listener: Listener,
    stop: CancellationToken,
}

impl Edge {
    /// An edge of `host`, before it listens.
    ///
    /// # Errors
    /// When the configuration cannot be used: an origin or a certificate that is malformed.
    pub fn new(host: &kit::Host, config: Config) -> anyhow::Result<Self> {
        config.check()?;
        let listener = Listener {
            limits: config.limits(),
            tls: tls::acceptor(&config)?,
            end_streams: CancellationToken::new(),
        };
        let core = Arc::new(Core::new(host, config)?);
        host.spawn(revocations::follow(host.clone(), core.health().clone()));
        let front = Arc::new(Front::new(core, listener.end_streams.clone())?);
        Ok(Self { front, listener, stop: host.stop_token() })
    }

    /// Serves the outside on `socket` until the host stops. Then readiness goes off, and what is open may end for a
    /// bounded time.
    pub async fn serve(self, socket: TcpListener) {
        let front = Arc::clone(&self.front);
        let stop = async move {
            self.stop.cancelled().await;
            let core = self.front.core();
            core.health().stopping();
            tokio::time::sleep(Duration::from_millis(core.config.notice_ms)).await;
        };
        self.listener.serve(socket, Outside(front), stop).await;
    }
}

/// The OpenAPI 3.1 document of every RPC that the outside can reach.
pub fn openapi() -> serde_json::Value {
    openapi::document()
}
