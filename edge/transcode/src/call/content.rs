//! The content of a request: read within its limit, and made into one gRPC frame.

use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use http::HeaderMap;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderName,
};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::blame::sent_path;
use super::prepare::{Call, refused_by_precondition, refused_in};
use super::upstream::Content;
use crate::accept;
use crate::buffer::{BufferedContent, ContentBuffer};
use crate::failure::Failure;
use crate::json::{json_field_to_wire, json_paths, json_to_wire};
use crate::limits::JsonOptions;
use crate::rule::{Binding, RequestBody, Target};
use crate::wire;

const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");
/// Contents from so many bytes on are converted only a few at a time.
const LONG: usize = 64 << 10;
/// How long a content may take to arrive, and how fast it must come to have longer: one that is sent by drops is held for
/// ever.
const CONTENT_TIME: Duration = Duration::from_secs(30);
const MIN_BYTES_PER_SECOND: usize = 16 << 10;
/// The header of a gRPC frame: a flag and the length.
const HEADER: usize = 5;

/// Refuses what the headers alone show to be unreadable.
pub(crate) fn check_content(
    binding: &Binding,
    headers: &HeaderMap,
    content: &Content,
) -> Result<(), Failure> {
    if content.is_end_stream() {
        return Ok(());
    }
    if let Some(coding) = headers.get(CONTENT_ENCODING)
        && !coding.as_bytes().eq_ignore_ascii_case(b"identity")
    {
        let failure = Failure::unsupported("the content has a coding; it is expected without");
        return Err(failure.with_header(ACCEPT_ENCODING, "identity"));
    }
    match binding.request {
        RequestBody::Whole | RequestBody::Field(_) => {}
        RequestBody::None | RequestBody::Raw(_) => return Ok(()),
    }
    match accept::choose_content(headers) {
        accept::Content::Json => Ok(()),
        accept::Content::Lines if binding.method.client_streaming() => Ok(()),
        accept::Content::Lines | accept::Content::Other => Err(not_json(binding)),
    }
}

/// 415 with what is taken instead, as RFC 9110 §15.5.16 and RFC 5789 §2.2 have it.
fn not_json(binding: &Binding) -> Failure {
    let taken = match binding.method.client_streaming() {
        true => "application/json, application/x-ndjson",
        false => "application/json",
    };
    let message = format!("the content is expected as {taken}, in UTF-8");
    let failure = Failure::unsupported(message).with_header(ACCEPT, taken);
    if binding.patch { failure.with_header(ACCEPT_PATCH, taken) } else { failure }
}

/// Reads the whole content.
pub(crate) async fn read_content(
    binding: &Binding,
    headers: &HeaderMap,
    mut content: Content,
    mut buffer: ContentBuffer,
) -> Result<BufferedContent, Failure> {
    read_within(headers, buffer.limit())?;
    let begun = Instant::now();
    loop {
        let until = begun + time_for(buffer.length());
        let frame = timeout_at(until, content.frame()).await.map_err(|_| Failure::too_slow())?;
        let Some(frame) = frame else { return Ok(buffer.finish()) };
        let frame = frame.map_err(|e| Failure::of_broken_content(&*e))?;
        let Ok(data) = frame.into_data() else { continue };
        if binding.request == RequestBody::None && !data.is_empty() {
            return Err(Failure::invalid("", "the method takes no content"));
        }
        buffer.push(data)?;
    }
}

/// How long a content may take that has come so far.
pub(crate) fn time_for(length: usize) -> Duration {
    CONTENT_TIME + Duration::from_secs((length / MIN_BYTES_PER_SECOND) as u64)
}

/// Waits for the permit to convert a long content: its thread serves no other request meanwhile.
pub(crate) async fn await_turn(
    permits: &Arc<Semaphore>,
    length: usize,
) -> Option<OwnedSemaphorePermit> {
    if length < LONG {
        return None;
    }
    // Fails only on a closed semaphore, and this one is never closed.
    let permit = Arc::clone(permits).acquire_owned().await.ok();
    // Requests that wait for this thread go first.
    tokio::task::yield_now().await;
    permit
}

/// Refuses a content whose declared length is over the limit, before any of it is read.
pub(crate) fn read_within(headers: &HeaderMap, limit: usize) -> Result<(), Failure> {
    let declared = headers.get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > limit as u64) {
        return Err(Failure::too_large(limit));
    }
    Ok(())
}

/// The frame of a unary request.
pub(crate) fn to_message(
    call: &mut Call,
    headers: &HeaderMap,
    content: &Bytes,
) -> Result<Bytes, Failure> {
    match &call.route.binding.request {
        RequestBody::Raw(target) => {
            let target = target.clone();
            let raw = raw_to_message(Some(headers), content)?;
            raw_message(call, target.as_ref(), &raw)
        }
        RequestBody::None => json_to_message(call, None),
        RequestBody::Whole | RequestBody::Field(_) => {
            json_to_message(call, Some(content).filter(|c| !c.is_empty()))
        }
    }
}

