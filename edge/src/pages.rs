//! What the edge serves of its own: health, metrics, documentation, and a page that says what runs here.

use crate::{accept_encoding::AcceptedCodings, docs, metrics, openapi, state::State};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{
    HeaderName, HeaderValue, Method, Request, Response, StatusCode,
    header::{
        ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_SECURITY_POLICY,
        CONTENT_TYPE, VARY,
    },
};
use std::{io::Write as _, sync::LazyLock};
use transcode::{Body, ErrorContext, Failure};

const JSON: &str = "application/json";
const HTML: &str = "text/html; charset=utf-8";
const ALLOWED: &str = "GET, HEAD, OPTIONS";
/// For how long a browser keeps the documentation.
const KEEP: HeaderValue = HeaderValue::from_static("public, max-age=3600");

/// A page of the edge's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StaticPage {
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

impl StaticPage {
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

    /// Whether machines ask for it all the time.
    pub const fn is_probe(self) -> bool {
        matches!(self, Self::Healthz | Self::Readyz | Self::Metrics)
    }

    /// Whether it is the documentation: long, and the same all the time.
    const fn is_documentation(self) -> bool {
        matches!(self, Self::OpenapiJson | Self::OpenapiYaml | Self::Docs | Self::Redoc)
    }

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
pub fn answer_page<B>(state: &State, page: StaticPage, request: &Request<B>) -> Response<Body> {
    match *request.method() {
        Method::GET | Method::HEAD => {}
        Method::OPTIONS => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NO_CONTENT;
            response.headers_mut().insert(ALLOW, HeaderValue::from_static(ALLOWED));
            return response;
        }
        _ => {
            return state.fail(&ErrorContext::of(request), &Failure::not_allowed(ALLOWED));
        }
    }
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    let (status, media, content) = if page.is_documentation() {
        let (media, document) = documentation_page(page);
        headers.insert(CACHE_CONTROL, KEEP);
        headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
        if AcceptedCodings::of(request.headers()).gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            (StatusCode::OK, media, document.zipped.clone())
        } else {
            (StatusCode::OK, media, document.plain.clone())
        }
    } else {
        content_of(state, page, request)
    };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
    if media == HTML {
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(docs::POLICY));
    }
    if page.is_probe() {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if page == StaticPage::Index {
        headers.insert(VARY, HeaderValue::from_static("accept"));
    }
    if request.method() == Method::HEAD {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(content.len()));
    } else {
        *response.body_mut() = Body::full(content);
    }
    *response.status_mut() = status;
    response
}

fn content_of<B>(
    state: &State,
    page: StaticPage,
    request: &Request<B>,
) -> (StatusCode, &'static str, Bytes) {
    let ok = StatusCode::OK;
    match page {
        StaticPage::Index if wants_html(request) => {
            (ok, HTML, Bytes::from_static(INDEX.as_bytes()))
        }
        StaticPage::Healthz => (ok, JSON, Bytes::from_static(b"{\"status\":\"live\"}")),
        StaticPage::Readyz => {
            let (ready, report) = state.health().report();
            let status = if ready { ok } else { StatusCode::SERVICE_UNAVAILABLE };
            (status, JSON, report.to_string().into())
        }
        StaticPage::Metrics => {
            (ok, kit::program::metrics::CONTENT_TYPE, metrics::encode_metrics().into())
        }
        StaticPage::Index
        | StaticPage::OpenapiJson
        | StaticPage::OpenapiYaml
        | StaticPage::Docs
        | StaticPage::Redoc => (ok, JSON, index_json()),
    }
}

/// A text that is long and the same all the time, compressed once.
struct Document {
    plain: Bytes,
    zipped: Bytes,
}

impl Document {
    fn new(plain: Bytes) -> Self {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        // Writing to memory cannot fail.
        let _ = encoder.write_all(&plain);
        Self { plain, zipped: encoder.finish().unwrap_or_default().into() }
    }
}

fn documentation_page(page: StaticPage) -> (&'static str, &'static Document) {
    static AS_JSON: LazyLock<Document> = LazyLock::new(|| Document::new(openapi::to_json()));
    static AS_YAML: LazyLock<Document> = LazyLock::new(|| Document::new(openapi::to_yaml()));
    static TO_TRY: LazyLock<Document> = LazyLock::new(|| Document::new(docs::swagger_page()));
    static TO_READ: LazyLock<Document> = LazyLock::new(|| Document::new(docs::redoc_page()));
    match page {
        StaticPage::OpenapiYaml => ("application/yaml", &AS_YAML),
        StaticPage::Docs => (HTML, &TO_TRY),
        StaticPage::Redoc => (HTML, &TO_READ),
        _ => (JSON, &AS_JSON),
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

/// The header that forbids browsers to guess a type.
pub const NO_SNIFF: (HeaderName, HeaderValue) =
    (http::header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
