//! Decides what serves a request: a page of the edge's own, gRPC, or a route of the contracts.

use crate::{
    admission::Admission,
    client, coding,
    config::Config,
    grpc::{self, GrpcHandler},
    health::Health,
    pages::{self, Page},
    rpc_table::{RpcEntry, RpcTable},
};
use futures::{
    FutureExt as _,
    future::{self, BoxFuture},
};
use http::{HeaderValue, Method, Request, Response, StatusCode, header::CACHE_CONTROL};
use kit::{Host, rpc::context::Context};
use listener::Content;
use std::{
    convert::Infallible,
    net::IpAddr,
    panic::AssertUnwindSafe,
    sync::Arc,
    task::{self, Poll},
};
use tokio::sync::Semaphore;
use tower::Service;
use transcode::{Body, ErrorContext, ErrorFormat, Failure, Options, RouteError, TrailingSlash};

/// Request headers that services see, beside the trace's.
pub const FORWARDED: [&str; 4] =
    ["idempotency-key", "accept-language", "quickserve-psp-signature", CLIENT];
/// The header in which services see the client's address. What the client puts there is replaced.
pub const CLIENT: &str = "x-quickserve-client";

/// The longest message that services take, which is what `tonic` lets in unless told otherwise.
const MAX_MESSAGE_BYTES: usize = 4 << 20;

/// What every request has from its connection and from [`crate::middleware`].
#[derive(Clone)]
pub struct Meta {
    /// The connection's other end.
    pub peer: IpAddr,
    /// The request's id.
    pub id: Arc<str>,
}

/// A response extension: what logs and metrics call the request.
#[derive(Clone, Copy)]
pub struct Label(pub &'static str);

/// Serves requests.
pub struct State {
    /// The configuration.
    pub config: Config,
    /// The RPCs that the outside can reach.
    pub table: RpcTable,
    /// Turns JSON into calls.
    pub transcoder: transcode::Transcoder,
    /// Who may pass.
    pub admission: Admission,
    /// Places for contents that are being decompressed.
    pub decoding: Arc<Semaphore>,
    health: Health,
    clock: kit::Clock,
}

impl State {
    /// Compiles the contracts.
    pub fn new(host: &Host, config: Config) -> anyhow::Result<Self> {
        Ok(Self {
            table: RpcTable::new(host, &config),
            transcoder: transcode::Transcoder::compile(proto::DESCRIPTORS, options(&config))?,
            admission: Admission::new(host, &config),
            decoding: Arc::new(Semaphore::new(decompression::AT_ONCE)),
            health: Health::new(host.clock().clone()),
            clock: host.clock().clone(),
            config,
        })
    }

    /// Whether the edge can serve.
    pub const fn health(&self) -> &Health {
        &self.health
    }

    /// The time.
    pub const fn clock(&self) -> &kit::Clock {
        &self.clock
    }

    /// A failure as the answer to a request.
    pub fn fail(&self, context: &ErrorContext, failure: &Failure) -> Response<Body> {
        self.transcoder.fail(context, failure)
    }

    /// A refusal of [`Admission`] as the answer to a request.
    pub fn refuse(&self, context: &ErrorContext, status: &tonic::Status) -> Response<Body> {
        let mut failure = Failure::from(status);
        if kit::rpc::error::reason(status) == "TOKEN_INVALID" {
            let challenge = r#"Bearer error="invalid_token""#;
            failure = failure.with_header(http::header::WWW_AUTHENTICATE, challenge);
        }
        self.fail(context, &failure)
    }

    async fn answer(self: Arc<Self>, mut request: Request<Content>, meta: Meta) -> Response<Body> {
        let path = request.uri().path();
        let page = Page::of(path);
        if let Some(page) = page.filter(|page| page.is_probe()) {
            return labelled(pages::answer(&self, page, &request), page.path());
        }
        let client = client::client(meta.peer, request.headers(), &self.config.trusted_proxies);
        let mut limits = match self.admission.client(client) {
            Ok(limits) => limits,
            Err((limits, status)) => {
                let mut response = if grpc::is_grpc(request.headers()) {
                    status.into_http()
                } else {
                    self.refuse(&ErrorContext::of(&request), &status)
                };
                limits.write(response.headers_mut());
                return response;
            }
        };
        if let Ok(client) = HeaderValue::try_from(client.to_string()) {
            request.headers_mut().insert(CLIENT, client);
        }
        let mut response = if let Some(page) = page {
            labelled(pages::answer(&self, page, &request), page.path())
        } else if grpc::is_grpc(request.headers()) {
            Box::pin(GrpcHandler { state: self, meta }.answer(request, &mut limits)).await
        } else {
            self.rest(request, meta, &mut limits).await
        };
        limits.write(response.headers_mut());
        response
    }

    /// The route of a request and its RPC.
    pub fn route(
        &self,
        request: &Request<Content>,
    ) -> Result<(transcode::Route, &RpcEntry), RouteError> {
        let route = self.transcoder.route(request.method(), request.uri().path())?;
        let entry = self.table.get(route.method().path()).ok_or(RouteError::NotFound)?;
        Ok((route, entry))
    }
}

/// The service of one connection's requests; cheap to clone.
#[derive(Clone)]
pub struct Handler(pub Arc<State>);

impl Service<Request<Content>> for Handler {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut task::Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Content>) -> Self::Future {
        let state = Arc::clone(&self.0);
        let is_get = matches!(*request.method(), Method::GET | Method::HEAD);
        let Some(meta) = request.extensions_mut().remove::<Meta>() else {
            // The middleware puts it there; a request that came another way is nobody's.
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            return Box::pin(future::ready(Ok(response)));
        };
        let context = ErrorContext::of(&request);
        let answer = AssertUnwindSafe(Arc::clone(&state).answer(request, meta)).catch_unwind();
        Box::pin(answer.map(move |answer| {
            let mut response = answer.unwrap_or_else(|_| {
                tracing::error!("a request handler panicked");
                state.fail(
                    &context,
                    &Failure::from(&kit::rpc::error::internal()).with_reason("INTERNAL"),
                )
            });
            let headers = response.headers_mut();
            if !headers.contains_key(CACHE_CONTROL) {
                // A reader may keep its own copy and ask whether it is still good; nobody keeps anything else.
                let cached = if is_get { "private, no-cache" } else { "no-store" };
                headers.insert(CACHE_CONTROL, HeaderValue::from_static(cached));
            }
            Ok(response)
        }))
    }
}

