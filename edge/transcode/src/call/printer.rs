//! The messages of an answer as JSON or as raw content.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};

use super::prepare::Call;
use super::replies::Replies;
use crate::compiled::Compiled;
use crate::error::WireError;
use crate::extract;
use crate::failure::Failure;
use crate::json::{Selection, wire_field_to_json, wire_to_json};
use crate::rule::{Binding, ResponseBody, Target};
use crate::wire::Malformed;

/// The media type of raw content whose own is missing or unusable.
pub(crate) const OCTETS: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// Prints the messages of one method.
pub(crate) struct Printer {
    pub inner: Arc<Compiled>,
    pub binding: Arc<Binding>,
    pub selection: Option<Selection>,
}

impl Printer {
    pub fn new(call: &mut Call) -> Self {
        let (inner, binding) = (Arc::clone(&call.route.inner), Arc::clone(&call.route.binding));
        Self { inner, binding, selection: call.selection.take() }
    }

    /// Copies metadata that the client may see.
    pub fn forward(&self, replies: &Replies, headers: &mut HeaderMap) {
        self.inner.forwarding.response(&replies.headers, headers);
        self.inner.forwarding.response(&replies.trailers, headers);
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
                let field = extract::extract_message(message, *number)
                    .map_err(|e| malformed_reply(e.into()))?;
                let field = field.unwrap_or_default();
                wire_to_json(schema, *child, &field, json, selection, out)
            }
            ResponseBody::Field(target) => {
                wire_field_to_json(schema, output, target.number, message, json, out)
            }
        };
        printed.map_err(malformed_reply)
    }

    /// The lines that stand before the data of a message as a server-sent event.
    pub fn event_head(&self, message: &Bytes) -> Result<Vec<u8>, Failure> {
        let output = self.binding.method.output();
        let head = self.binding.sse.print_head(&self.inner.schema, output, message);
        head.map_err(|error| malformed_reply(error.into()))
    }

    /// The content and its media type, of a message that is or holds an `HttpBody`.
    pub fn raw(&self, message: &Bytes) -> Result<(Option<HeaderValue>, Bytes), Failure> {
        let (media, data) =
            self.read_http_body(message).map_err(|error| malformed_reply(error.into()))?;
        // What no header can hold, a line break above all, must not become a header.
        let media = media.filter(|m| !m.is_empty());
        Ok((media.and_then(|m| HeaderValue::from_maybe_shared(m).ok()), data))
    }

    /// The media type and the content of the `HttpBody`, as they are on the wire.
    fn read_http_body(&self, message: &Bytes) -> Result<(Option<Bytes>, Bytes), Malformed> {
        let body = match &self.binding.response {
            ResponseBody::Raw(Some(target)) => {
                extract::extract_message(message, target.number)?.unwrap_or_default()
            }
            _ => message.clone(),
        };
        let media = extract::extract_bytes(&body, 1)?;
        let data = extract::extract_bytes(&body, 2)?.unwrap_or_default();
        Ok((media, data))
    }
}

/// The failure for a message that is not of its type.
pub(crate) fn malformed_reply(error: WireError) -> Failure {
    tracing::warn!(%error, "the upstream's message does not fit its contract");
    Failure::bad_gateway(format!("the upstream's answer: {error}"))
}
