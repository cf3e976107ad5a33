//! HTTP/2 connections to the upstream, in TLS or not, opened when they are first used and again when they broke. The
//! calls of an edge are many and small: each goes onto a connection from the task that makes it.

mod connection;
mod exchange;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::header::USER_AGENT;
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderValue, Request, Response, Uri};

use crate::body::BoxError;
use connection::{Connection, Target};
use exchange::{Incoming, RequestBody};

/// Connections that calls take in turn. The calls of one moment are sent in one write, and so are their answers: with a
/// single connection each side would be idle while the other works.
const CONNECTIONS: usize = 2;
/// How often a call is sent at most, where the upstream did not process it before.
const MAX_ATTEMPTS: usize = 5;
const AGENT: HeaderValue =
    HeaderValue::from_static(concat!("transcode/", env!("CARGO_PKG_VERSION")));

/// An upstream at an `http://` or `https://` URL. Clones share its connections.
#[derive(Clone)]
pub struct Direct(Arc<Shared>);

struct Shared {
    target: Target,
    connections: [Connection; CONNECTIONS],
    /// The number of calls so far: they take the connections in turn.
    calls: AtomicUsize,
}

impl Direct {
    /// The upstream at a URL; nothing is connected yet. The certificate of an `https://` upstream must be of `ca`, one
    /// or more authorities in PEM, or of an authority that browsers trust when there is no `ca`.
    ///
    /// # Errors
    /// When the URL is not of an upstream, or `ca` holds no certificate.
    pub fn new(upstream: &Uri, ca: Option<&[u8]>) -> Result<Self, BoxError> {
        let target = Target::new(upstream, ca)?;
        let (connections, calls) = Default::default();
        Ok(Self(Arc::new(Shared { target, connections, calls })))
    }

    /// Sends the request. It is sent again, on another connection, when the upstream is known not to have processed it:
    /// a connection that the upstream closes by its age must not cost a call.
    async fn call(
        self,
        request: Request<tonic::body::Body>,
    ) -> Result<Response<Incoming>, BoxError> {
        let (head, body) = request.into_parts();
        let head = self.0.target.address(head)?;
        let mut body = RequestBody::new(body).await?;
        let mut attempts = 1;
        loop {
            let sender = self.0.next_connection().sender(&self.0.target).await?;
            match exchange::send_request(sender, Request::from_parts(head.clone(), ()), &mut body)
                .await
            {
                Err(error) if attempts < MAX_ATTEMPTS && body.is_unsent(&error) => {
                    tracing::debug!(%error, "the upstream did not take a call; it is sent again");
                    attempts += 1;
                }
                sent => return Ok(sent?),
            }
        }
    }
}

impl fmt::Debug for Direct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Direct").field(&self.0.target.authority).finish()
    }
}

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
    fn next_connection(&self) -> &Connection {
        &self.connections[self.calls.fetch_add(1, Ordering::Relaxed) % CONNECTIONS]
    }
}

impl Target {
    /// Directs a request, whose URI is a path, to the upstream.
    fn address(&self, mut head: Parts) -> Result<Parts, http::Error> {
        let path = head.uri.path_and_query().cloned();
        let mut uri = http::uri::Parts::default();
        (uri.scheme, uri.authority) = (Some(self.scheme.clone()), Some(self.authority.clone()));
        uri.path_and_query = Some(path.unwrap_or(PathAndQuery::from_static("/")));
        head.uri = Uri::from_parts(uri)?;
        head.headers.entry(USER_AGENT).or_insert(AGENT);
        Ok(head)
    }
}
