//! A channel that remembers for whom it is used.

use futures::future::BoxFuture;
use http::{Request, Response};
use kit::{
    rpc::client::{CallError, Channel},
    rpc::context::Context,
};
use std::task::{self, Poll};
use tonic::body::Body;
use tower::Service;

/// A channel whose calls are made in the context of one request, on any task.
#[derive(Clone)]
pub struct Upstream {
    /// The channel to the service.
    pub channel: Channel,
    /// The request's identity and id. Its deadline travels as `grpc-timeout`.
    pub context: Context,
}

impl Service<Request<Body>> for Upstream {
    type Response = Response<Body>;
    type Error = CallError;
    type Future = BoxFuture<'static, Result<Response<Body>, CallError>>;

    fn poll_ready(&mut self, context: &mut task::Context<'_>) -> Poll<Result<(), CallError>> {
        self.channel.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let call = self.channel.call(request);
        Box::pin(self.context.clone().scope(call))
    }
}
