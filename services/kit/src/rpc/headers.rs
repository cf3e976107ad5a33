//! What travels beside a request, and the time it may take.

use http::HeaderValue;
use std::{sync::Arc, time::Duration};

/// The longest a call may take when its caller sets no deadline.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// The header under which a request's id travels.
pub const REQUEST_ID: &str = "x-request-id";

/// How long a local caller waits, passed on without a header.
#[derive(Clone, Copy)]
pub(crate) struct TimeLeft(pub Duration);

/// The id of the request, passed on without a header.
#[derive(Clone)]
pub(crate) struct RequestId(pub Arc<str>);

/// Reads a `grpc-timeout`: up to eight digits and a unit, as the gRPC over HTTP/2 protocol has it.
pub fn parse_timeout(value: &HeaderValue) -> Option<Duration> {
    let text = value.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(count * 3600)),
        "M" => Some(Duration::from_secs(count * 60)),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}
