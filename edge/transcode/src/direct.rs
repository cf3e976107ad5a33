//! Plain HTTP/2 connections to the upstream, opened when they are first used and again when they broke. The calls of an
//! edge are many and small: each goes onto a connection from the task that makes it.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use h2::client::SendRequest;
use h2::{Reason, RecvStream, SendStream};
use http::header::USER_AGENT;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Request, Response, Uri};
use http_body::{Body as _, Frame};
use http_body_util::BodyExt as _;
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use crate::body::BoxError;

/// Connections that calls take in turn. The calls of one moment are sent in one write, and so are their answers: with a
/// single connection each side would be idle while the other works.
const CONNECTIONS: usize = 2;
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// How long a silent connection is trusted, and how long the upstream may take to answer a ping.
const KEEP_ALIVE: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(20));
const WINDOW: u32 = 1 << 20;
const AGENT: HeaderValue =
    HeaderValue::from_static(concat!("transcode/", env!("CARGO_PKG_VERSION")));

/// An `http://` upstream. Clones share its connections.
#[derive(Clone)]
pub struct Direct(Arc<Shared>);

struct Shared {
    authority: Authority,
    connections: [Connection; CONNECTIONS],
    /// The number of calls so far: they take the connections in turn.
    calls: AtomicUsize,
}

/// A connection of the pool, open or not.
#[derive(Default)]
struct Connection {
    open: Mutex<Option<SendRequest<Bytes>>>,
    /// Held while a call connects, so that the others wait for it and do not connect too.
    connecting: tokio::sync::Mutex<()>,
}

impl Direct {
    /// The upstream at an `http://` URL; nothing is connected yet.
    ///
    /// # Errors
    /// When the URL is not of that kind.
    pub fn new(upstream: &Uri) -> Result<Self, BoxError> {
        let authority = upstream.authority().cloned().ok_or("the upstream's URL has no host")?;
        if upstream.scheme() != Some(&Scheme::HTTP) {
            return Err("the upstream's URL is not http://".into());
        }
        let (connections, calls) = Default::default();
        Ok(Self(Arc::new(Shared { authority, connections, calls })))
    }

    async fn call(self, request: Request<tonic::body::Body>) -> Result<Answer, BoxError> {
        let connection = self.0.connection();
        let sender = match connection.ready().await {
            Some(sender) => sender,
            None => connection.connect(&self.0.authority).await?,
        };
        let (mut head, mut body) = request.into_parts();
        let path = head.uri.path_and_query().cloned();
        let mut uri = http::uri::Parts::default();
        (uri.scheme, uri.authority) = (Some(Scheme::HTTP), Some(self.0.authority.clone()));
        uri.path_and_query = Some(path.unwrap_or(PathAndQuery::from_static("/")));
        head.uri = Uri::from_parts(uri)?;
        head.headers.entry(USER_AGENT).or_insert(AGENT);
        let mut sender = sender;
        let request = Request::from_parts(head, ());
        let (answer, mut stream) = sender.send_request(request, body.is_end_stream())?;
        let mut send_task = SendTask(None);
        if !body.is_end_stream() {
            // A message that is there goes out at once; h2 keeps what the window does not take yet.
            let whole = body.size_hint().exact().is_some();
            match if whole { body.frame().await } else { None } {
                Some(frame) => {
                    let data = frame?.into_data().unwrap_or_default();
                    stream.send_data(data, true)?;
                }
                None => send_task.0 = Some(tokio::spawn(send(body, stream)).abort_handle()),
            }
        }
        let (head, stream) = answer.await?.into_parts();
        Ok(Response::from_parts(head, Incoming { stream, read: false, _send_task: send_task }))
    }
}

type Answer = Response<Incoming>;

impl tower::Service<Request<tonic::body::Body>> for Direct {
    type Response = Response<tonic::body::Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<tonic::body::Body>) -> Self::Future {
        let upstream = self.clone();
        Box::pin(async move { Ok(upstream.call(request).await?.map(tonic::body::Body::new)) })
    }
}

impl Shared {
    fn connection(&self) -> &Connection {
        &self.connections[self.calls.fetch_add(1, Ordering::Relaxed) % CONNECTIONS]
    }
}

