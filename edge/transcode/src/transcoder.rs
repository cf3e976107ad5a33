//! The transcoder: contracts compiled to routes, requests matched against them.

use std::fmt;
use std::num::NonZero;
use std::sync::Arc;

use http::header::ALLOW;
use http::{Method as HttpMethod, Request, Response, StatusCode};
use route_template::percent::{self, Keep};
use tokio::sync::Semaphore;

use crate::body::Body;
use crate::buffer::BufferBudget;
use crate::call::{self, RequestContent, Upstream};
use crate::compiled::{Compiled, Route};
use crate::error_body::ErrorContext;
use crate::failure::Failure;
use crate::limits::{JsonOptions, Limits};
use crate::metadata::Forwarding;
use crate::options::{Options, TrailingSlash};
use crate::router::{Kind, Match, Pick, Router};
use crate::rule::{self, Binding, CompileError};
use crate::schema::{Schema, SchemaOptions};
use crate::served;

/// A compiled set of contracts with its options. Cheap to clone.
///
/// ```
/// # fn main() -> Result<(), transcode::CompileError> {
/// let transcoder = transcode::Transcoder::compile(&[], transcode::Options::default())?;
/// assert!(transcoder.route(&http::Method::GET, "/v1/books/7").is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Transcoder {
    inner: Arc<Compiled>,
}

/// Why a request has no route.
#[derive(Clone, Debug, PartialEq)]
pub enum RouteError {
    /// No template matches: 404.
    NotFound,
    /// A template matches, for other methods: 405.
    MethodNotAllowed {
        /// The value of `Allow`.
        allow: String,
    },
    /// OPTIONS, which the edge answers itself: 204.
    Options {
        /// The value of `Allow`.
        allow: String,
    },
    /// The path is not well-formed: 400.
    BadPath(Failure),
}

