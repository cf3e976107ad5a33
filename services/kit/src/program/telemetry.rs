//! Logs to stderr, traces to an OTLP collector when one is configured, and W3C trace context between services.
//!
//! A request makes one DEBUG span, and only when traces are exported; log lines never format spans. So a request that
//! logs nothing pays nothing.

mod outside;

pub use outside::{begin_request, record_answer, trace_id};

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::{
    Context, KeyValue,
    propagation::{Extractor, Injector, TextMapPropagator as _},
    trace::{Link, SpanKind, TraceContextExt as _, TraceId, TracerProvider as _},
};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::{
    Resource,
    propagation::TraceContextPropagator,
    trace::{Sampler, SamplingResult, SdkTracerProvider, ShouldSample},
};
use serde::Deserialize;
use std::{
    io::{self, IsTerminal as _},
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};
use tracing::{Metadata, Span, Subscriber, level_filters::LevelFilter};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::{FilterExt as _, ParseError, filter_fn},
    fmt::MakeWriter,
    layer::SubscriberExt as _,
    registry::LookupSpan,
    util::{SubscriberInitExt as _, TryInitError},
};

/// The target of the spans that are exported; libraries make thousands of others.
const SPANS: &str = "quickserve::rpc";
/// What libraries say too often, unless the configured filter asks for it. `h2` warns of each attack on it: a flood of
/// frames must not become one of lines.
const QUIET: &str = "sqlx::postgres::notice=warn,sea_orm_migration=warn,h2=error,hyper=warn,\
                     hyper_util=warn,tower=warn,opentelemetry=warn,opentelemetry_sdk=warn,tonic=warn";
/// How long the last spans may take to reach the collector.
const FLUSH_LIMIT: Duration = Duration::from_secs(3);

type BoxedLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// Whether spans are exported by this process.
static TRACING: AtomicBool = AtomicBool::new(false);

/// What is observed, and where it goes: the section `telemetry` of the configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TelemetryConfig {
    /// The filter of log lines, for example `info` or `info,order=debug`.
    pub log: String,
    /// How log lines look.
    pub format: Format,
    /// The OTLP collector's gRPC address, for example `http://collector:4317`. When empty,
    /// `OTEL_EXPORTER_OTLP_ENDPOINT` counts; without either nothing is exported.
    pub otlp_endpoint: String,
    /// The share of traces begun here that are kept, from 0 to 1. Others' decisions are followed.
    pub sample_ratio: f64,
    /// The `service.name` of the spans.
    pub service_name: String,
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self {
            log: "info".to_owned(),
            format: Format::Human,
            otlp_endpoint: String::new(),
            sample_ratio: 0.05,
            service_name: "quickserve".to_owned(),
        }
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For a person at a terminal.
    Human,
    /// One JSON object a line.
    Json,
}

/// Why telemetry cannot start.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The log filter is malformed.
    #[error("the log filter: {0}")]
    Filter(#[from] ParseError),
    /// The sampling ratio is not one.
    #[error("the sample ratio must be from 0 to 1")]
    Ratio,
    /// The exporter cannot be built.
    #[error("the OTLP exporter: {0}")]
    Exporter(#[from] ExporterBuildError),
    /// The exporter's thread cannot start.
    #[error("the telemetry thread: {0}")]
    Thread(#[from] io::Error),
    /// Another subscriber is in place.
    #[error("{0}")]
    Installed(#[from] TryInitError),
}

/// Sends the last spans when it is dropped, for at most three seconds. Wrap it round the program.
#[must_use]
pub struct Guard {
    exporting: Option<(SdkTracerProvider, Exporter)>,
}

impl Guard {
    /// Sends the last spans now. From then on none are made.
    pub fn shutdown(mut self) {
        self.flush();
    }

    /// On a plain thread: on one of the runtime, the export could wait for the very worker that waits for it.
    fn flush(&mut self) {
        let Some((provider, exporter)) = self.exporting.take() else { return };
        TRACING.store(false, Ordering::Relaxed);
        let (done, wait) = mpsc::channel();
        thread::spawn(move || {
            let _ = done.send(provider.shutdown_with_timeout(FLUSH_LIMIT));
        });
        match wait.recv_timeout(FLUSH_LIMIT) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "some spans did not reach the collector"),
            Err(_) => tracing::warn!("the collector did not take the last spans in time"),
        }
        drop(exporter);
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.flush();
    }
}

/// The thread that carries the exporter's connection, so that it outlives the program's runtime.
struct Exporter {
    handle: tokio::runtime::Handle,
    _stop: tokio::sync::oneshot::Sender<()>,
}

impl Exporter {
    fn start() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        thread::Builder::new().name("telemetry".to_owned()).spawn(move || {
            // Ends with an error when the sender is dropped, which is the sign to stop.
            let _ = runtime.block_on(stopped);
        })?;
        Ok(Self { handle, _stop: stop })
    }
}

