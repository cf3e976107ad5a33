//! `Timestamp` and `Duration` between text and seconds with nanoseconds.

use std::ops::Range;

use bytes::BytesMut;

use crate::error::{ErrorKind, FieldError};
use crate::number::put_unsigned;
use crate::wire;

/// 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z.
const FIRST_SECOND: i64 = -62_135_596_800;
const LAST_SECOND: i64 = 253_402_300_799;
/// Ten thousand years, as `duration.proto` has it; the last second is in with its fraction.
const MAX_DURATION: i64 = 315_576_000_000;
const NANOS: i32 = 1_000_000_000;

/// Seconds and nanoseconds, as both messages hold them.
pub(crate) type Time = (i64, i32);

#[cold]
fn refuse_time(problem: &'static str) -> FieldError {
    FieldError::new(ErrorKind::Type, problem)
}

fn not_a_time() -> FieldError {
    refuse_time("expected a time like 2024-01-31T12:00:00Z (RFC 3339)")
}

fn not_a_duration() -> FieldError {
    refuse_time("expected a duration like 1.5s")
}

#[cold]
fn duration_out_of_range() -> FieldError {
    FieldError::new(ErrorKind::Range, "the duration is out of range")
}

/// Reads an RFC 3339 time.
pub(crate) fn parse_timestamp(text: &[u8]) -> Result<Time, FieldError> {
    let (date, rest) = text.split_at_checked(19).ok_or_else(not_a_time)?;
    let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if separators.iter().any(|&(at, byte)| date.get(at) != Some(&byte)) {
        return Err(not_a_time());
    }
    let year = parse_part(date, 0..4)?;
    let (month, day) = (parse_part(date, 5..7)?, parse_part(date, 8..10)?);
    let (hour, minute) = (parse_part(date, 11..13)?, parse_part(date, 14..16)?);
    let second = parse_part(date, 17..19)?;
    if !(1..=12).contains(&month) || day < 1 || day > month_days(year, month) {
        return Err(refuse_time("the date does not exist"));
    }
    if hour > 23 || minute > 59 || second > 59 {
        return Err(refuse_time("the time of day does not exist"));
    }
    let (nanos, rest) = match rest {
        [b'.', rest @ ..] => parse_fraction(rest).ok_or_else(not_a_time)?,
        rest => (0, rest),
    };
    let offset = parse_offset(rest).ok_or_else(not_a_time)?;
    let seconds =
        days_from_civil(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset;
    if (FIRST_SECOND..=LAST_SECOND).contains(&seconds) {
        Ok((seconds, nanos))
    } else {
        Err(FieldError::new(ErrorKind::Range, "the time is outside the years 1 to 9999"))
    }
}

/// The number that stands at one place of a date.
#[inline]
fn parse_part(date: &[u8], place: Range<usize>) -> Result<i64, FieldError> {
    date.get(place).and_then(parse_digits).ok_or_else(not_a_time)
}

fn parse_digits(text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0, |value, &byte| {
        byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0'))
    })
}

/// One to nine digits as nanoseconds, and what follows.
fn parse_fraction(text: &[u8]) -> Option<(i32, &[u8])> {
    let len = text.iter().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
    let (fraction, rest) = text.split_at_checked(len)?;
    if !(1..=9).contains(&len) {
        return None;
    }
    let value = i32::try_from(parse_digits(fraction)?).ok()?;
    Some((value * 10_i32.pow(9 - len as u32), rest))
}

/// `Z` or `±hh:mm` in seconds.
fn parse_offset(text: &[u8]) -> Option<i64> {
    match text {
        [b'Z'] => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (parse_digits(&[*h1, *h2])?, parse_digits(&[*m1, *m2])?);
            let seconds = hours * 3_600 + minutes * 60;
            (hours < 24 && minutes < 60).then_some(if *sign == b'-' { -seconds } else { seconds })
        }
        _ => None,
    }
}

