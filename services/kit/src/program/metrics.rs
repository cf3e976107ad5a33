//! Rate, errors and duration by RPC, in the Prometheus text format.
//!
//! A service resolves its handles once ([`service`]); a request then touches a few atomics and formats nothing.

use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};
use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, atomic::AtomicU64},
    time::{Duration, Instant},
};
use tonic::Code;

/// The content type of [`encode`]'s text.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// How many codes gRPC has.
const CODES: usize = 17;
/// Upper bounds of the duration buckets, in seconds.
const BUCKETS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfService {
    service: Arc<str>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfRpc {
    service: Arc<str>,
    rpc: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfAnswer {
    service: Arc<str>,
    rpc: &'static str,
    code: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfConsumer {
    consumer: String,
    source: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfEjection {
    peer: Arc<str>,
    reason: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfTimer {
    service: Arc<str>,
    kind: String,
}

type Seconds = Gauge<f64, AtomicU64>;

/// Everything that this process counts. Who counts something registers it here once.
static REGISTRY: LazyLock<Mutex<Registry>> = LazyLock::new(Mutex::default);

/// The registry of this process, to which a crate adds its own metrics.
pub fn registry() -> MutexGuard<'static, Registry> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is counted of services.
struct Metrics {
    requests: Family<OfAnswer, Counter>,
    duration: Family<OfRpc, Histogram, fn() -> Histogram>,
    in_flight: Family<OfService, Gauge>,
    panics: Family<OfService, Counter>,
    sheds: Family<OfService, Counter>,
    outbox_pending: Family<OfService, Gauge>,
    outbox_age: Family<OfService, Seconds>,
    events_parked: Family<OfService, Gauge>,
    events_lag: Family<OfConsumer, Gauge>,
    events_age: Family<OfConsumer, Seconds>,
    timers: Family<OfTimer, Counter>,
    ejections: Family<OfEjection, Counter>,
    services: RwLock<HashMap<Arc<str>, ServiceMetrics>>,
}

static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::new);

impl Metrics {
    fn new() -> Self {
        let metrics = Self {
            requests: Family::default(),
            duration: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            in_flight: Family::default(),
            panics: Family::default(),
            sheds: Family::default(),
            outbox_pending: Family::default(),
            outbox_age: Family::default(),
            events_parked: Family::default(),
            events_lag: Family::default(),
            events_age: Family::default(),
            timers: Family::default(),
            ejections: Family::default(),
            services: RwLock::default(),
        };
        metrics.register();
        metrics
    }

    fn register(&self) {
        // The encoder adds `_total` to counters and the unit to names.
        let mut registry = registry();
        registry.register("rpc_requests", "Answered requests", self.requests.clone());
        registry.register_with_unit(
            "rpc_duration",
            "Time from the request's arrival to its answer",
            Unit::Seconds,
            self.duration.clone(),
        );
        registry.register("rpc_in_flight", "Requests being served", self.in_flight.clone());
        registry.register("rpc_panics", "Handlers that panicked", self.panics.clone());
        registry.register("rpc_sheds", "Requests refused for overload", self.sheds.clone());
        registry.register("outbox_pending", "Events not relayed yet", self.outbox_pending.clone());
        registry.register_with_unit(
            "outbox_oldest_age",
            "Age of the oldest event not relayed yet",
            Unit::Seconds,
            self.outbox_age.clone(),
        );
        registry.register(
            "events_parked",
            "Events that a consumer could not take and that wait for an operator",
            self.events_parked.clone(),
        );
        registry.register(
            "events_lag",
            "Events in the streams of a service that a consumer has not taken",
            self.events_lag.clone(),
        );
        registry.register_with_unit(
            "events_oldest_age",
            "Age of the oldest event in the streams of a service that a consumer has not taken",
            Unit::Seconds,
            self.events_age.clone(),
        );
        registry.register("timers_fired", "Timers that ran", self.timers.clone());
        registry.register(
            "mesh_ejections",
            "Replicas of a peer that got no calls for a while, because calls failed or their health was off",
            self.ejections.clone(),
        );
    }
}

/// Says how many events of `source` wait in its streams for a consumer, and for how long the oldest has.
pub fn events_behind(consumer: &str, source: &str, events: u64, oldest: Duration) {
    let of = OfConsumer { consumer: consumer.to_owned(), source: source.to_owned() };
    let metrics = &*METRICS;
    metrics.events_lag.get_or_create(&of).set(i64::try_from(events).unwrap_or(i64::MAX));
    metrics.events_age.get_or_create(&of).set(oldest.as_secs_f64());
}

/// Counts a replica of `peer` that gets no calls for a while, because of failed calls or of its health.
pub fn replica_ejected(peer: &Arc<str>, reason: &'static str) {
    METRICS.ejections.get_or_create(&OfEjection { peer: Arc::clone(peer), reason }).inc();
}

/// The metrics of one service; clones count into the same numbers.
#[derive(Clone)]
pub struct ServiceMetrics(Arc<Service>);

struct Service {
    name: Arc<str>,
    /// By path; made when first called.
    rpcs: RwLock<HashMap<&'static str, Arc<RpcMetrics>>>,
    in_flight: Gauge,
    panics: Counter,
    sheds: Counter,
    outbox_pending: Gauge,
    outbox_age: Seconds,
    events_parked: Gauge,
}

/// The metrics of one RPC.
struct RpcMetrics {
    service: Arc<str>,
    path: &'static str,
    duration: Histogram,
    /// By code; each is made when first needed, so that 17 series of zeros do not appear for each RPC.
    answered: [OnceLock<Counter>; CODES],
}

/// The metrics of `service`, made at the first call.
pub fn service(service: &str) -> ServiceMetrics {
    let metrics = &*METRICS;
    if let Some(known) =
        metrics.services.read().unwrap_or_else(PoisonError::into_inner).get(service)
    {
        return known.clone();
    }
    let mut services = metrics.services.write().unwrap_or_else(PoisonError::into_inner);
    let name: Arc<str> = service.into();
    services.entry(Arc::clone(&name)).or_insert_with(|| ServiceMetrics::new(metrics, name)).clone()
}

/// Everything counted so far, as text for `/metrics`.
pub fn encode() -> String {
    LazyLock::force(&METRICS);
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = text::encode(&mut text, &registry());
    text
}

impl ServiceMetrics {
    fn new(metrics: &Metrics, name: Arc<str>) -> Self {
        let of = OfService { service: Arc::clone(&name) };
        Self(Arc::new(Service {
            rpcs: RwLock::default(),
            in_flight: metrics.in_flight.get_or_create_owned(&of),
            panics: metrics.panics.get_or_create_owned(&of),
            sheds: metrics.sheds.get_or_create_owned(&of),
            outbox_pending: metrics.outbox_pending.get_or_create_owned(&of),
            outbox_age: metrics.outbox_age.get_or_create_owned(&of),
            events_parked: metrics.events_parked.get_or_create_owned(&of),
            name,
        }))
    }

    /// Begins to measure a request to the RPC of that path. [`Measured::end`] says how it ended; one that is dropped
    /// before was cancelled.
    ///
    /// Paths come from the contracts, never from a request: each one stays for the life of the process.
    pub fn start(&self, path: &'static str) -> Measured {
        self.0.in_flight.inc();
        let rpc = self.rpc(path);
        Measured { service: self.clone(), rpc, begun: Instant::now(), code: Code::Cancelled }
    }

    fn rpc(&self, path: &'static str) -> Arc<RpcMetrics> {
        let rpcs = &self.0.rpcs;
        if let Some(rpc) = rpcs.read().unwrap_or_else(PoisonError::into_inner).get(path) {
            return Arc::clone(rpc);
        }
        let mut rpcs = rpcs.write().unwrap_or_else(PoisonError::into_inner);
        let rpc = rpcs.entry(path).or_insert_with(|| RpcMetrics::new(&METRICS, &self.0.name, path));
        Arc::clone(rpc)
    }

    /// Counts a handler that panicked.
    pub fn panicked(&self) {
        self.0.panics.inc();
    }

    /// Counts a request that was refused for overload.
    pub fn shed(&self) {
        self.0.sheds.inc();
    }

    /// Says how many events wait in the outbox, and for how long the oldest has.
    pub fn outbox(&self, pending: u64, oldest_age: Duration) {
        self.0.outbox_pending.set(i64::try_from(pending).unwrap_or(i64::MAX));
        self.0.outbox_age.set(oldest_age.as_secs_f64());
    }

    /// Says how many events wait for an operator, because the service's consumer could not take them.
    pub fn parked(&self, events: u64) {
        self.0.events_parked.set(i64::try_from(events).unwrap_or(i64::MAX));
    }

    /// Counts a timer of that kind that ran.
    pub fn timer_fired(&self, kind: &str) {
        let of = OfTimer { service: Arc::clone(&self.0.name), kind: kind.to_owned() };
        METRICS.timers.get_or_create(&of).inc();
    }
}

impl RpcMetrics {
    fn new(metrics: &Metrics, service: &Arc<str>, path: &'static str) -> Arc<Self> {
        let of = OfRpc { service: Arc::clone(service), rpc: path };
        Arc::new(Self {
            service: Arc::clone(service),
            path,
            duration: metrics.duration.get_or_create_owned(&of),
            answered: [const { OnceLock::new() }; CODES],
        })
    }

    fn answered(&self, code: Code) {
        let Some(counter) = self.answered.get(code as usize) else { return };
        counter.get_or_init(|| self.requests_answered(code)).inc();
    }

    /// The counter of the requests that were answered with `code`.
    fn requests_answered(&self, code: Code) -> Counter {
        let service = Arc::clone(&self.service);
        METRICS.requests.get_or_create_owned(&OfAnswer {
            service,
            rpc: self.path,
            code: code_name(code),
        })
    }
}

/// A request being measured.
#[must_use]
pub struct Measured {
    service: ServiceMetrics,
    rpc: Arc<RpcMetrics>,
    begun: Instant,
    code: Code,
}

impl Measured {
    /// Ends the measurement with the answer's code.
    pub fn end(mut self, code: Code) {
        self.code = code;
    }

    /// How long the request has taken so far.
    pub fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        self.service.0.in_flight.dec();
        self.rpc.duration.observe(self.begun.elapsed().as_secs_f64());
        self.rpc.answered(self.code);
    }
}

/// The name that the gRPC specification gives a code.
pub const fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GET: &str = "/quickserve.user.v1.UserService/GetUser";

    fn line(text: &str, start: &str) -> Option<String> {
        text.lines().find_map(|line| line.strip_prefix(start)).map(|rest| rest.trim().to_owned())
    }

    #[test]
    fn requests_are_counted_by_rpc_and_code() {
        let metrics = service("metrics-test");
        metrics.start(GET).end(Code::Ok);
        metrics.start(GET).end(Code::Ok);
        service("metrics-test").start(GET).end(Code::NotFound);
        drop(metrics.start(GET));
        let open = metrics.start(GET);
        metrics.panicked();
        metrics.shed();
        metrics.outbox(3, Duration::from_millis(1500));
        metrics.timer_fired("order.expire");

        let text = encode();
        let requests = |code| {
            let labels = format!("{{service=\"metrics-test\",rpc=\"{GET}\",code=\"{code}\"}}");
            line(&text, &format!("rpc_requests_total{labels}"))
        };
        assert_eq!(requests("OK").as_deref(), Some("2"));
        assert_eq!(requests("NOT_FOUND").as_deref(), Some("1"));
        assert_eq!(requests("CANCELLED").as_deref(), Some("1"));
        assert_eq!(requests("INTERNAL"), None);
        let labels = "{service=\"metrics-test\"}";
        let count = format!("rpc_duration_seconds_count{{service=\"metrics-test\",rpc=\"{GET}\"}}");
        assert_eq!(line(&text, &count).as_deref(), Some("4"));
        for (name, value) in [
            ("rpc_in_flight", "1"),
            ("rpc_panics_total", "1"),
            ("rpc_sheds_total", "1"),
            ("outbox_pending", "3"),
            ("outbox_oldest_age_seconds", "1.5"),
        ] {
            assert_eq!(line(&text, &format!("{name}{labels}")).as_deref(), Some(value), "{name}");
        }
        let timer = "timers_fired_total{service=\"metrics-test\",kind=\"order.expire\"}";
        assert_eq!(line(&text, timer).as_deref(), Some("1"));
        assert!(text.ends_with("# EOF\n"));
        drop(open);
    }
}