/// Starts logs and, with a collector, traces.
pub fn init_telemetry(config: &TelemetryConfig) -> Result<Guard, TelemetryError> {
    let exporting = match exporter_endpoint(config) {
        Some(endpoint) => Some(build_exporter(config, &endpoint)?),
        None => None,
    };
    let logs = log_layer(config, io::stderr, io::stderr().is_terminal())?;
    build_subscriber(exporting.as_ref().map(|(provider, _)| provider), logs).try_init()?;
    outside::keep_share(if exporting.is_some() { config.sample_ratio } else { 0.0 });
    TRACING.store(exporting.is_some(), Ordering::Relaxed);
    Ok(Guard { exporting })
}

/// Logs, and spans if there is a provider. A layer that is not wanted is left out: an `Option` of one would have every
/// span of every library made.
fn build_subscriber(
    provider: Option<&SdkTracerProvider>,
    logs: BoxedLayer,
) -> impl Subscriber + Send + Sync + for<'a> LookupSpan<'a> {
    let spans = provider.map(|provider| {
        let spans = tracing_opentelemetry::layer().with_tracer(provider.tracer("quickserve"));
        spans
            .with_location(false)
            .with_threads(false)
            .with_filter(filter_fn(is_exported).with_max_level_hint(LevelFilter::DEBUG))
            .boxed()
    });
    let layers: Vec<BoxedLayer> = spans.into_iter().chain([logs]).collect();
    Registry::default().with(layers)
}

fn is_exported(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && metadata.target() == SPANS
}

fn exporter_endpoint(config: &TelemetryConfig) -> Option<String> {
    let configured = Some(config.otlp_endpoint.clone()).filter(|text| !text.is_empty());
    configured
        .or_else(|| std::env::var(opentelemetry_otlp::OTEL_EXPORTER_OTLP_ENDPOINT).ok())
        .filter(|text| !text.is_empty())
}

fn build_exporter(
    config: &TelemetryConfig,
    endpoint: &str,
) -> Result<(SdkTracerProvider, Exporter), TelemetryError> {
    if !(0.0..=1.0).contains(&config.sample_ratio) {
        return Err(TelemetryError::Ratio);
    }
    let thread = Exporter::start()?;
    let _entered = thread.handle.enter();
    let exporter = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .with_timeout(FLUSH_LIMIT)
        .build()?;
    let begun_here = BegunHere(Sampler::TraceIdRatioBased(config.sample_ratio));
    let sampler = Sampler::ParentBased(Box::new(begun_here));
    let resource = Resource::builder()
        .with_service_name(config.service_name.clone())
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_sampler(sampler)
        .with_resource(resource)
        .build();
    drop(_entered);
    Ok((provider, thread))
}

/// Decides about traces that begin in this process: those that an event of a kept trace began are kept, and a share of the
/// others.
#[derive(Clone, Debug)]
struct BegunHere(Sampler);

impl ShouldSample for BegunHere {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let is_kept = links.iter().any(|link| link.span_context.is_sampled());
        let sampler = if is_kept { &Sampler::AlwaysOn } else { &self.0 };
        sampler.should_sample(parent, trace, name, kind, attributes, links)
    }
}

