//! One connection: TLS and the first bytes in time, then HTTP/1.1 or HTTP/2 until the peer leaves or the server stops.

use crate::{
    application::{Application, BoxError, Content},
    buffered_socket::{BufferedSocket, Version},
    limits::{Limits, Versions},
};
use futures::{FutureExt as _, future::BoxFuture};
use http::{HeaderValue, Request, Response};
use hyper::{
    body::{Body as _, Incoming},
    server::conn::{http1, http2},
    service::Service,
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// Bytes that the kernel takes of us beyond what it can send: enough to keep a fast reader busy. For a slow reader
/// neither is its whole answer copied while others wait, nor does the kernel keep it.
#[cfg(any(target_os = "android", target_os = "linux"))]
const UNSENT_BYTES: u32 = 128 * 1024;

/// What all connections of a listener have in common.
pub struct Connections<A> {
    application: A,
    tls: Option<TlsAcceptor>,
    versions: Versions,
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
    head_timeout: Duration,
    stall_timeout: Duration,
    /// Take no new request, and close when the open ones ended.
    pub stop: CancellationToken,
    /// Close at once.
    pub cut: CancellationToken,
}

impl<A: Application> Connections<A> {
    /// Connections to `application`, in TLS when there is an acceptor.
    pub fn new(application: A, tls: Option<TlsAcceptor>, limits: &Limits) -> Self {
        let mut http1 = http1::Builder::new();
        http1
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head_timeout)
            .max_buf_size(usize::try_from(limits.max_header_bytes).unwrap_or(usize::MAX));
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        http2
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.max_streams)
            .max_local_error_reset_streams(limits.max_local_resets)
            .max_header_list_size(limits.max_header_bytes)
            .initial_stream_window_size(limits.stream_window)
            .initial_connection_window_size(limits.connection_window)
            .keep_alive_interval(limits.keepalive_interval)
            .keep_alive_timeout(limits.keepalive_timeout);
        Self {
            application,
            tls,
            versions: limits.versions,
            http1,
            http2,
            head_timeout: limits.head_timeout,
            stall_timeout: limits.stall_timeout,
            stop: CancellationToken::new(),
            cut: CancellationToken::new(),
        }
    }

    /// What answers the requests.
    pub const fn application(&self) -> &A {
        &self.application
    }

    /// Serves the peer behind `socket` to the end.
    pub async fn serve(self: Arc<Self>, socket: TcpStream, peer: SocketAddr) {
        prepare(&socket);
        let cut = self.cut.clone();
        let served = cut.run_until_cancelled(async {
            match &self.tls {
                None => self.speak(async { Ok(socket) }, peer).await,
                // Boxed, so that the memory of the handshake is given back when it is done.
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
        peer: SocketAddr,
    ) -> Result<(), BoxError>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let opening = async { BufferedSocket::open(opening.await?, self.stall_timeout).await };
        let opening = tokio::time::timeout(self.head_timeout, opening);
        let opening = Box::pin(opening);
        // A peer that has not sent its first bytes has nothing to drain.
        let Some(opened) = self.stop.run_until_cancelled(opening).await else { return Ok(()) };
        let Some((version, socket)) = opened?? else { return Ok(()) };
        let requests = Requests { application: self.application.clone(), peer };
        let io = TokioIo::new(socket);
        match version {
            Version::One if self.versions == Versions::Http2Only => Ok(()),
            Version::One => {
                let connection = self.http1.serve_connection(io, requests).with_upgrades();
                let mut connection = Box::pin(connection);
                tokio::select! {
                    ended = connection.as_mut() => return Ok(ended?),
                    () = self.stop.cancelled() => connection.as_mut().graceful_shutdown(),
                }
                Ok(connection.await?)
            }
            Version::Two => {
                let mut connection = Box::pin(self.http2.serve_connection(io, requests));
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
    let _ = socket2::SockRef::from(socket).set_tcp_notsent_lowat(UNSENT_BYTES);
}

/// The requests of one connection.
struct Requests<A> {
    application: A,
    peer: SocketAddr,
}

impl<A: Application> Service<Request<Incoming>> for Requests<A> {
    type Response = Response<A::Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<A::Body>, Infallible>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        if request.version() < http::Version::HTTP_2 && !request.body().is_end_stream() {
            detach(&mut request);
        }
        let answer = self.application.clone().answer(request.map(Content::new), self.peer);
        Box::pin(answer.map(Ok))
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
