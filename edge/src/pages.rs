//! What the edge serves of its own: health, metrics, documentation, and a page that says what runs here.

use crate::{core::Core, docs, metrics, openapi};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{
    HeaderName, HeaderValue, Method, Request, Response, StatusCode,
    header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE},
};
use std::sync::{
    Arc, LazyLock,
    atomic::{AtomicBool, AtomicI64, Ordering},
};
use transcode::{Body, ErrorContext, Failure};

const JSON: &str = "application/json";
const HTML: &str = "text/html; charset=utf-8";
const ALLOWED: &str = "GET, HEAD, OPTIONS";
/// For how long a browser keeps the documentation.
const KEEP: HeaderValue = HeaderValue::from_static("public, max-age=3600");

/// A page of the edge's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// What runs here.
    Index,
    /// Whether the process lives.
    Healthz,
    /// Whether it can serve.
    Readyz,
    /// What it counted.
    Metrics,
    /// The contracts, as JSON.
    OpenapiJson,
    /// The contracts, as YAML.
    OpenapiYaml,
    /// The contracts, to try.
    Docs,
    /// The contracts, to read.
    Redoc,
}

impl Page {
    /// The page at this path.
    pub fn of(path: &str) -> Option<Self> {
        Some(match path {
            "/" => Self::Index,
            "/healthz" => Self::Healthz,
            "/readyz" => Self::Readyz,
            "/metrics" => Self::Metrics,
            "/openapi.json" => Self::OpenapiJson,
            "/openapi.yaml" => Self::OpenapiYaml,
            "/docs" | "/docs/" => Self::Docs,
            "/redoc" | "/redoc/" => Self::Redoc,
            _ => return None,
        })
    }

    /// Its path.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Index => "/",
            Self::Healthz => "/healthz",
            Self::Readyz => "/readyz",
            Self::Metrics => "/metrics",
            Self::OpenapiJson => "/openapi.json",
            Self::OpenapiYaml => "/openapi.yaml",
            Self::Docs => "/docs",
            Self::Redoc => "/redoc",
        }
    }
}

/// Answers a request for a page.
pub fn answer<B>(core: &Core, page: Page, request: &Request<B>) -> Response<Body> {
    match *request.method() {
        Method::GET | Method::HEAD => {}
        Method::OPTIONS => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NO_CONTENT;
            response.headers_mut().insert(ALLOW, HeaderValue::from_static(ALLOWED));
            return response;
        }
        _ => {
            return core.fail(&ErrorContext::of(request), &Failure::not_allowed(ALLOWED));
        }
    }
    let (status, media, content) = content(core, page, request);
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
    if media == HTML {
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(docs::POLICY));
    }
    match page {
        Page::Docs | Page::Redoc | Page::OpenapiJson | Page::OpenapiYaml => {
            headers.insert(CACHE_CONTROL, KEEP);
        }
        Page::Index => {
            headers.insert(http::header::VARY, HeaderValue::from_static("accept"));
        }
        Page::Healthz | Page::Readyz | Page::Metrics => {
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
    }
    if request.method() == Method::HEAD {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(content.len()));
    } else {
        *response.body_mut() = Body::full(content);
    }
    response
}

fn content<B>(core: &Core, page: Page, request: &Request<B>) -> (StatusCode, &'static str, Bytes) {
    let text = |text: String| Bytes::from(text);
    let ok = StatusCode::OK;
    match page {
        Page::Index if wants_html(request) => (ok, HTML, Bytes::from_static(INDEX.as_bytes())),
        Page::Index => (ok, JSON, index_json()),
        Page::Healthz => (ok, JSON, Bytes::from_static(b"{\"status\":\"live\"}")),
        Page::Readyz => {
            let (ready, report) = core.health().report();
            let status = if ready { ok } else { StatusCode::SERVICE_UNAVAILABLE };
            (status, JSON, text(report.to_string()))
        }
        Page::Metrics => (ok, kit::metrics::CONTENT_TYPE, text(metrics::encode())),
        Page::OpenapiJson => (ok, JSON, openapi::json()),
        Page::OpenapiYaml => (ok, "application/yaml", openapi::yaml()),
        Page::Docs => (ok, HTML, docs::swagger()),
        Page::Redoc => (ok, HTML, docs::redoc()),
    }
}

fn wants_html<B>(request: &Request<B>) -> bool {
    let accept = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

const INDEX: &str = include_str!("index.html");

fn index_json() -> Bytes {
    static JSON: LazyLock<Bytes> = LazyLock::new(|| {
        let index = serde_json::json!({
            "name": "QuickServe",
            "version": env!("CARGO_PKG_VERSION"),
            "documentation": ["/docs", "/redoc", "/openapi.json", "/openapi.yaml"],
            "health": ["/healthz", "/readyz", "/metrics"],
            "protocols": ["REST", "gRPC", "gRPC-Web"],
        });
        index.to_string().into()
    });
    JSON.clone()
}

/// Whether the edge can serve; cheap to clone.
#[derive(Clone)]
pub struct Health(Arc<State>);

struct State {
    clock: kit::Clock,
    stopping: AtomicBool,
    /// When the revocations were read last, in seconds since 1970; 0 for never.
    revocations: AtomicI64,
}

impl Health {
    /// Not ready yet.
    pub fn new(clock: kit::Clock) -> Self {
        let (stopping, revocations) = (AtomicBool::new(false), AtomicI64::new(0));
        Self(Arc::new(State { clock, stopping, revocations }))
    }

    /// Says that no more requests should come.
    pub fn stopping(&self) {
        self.0.stopping.store(true, Ordering::Relaxed);
    }

    /// Says that the void access tokens are known as of `at`.
    pub fn revocations_read(&self, at: DateTime<Utc>) {
        self.0.revocations.store(at.timestamp(), Ordering::Relaxed);
    }

    /// Ready means: not stopping, and the void access tokens have been read once. That they are old does not make it
    /// unready: every edge would be so at once, and services check their callers themselves.
    fn report(&self) -> (bool, serde_json::Value) {
        let read = self.0.revocations.load(Ordering::Relaxed);
        let stopping = self.0.stopping.load(Ordering::Relaxed);
        let age = (read > 0).then(|| (self.0.clock.now().timestamp() - read).max(0));
        let status = match (stopping, age) {
            (true, _) => "stopping",
            (false, None) => "starting",
            (false, Some(_)) => "ready",
        };
        (status == "ready", serde_json::json!({ "status": status, "revocations_age_s": age }))
    }
}

/// The header that forbids browsers to guess a type.
pub const NO_SNIFF: (HeaderName, HeaderValue) =
    (http::header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
