//! What the transcoder asks of the upstream and of a request's content.

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Extensions, HeaderMap, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use tower::Service;

use crate::body::BoxError;

/// A gRPC channel: `tonic::transport::Channel`, or any stack of layers on one.
pub trait Upstream:
    Service<
        Request<tonic::body::Body>,
        Response = Response<tonic::body::Body>,
        Error: Into<BoxError>,
        Future: Send,
    > + Clone
    + Send
    + 'static
{
}

impl<S> Upstream for S where
    S: Service<
            Request<tonic::body::Body>,
            Response = Response<tonic::body::Body>,
            Error: Into<BoxError>,
            Future: Send,
        > + Clone
        + Send
        + 'static
{
}

/// The body of a request. Where it ends with a [`Failure`](crate::Failure), that is the answer.
pub trait RequestContent:
    http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static
{
}

impl<B> RequestContent for B where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static
{
}

/// A request extension: headers that the caller of the transcoder adds to the upstream request.
/// They replace those of the same name which the client sent.
#[derive(Clone, Debug, Default)]
pub struct UpstreamMetadata(pub HeaderMap);

/// A request extension: extensions that the upstream request gets.
#[derive(Clone, Debug, Default)]
pub struct UpstreamExtensions(pub Extensions);

/// The request's content with its type erased.
pub(crate) type Content = UnsyncBoxBody<Bytes, BoxError>;

/// Opens the upstream call.
pub(crate) type OpenCall = Box<
    dyn FnOnce(
            Request<tonic::body::Body>,
        ) -> BoxFuture<'static, Result<Response<tonic::body::Body>, BoxError>>
        + Send,
>;