/// The layer that writes events, and no spans, to `writer`.
fn log_layer<W>(
    config: &TelemetryConfig,
    writer: W,
    colours: bool,
) -> Result<BoxedLayer, ParseError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    // It says its level, as the other does, so that what is beyond it is left out at its source.
    let of_events = filter_fn(|metadata: &Metadata<'_>| metadata.is_event());
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .parse(format!("{QUIET},{}", config.log))?
        .and(of_events.with_max_level_hint(LevelFilter::TRACE));
    let layer = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(colours);
    Ok(match config.format {
        Format::Human => layer.with_filter(filter).boxed(),
        Format::Json => {
            let json = layer.json().flatten_event(true).with_current_span(false);
            json.with_span_list(false).with_filter(filter).boxed()
        }
    })
}

/// The span of a request that a service serves, a child of the caller's; none when traces are not exported.
/// `path` is the RPC's, `/quickserve.order.v1.OrderService/GetOrder`.
pub fn rpc_span(service: &str, path: &str, headers: &HeaderMap) -> Span {
    if !TRACING.load(Ordering::Relaxed) {
        return Span::none();
    }
    let span = tracing::debug_span!(
        target: SPANS,
        "rpc",
        otel.name = path.trim_start_matches('/'),
        otel.kind = "server",
        otel.status_code = tracing::field::Empty,
        rpc.system = "grpc",
        rpc.grpc.status_code = tracing::field::Empty,
        qs.service = service,
    );
    // Fails only on a span that no layer took, which has no parent either.
    let _ = span.set_parent(extract_trace(headers));
    span
}

/// Says on a request's span how it ended.
pub fn record_code(span: &Span, code: tonic::Code) {
    span.record("rpc.grpc.status_code", code as i32);
    if matches!(code, tonic::Code::Internal | tonic::Code::Unknown | tonic::Code::DataLoss) {
        span.record("otel.status_code", "ERROR");
    }
}

/// The span in which a consumer takes an event. It has a trace of its own, which links to that of the request that the
/// event comes from; none when that trace is not kept.
pub fn event_span(consumer: &str, kind: &str, traceparent: &str) -> Span {
    if traceparent.is_empty() || !TRACING.load(Ordering::Relaxed) {
        return Span::none();
    }
    let headers: HeaderMap = HeaderValue::from_str(traceparent)
        .map(|value| (HeaderName::from_static("traceparent"), value))
        .into_iter()
        .collect();
    let cause = extract_trace(&headers).span().span_context().clone();
    if !cause.is_sampled() {
        return Span::none();
    }
    let span = tracing::debug_span!(
        target: SPANS,
        parent: None,
        "event",
        otel.name = kind,
        otel.kind = "consumer",
        qs.service = consumer,
    );
    span.add_link(cause);
    span
}

/// The trace that the sender of these headers is in.
pub fn extract_trace(headers: &HeaderMap) -> Context {
    TraceContextPropagator::new().extract_with_context(&Context::new(), &Headers(headers))
}

/// Writes the current span's `traceparent` and `tracestate` into the headers of an outgoing call.
pub fn inject_trace(headers: &mut HeaderMap) {
    if let Some(context) = current_trace() {
        TraceContextPropagator::new().inject_context(&context, &mut HeadersMut(headers));
    }
}

/// The current span's `traceparent`, to be stored with an event that leaves later.
pub fn current_traceparent() -> Option<String> {
    let mut headers = HeaderMap::new();
    inject_trace(&mut headers);
    headers.get("traceparent")?.to_str().ok().map(str::to_owned)
}

fn current_trace() -> Option<Context> {
    if !TRACING.load(Ordering::Relaxed) {
        return None;
    }
    let context = Span::current().context();
    context.span().span_context().is_valid().then_some(context)
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }
    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

struct HeadersMut<'a>(&'a mut HeaderMap);

impl Injector for HeadersMut<'_> {
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(key), HeaderValue::try_from(value)) {
            self.0.insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests;
