//! Calls between services: one channel type for typed clients, whether the peer lives in this process or elsewhere.

use super::headers::{self, DEFAULT_TIMEOUT};
use crate::{
    identity::identify::INTERNAL_TOKEN, identity::token::Mint, rpc::caller::Caller,
    rpc::context::Context, rpc::remote::RemoteChannel,
};
use http::{HeaderMap, Request, Response};
use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{self, Poll},
    time::Duration,
};
use tonic::{Status, body::Body};
use tower::{Service, ServiceExt, util::BoxCloneSyncService};

/// A service's guarded stack, callable without a socket.
pub type Stack = BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>;

/// A failed call, as tonic's clients take it.
pub type CallError = Box<dyn std::error::Error + Send + Sync>;

/// Where a service is found.
#[derive(Clone)]
pub enum Peer {
    /// In this process.
    Local(Stack),
    /// At an address.
    Remote(RemoteChannel),
}

/// A channel from one service to another. Clients take it where they would take tonic's own.
#[derive(Clone)]
pub struct Channel {
    /// The service that calls and what proves it; none calls as nobody.
    from: Option<(Arc<str>, Mint)>,
    target: Arc<str>,
    peer: Arc<OnceLock<Peer>>,
}

impl Channel {
    /// A channel from `from` to `target`, which `peer` names once the target has started.
    pub fn new(from: &str, target: &str, peer: Arc<OnceLock<Peer>>, mint: Mint) -> Self {
        Self { from: Some((from.into(), mint)), target: target.into(), peer }
    }

    /// A channel to `target` for what everybody may ask.
    pub fn anonymous(target: &str, peer: Arc<OnceLock<Peer>>) -> Self {
        Self { from: None, target: target.into(), peer }
    }

    /// The caller that the target meets: the service itself, on behalf of the account that it serves at the moment.
    fn caller(&self, context: &Context) -> Caller {
        match &self.from {
            Some((from, _)) => Caller { service: Some(from.clone()), subject: context.subject },
            None => Caller::default(),
        }
    }

    async fn send(self, request: Request<Body>) -> Result<Response<Body>, CallError> {
        let context = Context::current();
        let Some(peer) = self.peer.get() else {
            return Err(Status::unavailable(format!("{} has not started", self.target)).into());
        };
        let caller = self.caller(&context);
        let left = time_left(&context, request.headers());
        if left < Duration::from_millis(10) {
            return Err(Status::deadline_exceeded("no time left for the call").into());
        }
        let answer = tokio::time::timeout(left, async {
            match peer {
                Peer::Local(stack) => local_service(stack.clone(), request, caller, left).await,
                Peer::Remote(remote) => {
                    let mut request = request;
                    if let Some((_, mint)) = &self.from {
                        let token = mint.token(&self.target, caller.subject);
                        request.headers_mut().insert(INTERNAL_TOKEN, token);
                    }
                    carry_on(&context, left, request.headers_mut());
                    remote.clone().call(request).await.map_err(CallError::from)
                }
            }
        });
        answer
            .await
            .unwrap_or_else(|_| Err(Status::deadline_exceeded("the call took too long").into()))
    }
}

/// A call on behalf of the edge has its own deadline already; any other takes what is left of its caller's.
fn time_left(context: &Context, headers: &HeaderMap) -> Duration {
    let asked = headers.get("grpc-timeout").and_then(headers::parse_timeout);
    context.time_left(asked.unwrap_or(DEFAULT_TIMEOUT))
}

async fn local_service(
    stack: Stack,
    mut request: Request<Body>,
    caller: Caller,
    left: Duration,
) -> Result<Response<Body>, CallError> {
    request.extensions_mut().insert(caller);
    request.extensions_mut().insert(headers::TimeLeft(left));
    if let Some(request_id) = Context::current().request_id {
        request.extensions_mut().insert(headers::RequestId(request_id));
    }
    crate::program::telemetry::inject_trace(request.headers_mut());
    let Ok(response) = stack.oneshot(request).await;
    Ok(response)
}

/// Writes deadline, trace and request id into the headers of a remote call.
fn carry_on(context: &Context, left: Duration, headers: &mut HeaderMap) {
    if let Ok(value) = format!("{}m", left.as_millis()).parse() {
        headers.insert("grpc-timeout", value);
    }
    if let Some(value) = context.request_id.as_deref().and_then(|id| id.parse().ok()) {
        headers.insert(headers::REQUEST_ID, value);
    }
    crate::program::telemetry::inject_trace(headers);
}

impl Service<Request<Body>> for Channel {
    type Response = Response<Body>;
    type Error = CallError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, CallError>> + Send>>;

    fn poll_ready(&mut self, _: &mut task::Context<'_>) -> Poll<Result<(), CallError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.clone().send(request))
    }
}
