//! Accepts connections, no more than are allowed, and drains them when the server stops.

use crate::{
    application::Application, connection::Connections, limits::Limits,
    open_connections::OpenConnections, peer_limit::PeerLimit, stream_ends::StreamEnds,
};
use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::watch,
};
use tokio_rustls::rustls::ServerConfig;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long accepting pauses when it fails for want of file descriptors: trying again at once only burns the processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Idle connections that are closed meanwhile, so that peers which say nothing do not shut out all others.
const EVICTED_AT_ONCE: usize = 10;
/// How long connections may take to notice that they were dropped.
const CUT_LIMIT: Duration = Duration::from_secs(1);
/// Peers that may wait to be accepted. A peer that finds the queue full tries again only after a second. The kernel may
/// allow fewer.
const ACCEPT_QUEUE: u32 = 4096;

/// Listens at `address`.
///
/// # Errors
/// When the address cannot be listened on.
pub fn bind_listener(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // Not on Windows, where it would let two programs listen at one address.
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(ACCEPT_QUEUE)
}

/// How to serve the connections of one address.
#[derive(Clone)]
pub struct Listener {
    /// What peers may use.
    pub limits: Limits,
    /// Serves TLS; plain HTTP without it. Each connection takes the newest configuration, so that certificates turn
    /// without a restart.
    pub tls: Option<watch::Receiver<Arc<ServerConfig>>>,
    /// Cancelled by the program when it is about to stop: from then on every answer over HTTP/1.1 is the last of its
    /// connection, so that no client sends its next request into one that is being closed.
    pub last_answers: CancellationToken,
    /// Begins when the listener drains and `stream_grace` is over: the application's streams end when they are told so.
    pub stream_ends: StreamEnds,
}

/// How the connections of a listener ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Connections that did not end by themselves in time.
    pub dropped: usize,
}

impl Listener {
    /// A listener for plain HTTP with these limits.
    pub fn new(limits: Limits) -> Self {
        let stream_ends = limits.stream_ends();
        Self { limits, tls: None, last_answers: CancellationToken::new(), stream_ends }
    }

    /// Serves `application` on `socket` until `stop` is ready, then drains: new peers are refused, open requests may
    /// end, and what is left after the limit is dropped.
    pub async fn serve<A: Application>(
        self,
        socket: TcpListener,
        application: A,
        stop: impl Future<Output = ()>,
    ) -> Drained {
        let max = self.limits.max_connections;
        let open = OpenConnections::new(application.clone(), max);
        let mut connections = Connections::new(application, self.tls, &self.limits);
        connections.last_answers = self.last_answers;
        let acceptor = Acceptor {
            open: Arc::new(open),
            peers: Arc::new(PeerLimit::new(&self.limits)),
            connections: Arc::new(connections),
            tracker: TaskTracker::new(),
        };
        tokio::select! {
            never = acceptor.accept(&socket) => match never {},
            () = stop => {}
        }
        drop(socket);
        acceptor.drain(&self.limits, &self.stream_ends).await
    }
}

/// Accepts the connections of one address.
struct Acceptor<A: Application> {
    open: Arc<OpenConnections<A>>,
    peers: Arc<PeerLimit>,
    connections: Arc<Connections<A>>,
    tracker: TaskTracker,
}

impl<A: Application> Acceptor<A> {
    async fn accept(&self, socket: &TcpListener) -> Infallible {
        loop {
            match socket.accept().await {
                Ok((stream, peer)) => self.admit(stream, peer).await,
                Err(error) if is_of_the_peer(&error) => {}
                Err(error) => {
                    let evicted = self.open.evict_longest_idle(EVICTED_AT_ONCE);
                    tracing::warn!(%error, evicted, "cannot accept connections; trying again in a moment");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Serves a peer as soon as there is a place for it. Others wait in the kernel's queue meanwhile.
    async fn admit(&self, stream: TcpStream, peer: SocketAddr) {
        let Some(of_peer) = self.peers.admit(peer.ip()) else {
            self.connections.application().connection_refused();
            return;
        };
        let Some(place) = self.open.wait_for_place().await else { return };
        let closing = self.connections.stop.child_token();
        let connection = self.open.open(place, of_peer, self.tracker.token(), closing);
        let connections = Arc::clone(&self.connections);
        tokio::spawn(async move { connections.serve(stream, peer, connection).await });
    }

    async fn drain(&self, limits: &Limits, stream_ends: &StreamEnds) -> Drained {
        self.tracker.close();
        self.connections.stop.cancel();
        let ended = async {
            tokio::select! {
                () = self.tracker.wait() => return,
                () = tokio::time::sleep(limits.stream_grace.min(limits.drain / 4)) => {
                    stream_ends.begin();
                }
            }
            self.tracker.wait().await;
        };
        if tokio::time::timeout(limits.drain, ended).await.is_ok() {
            return Drained { dropped: 0 };
        }
        let dropped = self.tracker.len();
        tracing::warn!(dropped, "dropping connections that did not end in time");
        self.connections.cut.cancel();
        let _ = tokio::time::timeout(CUT_LIMIT, self.tracker.wait()).await;
        Drained { dropped }
    }
}

/// Whether accepting failed because one peer left, and not for want of something of ours.
fn is_of_the_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
