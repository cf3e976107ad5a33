//! What every request uses: configuration, contracts, limits, health, and how failures become answers.

use crate::{
    admission::Admission,
    config::Config,
    decompression,
    health::EdgeHealth,
    rpc_table::{RpcEntry, RpcTable},
};
use http::{HeaderValue, Request, Response, StatusCode};
use kit::{Host, rpc::context::Context};
use listener::StreamEnds;
use std::{collections::BTreeSet, net::IpAddr, sync::Arc};
use tokio::sync::Semaphore;
use transcode::{
    Body, ErrorContext, ErrorFormat, Failure, Options, RouteError, SseFields, TrailingSlash,
};

/// Request headers that every service sees, beside the trace's. What one RPC reads on top is named in its contract.
pub const FORWARDED: [&str; 3] = ["idempotency-key", "accept-language", CLIENT];
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

/// What every request uses.
pub struct State {
    pub config: Config,
    /// The RPCs that the outside can reach.
    pub table: RpcTable,
    /// Turns JSON into calls.
    pub transcoder: transcode::Transcoder,
    /// Who may pass.
    pub admission: Admission,
    /// Places for contents that are being decompressed.
    pub decoding: Arc<Semaphore>,
    /// Ends the streams of an edge that stops.
    pub stream_ends: StreamEnds,
    health: EdgeHealth,
    clock: kit::Clock,
}

impl State {
    /// Compiles the contracts.
    pub fn new(host: &Host, config: Config, stream_ends: StreamEnds) -> anyhow::Result<Self> {
        Ok(Self {
            table: RpcTable::new(host, &config),
            transcoder: transcode::Transcoder::compile(
                proto::DESCRIPTORS,
                transcode_options(&config),
            )?,
            admission: Admission::new(host, &config),
            decoding: Arc::new(Semaphore::new(decompression::AT_ONCE)),
            stream_ends,
            health: EdgeHealth::new(host),
            clock: host.clock().clone(),
            config,
        })
    }

    /// Whether the edge can serve.
    pub const fn health(&self) -> &EdgeHealth {
        &self.health
    }

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
        if kit::rpc::error::reason_of(status) == "TOKEN_INVALID" {
            let challenge = r#"Bearer error="invalid_token""#;
            failure = failure.with_header(http::header::WWW_AUTHENTICATE, challenge);
        }
        self.fail(context, &failure)
    }

    /// The route of a request and its RPC.
    pub fn route<B>(
        &self,
        request: &Request<B>,
    ) -> Result<(transcode::Route, &RpcEntry), RouteError> {
        let route = self.transcoder.route(request.method(), request.uri().path())?;
        let entry = self.table.get(route.method().path()).ok_or(RouteError::NotFound)?;
        Ok((route, entry))
    }
}

/// A response with its label.
pub fn label_failure(mut response: Response<Body>, label: &'static str) -> Response<Body> {
    response.extensions_mut().insert(Label(label));
    response
}

/// The context of calls for `subject`.
pub fn request_context(
    subject: Option<kit::Subject>,
    rpc: &'static proto::Rpc,
    meta: &Meta,
) -> Context {
    Context { subject, request_id: Some(Arc::clone(&meta.id)), rpc: rpc.path, ..Context::default() }
}

/// The request headers that services see: those of every call, and those that contracts name.
fn forwarded_headers() -> Vec<String> {
    let named = proto::all_rpcs().iter().flat_map(|rpc| rpc.headers.iter().copied());
    let names: BTreeSet<&str> = FORWARDED.into_iter().chain(named).collect();
    names.into_iter().map(str::to_owned).collect()
}

/// Fields keep their names, as the seed's clients read `created_at`; fields that hold their default are printed, so that
/// a client finds each field of a resource in every answer; details say nothing twice.
fn transcode_options(config: &Config) -> Options {
    Options {
        emit_defaults: true,
        preserve_proto_field_names: true,
        forward_request_headers: forwarded_headers(),
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
        version_mismatch_reason: Some("VERSION_MISMATCH".to_owned()),
        challenge: HeaderValue::from_static("Bearer"),
        success_status: Some(Arc::new(success_status)),
        method_sse: Some(Arc::new(event_fields)),
        ..Options::default()
    }
}

/// What makes events of a method's stream, as its contract has it.
fn event_fields(method: &transcode::Method) -> Option<SseFields> {
    let sse = proto::find_rpc(method.path())?.sse?;
    Some(SseFields {
        id: name_given(sse.id),
        event: name_given(sse.event),
        resume: name_given(sse.resume),
    })
}

fn name_given(name: &str) -> Option<String> {
    (!name.is_empty()).then(|| name.to_owned())
}

/// The HTTP status of a method's success, as its contract has it.
fn success_status(method: &transcode::Method) -> StatusCode {
    let status = proto::find_rpc(method.path()).map_or(200, |rpc| rpc.success_status);
    StatusCode::from_u16(status).unwrap_or(StatusCode::OK)
}