/// A response with its label.
pub fn labelled(mut response: Response<Body>, label: &'static str) -> Response<Body> {
    response.extensions_mut().insert(Label(label));
    response
}

/// The context of calls for `subject`.
pub fn context(subject: Option<kit::Subject>, rpc: &'static proto::Rpc, meta: &Meta) -> Context {
    Context { subject, request_id: Some(Arc::clone(&meta.id)), rpc: rpc.path, ..Context::default() }
}

/// Fields keep their names, as the seed's clients read `created_at`; fields that hold their default are printed, so that
/// a client finds each field of a resource in every answer; details say nothing twice.
fn options(config: &Config) -> Options {
    let status = |method: &transcode::Method| {
        let status = proto::rpc(method.path()).map_or(200, |rpc| rpc.success_status);
        StatusCode::from_u16(status).unwrap_or(StatusCode::OK)
    };
    Options {
        emit_defaults: true,
        preserve_proto_field_names: true,
        forward_request_headers: FORWARDED.map(str::to_owned).into(),
        forward_response_metadata: vec!["cache-control".to_owned()],
        max_request_bytes: config.max_request_bytes,
        max_held_bytes: config.max_held_bytes,
        max_message_bytes: MAX_MESSAGE_BYTES,
        max_query_parameters: 200,
        max_timeout: Some(std::time::Duration::from_millis(config.max_deadline_ms)),
        errors: ErrorFormat::Problem,
        problem_details: false,
        trailing_slash: TrailingSlash::Trim,
        etag_field: Some("version".to_owned()),
        challenge: HeaderValue::from_static("Bearer"),
        success_status: Some(Arc::new(status)),
        ..Options::default()
    }
}
