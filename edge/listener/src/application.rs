//! What a listener leads to: the program that answers requests.

use crate::content::Content;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body;
use std::net::SocketAddr;

/// What went wrong with a request or its answer, of any type.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Answers the requests of all connections. A clone is made for each connection and each request.
pub trait Application: Clone + Send + Sync + 'static {
    /// The content of answers.
    type Body: Body<Data = Bytes, Error: Into<BoxError>> + Unpin + Send + 'static;

    /// Answers a request of `peer`. Requests that [`check_request`](crate::check_request) refuses come here too, so
    /// that their answers look like all others; their connections are closed.
    fn answer(
        self,
        request: Request<Content>,
        peer: SocketAddr,
    ) -> impl Future<Output = Response<Self::Body>> + Send + 'static;

    /// The answer to a request whose head hyper could not read: the status is hyper's. None leaves hyper's answer, which
    /// has no content.
    fn answer_unreadable(&self, _status: StatusCode) -> Option<Response<Bytes>> {
        None
    }

    /// Called when a connection is accepted.
    fn connection_opened(&self) {}

    /// Called when a connection has ended.
    fn connection_closed(&self) {}

    /// Called when a connection is closed because its peer has as many as it may have.
    fn connection_refused(&self) {}

    /// Called when an idle connection is closed because another peer wants its place.
    fn connection_evicted(&self) {}
}
