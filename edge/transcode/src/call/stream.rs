//! Server streams as a JSON array, as lines, as events, or raw; an error among them is in-band.

use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response};
use http_body::Frame;
use http_body_util::StreamBody;
use tokio::time::timeout;
use tonic::Code;

use super::blame::in_terms_of_client;
use super::prepare::Call;
use super::printer::{OCTETS, Printer};
use super::reply_stream::ReplyStream;
use super::upload::UploadEnd;
use crate::accept::{self, StreamForm};
use crate::body::{Body, BoxError};
use crate::error_body::ErrorContext;
use crate::failure::Failure;
use crate::rule::ResponseBody;
use crate::sse;

/// How long a stream may be quiet before its head goes out without a message. An error that comes sooner keeps its HTTP
/// status.
const HEAD_WAIT: Duration = Duration::from_secs(1);
/// The same for events once the upstream has agreed to the call: who listens wants to know that it is connected, and
/// only an error that follows at once keeps its status.
const EVENTS_HEAD_WAIT: Duration = Duration::from_millis(50);
/// How long a stream may be quiet before a heartbeat: proxies take longer silence for a dead connection.
pub(crate) const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(15);

/// What a stream begins with.
enum Beginning {
    Message(Bytes),
    End,
    /// Nothing came for a while.
    Quiet,
}

/// Answers with a stream as soon as its first message or its end has come, or nothing has for a while.
pub(crate) async fn respond_with_stream(
    mut call: Call,
    head: &Parts,
    upload: Option<UploadEnd>,
    mut replies: ReplyStream,
    context: &ErrorContext,
) -> Result<Response<Body>, Failure> {
    let is_raw = matches!(call.route.binding.response, ResponseBody::Raw(_));
    let form = accept::stream_form(&head.headers);
    let beginning = if is_raw {
        // Only the first message tells the media type.
        replies.next().await.map(Beginning::of)
    } else {
        await_beginning(&mut replies, upload, form).await
    };
    let beginning = beginning.map_err(|failure| in_terms_of_client(&call, failure))?;
    let printer = Printer::new(&mut call);
    let mut headers = HeaderMap::new();
    if let Some(replies) = replies.opened() {
        printer.forward(replies, &mut headers);
    }
    // What goes on for as long as it goes on is of no use in a store. The upstream may know better.
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache"));
    let body = if is_raw {
        let (media, data) = match &beginning {
            Beginning::Message(message) => printer.raw(message)?,
            Beginning::End | Beginning::Quiet => (None, Bytes::new()),
        };
        headers.insert(CONTENT_TYPE, media.unwrap_or(OCTETS));
        raw_body(printer, data, replies)
    } else {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(form.content_type()));
        let mut writer = Writer { form, printer, context: context.clone(), begun: false };
        let first = match beginning {
            Beginning::Message(message) => Some(writer.message(&message)?),
            Beginning::Quiet => Some(writer.heartbeat()),
            Beginning::End => None,
        };
        json_body(writer, first, replies)
    };
    let mut response =
        Response::new(if head.method == Method::HEAD { Body::empty() } else { body });
    *response.status_mut() = http::StatusCode::OK;
    *response.headers_mut() = headers;
    Ok(response)
}

impl Beginning {
    fn of(first: Option<Bytes>) -> Self {
        first.map_or(Self::End, Self::Message)
    }
}

