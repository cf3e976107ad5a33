//! gRPC and gRPC-Web: calls that are passed on as they are, with identity and policy checked like any other.

use crate::{
    admission::RateLimits,
    state::{FORWARDED, Meta, State, label_failure, request_context},
    upstream::Upstream,
};
use futures::{TryFutureExt as _, future::BoxFuture};
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, Uri, Version,
    header::{ACCEPT, CONTENT_TYPE, TE},
};
use kit::rpc::{client::CallError, ending::answer_until, headers::parse_timeout};
use listener::Content;
use std::{
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    task::{self, Poll},
    time::Duration,
};
use tonic::{Status, body::Body as GrpcBody};
use tonic_web::GrpcWebLayer;
use tower::{Layer as _, Service, ServiceExt as _};
use transcode::{Body, ErrorContext, Failure};

/// Headers of the protocol that services see, beside those that any request may have.
const PROTOCOL: [&str; 5] =
    ["grpc-encoding", "grpc-accept-encoding", "grpc-timeout", "traceparent", "tracestate"];
const GRPC: &str = "application/grpc";
/// The media types of gRPC-Web, as tonic-web reads them.
const GRPC_WEB: [&str; 4] = [
    "application/grpc-web",
    "application/grpc-web+proto",
    "application/grpc-web-text",
    "application/grpc-web-text+proto",
];

/// Whether a request is a gRPC or gRPC-Web call, by its media type.
pub fn is_grpc(headers: &HeaderMap) -> bool {
    let start = headers.get(CONTENT_TYPE).and_then(|value| value.as_bytes().get(..GRPC.len()));
    start.is_some_and(|start| start.eq_ignore_ascii_case(GRPC.as_bytes()))
}

/// What a request with a media type of gRPC speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    /// gRPC, which needs HTTP/2.
    Grpc,
    /// gRPC-Web, with the media type in the form that tonic-web knows.
    Web(&'static str),
}

/// Reads the media type of a call; upper case and parameters make no difference (RFC 9110, section 8.3.1).
fn protocol_of(headers: &HeaderMap) -> Result<Protocol, Failure> {
    let media = headers.get(CONTENT_TYPE).and_then(media_type).unwrap_or_default();
    if let Some(known) = GRPC_WEB.into_iter().find(|known| *known == media) {
        return Ok(Protocol::Web(known));
    }
    match media.strip_prefix(GRPC) {
        Some(codec) if codec.is_empty() || codec.starts_with('+') => Ok(Protocol::Grpc),
        _ => {
            let known = GRPC_WEB.join(", ");
            let problem = format!("the media types of gRPC are {GRPC}, {GRPC}+proto, {known}");
            Err(Failure::unsupported(problem))
        }
    }
}

/// Refuses a call before it is read, in the protocol that it speaks.
pub fn refuse_call(headers: &HeaderMap, status: Status) -> Response<Body> {
    let mut response = status.into_http();
    if let Ok(Protocol::Web(media)) = protocol_of(headers) {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media));
    }
    response
}

/// The media type in lower case without its parameters.
fn media_type(value: &HeaderValue) -> Option<String> {
    let media = value.to_str().ok()?.split(';').next()?;
    Some(media.trim().to_ascii_lowercase())
}

/// Puts the media types of a gRPC-Web call into the form in which tonic-web compares them.
fn write_plainly(headers: &mut HeaderMap, media: &'static str) {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
    let accepted = headers.get(ACCEPT).and_then(media_type);
    if let Some(known) = GRPC_WEB.into_iter().find(|known| Some(*known) == accepted.as_deref()) {
        headers.insert(ACCEPT, HeaderValue::from_static(known));
    }
}

/// Serves the calls of one request.
pub struct GrpcHandler {
    pub state: Arc<State>,
    /// The request's id and origin.
    pub meta: Meta,
}

