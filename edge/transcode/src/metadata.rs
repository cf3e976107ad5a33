//! Headers ⇄ metadata by allow-lists. What is not named stays on its own side.

use std::collections::HashSet;

use base64::Engine as _;
use http::header::{CONNECTION, HeaderName, HeaderValue};
use http::{HeaderMap, header};

use crate::base64::METADATA;
use crate::failure::Failure;

/// Trace context is passed on always: it says nothing about the caller and joins the traces.
const ALWAYS: [&str; 2] = ["traceparent", "tracestate"];

/// The two allow-lists, made ready.
#[derive(Debug)]
pub struct Forwarding {
    request: Vec<HeaderName>,
    response: Vec<HeaderName>,
}

impl Forwarding {
    /// Prepares the lists.
    ///
    /// # Errors
    /// The first name that can never be forwarded, or is no header name.
    pub fn new(request: &[String], response: &[String]) -> Result<Self, String> {
        let request = request.iter().map(String::as_str).filter(|n| !ALWAYS.contains(n));
        let request: Result<_, _> =
            ALWAYS.into_iter().chain(request).map(forwardable_name).collect();
        let response: Result<_, _> = response.iter().map(|name| forwardable_name(name)).collect();
        let (request, response) = (request?, response?);
        Ok(Self { request, response })
    }

    /// Copies the request headers which the upstream may see.
    ///
    /// # Errors
    /// When a `-bin` header is not base64.
    pub fn request(&self, headers: &HeaderMap, out: &mut HeaderMap) -> Result<(), Failure> {
        let hops = named_by_connection(headers);
        for name in &self.request {
            if hops.contains(name.as_str()) {
                continue;
            }
            for value in headers.get_all(name) {
                if name.as_str().ends_with("-bin") {
                    is_binary(name, value)?;
                }
                out.append(name.clone(), value.clone());
            }
        }
        Ok(())
    }

    /// Copies the response metadata which the client may see.
    pub fn response(&self, metadata: &HeaderMap, out: &mut HeaderMap) {
        for name in &self.response {
            for value in metadata.get_all(name) {
                out.append(name.clone(), value.clone());
            }
        }
    }

    /// Puts the metadata of a failure which the client may see among its headers; those that are the
    /// edge's own stay as they are.
    pub fn failure(&self, mut failure: Failure) -> Failure {
        let mut headers = HeaderMap::new();
        self.response(&failure.metadata, &mut headers);
        headers.extend(std::mem::take(&mut failure.headers));
        failure.headers = headers;
        failure
    }
}

fn is_binary(name: &HeaderName, value: &HeaderValue) -> Result<(), Failure> {
    let valid = value
        .to_str()
        .is_ok_and(|text| text.split(',').all(|part| METADATA.decode(part.trim()).is_ok()));
    if valid { Ok(()) } else { Err(Failure::invalid(name.as_str(), "the header is not base64")) }
}

/// The name of a header that may be forwarded; the text itself where it never may be.
fn forwardable_name(text: &str) -> Result<HeaderName, String> {
    match HeaderName::from_bytes(text.to_ascii_lowercase().as_bytes()) {
        Ok(name) if !is_reserved(&name) => Ok(name),
        _ => Err(text.to_owned()),
    }
}

/// Headers that belong to one connection or to the protocol itself.
fn is_reserved(name: &HeaderName) -> bool {
    name.as_str().starts_with("grpc-")
        || [
            header::CONNECTION,
            header::CONTENT_ENCODING,
            header::CONTENT_LENGTH,
            header::CONTENT_TYPE,
            header::HOST,
            header::TE,
            header::TRAILER,
            header::TRANSFER_ENCODING,
            header::UPGRADE,
            HeaderName::from_static("keep-alive"),
            HeaderName::from_static("proxy-connection"),
        ]
        .contains(name)
}

fn named_by_connection(headers: &HeaderMap) -> HashSet<String> {
    let values = headers.get_all(CONNECTION).into_iter().filter_map(|v| v.to_str().ok());
    values.flat_map(|v| v.split(',')).map(|name| name.trim().to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v)))
            .collect()
    }

    #[test]
    fn only_named_headers_pass() {
        let lists = Forwarding::new(&["X-A".to_owned()], &["x-b".to_owned()]).unwrap();
        let mut out = HeaderMap::new();
        let sent = [("x-a", "1"), ("x-c", "2"), ("traceparent", "t"), ("grpc-status", "0")];
        lists.request(&map(&sent), &mut out).unwrap();
        assert_eq!(out, map(&[("traceparent", "t"), ("x-a", "1")]));
        let mut out = HeaderMap::new();
        lists.response(&map(&[("x-a", "1"), ("x-b", "2"), ("grpc-status", "0")]), &mut out);
        assert_eq!(out, map(&[("x-b", "2")]));
    }

    #[test]
    fn hop_by_hop_headers_never_pass() {
        let lists = Forwarding::new(&["x-a".to_owned()], &[]).unwrap();
        let mut out = HeaderMap::new();
        lists.request(&map(&[("connection", "close, X-A"), ("x-a", "1")]), &mut out).unwrap();
        assert!(out.is_empty());
        for name in ["te", "grpc-timeout", "Host", "no name"] {
            assert_eq!(Forwarding::new(&[name.to_owned()], &[]).unwrap_err(), name);
        }
    }

    #[test]
    fn binary_headers_are_base64() {
        let lists = Forwarding::new(&["x-a-bin".to_owned()], &[]).unwrap();
        for (value, ok) in [("AQID", true), ("AQ==, AQ", true), ("AQ", true), ("@@", false)] {
            let mut out = HeaderMap::new();
            assert_eq!(lists.request(&map(&[("x-a-bin", value)]), &mut out).is_ok(), ok, "{value}");
        }
    }
}
