//! What surrounds every request: its id, its record, CORS and compression.

use crate::{
    access_log::{AccessRecord, Logged},
    client::is_trusted,
    dispatch::{Handler, MustCompress},
    grpc,
    metrics::{self, method_name},
    pages::{NO_SNIFF, StaticPage},
    state::{Label, Meta, State},
};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode,
    header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_RANGE, CONTENT_TYPE, ORIGIN},
};
use kit::program::telemetry;
use listener::{Application, Content};
use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tower::ServiceExt as _;
use tower_http::{
    compression::{Compression, CompressionBody, CompressionLayer, Predicate},
    cors::{AllowOrigin, Any, Cors, CorsLayer},
};
use tracing::{Instrument as _, Span};
use transcode::{Body, ErrorContext, Failure, RequestId};

const REQUEST_ID: HeaderName = HeaderName::from_static(kit::rpc::headers::REQUEST_ID);
/// What pages of other origins may read of an answer.
const EXPOSED: [HeaderName; 12] = [
    REQUEST_ID,
    HeaderName::from_static("grpc-status"),
    HeaderName::from_static("grpc-message"),
    HeaderName::from_static("grpc-status-details-bin"),
    HeaderName::from_static("grpc-encoding"),
    HeaderName::from_static("ratelimit"),
    HeaderName::from_static("ratelimit-policy"),
    http::header::RETRY_AFTER,
    http::header::ETAG,
    http::header::LOCATION,
    http::header::ALLOW,
    http::header::WWW_AUTHENTICATE,
];

type Compressing = Compression<Handler, Worthwhile>;

/// The content of an answer on its way out.
pub type AnswerBody = Logged<CompressionBody<Body>>;

/// Serves the requests of all connections.
pub struct Middleware {
    state: Arc<State>,
    plain: Compressing,
    /// For requests of pages from elsewhere; none when no origin may call.
    cors: Option<Cors<Compressing>>,
}

impl Middleware {
    /// Prepares the layers.
    pub fn new(state: Arc<State>) -> anyhow::Result<Self> {
        let worthwhile = Worthwhile { above: state.config.compress_above };
        let layer = CompressionLayer::new().compress_when(worthwhile);
        let plain = tower::Layer::layer(&layer, Handler(Arc::clone(&state)));
        let cors = (!state.config.cors_origins.is_empty())
            .then(|| state.config.origins().map(|origins| cors_layer(origins, plain.clone())))
            .transpose()?;
        Ok(Self { state, plain, cors })
    }

    /// The state behind.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Answers a request that came from `peer`.
    pub async fn answer(
        self: Arc<Self>,
        mut request: Request<Content>,
        peer: IpAddr,
    ) -> Response<AnswerBody> {
        // gRPC negotiates its compression in a header of its own.
        if grpc::is_grpc(request.headers()) {
            request.headers_mut().remove(ACCEPT_ENCODING);
        }
        let id = self.request_id(request.headers());
        let method = method_name(request.method());
        let mut record = AccessRecord::begin(method, Arc::clone(&id), self.state.config.access_log);
        let span = self.begin_trace(method, &mut request, peer);
        (record.span, record.trace_id) = (span.clone(), telemetry::trace_id(request.headers()));
        request.extensions_mut().insert(RequestId(id.as_ref().to_owned()));
        request.extensions_mut().insert(self.state.stream_ends.clone());
        request.extensions_mut().insert(Meta { peer, id: Arc::clone(&id) });
        let cors = self.cors.as_ref().filter(|_| request.headers().contains_key(ORIGIN));
        let Ok(mut response) = match cors {
            // Its future is twice the other's, which all requests would pay.
            Some(cors) => Box::pin(cors.clone().oneshot(request).instrument(span)).await,
            None => self.plain.clone().oneshot(request).instrument(span).await,
        };
        record.status = response.status().as_u16();
        record.route = response.extensions().get::<Label>().map_or("-", |label| label.0);
        // Probes come every few seconds and say nothing.
        record.log &= !StaticPage::of(record.route).is_some_and(StaticPage::is_probe);
        let headers = response.headers_mut();
        headers.insert(NO_SNIFF.0, NO_SNIFF.1);
        if let Ok(id) = HeaderValue::from_str(&id) {
            headers.insert(REQUEST_ID, id);
        }
        response.map(|body| Logged::new(body, record))
    }

