//! Client streams: content that becomes one gRPC message after another while it arrives.

use std::collections::VecDeque;

use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use http::HeaderMap;
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::content;
use super::prepare::Call;
use super::replies::RequestFailure;
use super::splitter::{Form, Splitter};
use super::upstream::Content;
use crate::accept;
use crate::bindings::Bindings;
use crate::buffer::{RESERVED_PER_REQUEST, Reservation};
use crate::failure::Failure;
use crate::rule::{RequestBody, Target};

/// The most bytes of raw content in one message.
const CHUNK: usize = 1 << 20;

/// Tells when a request's stream has ended.
pub(crate) struct UploadEnd(oneshot::Receiver<()>);

impl UploadEnd {
    pub async fn wait(self) {
        // The sender says nothing: it is dropped with the stream.
        let _ = self.0.await;
    }
}

/// The upstream request's body. It is not returned before the first message is known to be valid,
/// so that a request which is wrong from the start opens no call.
pub(crate) async fn upload_body(
    call: &mut Call,
    headers: &HeaderMap,
    content: Content,
    request_failure: &RequestFailure,
) -> Result<(tonic::body::Body, UploadEnd), Failure> {
    let source = Source { content };
    let encoder = Encoder::new(call);
    let messages = match &call.route.binding.request {
        RequestBody::Raw(target) => {
            let target = target.clone();
            raw_source(encoder, source, headers.clone(), target).boxed()
        }
        RequestBody::None | RequestBody::Whole | RequestBody::Field(_) => {
            let form = match accept::choose_content(headers) {
                accept::Content::Lines => Form::Lines,
                accept::Content::Json | accept::Content::Other => Form::Array,
            };
            json_source(encoder, source, Splitter::new(form)).boxed()
        }
    };
    let mut messages = messages;
    let first = messages.next().await.transpose()?;
    let request_failure = request_failure.clone();
    let frames = stream::iter(first.map(Ok)).chain(messages);
    let (ending, end) = oneshot::channel();
    let frames = frames.map(move |message| {
        let _dropped_with_the_stream = &ending;
        message.map(Frame::data).map_err(|failure| {
            let status = tonic::Status::from(&failure);
            request_failure.set(failure);
            status
        })
    });
    Ok((tonic::body::Body::new(StreamBody::new(frames)), UploadEnd(end)))
}

/// The arriving content. As a whole it may be of any length: what is limited is how much of it is held at once.
struct Source {
    content: Content,
}

impl Source {
    /// What arrives next, until a time if there is one.
    async fn next(&mut self, until: Option<Instant>) -> Result<Option<Bytes>, Failure> {
        loop {
            let frame = match until {
                None => self.content.frame().await,
                Some(until) => {
                    let frame = timeout_at(until, self.content.frame()).await;
                    frame.map_err(|_| Failure::too_slow())?
                }
            };
            let Some(frame) = frame else { return Ok(None) };
            let frame = frame.map_err(|e| Failure::of_broken_content(&*e))?;
            let Ok(data) = frame.into_data() else { continue };
            if !data.is_empty() {
                return Ok(Some(data));
            }
        }
    }
}

/// Encodes the messages of a stream. Path and query belong to the first of them.
pub(crate) struct Encoder {
    call: Call,
}

impl Encoder {
    /// Takes the bindings of a call along.
    pub fn new(call: &mut Call) -> Self {
        Self { call: call.for_stream() }
    }

    /// The frame of a JSON document.
    pub fn json(&mut self, document: &Bytes) -> Result<Bytes, Failure> {
        let frame = content::json_to_message(&mut self.call, Some(document))?;
        self.call.bindings = Bindings::new();
        self.call.element = self.call.element.map(|element| element + 1);
        Ok(frame)
    }

    /// The frame of a message which came by itself.
    pub fn message(&mut self, message: &Bytes) -> Result<Bytes, Failure> {
        match self.call.route.binding.request.clone() {
            RequestBody::Raw(target) => {
                let body = content::raw_to_message(None, message)?;
                self.raw(target.as_ref(), &body)
            }
            RequestBody::None | RequestBody::Whole | RequestBody::Field(_) => self.json(message),
        }
    }

    /// The most bytes of a message that comes.
    pub fn limit(&self) -> usize {
        self.call.route.inner.options.max_request_bytes
    }

    fn reservation(&self) -> Reservation {
        self.call.route.inner.budget.reservation()
    }

    fn raw(&mut self, target: Option<&Target>, body: &[u8]) -> Result<Bytes, Failure> {
        let frame = content::raw_message(&mut self.call, target, body)?;
        self.call.bindings = Bindings::new();
        Ok(frame)
    }
}

fn json_source(
    encoder: Encoder,
    source: Source,
    splitter: Splitter,
) -> impl Stream<Item = Result<Bytes, Failure>> + Send {
    struct State {
        encoder: Encoder,
        source: Source,
        splitter: Splitter,
        /// For the document that is not complete yet.
        reservation: Reservation,
        arrived: bool,
    }
    let (limit, reservation) = (encoder.limit(), encoder.reservation());
    let state = State { encoder, source, splitter, reservation, arrived: false };
    stream::try_unfold(state, move |mut state| async move {
        let mut begun = Instant::now();
        loop {
            let mut document = state.splitter.next().map_err(refuse_document)?;
            if document.is_none() && state.arrived {
                document = state.splitter.finish().map_err(refuse_document)?;
                if document.is_none() {
                    return Ok(None);
                }
            }
            let length = document.as_ref().map_or(state.splitter.pending(), Bytes::len);
            if length > limit {
                return Err(Failure::message_too_large(limit));
            }
            let pending = state.splitter.pending();
            state.reservation.resize(pending)?;
            if let Some(document) = document {
                let frame = state.encoder.json(&document)?;
                return Ok(Some((frame, state)));
            }
            // A stream may pause between its messages, but not keep what others need.
            let until = if pending > RESERVED_PER_REQUEST {
                Some(begun + content::time_for(pending))
            } else {
                begun = Instant::now();
                None
            };
            match state.source.next(until).await? {
                Some(data) => state.splitter.push(&data),
                None => state.arrived = true,
            }
        }
    })
}

/// A document of the stream that is not JSON.
fn refuse_document(problem: &'static str) -> Failure {
    Failure::invalid("", problem)
}

fn raw_source(
    encoder: Encoder,
    source: Source,
    headers: HeaderMap,
    target: Option<Target>,
) -> impl Stream<Item = Result<Bytes, Failure>> + Send {
    struct State {
        encoder: Encoder,
        source: Source,
        /// Until the first message, which tells the media type.
        headers: Option<HeaderMap>,
        pieces: VecDeque<Bytes>,
    }
    let most = encoder.limit().clamp(1, CHUNK);
    let state = State { encoder, source, headers: Some(headers), pieces: VecDeque::new() };
    stream::try_unfold((state, target), move |(mut state, target)| async move {
        if state.pieces.is_empty() {
            match state.source.next(None).await? {
                Some(mut data) => {
                    while data.len() > most {
                        state.pieces.push_back(data.split_to(most));
                    }
                    state.pieces.push_back(data);
                }
                None if state.headers.is_some() => state.pieces.push_back(Bytes::new()),
                None => return Ok(None),
            }
        }
        let piece = state.pieces.pop_front().unwrap_or_default();
        let body = content::raw_to_message(state.headers.take().as_ref(), &piece)?;
        let frame = state.encoder.raw(target.as_ref(), &body)?;
        Ok(Some((frame, (state, target))))
    })
}
