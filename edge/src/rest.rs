//! Requests with JSON, or whatever else the contract's route takes.

use crate::{
    core::{Core, Label, Meta, context, labelled},
    gate::Standings,
    upstream::Upstream,
};
use async_compression::tokio::bufread::GzipDecoder;
use bytes::Bytes;
use futures::TryStreamExt;
use http::{
    HeaderMap, HeaderValue, Request, Response, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, LOCATION},
};
use http_body::Frame;
use http_body_util::{BodyExt as _, BodyStream, Collected, StreamBody};
use hyper::body::Incoming;
use std::io;
use tokio_util::io::{ReaderStream, StreamReader};
use transcode::{Body, ErrorContext, RequestContent};

const GRPC_TIMEOUT: &str = "grpc-timeout";
const SERVER_TIMEOUT: &str = "x-server-timeout";

impl Core {
    /// Answers by the route of the contracts.
    pub async fn rest(
        &self,
        mut request: Request<Incoming>,
        meta: Meta,
        standings: &mut Standings,
    ) -> Response<Body> {
        let (route, entry) = match self.route(&request) {
            Ok(found) => found,
            Err(error) => {
                return self.transcoder.respond_unrouted(&ErrorContext::of(&request), &error);
            }
        };
        let subject = match self.gate.admit(entry, request.headers(), standings).await {
            Ok(subject) => subject,
            Err(status) => {
                let response = self.refuse(&ErrorContext::of(&request), &status);
                return labelled(response, entry.label);
            }
        };
        let headers = request.headers_mut();
        if let Some(timeout) = &entry.timeout
            && !headers.contains_key(GRPC_TIMEOUT)
            && !headers.contains_key(SERVER_TIMEOUT)
        {
            headers.insert(GRPC_TIMEOUT, timeout.clone());
        }
        let place = entry.creates.then(|| request.uri().path().trim_end_matches('/').to_owned());
        let context = context(subject, entry.rpc, &meta);
        let upstream = Upstream { channel: entry.channel.clone(), context };
        let mut response = if is_gzip(request.headers()) {
            self.transcoder.call(route, unzipped(request), upstream).await
        } else {
            self.transcoder.call(route, request, upstream).await
        };
        if let Some(path) = place.filter(|_| response.status() == StatusCode::CREATED) {
            response = placed(response, &path).await;
        }
        response.extensions_mut().insert(Label(entry.label));
        response
    }
}

/// The answer to a creation with the place of what was made: its `id` below `path`.
async fn placed(response: Response<Body>, path: &str) -> Response<Body> {
    #[derive(serde::Deserialize)]
    struct Made {
        id: String,
    }
    let (mut head, body) = response.into_parts();
    // The whole of it is there: only streams can break off, and a creation is none.
    let content = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
    if let Ok(Made { id }) = serde_json::from_slice(&content)
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        && let Ok(place) = HeaderValue::try_from(format!("{path}/{id}"))
    {
        head.headers.insert(LOCATION, place);
    }
    Response::from_parts(head, Body::full(content))
}

fn is_gzip(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_ENCODING).is_some_and(|coding| {
        coding.as_bytes().eq_ignore_ascii_case(b"gzip")
            || coding.as_bytes().eq_ignore_ascii_case(b"x-gzip")
    })
}

/// The request with its content decompressed as it is read: the limit on the content counts what comes out.
fn unzipped(request: Request<Incoming>) -> Request<impl RequestContent> {
    let (mut head, body) = request.into_parts();
    head.headers.remove(CONTENT_ENCODING);
    head.headers.remove(CONTENT_LENGTH);
    let chunks = TryStreamExt::map_err(BodyStream::new(body), io::Error::other);
    let chunks = chunks.try_filter_map(|frame| async { Ok(frame.into_data().ok()) });
    let mut decoder = GzipDecoder::new(StreamReader::new(Box::pin(chunks)));
    decoder.multiple_members(true);
    let frames = ReaderStream::new(decoder).map_ok(Frame::<Bytes>::data);
    Request::from_parts(head, StreamBody::new(frames).boxed_unsync())
}