fn month_days(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar. Years are taken to begin in March,
/// so that the leap day is the last.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The inverse of [`days_from_civil`].
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

/// Appends the fields of either message.
pub(crate) fn put_wire((seconds, nanos): Time, out: &mut BytesMut) {
    for (tag, value) in [(0x08, seconds), (0x10, i64::from(nanos))] {
        if value != 0 {
            out.extend_from_slice(&[tag]);
            wire::put_varint(out, value as u64);
        }
    }
}

/// Appends an RFC 3339 time in quotes, or says why there is none.
pub(crate) fn put_timestamp((seconds, nanos): Time, out: &mut Vec<u8>) -> Result<(), &'static str> {
    if !(FIRST_SECOND..=LAST_SECOND).contains(&seconds) {
        return Err("a Timestamp is outside the years 1 to 9999");
    }
    if !(0..NANOS).contains(&nanos) {
        return Err("a Timestamp has nanoseconds out of range");
    }
    let (year, month, day) = civil_from_days(seconds.div_euclid(86_400));
    let of_day = seconds.rem_euclid(86_400);
    out.push(b'"');
    put_padded(year, 4, out);
    out.push(b'-');
    put_padded(month, 2, out);
    out.push(b'-');
    put_padded(day, 2, out);
    out.push(b'T');
    put_padded(of_day / 3_600, 2, out);
    out.push(b':');
    put_padded(of_day / 60 % 60, 2, out);
    out.push(b':');
    put_padded(of_day % 60, 2, out);
    put_fraction(nanos, out);
    out.extend_from_slice(b"Z\"");
    Ok(())
}

