//! What the outside meets: REST from the contracts, gRPC and gRPC-Web on one port, with identity, policy and limits
//! before any service is called. It knows no domain: everything follows from the descriptors.
//!
//! The walk of a request: the crate `listener` → [`middleware`] → [`dispatch`] → [`admission`] → [`rest`] or [`grpc`] →
//! [`upstream`].

mod accept_encoding;
mod access_log;
mod admission;
mod client;
mod config;
mod decompression;
mod dispatch;
mod docs;
mod grpc;
mod health;
mod metrics;
mod middleware;
mod openapi;
mod pages;
mod rate;
mod rest;
mod rpc_table;
mod state;
mod tls;
mod upstream;

pub use client::Network;
pub use config::Config;

use crate::{
    middleware::{Middleware, Outside},
    state::State,
};
use listener::Listener;
use std::{sync::Arc, time::Duration};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// An edge whose configuration is found good.
pub struct Edge {
    middleware: Arc<Middleware>,
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
        let mut listener = Listener::new(config.limits());
        listener.tls = tls::follow_certificate(&config, host)?;
        let state = Arc::new(State::new(host, config, listener.stream_ends.clone())?);
        host.spawn(kit::identity::revocation::follow(host.clone()));
        let middleware = Arc::new(Middleware::new(state)?);
        Ok(Self { middleware, listener, stop: host.stop_token() })
    }

    /// Serves the outside on `socket` until the host stops. Then readiness goes off, connections of HTTP/1.1 are closed
    /// with their next answers, streams are told to end, and what is open may end for a bounded time.
    pub async fn serve(self, socket: TcpListener) {
        let middleware = Arc::clone(&self.middleware);
        let last_answers = self.listener.last_answers.clone();
        let stop = async move {
            self.stop.cancelled().await;
            let state = self.middleware.state();
            state.health().stopping();
            last_answers.cancel();
            tokio::time::sleep(Duration::from_millis(state.config.notice_ms)).await;
        };
        self.listener.serve(socket, Outside(middleware), stop).await;
    }
}

/// The OpenAPI 3.1 document of every RPC that the outside can reach.
pub fn openapi_document() -> serde_json::Value {
    openapi::build_document()
}
