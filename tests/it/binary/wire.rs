//! Bytes over HTTP, for requests that no well-behaved client makes.

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};

/// An answer in bytes.
pub struct Raw {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub trailers: HeaderMap,
    pub body: Bytes,
}

/// Sends bytes over HTTP/1.1, or HTTP/2 as gRPC wants it, and returns the answer as it begins.
pub async fn open(
    http2: bool,
    url: &str,
    headers: &[(&str, &str)],
    body: Option<Bytes>,
) -> Response<hyper::body::Incoming> {
    let client = Client::builder(TokioExecutor::new()).http2_only(http2).build_http();
    let method = if body.is_some() { http::Method::POST } else { http::Method::GET };
    let mut request = Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    client.request(request.body(Full::new(body.unwrap_or_default())).unwrap()).await.unwrap()
}

/// As [`open`], to the end of the answer.
pub async fn post(http2: bool, url: &str, headers: &[(&str, &str)], body: Bytes) -> Raw {
    let (head, body) = open(http2, url, headers, Some(body)).await.into_parts();
    let body = body.collect().await.unwrap();
    let trailers = body.trailers().cloned().unwrap_or_default();
    Raw { status: head.status, headers: head.headers, trailers, body: body.to_bytes() }
}

/// A message as gRPC frames it.
pub fn frame(message: &[u8]) -> Bytes {
    let mut framed = vec![0];
    framed.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
    framed.extend(message);
    framed.into()
}

/// The frames of an answer, each with its flag.
pub fn frames(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut found = Vec::new();
    while let [flag, a, b, c, d, rest @ ..] = bytes {
        let (frame, rest) = rest.split_at(u32::from_be_bytes([*a, *b, *c, *d]) as usize);
        found.push((*flag, frame.to_vec()));
        bytes = rest;
    }
    found
}
