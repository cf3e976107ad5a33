//! Everything about a call that is known before its content is read.

use http::header::{CONTENT_TYPE, IF_MATCH, IF_NONE_MATCH, TE};
use http::{Extensions, HeaderMap, HeaderValue, Method, Request, Version};
use listener::StreamEnds;
use tokio::time::Instant;

use super::compression;
use super::upstream::{Content, UpstreamExtensions, UpstreamMetadata};
use crate::bindings::Bindings;
use crate::compiled::{Compiled, Route};
use crate::deadline;
use crate::error::FieldError;
use crate::etag;
use crate::failure::Failure;
use crate::json::Selection;
use crate::query::{self, FIELDS, Query};
use crate::rule::{Binding, ResponseBody, Target};

/// A call that may be opened.
pub(crate) struct Call {
    pub route: Route,
    /// What path, query and headers bind.
    pub bindings: Bindings,
    /// Which fields of the answer the caller wants, when `$fields` says so.
    pub selection: Option<Selection>,
    /// Whether the client gave an update mask in the query.
    pub has_mask: bool,
    /// Whether the call depends on the version of `If-Match`.
    pub conditional: bool,
    pub deadline: Option<Instant>,
    /// Ends a stream when the server stops.
    pub stream_ends: Option<StreamEnds>,
    /// Which message of a client stream is next, counted from 0.
    pub element: Option<usize>,
    headers: HeaderMap,
    extensions: Extensions,
}

impl Call {
    /// The part of the call that encodes its messages, which moves into the request's stream.
    pub fn for_stream(&mut self) -> Self {
        Self {
            route: self.route.clone(),
            bindings: std::mem::take(&mut self.bindings),
            selection: None,
            has_mask: self.has_mask,
            conditional: self.conditional,
            deadline: None,
            stream_ends: None,
            element: Some(0),
            headers: HeaderMap::new(),
            extensions: Extensions::new(),
        }
    }

    /// The upstream request with a body.
    pub fn outgoing(&mut self, body: tonic::body::Body) -> Request<tonic::body::Body> {
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = self.route.binding.uri.clone();
        *request.headers_mut() = std::mem::take(&mut self.headers);
        *request.extensions_mut() = std::mem::take(&mut self.extensions);
        if let Some(deadline) = self.deadline {
            let left = deadline.saturating_duration_since(Instant::now());
            request.headers_mut().insert("grpc-timeout", deadline::timeout_header(left));
        }
        request
    }
}

pub(crate) fn prepare_call(route: Route, request: &mut Request<Content>) -> Result<Call, Failure> {
    let (binding, inner) = (&route.binding, &route.inner);
    let deadline = time_limit(binding, inner, request.headers())?;
    let mut bindings = Bindings::new();
    bind_path(&route, &mut bindings)?;
    let (schema, input) = (&inner.schema, binding.method.input());
    let resumed = binding.sse.bind_resume(schema, input, request.headers(), &mut bindings)?;
    let query = match request.uri().query() {
        None => Query::default(),
        Some(text) => {
            query::bind_query(text, binding, schema, &inner.options, resumed, &mut bindings)?
        }
    };
    let conditional = read_condition(&route, request, &mut bindings)?;
    let mut headers = HeaderMap::new();
    inner.forwarding.request(request.headers(), &mut headers)?;
    if let Some(UpstreamMetadata(more)) = request.extensions_mut().remove() {
        headers.extend(more);
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(TE, HeaderValue::from_static("trailers"));
    headers.insert("grpc-accept-encoding", compression::ACCEPTED);
    let extensions = request.extensions_mut().remove::<UpstreamExtensions>();
    let selection = query.fields.map(|text| read_selection(inner, binding, &text)).transpose()?;
    Ok(Call {
        route,
        bindings,
        selection,
        has_mask: query.has_mask,
        conditional,
        deadline,
        stream_ends: request.extensions_mut().remove(),
        element: None,
        headers,
        extensions: extensions.unwrap_or_default().0,
    })
}

fn time_limit(
    binding: &Binding,
    inner: &Compiled,
    headers: &HeaderMap,
) -> Result<Option<Instant>, Failure> {
    let options = &inner.options;
    let streams = binding.method.server_streaming() || binding.method.client_streaming();
    let fallback = if streams { None } else { options.default_timeout.or(options.max_timeout) };
    let time = deadline::requested_deadline(headers)?.or(fallback);
    let time = match (time, options.max_timeout) {
        (Some(time), Some(most)) => Some(time.min(most)),
        (time, _) => time,
    };
    // A time beyond what the clock can count is no limit.
    Ok(time.and_then(|time| Instant::now().checked_add(time)))
}

fn bind_path(route: &Route, bindings: &mut Bindings) -> Result<(), Failure> {
    let binding = &route.binding;
    let variables = binding.template.variables.iter().zip(&binding.variables);
    for ((variable, path), value) in variables.zip(&route.values) {
        let input = binding.method.input();
        bindings
            .add_text(&route.inner.schema, input, path, value)
            .map_err(|e| Failure::invalid(variable.field.as_str(), e.problem()))?;
    }
    Ok(())
}

fn read_condition(
    route: &Route,
    request: &Request<Content>,
    bindings: &mut Bindings,
) -> Result<bool, Failure> {
    let (binding, inner) = (&route.binding, &route.inner);
    if inner.options.etag_field.is_none() || request.method().is_safe() {
        return Ok(false);
    }
    if request.headers().contains_key(IF_NONE_MATCH) {
        // Ignored, it would let a change pass that the client wants only under a condition.
        let problem =
            "it is compared for GET and HEAD only; a change names its version in If-Match";
        return Err(Failure::invalid(IF_NONE_MATCH.as_str(), problem));
    }
    let Some(version) = etag::if_match(request.headers())? else { return Ok(false) };
    let Some(path) = &binding.if_match else {
        return Err(Failure::invalid(IF_MATCH.as_str(), "the method does not compare versions"));
    };
    // What can be no version was never given out as a tag, and so it is not the current one. A zero is like no version
    // on the wire: the upstream could not compare it.
    if version.trim_start_matches('0').is_empty() {
        return Err(etag::precondition_failed());
    }
    bindings
        .add_text(&inner.schema, binding.method.input(), path, &version)
        .map_err(|_| etag::precondition_failed())?;
    Ok(true)
}

fn read_selection(inner: &Compiled, binding: &Binding, text: &str) -> Result<Selection, Failure> {
    let message = match &binding.response {
        ResponseBody::Whole => binding.method.output(),
        ResponseBody::Field(Target { message: Some(message), .. }) => *message,
        ResponseBody::Field(_) | ResponseBody::Raw(_) => {
            return Err(Failure::invalid(FIELDS, "the response has no fields to choose from"));
        }
    };
    Selection::parse(&inner.schema, message, text)
        .map_err(|error| Failure::invalid(FIELDS, error.to_string()))
}

/// A field of a JSON document which is refused. In a client stream the path begins with the number of
/// the document, like `[3].id`.
pub(crate) fn refused_in(element: Option<usize>, error: FieldError) -> Failure {
    match element {
        Some(element) => refused_by_precondition(&error.in_element(element)),
        None => refused_by_precondition(&error),
    }
}

/// A field of the content which is refused.
pub(crate) fn refused_by_precondition(error: &FieldError) -> Failure {
    let problem = match error.offset() {
        Some(offset) => format!("{} (byte {offset})", error.problem()),
        None => error.problem().to_owned(),
    };
    Failure::invalid(error.path(), problem)
}