impl Transcoder {
    /// Compiles the HTTP rules of all services in a serialised `FileDescriptorSet`.
    ///
    /// # Errors
    /// When a rule cannot be served as written, or two rules are the same route.
    pub fn compile(descriptor_set: &[u8], options: Options) -> Result<Self, CompileError> {
        // Error details of the standard types are printed whether or not the contracts import them.
        let details = tonic_types::pb::FILE_DESCRIPTOR_SET;
        let how = SchemaOptions { fallback: details, skip_incomplete: options.skip_incomplete };
        let schema = Schema::compile(descriptor_set, how).map_err(CompileError::Schema)?;
        for left_out in schema.left_out() {
            tracing::warn!("{left_out}");
        }
        let forwarding =
            Forwarding::new(&options.forward_request_headers, &options.forward_response_metadata)
                .map_err(CompileError::Header)?;
        let (router, routes) = collect_routes(&schema, &options)?;
        let json = JsonOptions {
            emit_defaults: options.emit_defaults,
            enums_as_ints: options.enums_as_ints,
            preserve_proto_names: options.preserve_proto_field_names,
            ignore_unknown_fields: options.ignore_unknown_fields,
            unknown_any_as_base64: false,
            limits: Limits { depth: options.max_depth, ..Limits::default() },
        };
        let budget = BufferBudget::new(options.max_held_bytes.max(options.max_request_bytes));
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        let long_conversions = Arc::new(Semaphore::new((processors / 2).max(1)));
        let inner = Compiled {
            schema,
            options,
            json,
            forwarding,
            budget,
            long_conversions,
            router,
            routes,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The compiled contracts.
    pub fn schema(&self) -> &Schema {
        &self.inner.schema
    }

    /// The options it was compiled with.
    pub fn options(&self) -> &Options {
        &self.inner.options
    }

    /// The budget for request contents that are not complete yet.
    pub fn buffer_budget(&self) -> &BufferBudget {
        &self.inner.budget
    }

    /// The number of routes.
    pub fn routes(&self) -> usize {
        self.inner.routes
    }

    /// Finds the method for a request; `path` without the query, still percent-encoded.
    ///
    /// # Errors
    /// [`RouteError`].
    pub fn route(&self, method: &HttpMethod, path: &str) -> Result<Route, RouteError> {
        let found = self.find(path)?.ok_or(RouteError::NotFound)?;
        let binding = match found.pick(method) {
            Pick::Route(binding) | Pick::Head(binding) => Arc::clone(binding),
            Pick::Options(allow) => return Err(RouteError::Options { allow }),
            Pick::NotAllowed(allow) => return Err(RouteError::MethodNotAllowed { allow }),
        };
        let template = &binding.template;
        let values = template
            .variables
            .iter()
            .map(|variable| {
                let span = template.span(variable, &found.segments).join("/");
                let keep = if variable.multi { Keep::Slash } else { Keep::Nothing };
                let value = percent::decode_text(&span, keep);
                value.map(std::borrow::Cow::into_owned).map_err(|e| bad_path(&variable.field, e))
            })
            .collect::<Result<_, _>>()?;
        Ok(Route { inner: Arc::clone(&self.inner), binding, values })
    }

    fn find<'p>(&self, path: &'p str) -> Result<Option<Match<'_, 'p, Arc<Binding>>>, RouteError> {
        let router = &self.inner.router;
        let found = router.find(path).map_err(|e| bad_path("", e))?;
        if found.is_some() || self.inner.options.trailing_slash == TrailingSlash::Strict {
            return Ok(found);
        }
        match path.strip_suffix('/') {
            Some(trimmed) if !trimmed.is_empty() => {
                router.find(trimmed).map_err(|e| bad_path("", e))
            }
            _ => Ok(None),
        }
    }

    /// A response for an error of the edge's own, in the shape that options and client agree on.
    pub fn respond(&self, context: &ErrorContext, status: &tonic::Status) -> Response<Body> {
        self.fail(context, &Failure::from(status))
    }

    /// A response for any failure.
    pub fn fail(&self, context: &ErrorContext, failure: &Failure) -> Response<Body> {
        self.inner.errors().response(context, failure)
    }

    /// A response for a request without a route; OPTIONS is answered with 204 and `Allow`.
    pub fn respond_unrouted(&self, context: &ErrorContext, error: &RouteError) -> Response<Body> {
        match error {
            RouteError::NotFound => self.fail(context, &Failure::no_route()),
            RouteError::MethodNotAllowed { allow } => {
                self.fail(context, &Failure::not_allowed(allow))
            }
            RouteError::BadPath(failure) => self.fail(context, failure),
            RouteError::Options { allow } => {
                let mut response = Response::new(Body::empty());
                *response.status_mut() = StatusCode::NO_CONTENT;
                if let Ok(allow) = allow.parse() {
                    response.headers_mut().insert(ALLOW, allow);
                }
                response
            }
        }
    }

    /// Serves a routed request. Every failure comes back as a response.
    ///
    /// Dropping the future, or the body of the response, cancels the upstream call.
    pub fn call<S, B>(
        &self,
        route: Route,
        request: Request<B>,
        upstream: S,
    ) -> impl Future<Output = Response<Body>> + Send + use<S, B>
    where
        S: Upstream,
        B: RequestContent,
    {
        call::call_method(route, request, upstream)
    }

    /// Routes and calls; what cannot be routed is answered as an error.
    pub async fn handle<S, B>(&self, request: Request<B>, upstream: S) -> Response<Body>
    where
        S: Upstream,
        B: RequestContent,
    {
        match self.route(request.method(), request.uri().path()) {
            Ok(route) => self.call(route, request, upstream).await,
            Err(error) => self.respond_unrouted(&ErrorContext::of(&request), &error),
        }
    }
}

impl fmt::Debug for Transcoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transcoder").field("routes", &self.routes()).finish_non_exhaustive()
    }
}

fn bad_path(field: &str, error: percent::Malformed) -> RouteError {
    RouteError::BadPath(Failure::invalid(field, error.to_string()))
}

fn collect_routes(
    schema: &Schema,
    options: &Options,
) -> Result<(Router<Arc<Binding>>, usize), CompileError> {
    let (mut router, mut count) = (Router::<Arc<Binding>>::default(), 0);
    for method in served::select_services(schema, options)?.into_iter().flat_map(|s| s.methods()) {
        let Some(first) = method.http_rule() else { continue };
        for rule in std::iter::once(first).chain(&first.additional_bindings) {
            if !std::ptr::eq(rule, first) && !rule.additional_bindings.is_empty() {
                let reason = "additional_bindings inside additional_bindings".to_owned();
                return Err(CompileError::rule(method, rule, reason));
            }
            rule::compile_rule(schema, method, rule, options)
                .and_then(|(kind, binding)| add_route(&mut router, kind, binding))
                .map_err(|reason| CompileError::rule(method, rule, reason))?;
            count += 1;
        }
    }
    Ok((router, count))
}

/// Adds a route, or says which method has it already.
fn add_route(
    router: &mut Router<Arc<Binding>>,
    kind: Kind,
    binding: Binding,
) -> Result<(), String> {
    let binding = Arc::new(binding);
    router.insert(kind, &binding.template, Arc::clone(&binding)).map_err(|taken| {
        let other = taken.method.path().trim_start_matches('/');
        format!("it is the same route as that of {other}; only one can be served")
    })
}
