//! What a listener leads to: the program that answers requests.

use crate::content::Content;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body;
use std::{io, net::SocketAddr};
use tokio_rustls::rustls::pki_types::CertificateDer;

/// An error of a library underneath, which is logged and not told apart.
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

    /// What answers the requests of a connection whose peer has shown `certificate`, which is one of those that the
    /// configuration of TLS trusts.
    #[must_use]
    fn meet(self, _certificate: &CertificateDer<'_>, _peer: SocketAddr) -> Self {
        self
    }

    /// The answer to a request whose head hyper could not read: the status is hyper's. None leaves hyper's answer, which
    /// has no content.
    fn answer_unreadable(&self, _status: StatusCode) -> Option<Response<Bytes>> {
        None
    }

    /// Called when a connection is accepted.
    fn connection_opened(&self) {}

    /// Called when a connection ends before TLS is open.
    fn handshake_failed(&self, _peer: SocketAddr, _error: &io::Error) {}

    /// Called when a connection has ended.
    fn connection_closed(&self) {}

    /// Called when a connection is closed because its peer has as many as it may have.
    fn connection_refused(&self) {}

    /// Called when an idle connection is closed because another peer wants its place.
    fn connection_evicted(&self) {}
}
