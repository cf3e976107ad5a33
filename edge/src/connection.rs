//! One connection: TLS and the first bytes in time, then HTTP/1.1 or HTTP/2 until the peer leaves or the edge stops.

use crate::{
    config::Config,
    front::{Answer, Front},
    wire::{self, Wire},
};
use futures::{FutureExt as _, future::BoxFuture};
use http::{HeaderValue, Request, Response, Version};
use hyper::{
    body::{Body as _, Incoming},
    server::conn::{http1, http2},
    service::Service,
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::{convert::Infallible, io, net::IpAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// Time between pings that find out whether a silent peer is still there, and time for the answer.
const KEEPALIVE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(5));
/// Streams that a peer may make us reset before it is sent away (RUSTSEC-2024-0003).
const LOCAL_RESETS: usize = 1024;
/// Bytes in flight towards us on one stream, and on one connection.
const WINDOWS: (u32, u32) = (512 * 1024, 2 * 1024 * 1024);

/// Bytes that the kernel takes of us beyond what it can send: enough to keep a fast reader busy, and a slow one neither
/// makes us copy its whole answer while others wait, nor makes the kernel keep it.
#[cfg(any(target_os = "android", target_os = "linux"))]
const UNSENT: u32 = 128 * 1024;

/// What all connections of a listener have in common.
pub struct Peers {
    front: Arc<Front>,
    tls: Option<TlsAcceptor>,
    one: http1::Builder,
    two: http2::Builder<TokioExecutor>,
    head_timeout: Duration,
    stall_timeout: Duration,
    /// Take no new request, and close when the open ones ended.
    pub stop: CancellationToken,
    /// Close at once.
    pub cut: CancellationToken,
}

impl Peers {
    /// Connections to `front`, in TLS when there is an acceptor.
    pub fn new(front: Arc<Front>, tls: Option<TlsAcceptor>) -> Self {
        let Config { max_streams, max_header_bytes, .. } = front.core().config;
        let (head_timeout, stall_timeout) =
            (front.core().config.head_timeout(), front.core().config.stall_timeout());
        let mut one = http1::Builder::new();
        one.timer(TokioTimer::new())
            .header_read_timeout(head_timeout)
            .max_buf_size(usize::try_from(max_header_bytes).unwrap_or(usize::MAX));
        let mut two = http2::Builder::new(TokioExecutor::new());
        two.timer(TokioTimer::new())
            .max_concurrent_streams(max_streams)
            .max_local_error_reset_streams(LOCAL_RESETS)
            .max_header_list_size(max_header_bytes)
            .initial_stream_window_size(WINDOWS.0)
            .initial_connection_window_size(WINDOWS.1)
            .keep_alive_interval(KEEPALIVE.0)
            .keep_alive_timeout(KEEPALIVE.1);
        let (stop, cut) = (CancellationToken::new(), CancellationToken::new());
        Self { front, tls, one, two, head_timeout, stall_timeout, stop, cut }
    }

    /// What the connections lead to.
    pub fn front(&self) -> &Front {
        &self.front
    }

    /// Serves the peer behind `socket` to the end.
    pub async fn serve(self: Arc<Self>, socket: TcpStream, peer: IpAddr) {
        prepare(&socket);
        let cut = self.cut.clone();
        let served = cut.run_until_cancelled(async {
            match &self.tls {
                None => self.speak(async { Ok(socket) }, peer).await,
                // What the handshake takes is given back when it is done.
                Some(tls) => self.speak(Box::pin(tls.accept(socket)), peer).await,
            }
        });
        if let Some(Err(error)) = served.await {
            tracing::debug!(error = &*error, "a connection ended early");
        }
    }

    async fn speak<T>(
        &self,
        opening: impl Future<Output = io::Result<T>>,
        peer: IpAddr,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let opening = async { Wire::open(opening.await?, self.stall_timeout).await };
        let opening = tokio::time::timeout(self.head_timeout, opening);
        let opening = Box::pin(opening);
        // A peer that has not even said hello has nothing to drain.
        let Some(opened) = self.stop.run_until_cancelled(opening).await else { return Ok(()) };
        let Some((version, wire)) = opened?? else { return Ok(()) };
        let requests = Requests { front: Arc::clone(&self.front), peer };
        let io = TokioIo::new(wire);
        match version {
            wire::Version::One => {
                let connection = self.one.serve_connection(io, requests).with_upgrades();
                let mut connection = Box::pin(connection);
                tokio::select! {
                    ended = connection.as_mut() => return Ok(ended?),
                    () = self.stop.cancelled() => connection.as_mut().graceful_shutdown(),
                }
                Ok(connection.await?)
            }
            wire::Version::Two => {
                let mut connection = Box::pin(self.two.serve_connection(io, requests));
                tokio::select! {
                    ended = connection.as_mut() => return Ok(ended?),
                    () = self.stop.cancelled() => connection.as_mut().graceful_shutdown(),
                }
                Ok(connection.await?)
            }
        }
    }
}

/// Sets what every connection has in common; it fails only for a peer that is gone.
fn prepare(socket: &TcpStream) {
    // Without it, small answers wait for the peer's delayed acknowledgement.
    let _ = socket.set_nodelay(true);
    #[cfg(any(target_os = "android", target_os = "linux"))]
    let _ = socket2::SockRef::from(socket).set_tcp_notsent_lowat(UNSENT);
}

/// The requests of one connection.
struct Requests {
    front: Arc<Front>,
    peer: IpAddr,
}

impl Service<Request<Incoming>> for Requests {
    type Response = Response<Answer>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Answer>, Infallible>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        let (front, peer) = (Arc::clone(&self.front), self.peer);
        if request.version() < Version::HTTP_2 && !request.body().is_end_stream() {
            detach(&mut request);
        }
        Box::pin(front.answer(request, peer).map(Ok))
    }
}

/// Copies what the head refers to, so that the buffer which it was read into is free for the content. A content may take
/// its time.
fn detach<B>(request: &mut Request<B>) {
    for value in request.headers_mut().values_mut() {
        if let Ok(copy) = HeaderValue::from_bytes(value.as_bytes()) {
            *value = copy;
        }
    }
    if let Ok(copy) = request.uri().to_string().parse() {
        *request.uri_mut() = copy;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use http::Uri;

    #[test]
    fn a_head_that_is_detached_does_not_keep_what_it_was_read_into() {
        let buffer = Bytes::from(b"/v1/users?a=b x y".to_vec());
        let mut request = Request::new(());
        *request.uri_mut() = Uri::from_maybe_shared(buffer.slice(..13)).unwrap();
        for place in [14..15, 16..17] {
            let value = HeaderValue::from_maybe_shared(buffer.slice(place)).unwrap();
            request.headers_mut().append("x", value);
        }
        assert!(!buffer.is_unique());
        detach(&mut request);
        assert!(buffer.is_unique());
        assert_eq!(request.uri(), "/v1/users?a=b");
        assert!(request.headers().get_all("x").iter().eq(["x", "y"]));
    }
}