/// A JSON document with the call's bindings, as a frame.
pub(crate) fn json_to_message(call: &mut Call, document: Option<&Bytes>) -> Result<Bytes, Failure> {
    let binding = Arc::clone(&call.route.binding);
    let inner = Arc::clone(&call.route.inner);
    let mut options = inner.json;
    options.ignore_unknown_fields &= !binding.patch;
    options.limits.output_bytes = inner.options.max_message_bytes;
    match (&binding.request, document) {
        (RequestBody::Field(target), Some(document)) => {
            derive_mask(call, target, document, &options)?;
        }
        // Nothing says what changes: to some upstreams that is nothing, to others everything.
        (RequestBody::Field(_), None) if binding.update_mask.is_some() && !call.has_mask => {
            return Err(Failure::invalid("", "the content is missing, which says what to change"));
        }
        _ => {}
    }
    let (schema, input) = (&inner.schema, binding.method.input());
    let document = document.map(AsRef::as_ref);
    frame_message(document.map_or(0, <[u8]>::len), |out| {
        let written = match &binding.request {
            RequestBody::Field(target) => {
                let (number, bindings) = (target.number, &call.bindings);
                json_field_to_wire(schema, input, number, document, bindings, &options, out)
            }
            RequestBody::None | RequestBody::Whole | RequestBody::Raw(_) => {
                json_to_wire(schema, input, document, &call.bindings, &options, out)
            }
        };
        written.map_err(|error| {
            let path = sent_path(schema, &binding, error.path()).to_owned();
            refused_in(call.element, error.at_path(path))
        })
    })
}

/// Sets the update mask of a PATCH to the fields that its content names, unless the client gave
/// one (AIP-134). A field bound by the path is not among them.
fn derive_mask(
    call: &mut Call,
    target: &Target,
    document: &Bytes,
    options: &JsonOptions,
) -> Result<(), Failure> {
    let binding = &call.route.binding;
    let (Some(mask), Some(message), false) = (&binding.update_mask, target.message, call.has_mask)
    else {
        return Ok(());
    };
    let schema = &call.route.inner.schema;
    let mut paths =
        json_paths(schema, message, document, options).map_err(|e| refused_by_precondition(&e))?;
    let bound = binding.variables.iter().filter_map(|v| v.strip_prefix(&[target.number]));
    let bound: Vec<&[u32]> = bound.collect();
    paths.retain(|path| {
        let numbers = schema.resolve(message, path.split('.'));
        !numbers.is_ok_and(|(numbers, _)| bound.contains(&numbers.as_slice()))
    });
    if paths.is_empty() {
        return Ok(());
    }
    paths.sort_unstable();
    let mut payload = BytesMut::new();
    for path in &paths {
        payload.put_u8(0x0A);
        wire::put_delimited(&mut payload, path.as_bytes());
    }
    call.bindings
        .add_encoded(schema, binding.method.input(), mask, &payload)
        .map_err(|e| refused_by_precondition(&e))
}

/// A `google.api.HttpBody`; the content type only where the headers are given.
pub(crate) fn raw_to_message(
    headers: Option<&HeaderMap>,
    content: &[u8],
) -> Result<BytesMut, Failure> {
    let mut out = BytesMut::with_capacity(content.len() + 64);
    if let Some(value) = headers.and_then(|h| h.get(CONTENT_TYPE)) {
        let value = value.to_str().map_err(|_| {
            Failure::invalid(CONTENT_TYPE.as_str(), "the media type holds other than ASCII")
        })?;
        out.put_u8(0x0A);
        wire::put_delimited(&mut out, value.as_bytes());
    }
    if !content.is_empty() {
        out.put_u8(0x12);
        wire::put_delimited(&mut out, content);
    }
    Ok(out)
}

/// The frame of a request which is, or holds, an `HttpBody`.
pub(crate) fn raw_message(
    call: &mut Call,
    target: Option<&Target>,
    raw: &[u8],
) -> Result<Bytes, Failure> {
    let Some(target) = target else {
        return frame_message(raw.len(), |out| {
            out.extend_from_slice(raw);
            Ok(())
        });
    };
    let (schema, input) = (&call.route.inner.schema, call.route.binding.method.input());
    call.bindings
        .add_encoded(schema, input, &[target.number], raw)
        .map_err(|e| refused_by_precondition(&e))?;
    let options = &call.route.inner.json;
    frame_message(raw.len(), |out| {
        json_to_wire(schema, input, None, &call.bindings, options, out)
            .map_err(|e| refused_by_precondition(&e))
    })
}

/// Writes a message behind the header of a gRPC frame.
pub(crate) fn frame_message(
    expected: usize,
    write: impl FnOnce(&mut BytesMut) -> Result<(), Failure>,
) -> Result<Bytes, Failure> {
    let mut message = BytesMut::with_capacity(HEADER + expected + 64);
    message.put_bytes(0, HEADER);
    write(&mut message)?;
    let length =
        u32::try_from(message.len() - HEADER).map_err(|_| Failure::too_large(u32::MAX as usize))?;
    if let Some(place) = message.get_mut(1..HEADER) {
        place.copy_from_slice(&length.to_be_bytes());
    }
    Ok(message.freeze())
}
