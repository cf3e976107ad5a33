//! The guard round every service: who calls, whether they may, how long they wait, and what becomes of a panic.

use super::headers::{DEFAULT_TIMEOUT, REQUEST_ID, RequestId, TimeLeft, parse_timeout};
use super::listener::MAX_MESSAGE_BYTES;
use crate::{
    identity::identify::{Identified, Identity},
    mesh::MeshPeer,
    program::metrics,
    program::telemetry,
    rpc::admission::{Permit, Places, Priority},
    rpc::caller::{Caller, Role},
    rpc::client::Stack,
    rpc::context::{Audited, Context},
    rpc::error,
    rpc::reason,
    rpc::revocable::AccessToken,
};
use futures::FutureExt;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use proto::rpc::{self, IdempotencyKey, IdempotencyLevel, Rpc};
use std::{
    convert::Infallible,
    future::Future,
    panic::AssertUnwindSafe,
    pin::{Pin, pin},
    sync::Arc,
    task::{self, Poll},
    time::Duration,
};
use tokio::time::Instant;
use tonic::{Code, Status, body::Body, service::Routes as TonicRoutes};
use tower::{Service, ServiceExt};
use tracing::Instrument;

/// The gRPC services that one service of ours serves.
#[derive(Default)]
pub struct Routes {
    routes: TonicRoutes,
}

impl Routes {
    /// Adds a generated server.
    #[must_use]
    #[expect(clippy::should_implement_trait, reason = "a builder's step, not arithmetic")]
    pub fn add<S>(mut self, server: S) -> Self
    where
        S: Service<Request<Body>, Error = Infallible>
            + tonic::server::NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Response: axum::response::IntoResponse,
        S::Future: Send + 'static,
    {
        self.routes = self.routes.add_service(server);
        self
    }
}

/// Calls that a service works on at a time.
const MAX_IN_FLIGHT: usize = 1024;

/// Bytes before a message on the wire: whether it is compressed, and its length.
const GRPC_PREFIX_BYTES: usize = 5;

/// Puts the guard round `routes`.
pub fn guard_service(service: &str, routes: Routes, identity: Arc<Identity>) -> Stack {
    let guard = Guard {
        inner: routes.routes.prepare(),
        shared: Arc::new(Shared {
            service: service.into(),
            identity,
            places: Places::new(MAX_IN_FLIGHT),
            metrics: metrics::service(service),
        }),
    };
    Stack::new(guard)
}

#[derive(Clone)]
struct Guard {
    inner: TonicRoutes,
    shared: Arc<Shared>,
}

struct Shared {
    service: Box<str>,
    identity: Arc<Identity>,
    places: Places,
    metrics: metrics::ServiceMetrics,
}

impl Service<Request<Body>> for Guard {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut task::Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let guard = self.clone();
        Box::pin(async move {
            let Some(rpc) = rpc::find_rpc(request.uri().path()) else {
                return Ok(Status::unimplemented("no such RPC").into_http());
            };
            let shared = guard.shared.clone();
            let measured = shared.metrics.start(rpc.path);
            let span = telemetry::rpc_span(&shared.service, rpc.path, request.headers());
            let served = guard.serve(rpc, request).instrument(span.clone()).await;
            let answer = served.unwrap_or_else(Status::into_http);
            // A success says so in its trailers, which are still to come.
            let code = Status::from_header_map(answer.headers()).map_or(Code::Ok, |it| it.code());
            telemetry::record_code(&span, code);
            measured.end(code);
            Ok(answer)
        })
    }
}

