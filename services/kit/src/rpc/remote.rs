//! A channel to a peer over HTTP/2: calls spread over its replicas, a limit on every wait, failures named by their cause,
//! retries within a budget.
//!
//! `resolver` says where the replicas are, `replicas` which one gets a call, `replica` what is known of one of them.
//!
//! tonic's own channel says CANCELLED for a timeout and for a connection that went away, UNKNOWN for a peer that
//! refuses, and waits without a limit while it connects; so `failure` maps causes, and every call has a deadline here.

mod body;
mod failure;
mod replica;
mod replicas;
mod resolver;

use super::headers;
use crate::mesh::MeshClient;
use body::Bounded;
use http::{HeaderMap, HeaderValue, Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use proto::rpc::{IdempotencyKey, IdempotencyLevel};
use replica::CountedBody;
use replicas::{FollowPace, Replicas};
use resolver::{Resolver, SystemResolver};
use std::{
    future::Future,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::task::AbortOnDropHandle;
use tonic::{Status, body::Body};
use tower::{
    Service, ServiceExt as _,
    retry::budget::{Budget as _, TpsBudget},
};

/// How often a call that may be repeated is tried again.
const RETRIES: u32 = 2;
/// How often a call is sent again that no replica is known to have processed. This is safe for calls of every kind.
const RESENDS: u32 = 4;
/// The longest and the shortest pause before a retry, in milliseconds.
const PAUSE_MS: std::ops::RangeInclusive<u64> = 25..=250;
/// A retry is not begun when less than this is left for it.
const LEAST_LEFT: Duration = Duration::from_millis(10);
/// Retries per call over the budget's window, beyond [`BUDGET_PER_SECOND`].
const BUDGET_SHARE: f32 = 0.1;
const BUDGET_PER_SECOND: u32 = 1;
const BUDGET_WINDOW: Duration = Duration::from_secs(10);

/// A peer tells by this header when to try again, in milliseconds; by a negative number, never (gRFC A6).
const PUSHBACK: &str = "grpc-retry-pushback-ms";

/// The address of a peer is no address.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// It is none of a peer in the clear.
    #[error(
        "the address of a peer must be like http://host:port; https:// needs the certificates of the section [mesh]"
    )]
    Plain,
    /// It is none of a peer in the mesh.
    #[error(
        "the address of a peer must be like https://host:port, because the section [mesh] is set"
    )]
    Mesh,
}

/// A channel to one peer and all its replicas. Clones share their connections and the retry budget.
#[derive(Clone)]
pub struct RemoteChannel {
    shared: Arc<Shared>,
}

struct Shared {
    /// The peer's address, for log lines.
    peer: String,
    replicas: Arc<Replicas>,
    resolver: Arc<dyn Resolver>,
    /// Keeps the replicas up to date, from the first call on.
    follow: OnceLock<AbortOnDropHandle<()>>,
    budget: TpsBudget,
    repetition: RepetitionPolicy,
}

/// Says by the path and the headers of a call when it may be sent again.
type RepetitionPolicy = fn(&str, &HeaderMap) -> Repetition;

/// When a call may be sent again after it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Repetition {
    /// Never: its body is a stream, which is sent as it comes.
    Never,
    /// When the peer is known not to have processed it.
    Unprocessed,
    /// When the peer is unavailable: the call has the same effect twice.
    Unavailable,
}

/// A call that got no answer.
struct Failed {
    status: Status,
    reach: CallReach,
}

/// How far a call that failed is known to have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CallReach {
    /// It was never sent: there was no connection.
    Unsent,
    /// The replica did not process it.
    Unprocessed,
    /// There was no answer within the time of the try.
    Unanswered,
    /// It is not known.
    Unknown,
}

impl RemoteChannel {
    /// A channel to `http://host:port`. At the first call it looks the name up and connects to all its addresses, and
    /// follows the name from then on.
    pub fn connect(address: &str) -> Result<Self, AddressError> {
        let (origin, resolver) = read_address(address, "http").ok_or(AddressError::Plain)?;
        let replicas = Replicas::new(origin, FollowPace::default(), None);
        Ok(Self::new(replicas, Arc::new(resolver), repeats_of))
    }

    /// A channel to `https://host:port`, whose replicas have to prove that they are the service of `mesh`.
    pub fn connect_in_mesh(address: &str, mesh: MeshClient) -> Result<Self, AddressError> {
        let (origin, resolver) = read_address(address, "https").ok_or(AddressError::Mesh)?;
        let replicas = Replicas::new(origin, FollowPace::default(), Some(mesh));
        Ok(Self::new(replicas, Arc::new(resolver), repeats_of))
    }

