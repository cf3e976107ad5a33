//! One error value for every failure, independent of the shape it is later printed in.

use std::fmt;
use std::io;
use std::ops::{Deref, DerefMut};

use bytes::Bytes;
use http::header::{ALLOW, HeaderName, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};
use prost::Message as _;
use tonic::Code;
use tonic_types::pb;

use crate::base64::METADATA;
use crate::codes::http_status;
use base64::Engine as _;

const BAD_REQUEST: &str = "type.googleapis.com/google.rpc.BadRequest";
const ERROR_INFO: &str = "type.googleapis.com/google.rpc.ErrorInfo";
/// The `domain` of reasons that are given here.
const DOMAIN: &str = "transcode";
/// The reason of what ends because this server stops.
const STOPPING: &str = "SERVER_STOPPING";
const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";

/// A failed call or a refused request: a `google.rpc.Status` and how HTTP says it. One word wide,
/// because results carry it everywhere.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure(Box<FailureParts>);

/// The parts of a [`Failure`].
#[derive(Clone, Debug, PartialEq)]
pub struct FailureParts {
    /// The HTTP status.
    pub status: StatusCode,
    /// The gRPC code; never [`Code::Ok`].
    pub code: Code,
    /// The message, for developers.
    pub message: String,
    /// Typed details, in their order; types may be unknown here.
    pub details: Vec<Detail>,
    /// Headers that belong to the failure (`Allow`, `Retry-After`, …).
    pub headers: HeaderMap,
    /// The metadata that the upstream sent with it. None of it is for the client but what
    /// [`forward_response_metadata`](crate::Options::forward_response_metadata) lists.
    pub metadata: HeaderMap,
}

/// A `google.protobuf.Any` of a status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detail {
    /// The type's URL.
    pub type_url: String,
    /// The serialised message.
    pub value: Vec<u8>,
}

impl Deref for Failure {
    type Target = FailureParts;

    fn deref(&self) -> &FailureParts {
        &self.0
    }
}

impl DerefMut for Failure {
    fn deref_mut(&mut self) -> &mut FailureParts {
        &mut self.0
    }
}

/// A request that breaks a rule of HTTP: 400 or 501, `MALFORMED_REQUEST`.
impl From<listener::BrokenRule> for Failure {
    fn from(rule: listener::BrokenRule) -> Self {
        let failure = Self::new(Code::InvalidArgument, rule.to_string());
        failure.with_status(rule.status()).with_reason("MALFORMED_REQUEST")
    }
}

