//! One connection: TLS and the first bytes in time, then HTTP/1.1 or HTTP/2 until the peer leaves or the server stops.

use crate::{
    answer::Answer,
    application::{Application, BoxError},
    buffered_socket::{BufferedSocket, Version},
    content::{Content, Unread},
    limits::{Limits, Versions},
    open_connections::{Activity, OpenConnection},
    request_rules::check_request,
    unreadable::write_last_answer,
};
use futures::future::BoxFuture;
use http::{HeaderValue, Request, Response, StatusCode, header::CONNECTION};
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
    sync::watch,
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig, server::TlsStream};
use tokio_util::sync::CancellationToken;

/// Bytes that the kernel takes of us beyond what it can send: enough to keep a fast reader busy. For a slow reader
/// neither is its whole answer copied while others wait, nor does the kernel keep it.
#[cfg(any(target_os = "android", target_os = "linux"))]
const UNSENT_BYTES: u32 = 128 * 1024;

/// How long a connection may take to end when another peer has its place.
const EVICT_LIMIT: Duration = Duration::from_millis(100);

/// What all connections of a listener have in common.
pub struct Connections<A> {
    application: A,
    tls: Option<watch::Receiver<Arc<ServerConfig>>>,
    versions: Versions,
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
    head_timeout: Duration,
    stall_timeout: Duration,
    /// Close after each answer over HTTP/1.1.
    pub last_answers: CancellationToken,
    /// Take no new request, and close when the open ones ended.
    pub stop: CancellationToken,
    /// Close at once.
    pub cut: CancellationToken,
}

impl<A: Application> Connections<A> {
    /// Connections to `application`, in TLS when there is a configuration of it.
    pub fn new(
        application: A,
        tls: Option<watch::Receiver<Arc<ServerConfig>>>,
        limits: &Limits,
    ) -> Self {
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
            last_answers: CancellationToken::new(),
            stop: CancellationToken::new(),
            cut: CancellationToken::new(),
        }
    }

    /// What answers the requests.
    pub const fn application(&self) -> &A {
        &self.application
    }

    /// Serves the peer behind `socket` to the end.
    pub async fn serve(
        self: Arc<Self>,
        socket: TcpStream,
        peer: SocketAddr,
        connection: Arc<OpenConnection<A>>,
    ) {
        prepare_stream(&socket);
        let cut = self.cut.clone();
        let served = cut.run_until_cancelled(async {
            match &self.tls {
                None => {
                    let opening = async { Ok((socket, self.application.clone())) };
                    self.speak(opening, peer, &connection).await
                }
                Some(tls) => {
                    let newest = TlsAcceptor::from(Arc::clone(&tls.borrow()));
                    // Boxed, so that the memory of the handshake is given back when it is done.
                    let opening = Box::pin(self.shake_hands(newest, socket, peer));
                    self.speak(opening, peer, &connection).await
                }
            }
        });
        if let Some(Err(error)) = served.await {
            tracing::debug!(error = &*error, "a connection ended early");
        }
    }

    /// Opens TLS with `peer`, and says what answers it: the application may be another one for who shows a certificate.
    async fn shake_hands(
        &self,
        tls: TlsAcceptor,
        socket: TcpStream,
        peer: SocketAddr,
    ) -> io::Result<(TlsStream<TcpStream>, A)> {
        let accepted = tls.accept(socket).await;
        let stream =
            accepted.inspect_err(|error| self.application.handshake_failed(peer, error))?;
        let application = self.application.clone();
        let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let application = match shown {
            Some(certificate) => application.meet(certificate, peer),
            None => application,
        };
        Ok((stream, application))
    }

    async fn speak<T>(
        &self,
        opening: impl Future<Output = io::Result<(T, A)>>,
        peer: SocketAddr,
        connection: &Arc<OpenConnection<A>>,
    ) -> Result<(), BoxError>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let closing = &connection.closing;
        let opening = async {
            let (socket, application) = opening.await?;
            let opened = BufferedSocket::open(socket, self.stall_timeout).await?;
            io::Result::Ok(opened.map(|(version, socket)| (version, socket, application)))
        };
        let opening = tokio::time::timeout(self.head_timeout, opening);
        let opening = Box::pin(opening);
        // A peer that has not sent its first bytes has nothing to drain.
        let Some(opened) = closing.run_until_cancelled(opening).await else { return Ok(()) };
        let Some((version, mut socket, application)) = opened?? else { return Ok(()) };
        socket.keep_until_dropped(Arc::clone(connection) as Arc<dyn Send + Sync>);
        let activity = Arc::clone(&connection.activity);
        let last_answers = self.last_answers.clone();
        let requests = Requests { application, activity, peer, last_answers };
        match version {
            Version::One if self.versions == Versions::Http2Only => Ok(()),
            Version::One => {
                let application = self.application.clone();
                socket.replace_bare_errors(move |status| {
                    application.answer_unreadable(status).as_ref().map(write_last_answer)
                });
                let http = self.http1.serve_connection(TokioIo::new(socket), requests);
                let mut http = Box::pin(http.with_upgrades());
                tokio::select! {
                    ended = http.as_mut() => return Ok(ended?),
                    () = closing.cancelled() => http.as_mut().graceful_shutdown(),
                }
                self.finish(http).await
            }
            Version::Two => {
                let http = self.http2.serve_connection(TokioIo::new(socket), requests);
                let mut http = Box::pin(http);
                tokio::select! {
                    ended = http.as_mut() => return Ok(ended?),
                    () = closing.cancelled() => http.as_mut().graceful_shutdown(),
                }
                self.finish(http).await
            }
        }
    }

    /// Waits for the end of a connection that was told to end. It may take its time when the server drains, and not when
    /// another peer has its place.
    async fn finish(
        &self,
        connection: impl Future<Output = hyper::Result<()>>,
    ) -> Result<(), BoxError> {
        if self.stop.is_cancelled() {
            return Ok(connection.await?);
        }
        match tokio::time::timeout(EVICT_LIMIT, connection).await {
            Ok(ended) => Ok(ended?),
            Err(_) => Ok(()),
        }
    }
}

