//! One line and a few counts for each request, written when its answer has gone out.

use crate::metrics;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use kit::program::telemetry;
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};
use tracing::Span;
use transcode::BoxError;

/// Client Closed Request: the answer to a request whose client left before there was one.
const LEFT: u16 = 499;

/// What is known of a request. It is written down when it is dropped.
pub struct AccessRecord {
    method: &'static str,
    begun: Instant,
    id: Arc<str>,
    /// Whether a line is written.
    pub log: bool,
    /// What to call the request: a template, never a path, which names people's things.
    pub route: &'static str,
    /// The answer's status.
    pub status: u16,
    /// The span of the request, which ends with it.
    pub span: Span,
    /// The trace that the request is in, if it is in one.
    pub trace_id: Option<String>,
    bytes: u64,
}

impl AccessRecord {
    /// A request that begins now.
    pub fn begin(method: &'static str, id: Arc<str>, log: bool) -> Self {
        Self {
            method,
            begun: Instant::now(),
            id,
            log,
            route: "-",
            status: LEFT,
            span: Span::none(),
            trace_id: None,
            bytes: 0,
        }
    }
}

impl Drop for AccessRecord {
    fn drop(&mut self) {
        let time = self.begun.elapsed();
        metrics::count_request(self.method, self.route, self.status, time);
        telemetry::record_answer(&self.span, self.method, self.route, self.status);
        if self.log {
            tracing::info!(
                target: "access",
                method = self.method,
                route = self.route,
                status = self.status,
                duration_us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX),
                bytes = self.bytes,
                request_id = &*self.id,
                trace_id = self.trace_id,
            );
        }
    }
}

/// The content of an answer, counted on its way.
pub struct Logged<B> {
    body: B,
    record: AccessRecord,
}

impl<B> Logged<B> {
    /// Counts `body` into `record`.
    pub const fn new(body: B, record: AccessRecord) -> Self {
        Self { body, record }
    }
}

impl<B> Body for Logged<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(Ok(frame)) = &frame {
            self.record.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
