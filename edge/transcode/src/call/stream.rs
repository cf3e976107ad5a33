//! Server streams as a JSON array, as lines, as events, or raw; an error among them is in-band.

use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response};
use http_body::Frame;
use http_body_util::StreamBody;
use tokio::time::Instant;

use super::prepare::Call;
use super::printer::{OCTETS, Printer};
use super::replies::Replies;
use crate::accept::{self, StreamForm};
use crate::body::{Body, BoxError};
use crate::error_body::ErrorContext;
use crate::failure::Failure;
use crate::rule::ResponseBody;

/// How long an event stream may say nothing: proxies take longer silence for a dead connection.
const QUIET: Duration = Duration::from_secs(15);
/// A line which clients skip.
const COMMENT: &[u8] = b": alive\n\n";

/// Answers with a stream whose first message, or end, has arrived.
pub(crate) fn respond(
    mut call: Call,
    head: &Parts,
    first: Option<Bytes>,
    replies: Replies,
    context: &ErrorContext,
) -> Result<Response<Body>, Failure> {
    let deadline = call.deadline;
    let printer = Printer::new(&mut call);
    let mut headers = HeaderMap::new();
    printer.forward(&replies, &mut headers);
    // What goes on for as long as it goes on is of no use in a store. The upstream may know better.
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache"));
    let body = match &printer.binding.response {
        ResponseBody::Raw(_) => {
            let (media, data) = match &first {
                Some(first) => printer.raw(first)?,
                None => (None, Bytes::new()),
            };
            headers.insert(CONTENT_TYPE, media.unwrap_or(OCTETS));
            raw_body(printer, data, replies, deadline)
        }
        ResponseBody::Whole | ResponseBody::Field(_) => {
            let form = accept::stream_form(&head.headers);
            let media = HeaderValue::from_static(form.content_type());
            headers.insert(CONTENT_TYPE, media);
            let writer = Writer { form, printer, context: context.clone(), begun: false };
            let first = first.as_ref().map(|message| writer.text(message)).transpose()?;
            json_body(writer, first, replies, deadline)
        }
    };
    let mut response =
        Response::new(if head.method == Method::HEAD { Body::empty() } else { body });
    *response.status_mut() = http::StatusCode::OK;
    *response.headers_mut() = headers;
    Ok(response)
}

/// The next message, or the failure of the deadline.
pub(crate) async fn next(
    replies: &mut Replies,
    deadline: Option<Instant>,
) -> Result<Option<Bytes>, Failure> {
    match deadline {
        None => replies.next().await,
        Some(deadline) => match tokio::time::timeout_at(deadline, replies.next()).await {
            Ok(next) => next.map_err(|failure| crate::deadline::blame(failure, Some(deadline))),
            Err(_) => Err(Failure::deadline()),
        },
    }
}

/// Puts JSON texts into the form of the stream.
struct Writer {
    form: StreamForm,
    printer: Printer,
    context: ErrorContext,
    begun: bool,
}

impl Writer {
    fn text(&self, message: &Bytes) -> Result<Vec<u8>, Failure> {
        let mut out = Vec::with_capacity(message.len() * 2 + 64);
        self.printer.print(message, &mut out)?;
        Ok(out)
    }

    fn item(&mut self, text: &[u8]) -> Bytes {
        let begun = std::mem::replace(&mut self.begun, true);
        match self.form {
            StreamForm::Array => [if begun { b"," } else { b"[" }, text].concat(),
            StreamForm::Lines(_) => [text, b"\n"].concat(),
            StreamForm::Events => [b"data: ", text, b"\n\n"].concat(),
        }
        .into()
    }

    /// The error, and whatever ends the stream.
    fn error(&mut self, failure: &Failure) -> Bytes {
        let text = self.printer.inner.errors().in_band(&self.context, failure);
        match self.form {
            StreamForm::Array => [&self.item(&text)[..], b"]"].concat().into(),
            StreamForm::Lines(_) => self.item(&text),
            StreamForm::Events => [b"event: error\n", &self.item(&text)[..]].concat().into(),
        }
    }

    fn end(&self) -> Option<Bytes> {
        match self.form {
            StreamForm::Array if self.begun => Some(Bytes::from_static(b"]")),
            StreamForm::Array => Some(Bytes::from_static(b"[]")),
            StreamForm::Lines(_) | StreamForm::Events => None,
        }
    }
}

fn json_body(
    writer: Writer,
    first: Option<Vec<u8>>,
    replies: Replies,
    deadline: Option<Instant>,
) -> Body {
    struct State {
        writer: Writer,
        first: Option<Vec<u8>>,
        replies: Replies,
        deadline: Option<Instant>,
    }
    let state = State { writer, first, replies, deadline };
    let chunks = stream::unfold(Some(state), |state| async move {
        let mut state = state?;
        if let Some(text) = state.first.take() {
            return Some((state.writer.item(&text), Some(state)));
        }
        let next = match state.writer.form {
            StreamForm::Events => {
                let next = next(&mut state.replies, state.deadline);
                match tokio::time::timeout(QUIET, next).await {
                    Ok(next) => next,
                    Err(_) => return Some((Bytes::from_static(COMMENT), Some(state))),
                }
            }
            StreamForm::Array | StreamForm::Lines(_) => {
                next(&mut state.replies, state.deadline).await
            }
        };
        let text = next.and_then(|m| m.map(|m| state.writer.text(&m)).transpose());
        match text {
            Ok(Some(text)) => Some((state.writer.item(&text), Some(state))),
            Ok(None) => Some((state.writer.end()?, None)),
            Err(failure) => Some((state.writer.error(&failure), None)),
        }
    });
    Body::new(StreamBody::new(futures::StreamExt::map(chunks, |chunk| {
        Ok::<_, BoxError>(Frame::data(chunk))
    })))
}

/// Raw bytes have no room for an error: the connection is cut instead.
fn raw_body(printer: Printer, first: Bytes, replies: Replies, deadline: Option<Instant>) -> Body {
    let state = (printer, Some(first), replies);
    let chunks = stream::try_unfold(state, move |(printer, first, mut replies)| async move {
        if let Some(first) = first {
            return Ok(Some((Frame::data(first), (printer, None, replies))));
        }
        let next = next(&mut replies, deadline).await;
        let data = next.and_then(|m| m.map(|m| printer.raw(&m)).transpose());
        match data {
            Ok(Some((_, data))) => Ok(Some((Frame::data(data), (printer, None, replies)))),
            Ok(None) => Ok(None),
            Err(failure) => Err(BoxError::from(failure.message.as_str())),
        }
    });
    Body::new(StreamBody::new(chunks))
}