impl Connection {
    /// The open connection, if it still takes calls.
    async fn ready(&self) -> Option<SendRequest<Bytes>> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner).clone();
        open?.ready().await.ok()
    }

    async fn connect(&self, authority: &Authority) -> Result<SendRequest<Bytes>, BoxError> {
        let _one = self.connecting.lock().await;
        // Another call may have connected meanwhile.
        if let Some(sender) = self.ready().await {
            return Ok(sender);
        }
        let opening = async {
            let host = authority.host().trim_start_matches('[').trim_end_matches(']');
            let port = authority.port_u16().unwrap_or(80);
            let socket = TcpStream::connect((host, port)).await?;
            socket.set_nodelay(true)?;
            let mut builder = h2::client::Builder::new();
            builder.initial_window_size(WINDOW).initial_connection_window_size(WINDOW * 4);
            Ok::<_, BoxError>(builder.enable_push(false).handshake(socket).await?)
        };
        let (sender, connection) = timeout(CONNECT_LIMIT, opening).await??;
        tokio::spawn(drive(connection));
        let sender = sender.ready().await?;
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender.clone());
        Ok(sender)
    }
}

/// Yields once before each poll, so that the frames of calls that are made at the same time go out in one write.
struct YieldingConnection {
    connection: h2::client::Connection<TcpStream>,
    yielded: bool,
}

impl Future for YieldingConnection {
    type Output = Result<(), h2::Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.yielded = !self.yielded;
        if self.yielded {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Pin::new(&mut self.connection).poll(context)
    }
}

/// Drives a connection until it ends, or the upstream no longer answers pings.
async fn drive(mut connection: h2::client::Connection<TcpStream>) {
    let mut pings = connection.ping_pong();
    let silent = async {
        let Some(pings) = &mut pings else { return std::future::pending().await };
        loop {
            tokio::time::sleep(KEEP_ALIVE.0).await;
            match timeout(KEEP_ALIVE.1, pings.ping(h2::Ping::opaque())).await {
                Ok(Ok(_)) => {}
                Ok(Err(_)) => return std::future::pending().await,
                Err(_) => return,
            }
        }
    };
    tokio::select! {
        ended = YieldingConnection { connection, yielded: false } => if let Err(error) = ended {
            tracing::debug!(%error, "the connection to the upstream ended");
        },
        () = silent => tracing::warn!("the upstream does not answer pings"),
    }
}

/// Sends a request's stream, no faster than the upstream takes it.
async fn send(mut body: tonic::body::Body, mut stream: SendStream<Bytes>) {
    let sent = async {
        while let Some(frame) = body.frame().await {
            let Ok(mut data) = frame?.into_data() else { continue };
            while !data.is_empty() {
                stream.reserve_capacity(data.len());
                let room = poll_fn(|context| stream.poll_capacity(context)).await;
                let room = room.ok_or("the call has ended")??.min(data.len());
                stream.send_data(data.split_to(room), false)?;
            }
        }
        Ok::<_, BoxError>(stream.send_data(Bytes::new(), true)?)
    };
    if sent.await.is_err() {
        stream.send_reset(Reason::CANCEL);
    }
}

/// The task that sends a request's stream. It is aborted with the answer: what is still unsent no longer matters.
struct SendTask(Option<AbortHandle>);

impl Drop for SendTask {
    fn drop(&mut self) {
        if let Some(send_task) = &self.0 {
            send_task.abort();
        }
    }
}

/// The answer's frames. Dropped before its end, it cancels the call.
struct Incoming {
    stream: RecvStream,
    /// Whether all data is read, and trailers follow.
    read: bool,
    _send_task: SendTask,
}

impl http_body::Body for Incoming {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        let this = &mut *self;
        if !this.read {
            match ready!(this.stream.poll_data(context)) {
                Some(Ok(data)) => {
                    // It fails only for a stream that has ended.
                    let _ = this.stream.flow_control().release_capacity(data.len());
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => this.read = true,
            }
        }
        let trailers = ready!(this.stream.poll_trailers(context));
        Poll::Ready(trailers.transpose().map(|trailers| trailers.map(Frame::trailers)))
    }

    fn is_end_stream(&self) -> bool {
        self.stream.is_end_stream()
    }
}
