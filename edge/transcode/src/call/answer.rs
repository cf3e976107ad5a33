//! The answer to a call as an HTTP response.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use tonic::Code;

use super::prepare::Call;
use super::replies::Replies;
use super::stream;
use crate::body::Body;
use crate::error::WireError;
use crate::error_body::ErrorContext;
use crate::etag;
use crate::extract;
use crate::failure::Failure;
use crate::json::{Selection, wire_field_to_json, wire_to_json};
use crate::rule::{Binding, ResponseBody, Target};
use crate::transcoder::Inner;

/// Prints the messages of one method.
pub(crate) struct Printer {
    pub inner: Arc<Inner>,
    pub binding: Arc<Binding>,
    selection: Option<Selection>,
}

impl Printer {
    pub fn new(call: &mut Call) -> Self {
        let (inner, binding) = (Arc::clone(&call.route.inner), Arc::clone(&call.route.binding));
        Self { inner, binding, selection: call.selection.take() }
    }

    /// Appends a message as JSON.
    pub fn print(&self, message: &Bytes, out: &mut Vec<u8>) -> Result<(), Failure> {
        let (schema, json) = (&self.inner.schema, &self.inner.json);
        let output = self.binding.method.output();
        let selection = self.selection.as_ref();
        let printed = match &self.binding.response {
            ResponseBody::Whole | ResponseBody::Raw(_) => {
                wire_to_json(schema, output, message, json, selection, out)
            }
            ResponseBody::Field(Target { number, message: Some(child), .. })
                if selection.is_some() =>
            {
                let field = extract::message(message, *number).map_err(|e| malformed(e.into()))?;
                let field = field.unwrap_or_default();
                wire_to_json(schema, *child, &field, json, selection, out)
            }
            ResponseBody::Field(target) => {
                wire_field_to_json(schema, output, target.number, message, json, out)
            }
        };
        printed.map_err(malformed)
    }

    /// The content and its media type, of a message that is or holds an `HttpBody`.
    pub fn raw(&self, message: &Bytes) -> Result<(Option<HeaderValue>, Bytes), Failure> {
        let read = || {
            let body = match &self.binding.response {
                ResponseBody::Raw(Some(target)) => {
                    extract::message(message, target.number)?.unwrap_or_default()
                }
                _ => message.clone(),
            };
            Ok((extract::bytes(&body, 1)?, extract::bytes(&body, 2)?.unwrap_or_default()))
        };
        let (media, data) = read().map_err(|e: crate::wire::Malformed| malformed(e.into()))?;
        // What no header can hold, a line break above all, must not become a header.
        let media = media.filter(|m| !m.is_empty());
        Ok((media.and_then(|m| HeaderValue::from_maybe_shared(m).ok()), data))
    }
}

fn malformed(error: WireError) -> Failure {
    tracing::warn!(%error, "the upstream's message does not fit its contract");
    Failure::bad_gateway(format!("the upstream's answer: {error}"))
}

/// The response; the headers of a stream wait for its first message, so that an early error keeps
/// its HTTP status.
pub(crate) async fn answer(
    mut call: Call,
    head: &Parts,
    mut replies: Replies,
    context: &ErrorContext,
) -> Result<Response<Body>, Failure> {
    let first = replies.next().await.map_err(|failure| precondition(&call, failure))?;
    if call.route.binding.method.server_streaming() {
        return stream::respond(call, head, first, replies, context);
    }
    let only = first.ok_or_else(|| Failure::bad_gateway("the upstream sent no message"))?;
    let another = replies.next().await.map_err(|failure| precondition(&call, failure))?;
    if another.is_some() {
        return Err(Failure::bad_gateway("the upstream sent more than one message"));
    }
    let printer = Printer::new(&mut call);
    let mut headers = HeaderMap::new();
    forward(&printer.inner, &replies, &mut headers);
    let content = match &printer.binding.response {
        ResponseBody::Raw(_) => {
            let (media, data) = printer.raw(&only)?;
            headers.insert(CONTENT_TYPE, media.unwrap_or(OCTETS));
            data
        }
        ResponseBody::Whole | ResponseBody::Field(_) => {
            // Mostly enough: growing would copy what is there.
            let mut out = Vec::with_capacity(only.len() * 3 + 64);
            printer.print(&only, &mut out)?;
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            out.into()
        }
    };
    let mut status = printer.binding.status;
    if let Some(tag) = version_tag(&printer, &only)? {
        let safe = matches!(head.method, Method::GET | Method::HEAD);
        if safe && etag::none_match(&head.headers, &tag) {
            status = StatusCode::NOT_MODIFIED;
        }
        headers.insert(ETAG, tag);
    }
    Ok(finish(status, headers, content, &head.method))
}

/// The media type of raw content whose own is missing or unusable.
pub(crate) const OCTETS: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// Metadata of an ended call that the client may see.
pub(crate) fn forward(inner: &Inner, replies: &Replies, headers: &mut HeaderMap) {
    inner.forwarding.response(&replies.headers, headers);
    inner.forwarding.response(&replies.trailers, headers);
}

fn finish(
    status: StatusCode,
    mut headers: HeaderMap,
    content: Bytes,
    method: &Method,
) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    match status {
        StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED => {
            headers.remove(CONTENT_TYPE);
        }
        _ if method == Method::HEAD => {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(content.len()));
        }
        _ => *response.body_mut() = Body::full(content),
    }
    *response.headers_mut() = headers;
    response
}

fn version_tag(printer: &Printer, message: &Bytes) -> Result<Option<HeaderValue>, Failure> {
    let Some(path) = &printer.binding.etag else { return Ok(None) };
    let output = printer.binding.method.output();
    let version = extract::text(&printer.inner.schema, output, path, message);
    let version = version.map_err(|e| malformed(e.into()))?;
    Ok(version.and_then(|v| etag::tag(&v, printer.selection.is_some())))
}

/// A version that is out of date answers `If-Match` with 412.
fn precondition(call: &Call, failure: Failure) -> Failure {
    match failure.code {
        Code::Aborted if call.conditional => failure.with_status(StatusCode::PRECONDITION_FAILED),
        _ => failure,
    }
}
