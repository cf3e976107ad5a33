//! A channel that remembers for whom it is used.

use crate::admission::PlacesFor;
use futures::future::BoxFuture;
use http::{Request, Response};
use kit::{
    rpc::client::{CallError, Channel},
    rpc::context::Context,
    rpc::revocable::AccessToken,
};
use std::{
    mem,
    task::{self, Poll},
};
use tonic::body::Body;
use tower::Service;

/// A channel whose calls are made in the context of one request, on any task.
#[derive(Clone)]
pub struct Upstream {
    /// The channel to the service.
    pub channel: Channel,
    /// The request's identity and id. Its deadline travels as `grpc-timeout`.
    pub context: Context,
    /// Where the call needs a place: none where it would hold the place for as long as its client sends.
    pub places: Option<PlacesFor>,
    /// The answer ends when this token becomes void.
    pub token: Option<AccessToken>,
}

impl Service<Request<Body>> for Upstream {
    type Response = Response<Body>;
    type Error = CallError;
    type Future = BoxFuture<'static, Result<Response<Body>, CallError>>;

    fn poll_ready(&mut self, context: &mut task::Context<'_>) -> Poll<Result<(), CallError>> {
        self.channel.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let next = self.channel.clone();
        let mut channel = mem::replace(&mut self.channel, next);
        let (context, places) = (self.context.clone(), self.places.clone());
        let token = self.token.clone();
        Box::pin(async move {
            let _place = match &places {
                Some(places) => Some(places.wait_for_one().await?),
                None => None,
            };
            let answer = context.scope(channel.call(request)).await?;
            Ok(match token {
                Some(token) => token.until_void(answer),
                None => answer,
            })
        })
    }
}