/// Waits for the first message, but not longer than the head of the answer may wait. While the request's stream goes on
/// it may still show that the request is wrong.
async fn await_beginning(
    replies: &mut ReplyStream,
    upload: Option<UploadEnd>,
    form: StreamForm,
) -> Result<Beginning, Failure> {
    let soon = form == StreamForm::Events && upload.is_none();
    let quiet = async {
        if let Some(upload) = upload {
            upload.wait().await;
        }
        tokio::time::sleep(HEAD_WAIT).await;
    };
    tokio::pin!(quiet);
    if soon {
        tokio::select! {
            opened = replies.open() => opened?,
            () = &mut quiet => return Ok(Beginning::Quiet),
        }
    }
    tokio::select! {
        // What has arrived counts, however late it is looked at.
        biased;
        first = replies.next() => first.map(Beginning::of),
        () = &mut quiet => Ok(Beginning::Quiet),
        () = tokio::time::sleep(EVENTS_HEAD_WAIT), if soon => Ok(Beginning::Quiet),
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
    fn message(&mut self, message: &Bytes) -> Result<Bytes, Failure> {
        let mut text = Vec::with_capacity(message.len() * 2 + 64);
        self.printer.print(message, &mut text)?;
        let head = match self.form {
            StreamForm::Events => self.printer.event_head(message)?,
            StreamForm::Array | StreamForm::Lines(_) => Vec::new(),
        };
        Ok(self.item(&head, &text))
    }

    /// What clients skip: a comment, or white space before the next document.
    fn heartbeat(&self) -> Bytes {
        Bytes::from_static(match self.form {
            StreamForm::Array | StreamForm::Lines(_) => b" ",
            StreamForm::Events => b": alive\n\n",
        })
    }

    /// A document in its place; `head` is what an event has before its data.
    fn item(&mut self, head: &[u8], text: &[u8]) -> Bytes {
        let begun = std::mem::replace(&mut self.begun, true);
        match self.form {
            StreamForm::Array => [if begun { b"," } else { b"[" }, text].concat(),
            StreamForm::Lines(_) => [text, b"\n"].concat(),
            StreamForm::Events => [head, b"data: ", text, b"\n\n"].concat(),
        }
        .into()
    }

    /// The error, and what ends the stream. Who listens to events is told when to come back to a server that can serve
    /// again; that this one stops is no event.
    fn error(&mut self, failure: &Failure) -> Bytes {
        if self.form == StreamForm::Events && failure.is_stopping() {
            return format!("{}\n", sse::retry_line()).into();
        }
        let text = self.printer.inner.errors().in_band(&self.context, failure);
        match self.form {
            StreamForm::Array => [&self.item(b"", &text)[..], b"]"].concat().into(),
            StreamForm::Lines(_) => self.item(b"", &text),
            StreamForm::Events if failure.code == Code::Unavailable => {
                self.item(format!("{}event: error\n", sse::retry_line()).as_bytes(), &text)
            }
            StreamForm::Events => self.item(b"event: error\n", &text),
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

fn json_body(writer: Writer, first: Option<Bytes>, replies: ReplyStream) -> Body {
    let chunks = stream::unfold(Some((writer, first, replies)), |state| async move {
        let (mut writer, first, mut replies) = state?;
        if let Some(first) = first {
            return Some((first, Some((writer, None, replies))));
        }
        let next = match timeout(HEARTBEAT_INTERVAL, replies.next()).await {
            Ok(next) => next,
            Err(_) => return Some((writer.heartbeat(), Some((writer, None, replies)))),
        };
        match next.and_then(|next| next.map(|message| writer.message(&message)).transpose()) {
            Ok(Some(chunk)) => Some((chunk, Some((writer, None, replies)))),
            Ok(None) => Some((writer.end()?, None)),
            Err(failure) => Some((writer.error(&failure), None)),
        }
    });
    Body::new(StreamBody::new(chunks.map(|chunk| Ok::<_, BoxError>(Frame::data(chunk)))))
}

/// Raw bytes have no room for an error: the connection is cut instead.
fn raw_body(printer: Printer, first: Bytes, replies: ReplyStream) -> Body {
    let state = (printer, Some(first), replies);
    let chunks = stream::try_unfold(state, |(printer, first, mut replies)| async move {
        if let Some(first) = first {
            return Ok(Some((Frame::data(first), (printer, None, replies))));
        }
        let next = replies.next().await;
        let data = next.and_then(|m| m.map(|m| printer.raw(&m)).transpose());
        match data {
            Ok(Some((_, data))) => Ok(Some((Frame::data(data), (printer, None, replies)))),
            Ok(None) => Ok(None),
            Err(failure) => Err(BoxError::from(failure.message.as_str())),
        }
    });
    Body::new(StreamBody::new(chunks))
}
