//! What is logged and what is not; trace context in and out; a collector that does not answer.

use super::*;
use std::{
    net::TcpListener,
    sync::{Arc, Mutex},
    time::Instant,
};
use tracing::Level;
use tracing_subscriber::fmt::writer::MakeWriterExt as _;

/// Held by tests that switch traces on or off for the process.
static SWITCH: Mutex<()> = Mutex::new(());

const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// Everything written, for a look afterwards.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn logged(config: &TelemetryConfig, work: impl FnOnce()) -> String {
    let written = Written::default();
    let copy = written.clone();
    let writer = (move || copy.clone()).with_max_level(tracing::Level::TRACE);
    let subscriber = Registry::default().with(log_layer(config, writer, false).unwrap());
    tracing::subscriber::with_default(subscriber, work);
    String::from_utf8(written.0.lock().unwrap().clone()).unwrap()
}

fn speak() {
    let span = tracing::info_span!("request", personal = "ana@example.com");
    span.in_scope(|| tracing::info!(order.id = 7, "placed"));
    tracing::debug!("a detail");
    tracing::info!(target: "sqlx::postgres::notice", "relation exists");
    tracing::warn!(target: "sqlx::postgres::notice", "a real notice");
}

#[test]
fn events_are_logged_without_their_spans() {
    let text = logged(&TelemetryConfig::default(), speak);
    assert!(text.contains("placed") && text.contains("order.id=7"), "{text}");
    assert!(text.contains("a real notice"), "{text}");
    for absent in ["ana@example.com", "a detail", "relation exists"] {
        assert!(!text.contains(absent), "{absent}: {text}");
    }
}

#[test]
fn json_is_one_object_a_line_and_the_filter_is_the_configured_one() {
    let config = TelemetryConfig {
        format: Format::Json,
        log: "debug,sqlx::postgres::notice=info".to_owned(),
        ..TelemetryConfig::default()
    };
    let text = logged(&config, speak);
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 4, "{text}");
    assert_eq!((&lines[0]["message"], &lines[0]["order.id"]), (&"placed".into(), &7.into()));
    assert_eq!(lines[0]["level"], "INFO");
    assert!(!text.contains("ana@example.com"), "{text}");
}

#[test]
fn a_malformed_configuration_is_refused() {
    let filter = TelemetryConfig { log: "info,=".to_owned(), ..TelemetryConfig::default() };
    assert!(log_layer(&filter, io::sink, false).is_err());
    let ratio = TelemetryConfig { sample_ratio: 1.5, ..TelemetryConfig::default() };
    assert!(matches!(build_exporter(&ratio, "http://127.0.0.1:1"), Err(TelemetryError::Ratio)));
}

#[test]
fn a_trace_goes_on_from_the_incoming_headers_to_the_outgoing_ones() {
    let _switch = SWITCH.lock().unwrap();
    let provider = SdkTracerProvider::builder().with_sampler(Sampler::AlwaysOn).build();
    let logs = log_layer(&TelemetryConfig::default(), io::sink, false).unwrap();
    let subscriber = build_subscriber(Some(&provider), logs);
    let mut incoming = HeaderMap::new();
    incoming.insert("traceparent", HeaderValue::from_static(TRACEPARENT));
    incoming.insert("tracestate", HeaderValue::from_static("vendor=1"));
    let path = "/quickserve.user.v1.UserService/GetUser";

    tracing::subscriber::with_default(subscriber, || {
        assert!(rpc_span("user", path, &incoming).is_none(), "traces are off");
        TRACING.store(true, Ordering::Relaxed);
        let span = rpc_span("user", path, &incoming);
        let mut outgoing = HeaderMap::new();
        span.in_scope(|| {
            inject_trace(&mut outgoing);
            assert!(current_traceparent().is_some());
        });
        record_code(&span, tonic::Code::Internal);
        let parent = outgoing["traceparent"].to_str().unwrap();
        let parts: Vec<&str> = parent.split('-').collect();
        assert_eq!((parts[0], parts[1], parts[3]), ("00", &TRACEPARENT[3..35], "01"));
        assert_ne!(parts[2], &TRACEPARENT[36..52], "a span of its own");
        assert_eq!(outgoing["tracestate"], "vendor=1");

        let mut outside = HeaderMap::new();
        inject_trace(&mut outside);
        assert!(outside.is_empty() && current_traceparent().is_none());
        TRACING.store(false, Ordering::Relaxed);
    });
}

#[test]
fn a_malformed_trace_context_is_ignored() {
    for bad in ["", "00-0-0-01", "zz", "00-00000000000000000000000000000000-b7ad6b7169203331-01"] {
        let mut headers = HeaderMap::new();
        headers.insert("traceparent", HeaderValue::from_str(bad).unwrap());
        assert!(!extract_trace(&headers).span().span_context().is_valid(), "{bad}");
    }
}

