//! The trace of a request that comes from outside. Whether it is kept is decided here, and not by who sent it.

use super::{Headers, HeadersMut, SPANS, TRACING, extract_trace};
use http::HeaderMap;
use opentelemetry::{
    Context,
    propagation::{Extractor as _, TextMapPropagator as _},
    trace::{SpanContext, TraceContextExt as _, TraceFlags, TraceState},
};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use std::sync::atomic::{AtomicU64, Ordering};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// The headers of a trace, and the baggage that travels with it.
const TRACE: [&str; 3] = ["traceparent", "tracestate", "baggage"];

/// The share of traces that are kept, as the bits of a number from 0 to 1; none while traces are not exported.
static KEPT_SHARE: AtomicU64 = AtomicU64::new(0);

/// Sets the share of traces that are kept.
pub(super) fn keep_share(share: f64) {
    KEPT_SHARE.store(share.to_bits(), Ordering::Relaxed);
}

/// Begins to serve a request from outside in the trace that its headers name, or in one of its own. Chance decides
/// whether the trace is kept, so that no client can have all of its requests traced; what a trusted sender has decided is
/// followed. Baggage is dropped. The headers then name the span, which is none when traces are not exported.
pub fn begin_request(method: &'static str, headers: &mut HeaderMap, is_trusted: bool) -> Span {
    let share = f64::from_bits(KEPT_SHARE.load(Ordering::Relaxed));
    admit_trace(headers, is_trusted, || rand::random::<f64>() < share);
    if !TRACING.load(Ordering::Relaxed) {
        return Span::none();
    }
    let span = tracing::debug_span!(
        target: SPANS,
        "http",
        otel.name = method,
        otel.kind = "server",
        otel.status_code = tracing::field::Empty,
        http.request.method = method,
        http.route = tracing::field::Empty,
        http.response.status_code = tracing::field::Empty,
        qs.service = crate::rpc::caller::EDGE,
    );
    // Fails only on a span that no layer took, which has no parent either.
    let _ = span.set_parent(extract_trace(headers));
    name_trace(headers, &span.context());
    span
}

/// Keeps the id of a trace that came from outside, and says whether the trace is kept.
fn admit_trace(headers: &mut HeaderMap, is_trusted: bool, is_kept: impl FnOnce() -> bool) {
    headers.remove("baggage");
    if is_trusted || Headers(headers).get("traceparent").is_none() {
        return;
    }
    let sent = extract_trace(headers).span().span_context().clone();
    for name in TRACE {
        headers.remove(name);
    }
    if sent.is_valid() {
        let flags = if is_kept() { TraceFlags::SAMPLED } else { TraceFlags::default() };
        let state = TraceState::default();
        let decided = SpanContext::new(sent.trace_id(), sent.span_id(), flags, true, state);
        name_trace(headers, &Context::new().with_remote_span_context(decided));
    }
}

/// Writes a trace into headers, where it is one.
fn name_trace(headers: &mut HeaderMap, context: &Context) {
    if context.span().span_context().is_valid() {
        TraceContextPropagator::new().inject_context(context, &mut HeadersMut(headers));
        if headers.get("tracestate").is_some_and(|state| state.is_empty()) {
            headers.remove("tracestate");
        }
    }
}

/// The id of the trace that these headers name, for log lines.
pub fn trace_id(headers: &HeaderMap) -> Option<String> {
    headers.get("traceparent")?;
    let context = extract_trace(headers);
    let span = context.span();
    let sent = span.span_context();
    sent.is_valid().then(|| sent.trace_id().to_string())
}

/// Says on the span of a request from outside which route it took and how it was answered.
pub fn record_answer(span: &Span, method: &str, route: &str, status: u16) {
    if span.is_disabled() {
        return;
    }
    // A field that is recorded later does not change the name of a span that has begun.
    span.context().span().update_name(format!("{method} {route}"));
    span.record("http.route", route);
    span.record("http.response.status_code", status);
    if status >= 500 {
        span.record("otel.status_code", "ERROR");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    const SENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const UNSAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

    /// What is left of the headers of a request.
    fn admitted(sent: &str, is_trusted: bool, is_kept: bool) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("traceparent", HeaderValue::from_str(sent).unwrap());
        headers.insert("tracestate", HeaderValue::from_static("vendor=1"));
        headers.insert("baggage", HeaderValue::from_static("user=ana"));
        admit_trace(&mut headers, is_trusted, || is_kept);
        assert!(headers.get("baggage").is_none(), "{headers:?}");
        headers
    }

    #[test]
    fn a_client_names_its_trace_and_does_not_decide_whether_it_is_kept() {
        for sent in [SENT, UNSAMPLED] {
            for (is_kept, expected) in [(false, UNSAMPLED), (true, SENT)] {
                let headers = admitted(sent, false, is_kept);
                assert_eq!(headers["traceparent"], expected);
                assert!(headers.get("tracestate").is_none(), "{headers:?}");
                assert_eq!(trace_id(&headers).as_deref(), Some(&SENT[3..35]));
            }
        }
        let nonsense = admitted("nonsense", false, true);
        assert!(nonsense.is_empty() && trace_id(&nonsense).is_none(), "{nonsense:?}");
    }

    #[test]
    fn a_trusted_sender_decides() {
        for sent in [SENT, UNSAMPLED] {
            let headers = admitted(sent, true, sent == UNSAMPLED);
            assert_eq!(headers["traceparent"], sent);
            assert_eq!(headers["tracestate"], "vendor=1");
        }
    }
}
