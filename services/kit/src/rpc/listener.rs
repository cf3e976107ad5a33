//! Serves one guarded stack on one listener: HTTP/2 with every limit set, health, reflection, and a bounded drain.
//!
//! Not tonic's own server, because that one waits for ever for a preface, spins when accepting fails, takes hyper's
//! limits away, and drains without an end. `connection` serves one peer, `front` says what bypasses the guard,
//! `streams` ends what would never end by itself.

mod connection;
mod front;
mod streams;

pub use front::ServeError;

use connection::Peers;
use front::Front;
use http::{Request, Response};
use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::Semaphore,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::body::Body;
use tower::Service;

/// A message may have this many bytes either way; services set it on their generated servers.
pub const MAX_MESSAGE_BYTES: usize = 4 * 1024 * 1024;

/// How long a stream that has nothing to send may stay open once the server stops.
const STREAM_GRACE: Duration = Duration::from_secs(2);
/// How long connections may take to notice that they were dropped.
const CUT_LIMIT: Duration = Duration::from_secs(1);
/// How long accepting pauses after it failed: out of descriptors, trying again at once only burns the processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Peers that may wait to be accepted. Who finds the queue full asks again only after a second; the kernel may allow
/// fewer.
const QUEUE: u32 = 4096;

/// Listens at `address`.
///
/// # Errors
/// When the address cannot be listened on.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // Not on Windows, where it would let two programs listen at one address.
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(QUEUE)
}

/// What one listener and its peers may use.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at a time; further peers wait in the listener's queue.
    pub connections: usize,
    /// Calls at a time on one connection.
    pub streams: u32,
    /// Streams that a peer may make us reset before it is sent away (RUSTSEC-2024-0003).
    pub local_resets: usize,
    /// Time for a peer to say that it speaks HTTP/2.
    pub preface: Duration,
    /// Time between pings that find out whether a silent peer is still there.
    pub keepalive: Duration,
    /// Time for the answer to a ping.
    pub keepalive_answer: Duration,
    /// Bytes of a request's headers.
    pub headers: u32,
    /// Bytes in flight towards us on one call.
    pub stream_window: u32,
    /// Bytes in flight towards us on one connection.
    pub connection_window: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            streams: 100,
            local_resets: 1024,
            preface: Duration::from_secs(5),
            keepalive: Duration::from_secs(10),
            keepalive_answer: Duration::from_secs(5),
            headers: 16 * 1024,
            stream_window: 512 * 1024,
            connection_window: 2 * 1024 * 1024,
        }
    }
}

/// How a server starts and stops.
#[derive(Clone, Debug)]
pub struct Options {
    /// Full names of the gRPC services whose health is answered, besides that of the whole server.
    pub services: Vec<String>,
    /// What peers may use.
    pub limits: Limits,
    /// How long to go on accepting after health says NOT_SERVING, for load balancers to notice.
    pub notice: Duration,
    /// How long calls may take to end after GOAWAY. Whatever is left then is dropped.
    pub drain: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            services: Vec::new(),
            limits: Limits::default(),
            notice: Duration::ZERO,
            drain: Duration::from_secs(20),
        }
    }
}

/// How a server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Connections that did not end by themselves within the limit.
    pub dropped: usize,
}

/// Serves `stack` until `shutdown`, then drains: health goes off, new peers are refused, open calls may end within
/// `options.drain`, and what is left is dropped. Only health and reflection are served without the stack.
pub async fn serve<S>(
    listener: TcpListener,
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
    let front = Front::new(stack, &options.services).await?;
    let health = front.health();
    let peers = Peers::new(front, options.limits);
    let tracker = TaskTracker::new();
    let accepting = async {
        tokio::select! {
            never = accept(&listener, &peers, &tracker, options.limits.connections) => match never {},
            () = async {
                shutdown.cancelled().await;
                health.off().await;
                tokio::time::sleep(options.notice).await;
            } => {}
        }
    };
    accepting.await;
    drop(listener);
    Ok(drain(&peers, &tracker, options.drain).await)
}

async fn accept<S>(
    listener: &TcpListener,
    peers: &Peers<S>,
    tracker: &TaskTracker,
    connections: usize,
) -> Infallible
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send,
{
    let places = Arc::new(Semaphore::new(connections));
    loop {
        // Fails only on a closed semaphore, and nobody closes this one.
        let place = Arc::clone(&places).acquire_owned().await;
        match listener.accept().await {
            Ok((socket, _)) => {
                let connection = peers.serve(socket);
                tracker.spawn(async move {
                    connection.await;
                    drop(place);
                });
            }
            Err(error) if is_of_the_peer(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Whether accepting failed for one peer, who is gone, and not for us.
fn is_of_the_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

async fn drain<S>(peers: &Peers<S>, tracker: &TaskTracker, limit: Duration) -> Drained {
    tracker.close();
    peers.stop.cancel();
    let ended = async {
        tokio::select! {
            () = tracker.wait() => return,
            () = tokio::time::sleep(STREAM_GRACE.min(limit / 2)) => peers.end_streams.cancel(),
        }
        tracker.wait().await;
    };
    if tokio::time::timeout(limit, ended).await.is_ok() {
        return Drained { dropped: 0 };
    }
    let dropped = tracker.len();
    tracing::warn!(dropped, "dropping connections that did not end in time");
    peers.cut.cancel();
    let _ = tokio::time::timeout(CUT_LIMIT, tracker.wait()).await;
    Drained { dropped }
}

/// Sets what every connection has in common; a failure here does not end a connection.
fn prepare(socket: &TcpStream) {
    // Without it, small answers wait for the peer's delayed acknowledgement.
    let _ = socket.set_nodelay(true);
}

#[cfg(test)]
mod tests;