impl Failure {
    /// A failure with the HTTP status that `google/rpc/code.proto` gives the code.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        let code = if code == Code::Ok { Code::Unknown } else { code };
        let message = message.into();
        let (details, headers) = (Vec::new(), HeaderMap::new());
        let status = http_status(code);
        let metadata = HeaderMap::new();
        Self(Box::new(FailureParts { status, code, message, details, headers, metadata }))
    }

    /// The same failure with a stable code for machines, such as `ROUTE_NOT_FOUND`: its `ErrorInfo`.
    #[must_use]
    pub fn with_reason(mut self, reason: &str) -> Self {
        let (reason, domain) = (reason.to_owned(), DOMAIN.to_owned());
        let info = pb::ErrorInfo { reason, domain, ..pb::ErrorInfo::default() };
        self.details.push(Detail::of(ERROR_INFO, &info));
        self
    }

    /// A value of the request which is refused, with the field (or header, or parameter) named:
    /// `INVALID_ARGUMENT`.
    pub fn invalid(field: impl Into<String>, description: impl Into<String>) -> Self {
        let (field, description) = (field.into(), description.into());
        let message = match field.as_str() {
            "" => description.clone(),
            field => format!("{field}: {description}"),
        };
        let violation =
            pb::bad_request::FieldViolation { field, description, ..Default::default() };
        let detail = pb::BadRequest { field_violations: vec![violation] };
        let mut failure = Self::new(Code::InvalidArgument, message);
        failure.details.push(Detail::of(BAD_REQUEST, &detail));
        failure.with_reason("INVALID_ARGUMENT")
    }

    /// The upstream broke the protocol or the contract: 502, `UPSTREAM_MALFORMED`.
    pub fn bad_gateway(message: impl Into<String>) -> Self {
        let failure = Self::new(Code::Internal, message).with_status(StatusCode::BAD_GATEWAY);
        failure.with_reason("UPSTREAM_MALFORMED")
    }

    /// A message of the upstream is longer than allowed: 502, `UPSTREAM_MALFORMED`.
    pub fn upstream_too_long(limit: usize) -> Self {
        let message = format!("the upstream's message is longer than {limit} bytes");
        let failure = Self::new(Code::ResourceExhausted, message);
        failure.with_status(StatusCode::BAD_GATEWAY).with_reason("UPSTREAM_MALFORMED")
    }

    /// The deadline passed: 504, `DEADLINE_EXCEEDED`.
    pub fn deadline() -> Self {
        Self::new(Code::DeadlineExceeded, "the deadline passed before the call ended")
            .with_reason("DEADLINE_EXCEEDED")
    }

    /// The content of a request ended before it was whole. A layer before us refused it; or its chunks are malformed: 400,
    /// `MALFORMED_REQUEST`; or the client stopped in the middle of it: `REQUEST_CUT_OFF`.
    pub fn of_broken_content(error: &(dyn std::error::Error + 'static)) -> Self {
        if let Some(failure) = error.downcast_ref::<Self>() {
            return failure.clone();
        }
        tracing::debug!(%error, "the content of a request broke off; the client gets an error");
        if is_malformed(error) {
            let failure =
                Self::new(Code::InvalidArgument, "the chunks of the content are malformed");
            return failure.with_reason("MALFORMED_REQUEST");
        }
        Self::new(Code::Cancelled, "the request broke off").with_reason("REQUEST_CUT_OFF")
    }

    /// The head of a request cannot be read; the status says why: `MALFORMED_REQUEST`.
    pub fn unreadable(status: StatusCode) -> Self {
        let message = match status {
            StatusCode::URI_TOO_LONG => "the URI of the request is too long",
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => "the headers are too long",
            _ => "the request line or a header is malformed",
        };
        let failure = Self::new(Code::InvalidArgument, message).with_status(status);
        failure.with_reason("MALFORMED_REQUEST")
    }

    /// The server stops, and with it this stream: 503, `SERVER_STOPPING`.
    pub fn stopping() -> Self {
        let failure = Self::new(Code::Unavailable, "the server is stopping; call again");
        failure.with_reason(STOPPING).with_header(RETRY_AFTER, "1")
    }

    /// Whether the failure is the stop of this server.
    pub(crate) fn is_stopping(&self) -> bool {
        self.error_info().is_some_and(|info| info.domain == DOMAIN && info.reason == STOPPING)
    }

    /// The content of a request came too slowly: 408, `REQUEST_TOO_SLOW`.
    pub fn too_slow() -> Self {
        let message = "the content of the request did not arrive in time";
        let failure = Self::new(Code::DeadlineExceeded, message);
        failure.with_status(StatusCode::REQUEST_TIMEOUT).with_reason("REQUEST_TOO_SLOW")
    }

    /// Nothing is at the path: 404, `ROUTE_NOT_FOUND`.
    pub fn no_route() -> Self {
        Self::new(Code::NotFound, "no such path").with_reason("ROUTE_NOT_FOUND")
    }

    /// The request is longer than allowed: 413, `CONTENT_TOO_LARGE`.
    pub fn too_large(limit: usize) -> Self {
        let message = format!("the request is longer than {limit} bytes");
        let failure = Self::new(Code::ResourceExhausted, message);
        failure.with_status(StatusCode::PAYLOAD_TOO_LARGE).with_reason("CONTENT_TOO_LARGE")
    }

    /// A message of the request's stream is longer than allowed: 413, `CONTENT_TOO_LARGE`.
    pub fn message_too_large(limit: usize) -> Self {
        let message = format!("a message of the request is longer than {limit} bytes");
        let failure = Self::new(Code::ResourceExhausted, message);
        failure.with_status(StatusCode::PAYLOAD_TOO_LARGE).with_reason("CONTENT_TOO_LARGE")
    }

    /// Content of a type or coding that cannot be read: 415, `UNSUPPORTED_MEDIA_TYPE`.
    pub fn unsupported(message: impl Into<String>) -> Self {
        let failure = Self::new(Code::InvalidArgument, message);
        failure
            .with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE)
            .with_reason("UNSUPPORTED_MEDIA_TYPE")
    }

    /// Another method is needed: 405 with `Allow`, `METHOD_NOT_ALLOWED`.
    pub fn not_allowed(allow: &str) -> Self {
        let failure = Self::new(Code::Unimplemented, "the method is not allowed here");
        let failure = failure.with_status(StatusCode::METHOD_NOT_ALLOWED);
        failure.with_header(ALLOW, allow).with_reason("METHOD_NOT_ALLOWED")
    }

    /// The same failure with another HTTP status.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// The same failure with a header; a value that no header can hold is left out.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }

    /// The same failure with metadata of the upstream's answer, added to what it has.
    #[must_use]
    pub fn with_metadata(mut self, metadata: &HeaderMap) -> Self {
        for (name, value) in metadata {
            self.metadata.append(name, value.clone());
        }
        self
    }

    /// The failure which gRPC headers or trailers state, `None` when they say OK or nothing.
    ///
    /// `grpc-status` is what counts: details that are malformed are dropped, and so is what
    /// else the serialised status claims.
    pub fn from_grpc(headers: &HeaderMap) -> Option<Self> {
        let code = Code::from_bytes(headers.get("grpc-status")?.as_bytes());
        if code == Code::Ok {
            return None;
        }
        let message = headers.get("grpc-message").map(|m| message_text(m.as_bytes()));
        let details = headers.get("grpc-status-details-bin");
        let details = details.and_then(|d| METADATA.decode(d.as_bytes()).ok()).unwrap_or_default();
        let failure = Self::from_parts(code, message.unwrap_or_default(), &details);
        Some(failure.with_metadata(headers))
    }

    fn from_parts(code: Code, message: String, details: &[u8]) -> Self {
        let mut failure = Self::new(code, message);
        let status = pb::Status::decode(details).unwrap_or_default();
        let details = status.details.into_iter();
        failure.details =
            details.map(|any| Detail { type_url: any.type_url, value: any.value }).collect();
        if let Some(seconds) = failure.retry_after() {
            failure.headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        failure
    }

    /// Seconds to wait before another try, rounded up.
    fn retry_after(&self) -> Option<u64> {
        let delay = self.find::<pb::RetryInfo>(RETRY_INFO)?.retry_delay?;
        let seconds = u64::try_from(delay.seconds).ok()?;
        Some(seconds.saturating_add(u64::from(delay.nanos > 0)))
    }

    /// The field violations of all `BadRequest` details.
    pub fn violations(&self) -> Vec<pb::bad_request::FieldViolation> {
        let details = self.details.iter().filter(|d| same_type(&d.type_url, BAD_REQUEST));
        let requests = details.filter_map(|d| pb::BadRequest::decode(d.value.as_slice()).ok());
        requests.flat_map(|r| r.field_violations).collect()
    }

    /// The same failure with the fields of its violations renamed; a message that begins with such a field, too.
    #[must_use]
    pub(crate) fn with_fields_renamed(mut self, rename: impl Fn(&str) -> &str) -> Self {
        let FailureParts { details, message, .. } = &mut *self;
        for detail in details.iter_mut().filter(|detail| same_type(&detail.type_url, BAD_REQUEST)) {
            let Ok(mut request) = pb::BadRequest::decode(detail.value.as_slice()) else { continue };
            for violation in &mut request.field_violations {
                let renamed = rename(&violation.field).to_owned();
                if let Some(rest) = message.strip_prefix(violation.field.as_str())
                    && renamed != violation.field
                {
                    let subject = if renamed.is_empty() { "the content" } else { &renamed };
                    *message = format!("{subject}{rest}");
                }
                violation.field = renamed;
            }
            detail.value = request.encode_to_vec();
        }
        self
    }

    /// The first `ErrorInfo`.
    pub fn error_info(&self) -> Option<pb::ErrorInfo> {
        self.find(ERROR_INFO)
    }

    fn find<T: prost::Message + Default>(&self, url: &str) -> Option<T> {
        let detail = self.details.iter().find(|d| same_type(&d.type_url, url))?;
        T::decode(detail.value.as_slice()).ok()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl From<&tonic::Status> for Failure {
    fn from(status: &tonic::Status) -> Self {
        let failure =
            Self::from_parts(status.code(), status.message().to_owned(), status.details());
        failure.with_metadata(status.metadata().as_ref())
    }
}

impl Detail {
    fn of(type_url: &str, message: &impl prost::Message) -> Self {
        Self { type_url: type_url.to_owned(), value: message.encode_to_vec() }
    }

    /// Whether a typed member of a problem already says what this detail says.
    pub fn is_typed(&self) -> bool {
        [BAD_REQUEST, ERROR_INFO, RETRY_INFO].iter().any(|url| same_type(&self.type_url, url))
    }
}

/// Whether two type URLs name one type, wherever its definition is said to be.
fn same_type(a: &str, b: &str) -> bool {
    type_name(a) == type_name(b)
}

fn type_name(url: &str) -> &str {
    url.rsplit_once('/').map_or(url, |(_, name)| name)
}

/// Whether a content could be read and was not as HTTP has it. hyper says so by the kind of the cause.
fn is_malformed(error: &(dyn std::error::Error + 'static)) -> bool {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    let mut kinds = causes.filter_map(|cause| Some(cause.downcast_ref::<io::Error>()?.kind()));
    kinds.any(|kind| matches!(kind, io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData))
}

/// `grpc-message` is percent-encoded UTF-8; what is malformed is shown as it came.
fn message_text(raw: &[u8]) -> String {
    use route_template::percent::{Keep, decode_path};
    let decoded = decode_path(raw, Keep::Nothing).unwrap_or(raw.into());
    String::from_utf8_lossy(&decoded).into_owned()
}

/// The details' bytes of a status made of this failure; used where it has to travel on as gRPC.
impl From<&Failure> for tonic::Status {
    fn from(failure: &Failure) -> Self {
        let details = failure.details.iter();
        let details = details
            .map(|d| prost_types::Any { type_url: d.type_url.clone(), value: d.value.clone() })
            .collect();
        let message = failure.message.clone();
        let status = pb::Status { code: failure.code as i32, message: message.clone(), details };
        Self::with_details(failure.code, message, Bytes::from(status.encode_to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grpc(pairs: &[(&'static str, &str)]) -> Option<Failure> {
        let pairs = pairs.iter().map(|(n, v)| (HeaderName::from_static(n), v.parse().unwrap()));
        Failure::from_grpc(&pairs.collect())
    }

    #[test]
    fn grpc_status_is_trusted_over_its_details() {
        let other = pb::Status { code: 5, message: "other".into(), details: vec![] };
        let details = METADATA.encode(other.encode_to_vec());
        for details in [details.as_str(), "@@@", "AAAA", "/w"] {
            let failure = grpc(&[
                ("grpc-status", "9"),
                ("grpc-message", "caf%C3%A9 100%"),
                ("grpc-status-details-bin", details),
            ]);
            let failure = failure.unwrap();
            assert_eq!((failure.code, failure.details.len()), (Code::FailedPrecondition, 0));
        }
        assert_eq!(grpc(&[("grpc-status", "0")]), None);
        assert_eq!(grpc(&[("x", "0")]), None);
        assert_eq!(grpc(&[("grpc-status", "42")]).unwrap().code, Code::Unknown);
        assert_eq!(
            grpc(&[("grpc-status", "2"), ("grpc-message", "a%20b%C3%A9")]).unwrap().message,
            "a bé"
        );
    }

    #[test]
    fn a_retry_delay_is_rounded_up() {
        for (seconds, nanos, want) in [(1, 500_000_000, "2"), (3, 0, "3"), (0, 1, "1")] {
            let delay = prost_types::Duration { seconds, nanos };
            let info = pb::RetryInfo { retry_delay: Some(delay) };
            let any =
                prost_types::Any { type_url: RETRY_INFO.to_owned(), value: info.encode_to_vec() };
            let status = pb::Status { code: 14, message: String::new(), details: vec![any] };
            let status =
                tonic::Status::with_details(Code::Unavailable, "", status.encode_to_vec().into());
            assert_eq!(Failure::from(&status).headers[RETRY_AFTER], want);
        }
    }

    #[test]
    fn a_refused_value_names_its_field() {
        let failure = Failure::invalid("a.b", "is no number");
        assert_eq!(failure.status, StatusCode::BAD_REQUEST);
        assert_eq!(failure.violations()[0].field, "a.b");
        let status = tonic::Status::from(&failure);
        assert_eq!(Failure::from(&status), failure);
    }
}
