//! What a listener leads to: the program that answers requests, and the content of those requests.

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use std::{
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

/// Any error.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Answers the requests of all connections. A clone is made for each connection and each request.
pub trait Application: Clone + Send + Sync + 'static {
    /// The content of answers.
    type Body: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static;

    /// Answers a request of `peer`.
    fn answer(
        self,
        request: Request<Content>,
        peer: SocketAddr,
    ) -> impl Future<Output = Response<Self::Body>> + Send + 'static;

    /// Called when a connection is accepted.
    fn connection_opened(&self) {}

    /// Called when a connection has ended.
    fn connection_closed(&self) {}

    /// Called when a connection is closed because its peer has as many as it may have.
    fn connection_refused(&self) {}
}

/// The content of a request.
#[derive(Debug)]
pub struct Content(Incoming);

impl Content {
    pub(crate) const fn new(incoming: Incoming) -> Self {
        Self(incoming)
    }
}

impl Body for Content {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        Pin::new(&mut self.0).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}