impl Guard {
    async fn serve(
        self,
        rpc: &'static Rpc,
        mut request: Request<Body>,
    ) -> Result<Response<Body>, Status> {
        let shared = self.shared.clone();
        let Identified { caller, access } = match request.extensions().get::<Caller>().cloned() {
            Some(caller) => Identified { caller, access: None },
            None => {
                let peer = request.extensions().get::<MeshPeer>();
                shared.identity.identify(&shared.service, request.headers(), peer).await?
            }
        };
        authorize_caller(rpc, &caller, request.headers())?;
        let reason = reason::read_reason(rpc, &caller, request.headers())?;
        let audited = Audited::default();
        let deadline = Instant::now() + time_left(&request);
        let context = Context {
            deadline: Some(deadline),
            subject: caller.subject,
            request_id: request_id(&request),
            rpc: rpc.path,
            actor: caller.to_string().into(),
            reason,
            audited: audited.clone(),
        };
        let priority = if caller.is_service() { Priority::Accepted } else { Priority::of(rpc) };
        request.extensions_mut().insert(caller);
        if !rpc.client_streaming {
            request = read_message(request, deadline).await?;
        }
        let place = shared.places.wait_for_one(rpc, priority).await.map_err(|overloaded| {
            shared.metrics.shed();
            error::status_of(&overloaded)
        })?;
        let answered = if runs_to_its_end(rpc) {
            let handler = context.scope(self.inner.oneshot(request));
            run_to_its_end(handler, place, deadline, rpc).await?
        } else {
            let handler = context.scope(self.inner.oneshot(request));
            let answered = AssertUnwindSafe(handler).catch_unwind();
            tokio::time::timeout_at(deadline, answered).await.map_err(|_| too_late())?
        };
        match answered {
            Ok(Ok(response)) if is_unwritten(rpc, &response, &audited) => Err(error::internal()),
            Ok(Ok(response)) => Ok(match access {
                Some(claims) if rpc.server_streaming => {
                    AccessToken::new(shared.identity.clone(), claims).until_void(response)
                }
                _ => response,
            }),
            Ok(Err(never)) => match never {},
            Err(_) => {
                shared.metrics.panicked();
                tracing::error!(rpc = rpc.path, "a handler panicked");
                Err(error::internal())
            }
        }
    }
}

/// Whether an answer must be withheld: the contract has reads written down, and this one was not. A failure says so in its
/// headers, and has nothing to write down.
fn is_unwritten(rpc: &Rpc, response: &Response<Body>, audited: &Audited) -> bool {
    let failed =
        Status::from_header_map(response.headers()).is_some_and(|status| status.code() != Code::Ok);
    let is_unwritten = rpc.audit.read && !failed && !audited.is_noted();
    if is_unwritten {
        tracing::error!(rpc = rpc.path, "a read was not written down, its answer is withheld");
    }
    is_unwritten
}

/// Runs a handler in a task of its own, which keeps its place among the requests in flight. The caller waits for it
/// until the deadline; the task goes on.
async fn run_to_its_end<H>(
    handler: H,
    place: Permit,
    deadline: Instant,
    rpc: &Rpc,
) -> Result<std::thread::Result<H::Output>, Status>
where
    H: Future<Output: Send> + Send + 'static,
{
    let run = async move {
        let answered = AssertUnwindSafe(handler).catch_unwind().await;
        drop(place);
        answered
    };
    let task = tokio::spawn(run.in_current_span());
    let ended = tokio::time::timeout_at(deadline, task).await.map_err(|_| too_late())?;
    ended.map_err(|cancelled| {
        tracing::warn!(%cancelled, rpc = rpc.path, "a handler was stopped before its end, what it began is rolled back");
        Status::unavailable("the service is stopping")
    })
}

/// Whether the RPC writes something: it changes something, or writes down who reads. Its handler then runs to its end even
/// when its caller hangs up or the deadline passes. So a handler is never dropped between two of its statements, and a
/// transaction in it is plain code. Streams end with their callers instead.
fn runs_to_its_end(rpc: &Rpc) -> bool {
    let writes = rpc.idempotency_level != IdempotencyLevel::NoSideEffects || rpc.audit.read;
    writes && !rpc.client_streaming && !rpc.server_streaming
}

