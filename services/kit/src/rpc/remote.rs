//! A channel to a peer over HTTP/2: a limit on every wait, failures named by their cause, retries within a budget.
//!
//! tonic's own channel says CANCELLED for a timeout and for a connection that went away, UNKNOWN for a peer that
//! refuses, and waits without a limit while it connects; so `failure` maps causes, and every call has a deadline here.

mod body;
mod failure;

use super::headers;
use body::Bounded;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, Full};
use proto::rpc::{IdempotencyKey, IdempotencyLevel};
use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::Instant;
use tonic::{
    Status,
    body::Body,
    transport::{Channel, Endpoint},
};
use tower::{
    Service, ServiceExt as _,
    retry::budget::{Budget as _, TpsBudget},
};

/// Time to connect to a peer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Time between pings that find out whether a silent peer is still there.
const KEEPALIVE: Duration = Duration::from_secs(10);
/// Time for the answer to a ping.
const KEEPALIVE_ANSWER: Duration = Duration::from_secs(5);
/// Bytes in flight towards us on one call, and on the connection.
const STREAM_WINDOW: u32 = 512 * 1024;
const CONNECTION_WINDOW: u32 = 2 * 1024 * 1024;

/// How often a call that may be repeated is tried again.
const RETRIES: u32 = 2;
/// How often a call is sent again that the peer is known not to have processed. This is safe for calls of every kind.
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
#[error("the address of a peer must be like http://host:port: {0}")]
pub struct AddressError(#[from] tonic::transport::Error);

/// A channel to one peer. Clones share its connection and its retry budget.
#[derive(Clone)]
pub struct RemoteChannel {
    channel: Channel,
    shared: Arc<Shared>,
}

struct Shared {
    /// The peer's address, for log lines.
    peer: String,
    budget: TpsBudget,
    repetition: fn(&str, &HeaderMap) -> Repetition,
}

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
    /// Whether the peer is known not to have processed it.
    unprocessed: bool,
}

impl RemoteChannel {
    /// A channel to `http://host:port`. It connects at the first call, and again when the connection is lost.
    pub fn connect(address: &str) -> Result<Self, AddressError> {
        Self::with_policy(address, repeats_of)
    }

    fn with_policy(
        address: &str,
        repetition: fn(&str, &HeaderMap) -> Repetition,
    ) -> Result<Self, AddressError> {
        let endpoint = Endpoint::from_shared(address.to_owned())?
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(KEEPALIVE)
            .keep_alive_timeout(KEEPALIVE_ANSWER)
            .keep_alive_while_idle(true)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW);
        let shared = Shared {
            peer: address.to_owned(),
            budget: TpsBudget::new(BUDGET_WINDOW, BUDGET_PER_SECOND, BUDGET_SHARE),
            repetition,
        };
        Ok(Self { channel: endpoint.connect_lazy(), shared: Arc::new(shared) })
    }

    /// Sends a request and waits for the head of its answer, until the deadline in its `grpc-timeout` at most. A
    /// transport failure is UNAVAILABLE, a deadline DEADLINE_EXCEEDED, at every stage of the call.
    pub async fn send(&self, request: Request<Body>) -> Result<Response<Body>, Status> {
        let asked = request.headers().get("grpc-timeout").and_then(headers::parse_timeout);
        let now = Instant::now();
        let deadline = asked.and_then(|timeout| now.checked_add(timeout));
        let until = deadline.unwrap_or(now + headers::DEFAULT_TIMEOUT);
        self.shared.budget.deposit();
        let answer = async {
            match (self.shared.repetition)(request.uri().path(), request.headers()) {
                Repetition::Never => self.once(request).await.map_err(|failed| failed.status),
                Repetition::Unprocessed => self.send_message(request, 0, until).await,
                Repetition::Unavailable => self.send_message(request, RETRIES, until).await,
            }
        };
        let response =
            tokio::time::timeout_at(until, answer).await.map_err(|_| failure::too_late())??;
        // A deadline that the caller set covers the whole answer (a stream without one has no end).
        Ok(response.map(|body| Body::new(Bounded::new(body, deadline))))
    }

    async fn once(&self, request: Request<Body>) -> Result<Response<Body>, Failed> {
        self.channel.clone().oneshot(request).await.map_err(|error| {
            tracing::debug!(peer = self.shared.peer, error = ?error, "a call failed");
            Failed {
                status: failure::status_of_failure(&error),
                unprocessed: failure::is_unprocessed(&error),
            }
        })
    }

    /// Sends a request of one message. It is sent again at once when the peer is known not to have processed it, as when
    /// the connection was closing; and after a pause, so many times as there are `retries`, while the peer is
    /// unavailable, the budget lasts and there is time.
    async fn send_message(
        &self,
        request: Request<Body>,
        mut retries: u32,
        until: Instant,
    ) -> Result<Response<Body>, Status> {
        let (mut head, body) = request.into_parts();
        let message = body.collect().await?.to_bytes();
        let mut resends = RESENDS;
        loop {
            let body = Body::new(Full::new(message.clone()));
            let answer = match self.once(Request::from_parts(head.clone(), body)).await {
                Err(failed) if failed.unprocessed && resends > 0 => {
                    resends -= 1;
                    continue;
                }
                answer => answer.map_err(|failed| failed.status),
            };
            let Some(pause) = pause_before(&answer) else { return answer };
            let resumes = Instant::now() + pause;
            if retries == 0 || resumes + LEAST_LEFT > until || !self.shared.budget.withdraw() {
                return answer;
            }
            retries -= 1;
            tokio::time::sleep_until(resumes).await;
            let left = until.saturating_duration_since(Instant::now()).as_millis();
            if let Ok(left) = HeaderValue::try_from(format!("{left}m"))
                && head.headers.contains_key("grpc-timeout")
            {
                head.headers.insert("grpc-timeout", left);
            }
        }
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
fn pause_before(answer: &Result<Response<Body>, Status>) -> Option<Duration> {
    let unavailable = HeaderValue::from_static("14");
    let pushback = match answer {
        // A peer that refuses answers with the status in the head.
        Ok(response) if response.headers().get(Status::GRPC_STATUS) == Some(&unavailable) => {
            response.headers().get(PUSHBACK)
        }
        Err(status) if status.code() == tonic::Code::Unavailable => None,
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