impl GrpcHandler {
    /// Answers a gRPC or gRPC-Web call.
    pub async fn answer(
        self,
        mut request: Request<Content>,
        limits: &mut RateLimits,
    ) -> Response<Body> {
        let context = ErrorContext::of(&request);
        if request.method() != Method::POST {
            return self.state.fail(&context, &Failure::not_allowed("POST"));
        }
        let label = self.state.table.get(request.uri().path()).map(|entry| entry.rpc.path);
        let protocol = match protocol_of(request.headers()) {
            Ok(protocol) => protocol,
            Err(failure) => return self.state.fail(&context, &failure),
        };
        if protocol == Protocol::Grpc && request.version() != Version::HTTP_2 {
            let failure = Failure::unsupported("gRPC needs HTTP/2; use gRPC-Web over HTTP/1.1");
            return self.state.fail(&context, &failure);
        }
        let shared = Arc::new(Mutex::new(*limits));
        let calls = PlainCalls { state: self.state, meta: self.meta, limits: Arc::clone(&shared) };
        let Ok(response) = if let Protocol::Web(media) = protocol {
            write_plainly(request.headers_mut(), media);
            GrpcWebLayer::new().layer(calls).oneshot(request).await
        } else {
            calls.oneshot(request.map(GrpcBody::new)).await
        };
        *limits = *shared.lock().unwrap_or_else(PoisonError::into_inner);
        let response = response.map(Body::new);
        match label {
            Some(label) => label_failure(response, label),
            None => response,
        }
    }
}

/// Calls in plain gRPC, also those that came as gRPC-Web.
#[derive(Clone)]
struct PlainCalls {
    state: Arc<State>,
    meta: Meta,
    limits: Arc<Mutex<RateLimits>>,
}

impl Service<Request<GrpcBody>> for PlainCalls {
    type Response = Response<GrpcBody>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<GrpcBody>, Infallible>>;

    fn poll_ready(&mut self, _: &mut task::Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<GrpcBody>) -> Self::Future {
        let calls = self.clone();
        Box::pin(async move { Ok(calls.pass_on(request).await.unwrap_or_else(Status::into_http)) })
    }
}

impl PlainCalls {
    async fn pass_on(self, request: Request<GrpcBody>) -> Result<Response<GrpcBody>, Status> {
        let Some(entry) = self.state.table.get(request.uri().path()) else {
            return Err(Status::unimplemented("no such RPC"));
        };
        let (head, body) = request.into_parts();
        let mut limits = *self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        let admitted = self.state.admission.admit(entry, &head.headers, &mut limits).await;
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner) = limits;
        let claims = admitted?;
        let most = Duration::from_millis(self.state.config.max_deadline_ms);
        let headers =
            outgoing_request(&head.headers, entry.rpc.headers, entry.timeout.as_ref(), most)?;
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = Uri::from_static(entry.rpc.path);
        *request.headers_mut() = headers;
        let upstream = Upstream {
            channel: entry.channel.clone(),
            context: request_context(claims.map(|claims| claims.subject), entry.rpc, &self.meta),
            // The client may take its time with its message; the service has places for the calls that have come whole.
            places: None,
            token: self.state.admission.token_of_stream(entry.rpc, claims),
        };
        let answer = upstream.oneshot(request).map_err(status_of);
        if entry.rpc.client_streaming || entry.rpc.server_streaming {
            let end = self.state.stream_ends.join();
            return answer_until(answer, entry.rpc.client_streaming, end).await;
        }
        answer.await
    }
}

/// What the client is told of a call that got no answer.
fn status_of(error: CallError) -> Status {
    match error.downcast::<Status>() {
        Ok(status) => *status,
        Err(error) => {
            tracing::warn!(%error, "a service cannot be reached");
            Status::unavailable("the service cannot be reached")
        }
    }
}

/// The headers that the service sees: those of every call, those that the contract names, and a deadline within what is
/// allowed.
fn outgoing_request(
    sent: &HeaderMap,
    named: &[&'static str],
    fallback: Option<&HeaderValue>,
    most: Duration,
) -> Result<HeaderMap, Status> {
    let mut headers = HeaderMap::with_capacity(8);
    for name in FORWARDED.into_iter().chain(named.iter().copied()).chain(PROTOCOL) {
        for value in sent.get_all(name) {
            headers.append(name, value.clone());
        }
    }
    // Whether it is JSON or protobuf that the frames hold is part of the type.
    if let Some(media) = sent.get(CONTENT_TYPE) {
        headers.insert(CONTENT_TYPE, media.clone());
    }
    headers.insert(TE, HeaderValue::from_static("trailers"));
    match headers.get("grpc-timeout") {
        None => {
            if let Some(timeout) = fallback {
                headers.insert("grpc-timeout", timeout.clone());
            }
        }
        Some(timeout) => {
            let asked = parse_timeout(timeout)
                .ok_or_else(|| Status::invalid_argument("grpc-timeout: is not a time-out"))?;
            if asked > most {
                let capped = format!("{}m", most.as_millis());
                if let Ok(value) = capped.parse() {
                    headers.insert("grpc-timeout", value);
                }
            }
        }
    }
    Ok(headers)
}
