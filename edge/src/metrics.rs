//! Requests by route and status, beside what [`kit::program::metrics`] counts of calls.

use http::Method;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Unit,
};
use std::{sync::LazyLock, time::Duration};

/// Upper bounds of the duration buckets, in seconds.
const BUCKETS: [f64; 12] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct AnswerLabels {
    method: &'static str,
    route: &'static str,
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfRoute {
    route: &'static str,
}

struct EdgeMetrics {
    requests: Family<AnswerLabels, Counter>,
    duration: Family<OfRoute, Histogram, fn() -> Histogram>,
    connections: Gauge,
    refused: Counter,
    evicted: Counter,
}

static METRICS: LazyLock<EdgeMetrics> = LazyLock::new(|| {
    let mut registry = kit::program::metrics::registry();
    let requests = Family::default();
    let duration: Family<_, _, fn() -> Histogram> =
        Family::new_with_constructor(|| Histogram::new(BUCKETS));
    let connections = Gauge::default();
    // The encoder adds `_total` to counters and the unit to names.
    registry.register("http_requests", "Requests by route and status", requests.clone());
    let help = "Time from a request's arrival to the end of its answer";
    registry.register_with_unit("http_duration", help, Unit::Seconds, duration.clone());
    registry.register("http_connections", "Open connections", connections.clone());
    let (refused, help) = (Counter::default(), "Connections beyond what one client may have");
    registry.register("http_connections_refused", help, refused.clone());
    let (evicted, help) = (Counter::default(), "Idle connections closed to make room for others");
    registry.register("http_connections_evicted", help, evicted.clone());
    EdgeMetrics { requests, duration, connections, refused, evicted }
});

/// Counts an ended request. Routes are templates: a client cannot make new ones.
pub fn count_request(method: &'static str, route: &'static str, status: u16, time: Duration) {
    METRICS.requests.get_or_create(&AnswerLabels { method, route, status }).inc();
    METRICS.duration.get_or_create(&OfRoute { route }).observe(time.as_secs_f64());
}

/// Counts a connection that begins.
pub fn connection_opened() {
    METRICS.connections.inc();
}

/// Counts a connection that has ended.
pub fn connection_closed() {
    METRICS.connections.dec();
}

/// Counts an idle connection that was closed for another one.
pub fn connection_evicted() {
    METRICS.evicted.inc();
}

/// Counts a connection that was closed at once.
pub fn connection_refused() {
    METRICS.refused.inc();
}

/// The name of a method, one of a fixed set.
pub fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "OTHER",
    }
}

/// Everything this process counted, as text for `/metrics`.
pub fn encode_metrics() -> String {
    LazyLock::force(&METRICS);
    kit::program::metrics::encode()
}