#[test]
fn a_collector_that_never_answers_does_not_hold_the_end_up() {
    let _switch = SWITCH.lock().unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let config = TelemetryConfig { sample_ratio: 1.0, ..TelemetryConfig::default() };
    let (provider, thread) = build_exporter(&config, &endpoint).unwrap();
    let tracer = provider.tracer("test");
    drop(opentelemetry::trace::Tracer::start(&tracer, "work"));
    let guard = Guard { exporting: Some((provider, thread)) };
    let begun = Instant::now();
    guard.shutdown();
    assert!(begun.elapsed() < FLUSH_LIMIT + Duration::from_secs(1), "{:?}", begun.elapsed());
}

/// A collector that keeps what it is sent.
async fn collector(received: Written) -> String {
    use http_body_util::{BodyExt as _, Full};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let stack = tower::service_fn(move |request: http::Request<tonic::body::Body>| {
        let mut received = received.clone();
        async move {
            let path = request.uri().path().to_owned();
            let body = request.into_body().collect().await.unwrap().to_bytes();
            io::Write::write_all(&mut received, path.as_bytes()).unwrap();
            io::Write::write_all(&mut received, &body).unwrap();
            // One empty message, then success.
            let message = Full::new(bytes::Bytes::from_static(&[0; 5]));
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", HeaderValue::from_static("0"));
            let body = message.with_trailers(std::future::ready(Some(Ok(trailers))));
            let mut response = http::Response::new(tonic::body::Body::new(body));
            let grpc = HeaderValue::from_static("application/grpc");
            response.headers_mut().insert("content-type", grpc);
            Ok::<_, std::convert::Infallible>(response)
        }
    });
    let stop = tokio_util::sync::CancellationToken::new();
    tokio::spawn(crate::rpc::listener::serve_routes(
        listener,
        stack,
        stop,
        crate::rpc::listener::Options::default(),
    ));
    endpoint
}

#[test]
fn the_spans_of_requests_reach_the_collector_and_no_others_do() {
    let _switch = SWITCH.lock().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let received = Written::default();
    let endpoint = runtime.block_on(collector(received.clone()));
    let config = TelemetryConfig { sample_ratio: 1.0, ..TelemetryConfig::default() };
    let (provider, thread) = build_exporter(&config, &endpoint).unwrap();
    let logs = log_layer(&TelemetryConfig::default(), io::sink, false).unwrap();
    let subscriber = build_subscriber(Some(&provider), logs);
    tracing::subscriber::with_default(subscriber, || {
        TRACING.store(true, Ordering::Relaxed);
        let path = "/quickserve.user.v1.UserService/GetUser";
        rpc_span("user", path, &HeaderMap::new()).in_scope(|| {
            drop(tracing::info_span!("of a library").entered());
        });
    });
    Guard { exporting: Some((provider, thread)) }.shutdown();
    let received = String::from_utf8_lossy(&received.0.lock().unwrap()).into_owned();
    assert!(received.contains("/opentelemetry.proto.collector.trace.v1.TraceService/Export"));
    assert!(received.contains("quickserve.user.v1.UserService/GetUser"), "{received}");
    assert!(!received.contains("of a library"), "{received}");
}

/// Whether a library's span, one of ours, and a log line of each level are made.
fn made(subscriber: impl Subscriber + Send + Sync) -> (bool, bool, [bool; 3]) {
    tracing::subscriber::with_default(subscriber, || {
        (
            !tracing::info_span!(target: "h2::codec", "of a library").is_disabled(),
            !tracing::debug_span!(target: SPANS, "of a request").is_disabled(),
            [tracing::event_enabled!(Level::INFO), tracing::event_enabled!(Level::DEBUG), {
                tracing::event_enabled!(target: "h2", Level::WARN)
            }],
        )
    })
}

#[test]
fn what_nobody_asked_for_is_not_even_made() {
    let config = TelemetryConfig::default();
    let logs = || log_layer(&config, io::sink, false).unwrap();
    let silent = build_subscriber(None, logs());
    assert_eq!(silent.max_level_hint(), Some(LevelFilter::INFO));
    assert_eq!(made(silent), (false, false, [true, false, false]));

    let provider = SdkTracerProvider::builder().build();
    let exporting = build_subscriber(Some(&provider), logs());
    assert_eq!(exporting.max_level_hint(), Some(LevelFilter::DEBUG));
    assert_eq!(made(exporting), (false, true, [true, false, false]));
}