fn put_padded(mut value: i64, width: usize, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(b"000000000".get(..width).unwrap_or_default());
    for digit in out.iter_mut().skip(start).rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

/// No fraction, or three, six or nine digits of it.
fn put_fraction(nanos: i32, out: &mut Vec<u8>) {
    let (value, width) = match nanos {
        0 => return,
        n if n % 1_000_000 == 0 => (n / 1_000_000, 3),
        n if n % 1_000 == 0 => (n / 1_000, 6),
        n => (n, 9),
    };
    out.push(b'.');
    put_padded(i64::from(value), width, out);
}

/// Reads seconds with at most nine digits of fraction and an `s`.
pub(crate) fn parse_duration(text: &[u8]) -> Result<Time, FieldError> {
    let text = text.strip_suffix(b"s").ok_or_else(not_a_duration)?;
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let len = text.iter().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
    let (whole, rest) = text.split_at_checked(len).ok_or_else(not_a_duration)?;
    let nanos = match rest {
        [] => 0,
        [b'.', rest @ ..] => match parse_fraction(rest) {
            Some((nanos, [])) => nanos,
            _ => return Err(not_a_duration()),
        },
        _ => return Err(not_a_duration()),
    };
    if whole.is_empty() {
        return Err(not_a_duration());
    }
    let significant = whole.iter().position(|&b| b != b'0').unwrap_or(whole.len());
    let whole = whole.get(significant..).filter(|digits| digits.len() <= 12);
    let whole = whole.ok_or_else(duration_out_of_range)?;
    let seconds = parse_digits(whole).ok_or_else(not_a_duration)?;
    if seconds > MAX_DURATION {
        return Err(duration_out_of_range());
    }
    Ok(if negative { (-seconds, -nanos) } else { (seconds, nanos) })
}

/// Appends a duration in quotes, or says why there is none.
pub(crate) fn put_duration((seconds, nanos): Time, out: &mut Vec<u8>) -> Result<(), &'static str> {
    if !(-MAX_DURATION..=MAX_DURATION).contains(&seconds) || nanos <= -NANOS || nanos >= NANOS {
        return Err("a Duration is out of range");
    }
    if (seconds > 0 && nanos < 0) || (seconds < 0 && nanos > 0) {
        return Err("a Duration has seconds and nanoseconds of different signs");
    }
    out.push(b'"');
    if seconds < 0 || nanos < 0 {
        out.push(b'-');
    }
    put_unsigned(seconds.unsigned_abs(), out);
    put_fraction(nanos.abs(), out);
    out.extend_from_slice(b"s\"");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_survives() {
        let (first, last) = (FIRST_SECOND / 86_400, LAST_SECOND / 86_400);
        let mut before = (0, 12, 31);
        for day in first..=last {
            let (year, month, of_month) = civil_from_days(day);
            assert!((year, month, of_month) > before);
            assert!(of_month <= month_days(year, month));
            assert_eq!(days_from_civil(year, month, of_month), day);
            before = (year, month, of_month);
        }
        assert_eq!((civil_from_days(first), civil_from_days(last)), ((1, 1, 1), (9999, 12, 31)));
    }

    #[test]
    fn timestamps() {
        let print = |time| {
            let mut out = Vec::new();
            put_timestamp(time, &mut out).map(|()| String::from_utf8(out).unwrap())
        };
        for (text, time, printed) in [
            ("1970-01-01T00:00:00Z", (0, 0), "1970-01-01T00:00:00Z"),
            (
                "2024-02-29T12:34:56.5+01:30",
                (1_709_204_696, 500_000_000),
                "2024-02-29T11:04:56.500Z",
            ),
            ("0001-01-01T00:00:00Z", (FIRST_SECOND, 0), "0001-01-01T00:00:00Z"),
            (
                "9999-12-31T23:59:59.999999999Z",
                (LAST_SECOND, 999_999_999),
                "9999-12-31T23:59:59.999999999Z",
            ),
            ("1969-12-31T23:59:59.000001Z", (-1, 1_000), "1969-12-31T23:59:59.000001Z"),
        ] {
            assert_eq!(parse_timestamp(text.as_bytes()).unwrap(), time);
            assert_eq!(print(time).unwrap(), format!("\"{printed}\""));
        }
        for bad in [
            "",
            "2024-01-01",
            "2024-01-01t00:00:00Z",
            "2024-01-01T00:00:00z",
            "2024-01-01 00:00:00Z",
            "2024-01-01T00:00:00",
            "2023-02-29T00:00:00Z",
            "2024-13-01T00:00:00Z",
            "2024-01-01T24:00:00Z",
            "2024-01-01T00:00:60Z",
            "2024-01-01T00:00:00.Z",
            "2024-01-01T00:00:00.1234567890Z",
            "0000-01-01T00:00:00Z",
            "0001-01-01T00:00:00+01:00",
            "9999-12-31T23:59:59-00:01",
            "2024-01-01T00:00:00+0100",
            "2024-01-01T00:00:00Zx",
            "2024-01-01T00:00:00+24:00",
            "+024-01-01T00:00:00Z",
        ] {
            assert!(parse_timestamp(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(print((LAST_SECOND + 1, 0)).is_err());
        assert!(print((0, -1)).is_err());
    }

    #[test]
    fn durations() {
        let print = |time| {
            let mut out = Vec::new();
            put_duration(time, &mut out).map(|()| String::from_utf8(out).unwrap())
        };
        for (text, time, printed) in [
            ("0s", (0, 0), "0s"),
            ("-0.5s", (0, -500_000_000), "-0.500s"),
            ("1.010s", (1, 10_000_000), "1.010s"),
            ("315576000000.999999999s", (MAX_DURATION, 999_999_999), "315576000000.999999999s"),
            ("-3.000000001s", (-3, -1), "-3.000000001s"),
        ] {
            assert_eq!(parse_duration(text.as_bytes()).unwrap(), time);
            assert_eq!(print(time).unwrap(), format!("\"{printed}\""));
        }
        for bad in [
            "",
            "s",
            "3",
            "1.s",
            ".5s",
            "+1s",
            "1e3s",
            " 1s",
            "1 s",
            "1.0000000001s",
            "--1s",
            "315576000001s",
            "99999999999999999999s",
            "1m",
        ] {
            assert!(parse_duration(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(print((1, -1)).is_err());
        assert!(print((0, NANOS)).is_err());
    }
}
