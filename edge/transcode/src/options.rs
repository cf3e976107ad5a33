//! What an operator can choose. The defaults are those of the generic mode: canonical ProtoJSON,
//! AIP-193 errors, and everything unknown refused.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, StatusCode};

use crate::schema::Method;
use crate::sse::{MethodSse, SseFields};

/// The shape of error bodies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ErrorFormat {
    /// `{"error": {"code", "message", "status", "details"}}` of AIP-193. A client that prefers
    /// `application/problem+json` in `Accept` still gets that.
    #[default]
    Google,
    /// `application/problem+json` of RFC 9457.
    Problem,
}

/// What a slash at the end of a path means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TrailingSlash {
    /// A path of its own: it is not found unless a route is written with the slash.
    #[default]
    Strict,
    /// The same path, where the path with the slash has no route of its own.
    Trim,
}

/// The HTTP status of a method's success.
pub type SuccessStatus = Arc<dyn Fn(&Method) -> StatusCode + Send + Sync>;

/// The options of a [`Transcoder`](crate::Transcoder).
#[derive(Clone)]
pub struct Options {
    /// The services that are served, by name, or by the name of a package with all that are in it.
    /// Empty for all but those which the set marks as imported.
    pub services: Vec<String>,
    /// Serve the rest of an incomplete set: methods whose messages need a type that it does not
    /// contain are left out, with a warning.
    pub skip_incomplete: bool,
    /// Print fields without presence even when they hold their default.
    pub emit_defaults: bool,
    /// Print enums as numbers.
    pub enums_as_ints: bool,
    /// Print `snake_case` names as the contract writes them.
    pub preserve_proto_field_names: bool,
    /// Skip unknown fields of JSON bodies; a PATCH whose mask is derived refuses them all the same.
    pub ignore_unknown_fields: bool,
    /// Skip query parameters which name no field.
    pub ignore_unknown_query: bool,
    /// Query parameters that are not for the transcoder, `key` for example.
    pub ignored_query_parameters: Vec<String>,
    /// Request headers passed on as metadata, beside `traceparent` and `tracestate`.
    pub forward_request_headers: Vec<String>,
    /// Response metadata passed on as headers.
    pub forward_response_metadata: Vec<String>,
    /// The longest request body in bytes. Of a body that becomes a stream of messages it limits each message, not the
    /// whole; and of a WebSocket too.
    pub max_request_bytes: usize,
    /// Whether a GET that leads to a server stream may ask for a WebSocket; streams from the client always may. Browsers
    /// ask for WebSockets across origins: leave it off where cookies sign a user in.
    pub server_streams_over_websocket: bool,
    /// The most bytes of all request bodies that are not complete yet, beside 16 KiB of each; never less than the
    /// longest body. What does not fit is refused with 503.
    pub max_held_bytes: usize,
    /// The longest message in bytes that JSON may become on its way to the upstream.
    pub max_message_bytes: usize,
    /// The longest message in bytes that the upstream may answer with.
    pub max_response_bytes: usize,
    /// The most query parameters a request may have.
    pub max_query_parameters: usize,
    /// The deepest nesting of JSON, wire messages and field paths.
    pub max_depth: usize,
    /// The longest deadline; unary calls without a deadline of their own get it too.
    pub max_timeout: Option<Duration>,
    /// The deadline of unary calls whose client names none.
    pub default_timeout: Option<Duration>,
    /// The shape of error bodies.
    pub errors: ErrorFormat,
    /// Whether a problem repeats in `details` what its typed members already say.
    pub problem_details: bool,
    /// A problem's `type` is this followed by the reason; `about:blank` when unset.
    pub problem_type_base: Option<String>,
    /// What a slash at the end of a path means.
    pub trailing_slash: TrailingSlash,
    /// The field that names a resource's version: printed as `ETag`, and set from `If-Match`.
    pub etag_field: Option<String>,
    /// The `ErrorInfo.reason` of an upstream that found another version than `If-Match` demands: such an ABORTED is 412,
    /// any other a lost race, 409. Unset, each ABORTED of a call with `If-Match` is 412.
    pub version_mismatch_reason: Option<String>,
    /// The fields that make server-sent events of the messages of any stream that has them.
    pub sse: SseFields,
    /// The fields of a method's events by its contract; they replace those of [`Options::sse`].
    pub method_sse: Option<MethodSse>,
    /// The value of `WWW-Authenticate` on 401.
    pub challenge: HeaderValue,
    /// The HTTP status of a success by method, 200 when unset.
    pub success_status: Option<SuccessStatus>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            services: Vec::new(),
            skip_incomplete: false,
            emit_defaults: false,
            enums_as_ints: false,
            preserve_proto_field_names: false,
            ignore_unknown_fields: false,
            ignore_unknown_query: false,
            ignored_query_parameters: Vec::new(),
            forward_request_headers: Vec::new(),
            forward_response_metadata: Vec::new(),
            max_request_bytes: 4 << 20,
            server_streams_over_websocket: false,
            max_held_bytes: 64 << 20,
            max_message_bytes: 16 << 20,
            max_response_bytes: 16 << 20,
            max_query_parameters: 10_000,
            max_depth: 100,
            max_timeout: None,
            default_timeout: None,
            errors: ErrorFormat::default(),
            problem_details: true,
            problem_type_base: None,
            trailing_slash: TrailingSlash::default(),
            etag_field: None,
            version_mismatch_reason: None,
            sse: SseFields::default(),
            method_sse: None,
            challenge: HeaderValue::from_static("Bearer"),
            success_status: None,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("errors", &self.errors)
            .field("trailing_slash", &self.trailing_slash)
            .field("max_request_bytes", &self.max_request_bytes)
            .field("max_timeout", &self.max_timeout)
            .finish_non_exhaustive()
    }
}
