//! The two shapes of an error body: AIP-193 and problem+json, from the same [`Failure`].

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use serde::Serialize;
use serde_json::Value;

use crate::accept;
use crate::body::Body;
use crate::codes::code_name;
use crate::failure::{Detail, Failure};
use crate::json::any_to_json;
use crate::limits::JsonOptions;
use crate::options::{ErrorFormat, Options};
use crate::schema::Schema;

/// A request extension: the id of the request, which problems repeat to the client.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

/// What of a request decides how its errors are written.
#[derive(Clone, Debug, Default)]
pub struct ErrorContext {
    problem: bool,
    head: bool,
    request_id: Option<String>,
}

impl ErrorContext {
    /// Reads a request's `Accept`, method and [`RequestId`].
    pub fn of<B>(request: &Request<B>) -> Self {
        let request_id = request.extensions().get::<RequestId>();
        Self {
            problem: accept::prefers_problem(request.headers()),
            head: request.method() == Method::HEAD,
            request_id: request_id.map(|id| id.0.clone()),
        }
    }
}

/// An RFC 9457 problem with our extension members.
#[derive(Clone, Debug, Serialize)]
pub struct Problem {
    /// A URI for the kind of problem, or `about:blank`.
    pub r#type: String,
    /// The HTTP status in words.
    pub title: String,
    /// The HTTP status once more, for clients that keep only the content.
    pub status: u16,
    /// What went wrong with this request, for people to read: the message of the gRPC status.
    pub detail: String,
    /// The gRPC code's name.
    pub code: &'static str,
    /// The constant of an `ErrorInfo` that programs compare.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The fields that a `BadRequest` complains about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub violations: Vec<Violation>,
    /// What the caller can do instead: `ErrorInfo.metadata["allowed_actions"]`, comma-separated.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allowed_actions: Vec<String>,
    /// The rest of `ErrorInfo.metadata`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// The id of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The details as JSON, those that the members above repeat only if the options say so.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<Value>,
}

/// A field and what is wrong with it.
#[derive(Clone, Debug, Serialize)]
pub struct Violation {
    /// The field's path.
    pub field: String,
    /// What is wrong.
    pub description: String,
}

#[derive(Serialize)]
struct Google<'a> {
    code: u16,
    message: &'a str,
    status: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    details: Vec<Value>,
}

#[derive(Serialize)]
struct Wrapped<T> {
    error: T,
}

/// Writes errors in the shape that options and client agree on.
#[derive(Clone, Copy)]
pub(crate) struct ErrorWriter<'a> {
    pub schema: &'a Schema,
    pub options: &'a Options,
    pub json: &'a JsonOptions,
}

impl ErrorWriter<'_> {
    /// A whole response.
    pub fn response(&self, context: &ErrorContext, failure: &Failure) -> Response<Body> {
        let problem = self.is_problem(context);
        let body = if problem {
            serde_json::to_vec(&self.problem(context, failure))
        } else {
            serde_json::to_vec(&Wrapped { error: self.google(failure) })
        };
        let body = Bytes::from(body.unwrap_or_default());
        let mut response = Response::new(Body::empty());
        *response.status_mut() = failure.status;
        self.headers(response.headers_mut(), failure);
        let media = if problem { "application/problem+json" } else { "application/json" };
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media));
        if context.head {
            response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        } else {
            *response.body_mut() = Body::full(body);
        }
        response
    }

    /// An error inside a stream that has begun: `{"error": …}`.
    pub fn in_band(&self, context: &ErrorContext, failure: &Failure) -> Vec<u8> {
        let body = if self.is_problem(context) {
            serde_json::to_vec(&Wrapped { error: self.problem(context, failure) })
        } else {
            serde_json::to_vec(&Wrapped { error: self.google(failure) })
        };
        body.unwrap_or_default()
    }

    fn is_problem(&self, context: &ErrorContext) -> bool {
        context.problem || self.options.errors == ErrorFormat::Problem
    }

    fn headers(&self, headers: &mut HeaderMap, failure: &Failure) {
        headers.extend(failure.headers.clone());
        if failure.status == StatusCode::UNAUTHORIZED {
            headers.entry(WWW_AUTHENTICATE).or_insert_with(|| self.options.challenge.clone());
        }
    }

    fn google<'f>(&self, failure: &'f Failure) -> Google<'f> {
        Google {
            code: failure.status.as_u16(),
            message: &failure.message,
            status: code_name(failure.code),
            details: failure.details.iter().map(|d| self.detail(d)).collect(),
        }
    }

    fn problem(&self, context: &ErrorContext, failure: &Failure) -> Problem {
        let info = failure.error_info().unwrap_or_default();
        let mut metadata: BTreeMap<String, String> = info.metadata.into_iter().collect();
        let actions = metadata.remove("allowed_actions").unwrap_or_default();
        let reason = Some(info.reason).filter(|r| !r.is_empty());
        let base = self.options.problem_type_base.as_deref();
        let violations = failure.violations().into_iter();
        let all = self.options.problem_details;
        let details = failure.details.iter().filter(|d| all || !d.is_typed());
        Problem {
            r#type: match (base, &reason) {
                (Some(base), Some(reason)) => format!("{base}{reason}"),
                _ => "about:blank".to_owned(),
            },
            title: status_title(failure.status).to_owned(),
            status: failure.status.as_u16(),
            detail: failure.message.clone(),
            code: code_name(failure.code),
            reason,
            violations: violations
                .map(|v| Violation { field: v.field, description: v.description })
                .collect(),
            allowed_actions: actions
                .split(',')
                .map(|a| a.trim().to_owned())
                .filter(|a| !a.is_empty())
                .collect(),
            metadata,
            request_id: context.request_id.clone(),
            details: details.map(|d| self.detail(d)).collect(),
        }
    }

    /// A detail as ProtoJSON; base64 when its type is unknown or its bytes are not of that type.
    fn detail(&self, detail: &Detail) -> Value {
        let json = JsonOptions { unknown_any_as_base64: true, ..*self.json };
        let mut out = Vec::new();
        let printed = any_to_json(self.schema, &detail.type_url, &detail.value, &json, &mut out);
        let value = printed.ok().and_then(|()| serde_json::from_slice(&out).ok());
        value.unwrap_or_else(|| {
            let value = STANDARD.encode(&detail.value);
            serde_json::json!({ "@type": detail.type_url, "value": value })
        })
    }
}

fn status_title(status: StatusCode) -> &'static str {
    status.canonical_reason().unwrap_or(match status.as_u16() {
        499 => "Client Closed Request",
        _ => "Error",
    })
}
