//! Deadlines: `grpc-timeout` and `X-Server-Timeout` in, capped, and `grpc-timeout` out.

use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use tokio::time::Instant;
use tonic::Code;

use crate::failure::Failure;

const SERVER_TIMEOUT: &str = "x-server-timeout";
const GRPC_TIMEOUT: &str = "grpc-timeout";

/// The time a client gives, the shorter of its two headers.
///
/// # Errors
/// When a header is malformed.
pub fn requested_deadline(headers: &HeaderMap) -> Result<Option<Duration>, Failure> {
    let grpc = parse_timeout(headers, GRPC_TIMEOUT, grpc_timeout)?;
    let server = parse_timeout(headers, SERVER_TIMEOUT, parse_seconds)?;
    Ok(match (grpc, server) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    })
}

fn parse_timeout(
    headers: &HeaderMap,
    name: &'static str,
    read: fn(&str) -> Option<Duration>,
) -> Result<Option<Duration>, Failure> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    match value.to_str().ok().and_then(|v| read(v.trim())) {
        Some(time) => Ok(Some(time)),
        None => Err(Failure::invalid(name, "the header is not a time-out")),
    }
}

/// `TimeoutValue TimeoutUnit` of the gRPC protocol: at most eight digits and one of `HMSmun`.
fn grpc_timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let value: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(value * 3600),
        "M" => Duration::from_secs(value * 60),
        "S" => Duration::from_secs(value),
        "m" => Duration::from_millis(value),
        "u" => Duration::from_micros(value),
        "n" => Duration::from_nanos(value),
        _ => return None,
    })
}

/// Decimal seconds, `0.25`.
fn parse_seconds(text: &str) -> Option<Duration> {
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let value: f64 = if plain { text.parse().ok()? } else { return None };
    Duration::try_from_secs_f64(value).ok()
}

/// Timers round up: a call cancelled this shortly before its deadline ended because of it.
const TOLERANCE: Duration = Duration::from_millis(20);

/// The same failure, unless the deadline was its cause: an upstream (or the channel to it) that
/// keeps the deadline by itself often gives up an instant before our timer does, as `CANCELLED`.
pub fn blame_deadline(failure: Failure, deadline: Option<Instant>) -> Failure {
    let over = deadline.is_some_and(|deadline| Instant::now() + TOLERANCE >= deadline);
    if over && failure.code == Code::Cancelled { Failure::deadline() } else { failure }
}

/// The header that tells the upstream how long is left; in the finest unit that fits eight digits.
pub fn timeout_header(left: Duration) -> HeaderValue {
    let units: [(u128, &str); 4] = [
        (left.as_micros(), "u"),
        (left.as_millis(), "m"),
        (u128::from(left.as_secs()), "S"),
        (u128::from(left.as_secs() / 3600).min(99_999_999), "H"),
    ];
    let fits = units.into_iter().find(|(value, _)| *value <= 99_999_999);
    let (value, unit) = fits.unwrap_or((99_999_999, "H"));
    HeaderValue::try_from(format!("{value}{unit}")).unwrap_or(HeaderValue::from_static("0u"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &'static str, value: &str) -> Result<Option<Duration>, Failure> {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        requested_deadline(&headers)
    }

    #[test]
    fn both_headers_are_read() {
        for (value, millis) in [
            ("250m", 250),
            ("2S", 2000),
            ("1M", 60_000),
            ("1H", 3_600_000),
            ("5000u", 5),
            ("0n", 0),
        ] {
            assert_eq!(of(GRPC_TIMEOUT, value).unwrap(), Some(Duration::from_millis(millis)));
        }
        for (value, millis) in [("0.25", 250), ("2", 2000), (".5", 500)] {
            assert_eq!(of(SERVER_TIMEOUT, value).unwrap(), Some(Duration::from_millis(millis)));
        }
        assert_eq!(of("x-other", "1").unwrap(), None);
    }

    #[test]
    fn malformed_times_are_refused() {
        for value in ["soon", "", "5", "m", "-1S", "123456789S", "1s", "1.5S", "1 S"] {
            assert!(of(GRPC_TIMEOUT, value).is_err(), "{value:?}");
        }
        for value in ["soon", "", "-1", "1e3", "NaN", "inf", "1s", ".", "99999999999999999999999"] {
            assert!(of(SERVER_TIMEOUT, value).is_err(), "{value:?}");
        }
    }

    #[test]
    fn the_rest_is_told_in_a_unit_that_fits() {
        for (time, want) in [
            (Duration::from_millis(250), "250000u"),
            (Duration::from_secs(100), "100000m"),
            (Duration::from_secs(200_000), "200000S"),
            (Duration::from_secs(9_999_999_999), "2777777H"),
            (Duration::ZERO, "0u"),
        ] {
            assert_eq!(timeout_header(time), want);
        }
    }
}
