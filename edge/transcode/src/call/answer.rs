//! The answer to a call as an HTTP response.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};

use super::blame::in_terms_of_client;
use super::prepare::Call;
use super::printer::{OCTETS, Printer, malformed_reply};
use super::replies::Replies;
use crate::body::Body;
use crate::etag;
use crate::extract::{self, Absent};
use crate::failure::Failure;
use crate::rule::ResponseBody;

/// The response to a unary call, or to one that only the client streams.
pub(crate) async fn answer_unary(
    mut call: Call,
    head: &Parts,
    mut replies: Replies,
) -> Result<Response<Body>, Failure> {
    let only = replies.next().await.map_err(|failure| in_terms_of_client(&call, failure))?;
    let only = only.ok_or_else(|| Failure::bad_gateway("the upstream sent no message"))?;
    let another = replies.next().await.map_err(|failure| in_terms_of_client(&call, failure))?;
    if another.is_some() {
        return Err(Failure::bad_gateway("the upstream sent more than one message"));
    }
    let printer = Printer::new(&mut call);
    let mut headers = HeaderMap::new();
    printer.forward(&replies, &mut headers);
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
        if safe && !etag::matches_tag(&head.headers, &tag) {
            return Err(etag::precondition_failed());
        }
        if safe && etag::none_match(&head.headers, &tag) {
            status = StatusCode::NOT_MODIFIED;
        }
        headers.insert(ETAG, tag);
    }
    Ok(finish_answer(status, headers, content, &head.method))
}

fn finish_answer(
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
    let version =
        extract::extract_text(&printer.inner.schema, output, path, message, Absent::Default);
    let version = version.map_err(|e| malformed_reply(e.into()))?;
    Ok(version.and_then(|v| etag::tag_of(&v, printer.selection.is_some())))
}
