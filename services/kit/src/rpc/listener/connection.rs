//! One connection: the preface in time, then HTTP/2 until the peer leaves or the server stops.

use super::{Limits, front::Front, prepare, streams::Ending};
use http::{Request, Response};
use hyper::{body::Incoming, server::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::{
    convert::Infallible,
    future::Future,
    io,
    pin::{Pin, pin},
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_util::sync::CancellationToken;
use tonic::{
    body::Body,
    transport::server::{Connected as _, TcpConnectInfo},
};
use tower::Service;

/// What a client sends first (RFC 9113, section 3.4).
pub(super) const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The peers of one listener, and the three signs that end their connections.
pub(super) struct Peers<S> {
    front: Front<S>,
    limits: Limits,
    http: http2::Builder<TokioExecutor>,
    /// Take no new call, and close when the open ones ended.
    pub stop: CancellationToken,
    /// End streams that have nothing to send.
    pub end_streams: CancellationToken,
    /// Close at once.
    pub cut: CancellationToken,
}

impl<S> Peers<S> {
    /// Peers of a server that answers with `front`.
    pub fn new(front: Front<S>, limits: Limits) -> Self {
        let mut http = http2::Builder::new(TokioExecutor::new());
        http.timer(TokioTimer::new())
            .max_concurrent_streams(limits.streams)
            .max_local_error_reset_streams(limits.local_resets)
            .max_header_list_size(limits.headers)
            .initial_stream_window_size(limits.stream_window)
            .initial_connection_window_size(limits.connection_window)
            .keep_alive_interval(limits.keepalive)
            .keep_alive_timeout(limits.keepalive_answer);
        Self {
            front,
            limits,
            http,
            stop: CancellationToken::new(),
            end_streams: CancellationToken::new(),
            cut: CancellationToken::new(),
        }
    }
}

impl<S> Peers<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send,
{
    /// Serves the peer behind `socket` to the end.
    pub fn serve(&self, socket: TcpStream) -> impl Future<Output = ()> + Send + use<S> {
        let calls = Calls {
            front: self.front.clone(),
            peer: socket.connect_info(),
            end_streams: self.end_streams.clone(),
        };
        let (http, limits) = (self.http.clone(), self.limits);
        let (stop, cut) = (self.stop.clone(), self.cut.clone());
        async move {
            prepare(&socket);
            let open = async {
                // A peer that has not even said hello has nothing to drain.
                let greeted = stop.run_until_cancelled(greeted(socket, limits)).await;
                let Some(Some(socket)) = greeted else { return };
                let mut connection = pin!(http.serve_connection(TokioIo::new(socket), calls));
                let ended = tokio::select! {
                    ended = connection.as_mut() => ended,
                    () = stop.cancelled() => {
                        connection.as_mut().graceful_shutdown();
                        connection.await
                    }
                };
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended early");
                }
            };
            cut.run_until_cancelled(open).await;
        }
    }
}

/// The socket, once its peer has sent the preface; none for one that is late or speaks something else.
async fn greeted<T: AsyncRead + Unpin>(mut socket: T, limits: Limits) -> Option<Greeted<T>> {
    let mut read = 0;
    let mut seen = [0_u8; PREFACE.len()];
    let preface = async {
        while let Some(rest) = seen.get_mut(read..).filter(|rest| !rest.is_empty()) {
            let count = socket.read(rest).await.ok().filter(|count| *count > 0)?;
            read += count;
            if seen.get(..read) != PREFACE.get(..read) {
                return None;
            }
        }
        Some(())
    };
    match tokio::time::timeout(limits.preface, preface).await {
        Ok(Some(())) => Some(Greeted { unread: PREFACE, socket }),
        Ok(None) => None,
        Err(_) => {
            tracing::debug!("a peer did not send the HTTP/2 preface in time");
            None
        }
    }
}

/// A socket whose preface was read, and which gives it to hyper once more.
struct Greeted<T> {
    unread: &'static [u8],
    socket: T,
}

impl<T: AsyncRead + Unpin> AsyncRead for Greeted<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.unread.is_empty() {
            return Pin::new(&mut self.socket).poll_read(context, buffer);
        }
        let count = self.unread.len().min(buffer.remaining());
        let (now, later) = self.unread.split_at(count);
        buffer.put_slice(now);
        self.unread = later;
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Greeted<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(context, bytes)
    }
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(context, slices)
    }
    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }
}

/// The calls of one connection.
#[derive(Clone)]
struct Calls<S> {
    front: Front<S>,
    peer: TcpConnectInfo,
    end_streams: CancellationToken,
}

impl<S> hyper::service::Service<Request<Incoming>> for Calls<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send,
{
    type Response = Response<Ending>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Ending>, Infallible>> + Send>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(self.peer.clone());
        let answer = self.front.answer(request.map(Body::new));
        let end_streams = self.end_streams.clone();
        Box::pin(async move { Ok(answer.await?.map(|body| Ending::new(body, end_streams))) })
    }
}
