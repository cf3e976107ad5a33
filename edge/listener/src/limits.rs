//! What one listener and its peers may use.

use crate::stream_ends::StreamEnds;
use ipnet::IpNet;
use std::time::Duration;

/// The versions of HTTP that peers may speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Versions {
    /// HTTP/1.0, HTTP/1.1 and HTTP/2.
    #[default]
    All,
    /// HTTP/2 with prior knowledge; any other peer is disconnected.
    Http2Only,
}

/// What one listener and its peers may use.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The versions of HTTP that peers may speak.
    pub versions: Versions,
    /// Connections at a time. For further peers the one that has been idle longest is closed; while none is idle they
    /// wait.
    pub max_connections: usize,
    /// Connections of one IPv4 address or IPv6 /64 network at a time; more are closed at once. 0 for no limit.
    pub max_peer_connections: usize,
    /// Proxies, whose connections are those of many clients: `max_peer_connections` does not apply to them.
    pub proxies: Vec<IpNet>,
    /// Requests at a time on one HTTP/2 connection.
    pub max_streams: u32,
    /// Streams that a peer may make us reset before it is disconnected (RUSTSEC-2024-0003).
    pub max_local_resets: usize,
    /// Bytes of a request's headers.
    pub max_header_bytes: u32,
    /// Bytes that a peer may send on one HTTP/2 stream before we have consumed them.
    pub stream_window: u32,
    /// Bytes that a peer may send on one HTTP/2 connection before we have consumed them.
    pub connection_window: u32,
    /// Time for the TLS handshake and the first bytes, and for the headers of a request. An HTTP/1.1 connection may be
    /// idle as long.
    pub head_timeout: Duration,
    /// Time for which a peer may take no byte of an answer.
    pub stall_timeout: Duration,
    /// Time between the pings which find out whether a silent HTTP/2 peer is still there.
    pub keepalive_interval: Duration,
    /// Time for the answer to a ping.
    pub keepalive_timeout: Duration,
    /// Time for which streams may go on once the listener drains; at most a quarter of `drain`.
    pub stream_grace: Duration,
    /// Time over which the ends of many streams are spread after that; at most half of `drain`.
    pub stream_spread: Duration,
    /// Time for which requests may go on once the listener drains. What is left then is dropped.
    pub drain: Duration,
}

impl Limits {
    /// What ends the streams of a listener with these limits.
    pub fn stream_ends(&self) -> StreamEnds {
        StreamEnds::within(self.stream_spread.min(self.drain / 2))
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            versions: Versions::All,
            max_connections: 10_000,
            max_peer_connections: 0,
            proxies: Vec::new(),
            max_streams: 100,
            max_local_resets: 1024,
            max_header_bytes: 16 * 1024,
            stream_window: 512 * 1024,
            connection_window: 2 * 1024 * 1024,
            head_timeout: Duration::from_secs(10),
            stall_timeout: Duration::from_secs(30),
            keepalive_interval: Duration::from_secs(10),
            keepalive_timeout: Duration::from_secs(5),
            stream_grace: Duration::from_secs(1),
            stream_spread: Duration::from_secs(10),
            drain: Duration::from_secs(20),
        }
    }
}