    /// The span of a request. Probes have none: they come every few seconds and say nothing.
    fn begin_trace<B>(&self, method: &'static str, request: &mut Request<B>, peer: IpAddr) -> Span {
        let is_trusted = is_trusted(peer.to_canonical(), &self.state.config.trusted_proxies);
        let is_probe = StaticPage::of(request.uri().path()).is_some_and(StaticPage::is_probe);
        match is_probe {
            true => Span::none(),
            false => telemetry::begin_request(method, request.headers_mut(), is_trusted),
        }
    }

    /// The answer to a request whose head cannot be read.
    fn answer_unreadable(&self, status: StatusCode) -> Response<Bytes> {
        let id = self.request_id(&HeaderMap::new());
        let mut record =
            AccessRecord::begin("OTHER", Arc::clone(&id), self.state.config.access_log);
        record.status = status.as_u16();
        let mut request = Request::new(());
        request.extensions_mut().insert(RequestId(id.as_ref().to_owned()));
        let failure = Failure::unreadable(status);
        let mut response = self.state.fail(&ErrorContext::of(&request), &failure);
        response.headers_mut().insert(NO_SNIFF.0, NO_SNIFF.1);
        if let Ok(id) = HeaderValue::from_str(&id) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        response.map(Body::into_bytes)
    }

    /// The client's own id, if it is one that can stand in a log; else a new one.
    fn request_id(&self, headers: &HeaderMap) -> Arc<str> {
        let sent = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
        match sent {
            Some(id) if fits_logs(id) => id.into(),
            _ => kit::Id::<Self>::new(self.state.clock()).to_string().into(),
        }
    }
}

/// Whether the id that a client made can stand in a log: no control characters, and not a page long.
fn fits_logs(id: &str) -> bool {
    (8..=128).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte))
}

/// The edge as the listener calls it.
#[derive(Clone)]
pub struct Outside(pub Arc<Middleware>);

impl Application for Outside {
    type Body = AnswerBody;

    fn answer(
        self,
        request: Request<Content>,
        peer: SocketAddr,
    ) -> impl Future<Output = Response<AnswerBody>> + Send + 'static {
        self.0.answer(request, peer.ip())
    }

    fn answer_unreadable(&self, status: StatusCode) -> Option<Response<Bytes>> {
        Some(self.0.answer_unreadable(status))
    }

    fn connection_evicted(&self) {
        metrics::connection_evicted();
    }

    fn connection_opened(&self) {
        metrics::connection_opened();
    }

    fn connection_closed(&self) {
        metrics::connection_closed();
    }

    fn connection_refused(&self) {
        metrics::connection_refused();
    }
}

/// What is worth compressing: what is long, is not compressed by nature, and is no stream whose parts must not wait.
#[derive(Clone, Copy)]
struct Worthwhile {
    above: u64,
}

impl Predicate for Worthwhile {
    fn should_compress<B: http_body::Body>(&self, response: &Response<B>) -> bool {
        let headers = response.headers();
        let media = headers.get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
        let text = media.starts_with(b"text/html")
            || media.starts_with(b"application/json")
            || media.starts_with(b"application/problem+json")
            || media.starts_with(b"application/yaml")
            || media.starts_with(b"application/openmetrics-text");
        let size = response.body().size_hint().exact();
        let is_worth_it = text && size.is_some_and(|size| size > self.above);
        let must = response.extensions().get::<MustCompress>().is_some() && size != Some(0);
        (is_worth_it || must)
            && !headers.contains_key(CONTENT_ENCODING)
            && !headers.contains_key(CONTENT_RANGE)
    }
}

fn cors_layer(origins: Option<Vec<HeaderValue>>, inner: Compressing) -> Cors<Compressing> {
    let layer = CorsLayer::new()
        .allow_methods(Any)
        .allow_headers(tower_http::cors::AllowHeaders::mirror_request())
        .expose_headers(EXPOSED)
        .max_age(Duration::from_secs(3600));
    let layer = match origins {
        None => layer.allow_origin(Any),
        Some(origins) => layer.allow_origin(AllowOrigin::list(origins)),
    };
    tower::Layer::layer(&layer, inner)
}
