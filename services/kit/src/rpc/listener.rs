//! Serves one guarded stack on one port: HTTP/2, health, reflection, and a bounded drain.
//!
//! Not tonic's own server, because that one waits for ever for a preface, spins when accepting fails, takes hyper's
//! limits away, and drains without an end. The crate `listener` does what every listener here needs; `front` says what
//! bypasses the guard, and streams that would never end by themselves, such as health watches, end when the server stops.

mod front;

pub use ::listener::{Drained, Limits, bind_listener};
pub use front::ServeError;

use super::ending::answer_until;
use crate::{
    mesh::{Certificates, MeshPeer},
    program::readiness::Readiness,
};
use ::listener::{Application, Content, Listener, StreamEnds, Versions};
use front::Front;
use http::{Request, Response};
use serde::Deserialize;
use std::{convert::Infallible, io, net::SocketAddr, time::Duration};
use tokio::net::TcpListener;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_util::sync::CancellationToken;
use tonic::{body::Body, transport::server::TcpConnectInfo};
use tower::Service;

/// A message may have this many bytes either way; services set it on their generated servers.
pub const MAX_MESSAGE_BYTES: usize = 4 * 1024 * 1024;

/// The limits of the port of a service, which other services and trusted programs use.
fn service_limits() -> Limits {
    Limits {
        versions: Versions::Http2Only,
        max_connections: 4096,
        head_timeout: Duration::from_secs(5),
        stream_grace: Duration::from_secs(2),
        ..Limits::default()
    }
}

/// The section `grpc` of the configuration: how the ports of services stop. Names ending in `_ms` are milliseconds.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StopSettings {
    /// How long a port goes on accepting after its health says NOT_SERVING, for load balancers to notice.
    pub notice_ms: u64,
    /// How long calls may take to end once the port stops accepting. What is left then is cut.
    pub drain_ms: u64,
    /// The time over which the ends of open streams are spread meanwhile, when there are many; at most half of
    /// `drain_ms`.
    pub stream_spread_ms: u64,
}

impl Default for StopSettings {
    fn default() -> Self {
        Self { notice_ms: 0, drain_ms: 20_000, stream_spread_ms: 10_000 }
    }
}

/// How a server starts and stops.
#[derive(Clone, Debug)]
pub struct Options {
    /// Full names of the gRPC services whose health is answered, besides that of the whole server.
    pub services: Vec<String>,
    /// Whether the process can work at all; health says so.
    pub ready: Readiness,
    /// What peers may use.
    pub limits: Limits,
    /// What the server proves itself with, and whom it lets in; without it everybody is let in, in the clear.
    pub certificates: Option<Certificates>,
    /// How long to go on accepting after health says NOT_SERVING, for load balancers to notice.
    pub notice: Duration,
}

impl Options {
    /// The same with a stop as the configuration says.
    #[must_use]
    pub fn with_stop(mut self, settings: StopSettings) -> Self {
        self.notice = Duration::from_millis(settings.notice_ms);
        self.limits.drain = Duration::from_millis(settings.drain_ms);
        self.limits.stream_spread = Duration::from_millis(settings.stream_spread_ms);
        self
    }
}

impl Default for Options {
    fn default() -> Self {
        let (services, ready) = (Vec::new(), Readiness::default());
        let limits = service_limits();
        Self { services, ready, limits, certificates: None, notice: Duration::ZERO }
    }
}

/// Serves `stack` until `shutdown`, then drains: health goes off, new peers are refused, open calls may end within
/// `options.limits.drain`, and what is left is dropped. Only health and reflection are served without the stack.
pub async fn serve_routes<S>(
    socket: TcpListener,
    stack: S,
    shutdown: CancellationToken,
    options: Options,
) -> Result<Drained, ServeError>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send,
{
    let front = Front::new(stack, &options.services, &options.ready).await?;
    let health = front.health();
    let mut listener = Listener::new(options.limits);
    listener.tls = options.certificates.as_ref().map(Certificates::server);
    let stream_ends = listener.stream_ends.clone();
    let calls =
        ListenerCalls { front, stream_ends, certificates: options.certificates, peer: None };
    let stop = async {
        shutdown.run_until_cancelled(health.follow(options.ready)).await;
        health.off().await;
        tokio::time::sleep(options.notice).await;
    };
    Ok(listener.serve(socket, calls, stop).await)
}

/// The calls of all connections.
#[derive(Clone)]
struct ListenerCalls<S> {
    front: Front<S>,
    stream_ends: StreamEnds,
    certificates: Option<Certificates>,
    /// The service at the other end of the connection.
    peer: Option<MeshPeer>,
}

impl<S> Application for ListenerCalls<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send,
{
    type Body = Body;

    fn answer(
        self,
        mut request: Request<Content>,
        peer: SocketAddr,
    ) -> impl Future<Output = Response<Body>> + Send + 'static {
        let connection = TcpConnectInfo { local_addr: None, remote_addr: Some(peer) };
        request.extensions_mut().insert(connection);
        if let Some(peer) = self.peer {
            request.extensions_mut().insert(peer);
        }
        let rpc = proto::find_rpc(request.uri().path());
        let answer = self.front.answer(request.map(Body::new));
        async move {
            // What the contracts do not know, such as a health watch, may be a stream.
            let may_stream = rpc.is_none_or(|rpc| rpc.client_streaming || rpc.server_streaming);
            let Ok(response) = if may_stream {
                let waits_for_client = rpc.is_some_and(|rpc| rpc.client_streaming);
                answer_until(answer, waits_for_client, self.stream_ends.join()).await
            } else {
                answer.await
            };
            response
        }
    }

    /// A peer whose certificate names no service of ours is anonymous, as far as the contracts let anonymous callers.
    fn meet(self, certificate: &CertificateDer<'_>, peer: SocketAddr) -> Self {
        let named = self.certificates.as_ref().map(|it| it.name_peer(certificate)).transpose();
        let peer = named.unwrap_or_else(|error| {
            tracing::warn!(%peer, %error, "a peer is taken for nobody, its certificate is no service's of this mesh");
            None
        });
        Self { peer, ..self }
    }

    fn handshake_failed(&self, peer: SocketAddr, error: &io::Error) {
        // One that only hangs up has nothing to be told about it.
        if error.kind() == io::ErrorKind::InvalidData {
            tracing::warn!(%peer, %error, "refused a connection, TLS could not be opened");
        }
    }
}

#[cfg(test)]
mod tests;
