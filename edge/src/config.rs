//! The section `edge` of the configuration.

use crate::client::Network;
use anyhow::{Context as _, ensure};
use http::HeaderValue;
use listener::Limits;
use serde::Deserialize;
use std::{path::PathBuf, time::Duration};

/// How the edge meets the outside. Names ending in `_ms` are milliseconds.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Origins whose pages may call, such as `https://app.example.org`; `*` for any; none for none.
    pub cors_origins: Vec<String>,
    /// Addresses or networks of proxies whose `X-Forwarded-For` counts, such as `10.0.0.0/8`.
    pub trusted_proxies: Vec<Network>,
    /// Requests a minute from one address; 0 for no limit.
    pub client_per_minute: u32,
    /// Requests a minute of one account; 0 for no limit.
    pub account_per_minute: u32,
    /// Edges that share these limits through Redis. While it is away, each grants its part of what a client takes beyond
    /// half of them.
    pub replicas: u32,
    /// Connections at a time; further clients wait in the listener's queue.
    pub max_connections: usize,
    /// Connections of one address at a time, trusted proxies excepted; more are closed at once. 0 for no limit.
    pub max_client_connections: usize,
    /// Requests at a time on one HTTP/2 connection.
    pub max_streams: u32,
    /// Bytes of a request's headers.
    pub max_header_bytes: u32,
    /// Bytes of a request's content, before and after it is decompressed (gzip or zstd).
    pub max_request_bytes: usize,
    /// Calls of services at a time, from the moment when a request has arrived whole. A call that finds no place within
    /// 10 ms is refused with 429; a fifth of the places is kept for what the contracts mark as critical, and no RPC takes
    /// more than half of them, or fewer while its calls take long.
    pub max_in_flight: usize,
    /// Bytes of all contents that are not complete yet, beside 16 KiB of each; never less than the longest content.
    /// What does not fit is refused with 503.
    pub max_held_bytes: usize,
    /// Time for the TLS handshake and the first bytes, and time for a request's headers. An HTTP/1.1 connection may be
    /// idle as long.
    pub head_timeout_ms: u64,
    /// Time for which a client may take no byte of an answer.
    pub stall_timeout_ms: u64,
    /// Time for a call that only reads, when the client names none.
    pub read_deadline_ms: u64,
    /// Time for any other call, when the client names none.
    pub write_deadline_ms: u64,
    /// The longest time that a client may ask for.
    pub max_deadline_ms: u64,
    /// How long the edge goes on accepting after it says that it is not ready, for load balancers to notice.
    pub notice_ms: u64,
    /// How long requests may take to end once the edge stops accepting. What is left then is cut.
    pub drain_ms: u64,
    /// The time over which the ends of open streams are spread meanwhile, when there are many; at most half of
    /// `drain_ms`.
    pub stream_spread_ms: u64,
    /// Bytes from which on answers are compressed, by zstd or gzip, for clients that accept it.
    pub compress_above: u64,
    /// Whether each request is logged, under the target `access`.
    pub access_log: bool,
    /// PEM file of the certificate chain; plain HTTP without it.
    pub tls_cert: Option<PathBuf>,
    /// PEM file of the certificate's private key.
    pub tls_key: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            cors_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            client_per_minute: 12_000,
            account_per_minute: 6_000,
            replicas: 1,
            max_connections: 10_000,
            max_client_connections: 1_000,
            max_streams: 100,
            max_header_bytes: 16 * 1024,
            max_request_bytes: 4 << 20,
            max_in_flight: 1024,
            max_held_bytes: 32 << 20,
            head_timeout_ms: 10_000,
            stall_timeout_ms: 30_000,
            read_deadline_ms: 2_000,
            write_deadline_ms: 5_000,
            max_deadline_ms: 30_000,
            notice_ms: 0,
            drain_ms: 20_000,
            stream_spread_ms: 10_000,
            compress_above: 1024,
            access_log: true,
            tls_cert: None,
            tls_key: None,
        }
    }
}

impl Config {
    /// Refuses what contradicts itself, before anything starts.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        ensure!(
            self.tls_cert.is_some() == self.tls_key.is_some(),
            "edge.tls_cert and edge.tls_key are set together or not at all"
        );
        ensure!(self.replicas > 0, "edge.replicas must be above 0");
        ensure!(self.max_connections > 0, "edge.max_connections must be above 0");
        ensure!(self.max_in_flight > 0, "edge.max_in_flight must be above 0");
        ensure!(self.max_streams > 0, "edge.max_streams must be above 0");
        // The least that hyper's HTTP/1.1 reader takes.
        ensure!(self.max_header_bytes >= 8192, "edge.max_header_bytes must be 8192 or more");
        for (name, time) in [
            ("head_timeout_ms", self.head_timeout_ms),
            ("stall_timeout_ms", self.stall_timeout_ms),
            ("read_deadline_ms", self.read_deadline_ms),
            ("write_deadline_ms", self.write_deadline_ms),
            ("max_deadline_ms", self.max_deadline_ms),
        ] {
            // Eight digits are all that a `grpc-timeout` has.
            ensure!((1..100_000_000).contains(&time), "edge.{name} must be from 1 to 99999999");
        }
        self.origins().map(drop)
    }

    /// The origins as header values; none in the list means any.
    pub(crate) fn origins(&self) -> anyhow::Result<Option<Vec<HeaderValue>>> {
        if self.cors_origins.iter().any(|origin| origin == "*") {
            return Ok(None);
        }
        self.cors_origins
            .iter()
            .map(|origin| parse_origin(origin))
            .collect::<Result<_, _>>()
            .map(Some)
    }

    /// The limits of the listener.
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            max_connections: self.max_connections,
            max_peer_connections: self.max_client_connections,
            proxies: self.trusted_proxies.iter().map(|network| network.0).collect(),
            max_streams: self.max_streams,
            max_header_bytes: self.max_header_bytes,
            head_timeout: Duration::from_millis(self.head_timeout_ms),
            stall_timeout: Duration::from_millis(self.stall_timeout_ms),
            drain: Duration::from_millis(self.drain_ms),
            stream_spread: Duration::from_millis(self.stream_spread_ms),
            ..Limits::default()
        }
    }
}

fn parse_origin(origin: &str) -> anyhow::Result<HeaderValue> {
    origin.parse().with_context(|| format!("edge.cors_origins: {origin:?} is no origin"))
}