/// Sets what every connection has in common; it fails only for a peer that is gone.
fn prepare_stream(socket: &TcpStream) {
    // Without it, small answers wait for the peer's delayed acknowledgement.
    let _ = socket.set_nodelay(true);
    #[cfg(any(target_os = "android", target_os = "linux"))]
    let _ = socket2::SockRef::from(socket).set_tcp_notsent_lowat(UNSENT_BYTES);
}

/// The requests of one connection.
struct Requests<A> {
    application: A,
    activity: Arc<Activity>,
    peer: SocketAddr,
    last_answers: CancellationToken,
}

impl<A: Application> Service<Request<Incoming>> for Requests<A> {
    type Response = Response<Answer<A::Body>>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        let in_progress = self.activity.begin_request();
        let is_http1 = request.version() < http::Version::HTTP_2;
        // Where a message ends is not certain when it breaks a rule.
        let is_last = is_http1 && check_request(&request).is_err();
        let mut unread = None;
        let has_content = is_http1 && !request.body().is_end_stream();
        if has_content {
            detach_task(&mut request);
        }
        let (head, incoming) = request.into_parts();
        let content = if has_content {
            let (content, rest) = Content::watched(incoming, &head.headers);
            unread = Some(rest);
            content
        } else {
            Content::new(incoming)
        };
        let request = Request::from_parts(head, content);
        let answer = self.application.clone().answer(request, self.peer);
        let last_answers = self.last_answers.clone();
        Box::pin(async move {
            let mut response = answer.await;
            let is_handed_over = response.status() == StatusCode::SWITCHING_PROTOCOLS;
            let is_stopping = is_http1 && last_answers.is_cancelled() && !is_handed_over;
            if is_last || is_stopping || !can_go_on(unread).await {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            let in_progress = if is_handed_over {
                in_progress.never_ends();
                None
            } else {
                Some(in_progress)
            };
            Ok(response.map(|body| Answer::new(body, in_progress)))
        })
    }
}

async fn can_go_on(unread: Option<Unread>) -> bool {
    match unread {
        Some(unread) => unread.finish().await,
        None => true,
    }
}

/// Copies what the head refers to, so that the buffer which it was read into is free for the content. A content may take
/// its time.
fn detach_task<B>(request: &mut Request<B>) {
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
        detach_task(&mut request);
        assert!(buffer.is_unique());
        assert_eq!(request.uri(), "/v1/users?a=b");
        assert!(request.headers().get_all("x").iter().eq(["x", "y"]));
    }
}