    fn new(replicas: Replicas, resolver: Arc<dyn Resolver>, repetition: RepetitionPolicy) -> Self {
        let shared = Shared {
            peer: replicas.origin().to_string(),
            replicas: Arc::new(replicas),
            resolver,
            follow: OnceLock::new(),
            budget: TpsBudget::new(BUDGET_WINDOW, BUDGET_PER_SECOND, BUDGET_SHARE),
            repetition,
        };
        Self { shared: Arc::new(shared) }
    }

    /// Sends a request and waits for the head of its answer, until the deadline in its `grpc-timeout` at most. A
    /// transport failure is UNAVAILABLE, a deadline DEADLINE_EXCEEDED, at every stage of the call.
    pub async fn send(&self, request: Request<Body>) -> Result<Response<Body>, Status> {
        self.shared.follow_name();
        let asked = request.headers().get("grpc-timeout").and_then(headers::parse_timeout);
        let now = Instant::now();
        let deadline = asked.and_then(|timeout| now.checked_add(timeout));
        let until = deadline.unwrap_or(now + headers::DEFAULT_TIMEOUT);
        self.shared.budget.deposit();
        let answer = async {
            match (self.shared.repetition)(request.uri().path(), request.headers()) {
                Repetition::Never => {
                    let answer = self.try_once(request, &mut Vec::new(), false, until).await;
                    answer.map_err(|failed| failed.status)
                }
                Repetition::Unprocessed => self.send_message(request, 0, until).await,
                Repetition::Unavailable => self.send_message(request, RETRIES, until).await,
            }
        };
        let response = timeout_at(until, answer).await.map_err(|_| failure::too_late())??;
        // A deadline that the caller set covers the whole answer (a stream without one has no end).
        Ok(response.map(|body| Body::new(Bounded::new(body, deadline))))
    }

    /// Sends a request to one replica, which is noted in `tried`, and waits for the head of its answer until `until`; for
    /// half of the time when `saves_time` and another replica can have the other half.
    async fn try_once(
        &self,
        request: Request<Body>,
        tried: &mut Vec<SocketAddr>,
        saves_time: bool,
        until: Instant,
    ) -> Result<Response<Body>, Failed> {
        let replicas = &self.shared.replicas;
        let picked = replicas.pick(tried).await;
        let replica = picked.map_err(|status| Failed { status, reach: CallReach::Unknown })?;
        tried.push(replica.address);
        let call = replica.begin_call();
        let until = if saves_time && replicas.has_other(tried) { middle(until) } else { until };
        let error = match timeout_at(until, replica.channel.clone().oneshot(request)).await {
            Ok(Ok(response)) => {
                replica.note_answer();
                return Ok(response.map(|body| Body::new(CountedBody { body, _call: call })));
            }
            Ok(Err(error)) => error,
            Err(_) => {
                replica.note_failure();
                return Err(Failed { status: failure::too_late(), reach: CallReach::Unanswered });
            }
        };
        tracing::debug!(peer = self.shared.peer, replica = %replica.address, ?error, "a call failed");
        replica.note_failure();
        let reach = failure::reach_of(&error);
        if reach == CallReach::Unsent {
            replicas.note_unreachable(&replica);
        }
        Err(Failed { status: failure::status_of_failure(&error), reach })
    }

    /// Sends a request of one message. It is sent again at once when no replica can have processed it: when there was no
    /// connection and another replica may have one, and when the connection was closing. And it is sent again, so many
    /// times as there are `retries`, while the peer is unavailable, the budget lasts and there is time: at once to
    /// another replica when the first does not answer within half of the time, and after a pause otherwise.
    async fn send_message(
        &self,
        request: Request<Body>,
        mut retries: u32,
        until: Instant,
    ) -> Result<Response<Body>, Status> {
        let (mut head, body) = request.into_parts();
        let message = body.collect().await?.to_bytes();
        let (mut tried, mut resends) = (Vec::new(), RESENDS);
        loop {
            let saves_time = retries == RETRIES;
            let body = Body::new(Full::new(message.clone()));
            let request = Request::from_parts(head.clone(), body);
            let failed = match self.try_once(request, &mut tried, saves_time, until).await {
                Ok(response) => Ok(response),
                Err(failed) if resends > 0 && self.is_resent(&failed, &tried) => {
                    resends -= 1;
                    continue;
                }
                Err(failed) => Err(failed),
            };
            let Some(pause) = pause_before(&failed) else {
                return failed.map_err(|failed| failed.status);
            };
            let resumes = Instant::now() + pause;
            if retries == 0 || resumes + LEAST_LEFT > until || !self.shared.budget.withdraw() {
                return failed.map_err(|failed| failed.status);
            }
            retries -= 1;
            sleep_until(resumes).await;
            shorten_timeout(&mut head.headers, until);
        }
    }

