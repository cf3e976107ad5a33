//! The traces of requests, as a collector gets them: one tree a request, from the edge to every service that works for it,
//! and no client that switches tracing on.

use super::{
    people::People,
    program::{Home, Program},
};
use crate::journey::is_told;
use kit::{
    rpc::listener::{Options, serve_routes},
    testing::{Backend, eventually},
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    trace::v1::Span,
};
use serde_json::json;
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

/// A trace as a client names it, and whether it asks to keep it.
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

/// A collector that keeps every span it is sent.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<Span>>>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let resources = request.into_inner().resource_spans.into_iter();
        let scopes = resources.flat_map(|resource| resource.scope_spans);
        self.0.lock().unwrap().extend(scopes.flat_map(|scope| scope.spans));
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Collector {
    /// Starts one, and returns where it is reached.
    async fn start() -> (Self, String) {
        let collector = Self::default();
        let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", socket.local_addr().unwrap());
        let server = TraceServiceServer::new(collector.clone());
        tokio::spawn(serve_routes(socket, server, CancellationToken::new(), Options::default()));
        (collector, url)
    }

    /// Every span of the trace of the request that the edge gave this name, and whether one of them is `is_meant`.
    fn trace_of(&self, name: &str) -> Vec<Span> {
        let spans = self.0.lock().unwrap();
        let root = spans.iter().find(|span| span.name == name && span.parent_span_id.is_empty());
        let root = root.unwrap_or_else(|| panic!("no trace begins with {name}"));
        spans.iter().filter(|span| span.trace_id == root.trace_id).cloned().collect()
    }

    /// Those spans whose parent is missing.
    fn orphans(&self) -> Vec<String> {
        let spans = self.0.lock().unwrap();
        let known: BTreeSet<_> = spans.iter().map(|span| &span.span_id).collect();
        let is_orphan =
            |span: &&Span| !span.parent_span_id.is_empty() && !known.contains(&span.parent_span_id);
        spans.iter().filter(is_orphan).map(|span| span.name.clone()).collect()
    }
}

/// An attribute of a span, as text.
fn attribute(span: &Span, key: &str) -> String {
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    let found = span.attributes.iter().find(|attribute| attribute.key == key);
    match found.and_then(|attribute| attribute.value.as_ref()?.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        other => panic!("{key} of {}: {other:?}", span.name),
    }
}

/// A span below another one, by its service and the end of its name.
fn child<'s>(spans: &'s [Span], parent: &Span, service: &str, name: &str) -> &'s Span {
    let found = spans.iter().find(|span| {
        span.parent_span_id == parent.span_id
            && attribute(span, "qs.service") == service
            && span.name.ends_with(name)
    });
    found.unwrap_or_else(|| panic!("{service} {name} is not below {}", parent.name))
}

async fn start_traced(home: &Home, collector: &str, ratio: &str) -> Program {
    home.start_with(&[
        ("QS_TELEMETRY__OTLP_ENDPOINT", collector),
        ("QS_TELEMETRY__SAMPLE_RATIO", ratio),
    ])
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_one_tree_from_the_edge_to_those_who_work_for_it() {
    let (collector, url) = Collector::start().await;
    let home = Home::new(Backend::Sqlite).await;
    let program = start_traced(&home, &url, "1").await;
    let people = People::settle(&home, &program).await;
    let quote = people.quote(24).await;
    assert_eq!(people.book(&quote).await.unwrap().status, 201);
    let told = async || is_told(&people.customer, "order.created.customer").await;
    eventually("the customer is told", told, |told| *told).await;
    // A client's own trace goes on, also when it did not ask to keep it.
    let traceparent = format!("00-{TRACE}-b7ad6b7169203331-00");
    let named = [("traceparent", &*traceparent), ("baggage", "a=b")];
    let read = people.customer.client.send(http::Method::GET, "/v1/me", None, &named).await;
    assert_eq!(read.unwrap().status, 200);
    let (status, log) = program.stop().await;
    assert_eq!(status.code(), Some(0), "{log}");

    let spans = collector.trace_of("POST /v1/orders");
    let root = spans.iter().find(|span| span.parent_span_id.is_empty()).unwrap();
    assert_eq!(attribute(root, "http.route"), "/v1/orders");
    assert_eq!(attribute(root, "http.response.status_code"), "201");
    let order = child(&spans, root, "order", "/CreateOrder");
    child(&spans, order, "provider", "/HoldReservation");
    child(&spans, order, "payment", "/AuthorizePayment");
    let links_to_booking = |span: &Span| span.links.iter().any(|it| it.trace_id == root.trace_id);
    let taken: Vec<_> =
        collector.0.lock().unwrap().iter().filter(|it| links_to_booking(it)).cloned().collect();
    let is_notified = |span: &Span| {
        span.name == "order.created" && attribute(span, "qs.service") == "notification"
    };
    assert!(taken.iter().any(is_notified), "{taken:?}");
    assert!(taken.iter().all(|span| span.parent_span_id.is_empty()), "{taken:?}");

    // The client's own span is the one that no service has sent.
    assert_eq!(collector.orphans(), ["GET /v1/me"]);
    let line = log.lines().find(|line| line.contains(TRACE) && line.contains("route=\"/v1/me\""));
    assert!(line.is_some_and(|line| line.contains("trace_id=")), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_cannot_switch_tracing_on() {
    let (collector, url) = Collector::start().await;
    let home = Home::new(Backend::Sqlite).await;
    let program = start_traced(&home, &url, "0").await;
    let traceparent = format!("00-{TRACE}-b7ad6b7169203331-01");
    let named = [("traceparent", &*traceparent)];
    let account = json!({
        "name": "Ana", "email": "ana@test.example", "role": "customer",
        "password": quickserve::demo::PASSWORD,
    });
    let made = program.client.send(http::Method::POST, "/v1/users", Some(account), &named).await;
    assert_eq!(made.unwrap().status, 201);
    program.stop().await;
    let seen: Vec<_> = collector.0.lock().unwrap().iter().map(|span| span.name.clone()).collect();
    assert!(seen.is_empty(), "{seen:?}");
}