/// Takes in the message before the call has a place and its handler begins: a slow sender holds up nothing but its own
/// call, and once a handler runs that changes something, no deadline ends it.
async fn read_message(request: Request<Body>, deadline: Instant) -> Result<Request<Body>, Status> {
    let (head, body) = request.into_parts();
    let mut reading = pin!(Limited::new(body, MAX_MESSAGE_BYTES + GRPC_PREFIX_BYTES).collect());
    // Mostly all of it is there already, and no timer is needed.
    let read = match futures::poll!(reading.as_mut()) {
        Poll::Ready(read) => read,
        Poll::Pending => {
            tokio::time::timeout_at(deadline, reading).await.map_err(|_| too_late())?
        }
    };
    let body = read.map_err(|error| match error.downcast::<Status>() {
        Ok(status) => *status,
        Err(error) if error.is::<LengthLimitError>() => {
            Status::out_of_range(format!("the message is longer than {MAX_MESSAGE_BYTES} bytes"))
        }
        Err(_) => Status::cancelled("the message broke off"),
    })?;
    Ok(Request::from_parts(head, Body::new(body.map_err(|never| match never {}))))
}

fn too_late() -> Status {
    Status::deadline_exceeded("the request took too long")
}

/// Refuses a caller that the contract does not list. The edge asks this too, before it calls.
pub fn authorize_caller(rpc: &Rpc, caller: &Caller, headers: &HeaderMap) -> Result<(), Status> {
    // The edge never forwards users to service-only RPCs, so here its caller is the edge itself.
    let only_services = rpc.callers == rpc::Callers::of(&[rpc::Caller::Service]);
    if caller.is_service() || (only_services && caller.service.is_some()) {
        let service = caller.service.as_deref().unwrap_or_default();
        let listed = rpc.callers.contains(rpc::Caller::Service) && rpc.services.contains(&service);
        return if listed { Ok(()) } else { Err(error::status_of(&error::Error::Denied)) };
    }
    if !rpc.callers.iter().any(|listed| permits_caller(listed, caller)) {
        let refused = match caller.subject {
            None => error::Error::Unauthenticated,
            Some(_) => error::Error::Denied,
        };
        return Err(error::status_of(&refused));
    }
    idempotency_key(rpc, headers.get(crate::storage::idempotency::HEADER))
}

fn permits_caller(listed: rpc::Caller, caller: &Caller) -> bool {
    match listed {
        rpc::Caller::Public => true,
        rpc::Caller::User => caller.subject.is_some(),
        rpc::Caller::Customer => caller.has_role(Role::Customer),
        rpc::Caller::Provider => caller.has_role(Role::Provider),
        rpc::Caller::Operator => caller.is_operator(),
        rpc::Caller::Service | rpc::Caller::Unspecified => false,
    }
}

/// Checks the key's form, and that it is there where the contract asks for it.
fn idempotency_key(rpc: &Rpc, key: Option<&HeaderValue>) -> Result<(), Status> {
    let problem = match key {
        None if rpc.idempotency_key == IdempotencyKey::Required => "must be given",
        Some(key) if key.is_empty() || key.len() > 255 || key.to_str().is_err() => {
            "must have 1 to 255 printable ASCII characters"
        }
        _ => return Ok(()),
    };
    Err(error::Error::invalid("Idempotency-Key", problem).into())
}

fn time_left(request: &Request<Body>) -> Duration {
    if let Some(TimeLeft(left)) = request.extensions().get() {
        return *left;
    }
    request.headers().get("grpc-timeout").and_then(parse_timeout).unwrap_or(DEFAULT_TIMEOUT)
}

fn request_id(request: &Request<Body>) -> Option<Arc<str>> {
    if let Some(RequestId(id)) = request.extensions().get() {
        return Some(id.clone());
    }
    request.headers().get(REQUEST_ID)?.to_str().ok().map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_that_is_written_down_runs_to_its_end_and_others_end_with_their_callers() {
        let audited = rpc::all_rpcs().iter().filter(|rpc| rpc.audit.read);
        let left: Vec<_> = audited.clone().filter(|rpc| !runs_to_its_end(rpc)).collect();
        assert!(audited.count() >= 4 && left.is_empty(), "{left:?}");
        let read = rpc::find_rpc("/quickserve.order.v1.OrderService/GetOrder").unwrap();
        assert!(!runs_to_its_end(read));
    }
}