    /// Whether a call that failed is sent again although it may have no effect twice.
    fn is_resent(&self, failed: &Failed, tried: &[SocketAddr]) -> bool {
        match failed.reach {
            CallReach::Unsent => self.shared.replicas.has_other(tried),
            CallReach::Unprocessed => true,
            CallReach::Unanswered | CallReach::Unknown => false,
        }
    }
}

impl Shared {
    fn follow_name(&self) {
        self.follow.get_or_init(|| {
            let following = self.replicas.clone().follow(self.resolver.clone());
            AbortOnDropHandle::new(tokio::spawn(following))
        });
    }
}

/// The origin and the resolver of an address with this scheme.
fn read_address(address: &str, scheme: &str) -> Option<(Uri, SystemResolver)> {
    let origin: Uri = address.parse().ok()?;
    let host = origin.host().filter(|host| !host.is_empty())?;
    if origin.scheme_str() != Some(scheme) {
        return None;
    }
    let default_port = if scheme == "https" { 443 } else { 80 };
    let resolver = SystemResolver::new(host, origin.port_u16().unwrap_or(default_port));
    Some((origin, resolver))
}

/// Whether what is sent to `address` stays on this machine: its host is `localhost` or an address of the loopback network.
pub fn is_on_this_machine(address: &str) -> bool {
    let Ok(origin) = address.parse::<Uri>() else { return false };
    let host = origin.host().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The instant half way between now and `until`.
fn middle(until: Instant) -> Instant {
    let now = Instant::now();
    now + until.saturating_duration_since(now) / 2
}

/// Tells the next replica how little time is left.
fn shorten_timeout(headers: &mut HeaderMap, until: Instant) {
    let left = until.saturating_duration_since(Instant::now()).as_millis();
    if let Ok(left) = HeaderValue::try_from(format!("{left}m"))
        && headers.contains_key("grpc-timeout")
    {
        headers.insert("grpc-timeout", left);
    }
}

impl Service<Request<Body>> for RemoteChannel {
    type Response = Response<Body>;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Status>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let channel = self.clone();
        Box::pin(async move { channel.send(request).await })
    }
}

/// When the contracts allow to send a call again. A read, an idempotent RPC, and one that carries an idempotency key have
/// the same effect twice.
fn repeats_of(path: &str, headers: &HeaderMap) -> Repetition {
    let keyed = headers.contains_key(crate::storage::idempotency::HEADER);
    match proto::find_rpc(path) {
        None => Repetition::Never,
        Some(rpc) if rpc.client_streaming => Repetition::Never,
        Some(rpc) => {
            let safe = rpc.idempotency_level != IdempotencyLevel::Unknown;
            let with_key = keyed && rpc.idempotency_key != IdempotencyKey::Unspecified;
            if safe || with_key { Repetition::Unavailable } else { Repetition::Unprocessed }
        }
    }
}

/// How long to wait before the call is tried again; none when it shall not be.
fn pause_before(answer: &Result<Response<Body>, Failed>) -> Option<Duration> {
    let unavailable = HeaderValue::from_static("14");
    let pushback = match answer {
        // A peer that refuses answers with the status in the head.
        Ok(response) if response.headers().get(Status::GRPC_STATUS) == Some(&unavailable) => {
            response.headers().get(PUSHBACK)
        }
        Err(failed) if failed.reach == CallReach::Unanswered => return Some(Duration::ZERO),
        Err(failed) if failed.status.code() == tonic::Code::Unavailable => None,
        Ok(_) | Err(_) => return None,
    };
    match pushback {
        None => Some(Duration::from_millis(rand::random_range(PAUSE_MS))),
        // What is no count of milliseconds, or a negative one, means not at all.
        Some(told) => told.to_str().ok()?.parse().ok().map(Duration::from_millis),
    }
}

#[cfg(test)]
mod tests;
