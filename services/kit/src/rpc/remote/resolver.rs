//! Where the replicas of a service are: the addresses that its name stands for.

use async_trait::async_trait;
use std::{io, net::SocketAddr};

/// Finds the addresses of a service's replicas.
#[async_trait]
pub trait Resolver: Send + Sync + 'static {
    /// The addresses at this moment. An error and an empty answer say nothing: the caller keeps what it knew.
    async fn resolve(&self) -> io::Result<Vec<SocketAddr>>;
}

/// Asks the system, which knows `/etc/hosts` and DNS. An IP address stands for itself.
pub struct SystemResolver {
    host: String,
    port: u16,
}

impl SystemResolver {
    /// For `host`, whose replicas all listen on `port`. An IPv6 address may be in the brackets of a URL.
    pub fn new(host: &str, port: u16) -> Self {
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Self { host, port }
    }
}

#[async_trait]
impl Resolver for SystemResolver {
    async fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((self.host.as_str(), self.port)).await?.collect())
    }
}
