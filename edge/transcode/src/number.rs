//! Numbers between text and the wire: exact integers, shortest floats.

use bytes::BytesMut;

use crate::error::{ErrorKind, FieldError};
use crate::json::number_len;
use crate::schema::Kind;
use crate::wire;

/// Appends a numeric, bool or enum value. Everywhere in the codec such a value is 64 bits, as the
/// wire holds them (integers sign-extended or zigzag, floats by their bits), beside its kind.
#[inline]
pub(crate) fn put_number(kind: Kind, bits: u64, out: &mut BytesMut) {
    match kind.wire_type() {
        wire::FIXED64 => out.extend_from_slice(&bits.to_le_bytes()),
        wire::FIXED32 => out.extend_from_slice(&(bits as u32).to_le_bytes()),
        _ => wire::put_varint(out, bits),
    }
}

type Result<T> = std::result::Result<T, FieldError>;

fn range_error() -> FieldError {
    FieldError::new(ErrorKind::Range, "the number is out of range")
}

fn not_a_number(what: &'static str) -> FieldError {
    FieldError::new(ErrorKind::Type, what)
}

/// Converts the text of a JSON number to `kind`, which is numeric.
#[inline]
pub(crate) fn from_text(kind: Kind, text: &[u8]) -> Result<u64> {
    match kind {
        Kind::Int32 => parse_int32(text).map(sign_extend),
        Kind::Int64 | Kind::Sfixed64 => parse_int64(text).map(|n| n as u64),
        Kind::Uint32 | Kind::Fixed32 => parse_uint32(text).map(u64::from),
        Kind::Uint64 | Kind::Fixed64 => parse_uint64(text),
        Kind::Sint32 => parse_int32(text).map(|n| u64::from((n << 1 ^ n >> 31) as u32)),
        Kind::Sint64 => parse_int64(text).map(|n| (n << 1 ^ n >> 63) as u64),
        Kind::Sfixed32 => parse_int32(text).map(|n| u64::from(n as u32)),
        Kind::Double => parse_double(text).map(f64::to_bits),
        Kind::Float => parse_float(text).map(|n| u64::from(n.to_bits())),
        Kind::Bool | Kind::String | Kind::Bytes => Err(not_a_number("expected no number")),
        Kind::Enum(_) | Kind::Message(_) | Kind::Group(_) => {
            Err(not_a_number("expected no number"))
        }
    }
}

/// An enum or int32 value on the wire: negative ones are sign-extended.
#[inline]
pub(crate) fn sign_extend(value: i32) -> u64 {
    i64::from(value) as u64
}

/// Converts text that stood in quotes, in a path or in a query: the same numbers, and for floats
/// also `NaN`, `Infinity` and `-Infinity`.
pub(crate) fn from_quoted(kind: Kind, text: &[u8]) -> Result<u64> {
    let special = match text {
        b"NaN" => Some((f64::NAN, f32::NAN)),
        b"Infinity" => Some((f64::INFINITY, f32::INFINITY)),
        b"-Infinity" => Some((f64::NEG_INFINITY, f32::NEG_INFINITY)),
        _ => None,
    };
    match (kind, special) {
        (Kind::Double, Some((double, _))) => Ok(double.to_bits()),
        (Kind::Float, Some((_, float))) => Ok(u64::from(float.to_bits())),
        _ if number_len(text) == Some(text.len()) => from_text(kind, text),
        _ => Err(not_a_number("expected a number")),
    }
}

/// An enum's number.
pub(crate) fn parse_int32(text: &[u8]) -> Result<i32> {
    i32::try_from(parse_int64(text)?).map_err(|_| range_error())
}

fn parse_uint32(text: &[u8]) -> Result<u32> {
    u32::try_from(parse_uint64(text)?).map_err(|_| range_error())
}

fn parse_int64(text: &[u8]) -> Result<i64> {
    let (negative, magnitude) = parse_integer(text)?;
    if negative {
        0_i64.checked_sub_unsigned(magnitude).ok_or_else(range_error)
    } else {
        i64::try_from(magnitude).map_err(|_| range_error())
    }
}

fn parse_uint64(text: &[u8]) -> Result<u64> {
    match parse_integer(text)? {
        (false, magnitude) | (true, magnitude @ 0) => Ok(magnitude),
        (true, _) => Err(range_error()),
    }
}

/// Sign and magnitude of a JSON number that has no fraction once its exponent is applied.
#[inline]
fn parse_integer(text: &[u8]) -> Result<(bool, u64)> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        _ => (false, text),
    };
    // Nineteen digits always fit.
    if digits.len() < 20 {
        let mut value = 0_u64;
        for &byte in digits {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                return parse_decimal(digits).map(|value| (negative, value));
            }
            value = value * 10 + u64::from(digit);
        }
        return Ok((negative, value));
    }
    parse_decimal(digits).map(|value| (negative, value))
}

/// The slow path: any length, a fraction of zeros, an exponent. Never through a float.
fn parse_decimal(text: &[u8]) -> Result<u64> {
    let (mantissa, exponent) = match text.iter().position(|b| matches!(b, b'e' | b'E')) {
        Some(at) => (text.get(..at), parse_exponent(text.get(at + 1..).unwrap_or_default())),
        None => (Some(text), 0),
    };
    let mantissa = mantissa.unwrap_or_default();
    let fraction = mantissa.iter().position(|&b| b == b'.').map_or(0, |at| mantissa.len() - at - 1);
    // The digits from here on are behind the decimal point.
    let digits = mantissa.iter().filter(|&&b| b != b'.');
    let whole = (mantissa.len() - usize::from(fraction > 0)) as i64 - fraction as i64 + exponent;
    let mut value = 0_u64;
    for (at, &digit) in digits.enumerate() {
        let digit = u64::from(digit.wrapping_sub(b'0'));
        if (at as i64) < whole {
            value =
                value.checked_mul(10).and_then(|v| v.checked_add(digit)).ok_or_else(range_error)?;
        } else if digit != 0 {
            return Err(not_a_number("expected a whole number"));
        }
    }
    let written = (mantissa.len() - usize::from(fraction > 0)) as i64;
    for _ in written..whole {
        if value == 0 {
            break;
        }
        value = value.checked_mul(10).ok_or_else(range_error)?;
    }
    Ok(value)
}

/// An exponent, cut to what is beyond any range either way.
fn parse_exponent(text: &[u8]) -> i64 {
    const FAR: i64 = 1 << 40;
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        _ => (false, text),
    };
    let value = digits
        .iter()
        .fold(0, |value: i64, &digit| (value * 10 + i64::from(digit.wrapping_sub(b'0'))).min(FAR));
    if negative { -value } else { value }
}

/// The double nearest to a JSON number, which must not be beyond the largest.
pub(crate) fn parse_double(text: &[u8]) -> Result<f64> {
    let text = std::str::from_utf8(text).map_err(|_| not_a_number("expected a number"))?;
    let value: f64 = text.parse().map_err(|_| not_a_number("expected a number"))?;
    if value.is_finite() { Ok(value) } else { Err(range_error()) }
}

fn parse_float(text: &[u8]) -> Result<f32> {
    let text = std::str::from_utf8(text).map_err(|_| not_a_number("expected a number"))?;
    let value: f32 = text.parse().map_err(|_| not_a_number("expected a number"))?;
    if value.is_finite() { Ok(value) } else { Err(range_error()) }
}

const PAIRS: &[u8; 200] = b"0001020304050607080910111213141516171819\
2021222324252627282930313233343536373839\
4041424344454647484950515253545556575859\
6061626364656667686970717273747576777879\
8081828384858687888990919293949596979899";

/// Appends `value` in decimal.
#[inline]
pub(crate) fn put_unsigned(mut value: u64, out: &mut Vec<u8>) {
    if value < 10 {
        out.push(b'0' + value as u8);
        return;
    }
    let mut buffer = [0; 20];
    let mut at = buffer.len();
    while value >= 10 {
        let pair = (value % 100) as usize * 2;
        value /= 100;
        at -= 2;
        if let (Some(to), Some(from)) = (buffer.get_mut(at..at + 2), PAIRS.get(pair..pair + 2)) {
            to.copy_from_slice(from);
        }
    }
    if value > 0 {
        at -= 1;
        if let Some(to) = buffer.get_mut(at) {
            *to = b'0' + value as u8;
        }
    }
    out.extend_from_slice(buffer.get(at..).unwrap_or_default());
}

/// Appends `value` in decimal.
#[inline]
pub(crate) fn put_signed(value: i64, out: &mut Vec<u8>) {
    if value < 0 {
        out.push(b'-');
    }
    put_unsigned(value.unsigned_abs(), out);
}

/// Appends the shortest text that reads back as `value`; strings for what is not finite.
pub(crate) fn put_double(value: f64, out: &mut Vec<u8>) {
    if value.is_finite() {
        put_shortest(zmij::Buffer::new().format_finite(value), out);
    } else {
        put_special(value.is_nan(), value.is_sign_negative(), out);
    }
}

/// As [`put_double`], by the shorter digits that tell floats apart.
pub(crate) fn put_float(value: f32, out: &mut Vec<u8>) {
    if value.is_finite() {
        put_shortest(zmij::Buffer::new().format_finite(value), out);
    } else {
        put_special(value.is_nan(), value.is_sign_negative(), out);
    }
}

fn put_shortest(text: &str, out: &mut Vec<u8>) {
    // As other implementations print them: whole numbers without ".0", but "-0.0" keeps it, or
    // readers that parse integers first would lose the sign.
    let whole = text.strip_suffix(".0").filter(|&whole| whole != "-0");
    out.extend_from_slice(whole.unwrap_or(text).as_bytes());
}

fn put_special(nan: bool, negative: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(match (nan, negative) {
        (true, _) => b"\"NaN\"",
        (false, true) => b"\"-Infinity\"",
        (false, false) => b"\"Infinity\"",
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_exact() {
        let good: [(&[u8], i64); 9] = [
            (b"0", 0),
            (b"-0", 0),
            (b"9223372036854775807", i64::MAX),
            (b"-9223372036854775808", i64::MIN),
            (b"1e5", 100_000),
            (b"1.50e1", 15),
            (b"100000.000", 100_000),
            (b"12000e-3", 12),
            (b"0e99999999999999999999", 0),
        ];
        for (text, value) in good {
            assert_eq!(parse_int64(text).unwrap(), value, "{}", String::from_utf8_lossy(text));
        }
        assert_eq!(parse_uint64(b"18446744073709551615").unwrap(), u64::MAX);
        assert_eq!(parse_uint64(b"1.8446744073709551615e19").unwrap(), u64::MAX);
        for bad in ["0.5", "1e-1", "15e-1", "1.05e1", "1e-99999999999"] {
            assert_eq!(parse_int64(bad.as_bytes()).unwrap_err().kind(), ErrorKind::Type, "{bad}");
        }
        for far in ["9223372036854775808", "-9223372036854775809", "1e19", "1e999999999999"] {
            assert_eq!(parse_int64(far.as_bytes()).unwrap_err().kind(), ErrorKind::Range, "{far}");
        }
        assert!(parse_uint64(b"-1").is_err());
        assert!(parse_uint64(b"18446744073709551616").is_err());
        assert!(parse_int32(b"2147483648").is_err());
    }

    #[test]
    fn floats_are_bounded() {
        assert!(parse_double(b"1e400").is_err());
        assert!(parse_float(b"3.5e38").is_err());
        assert_eq!(parse_float(b"1e-50").unwrap(), 0.0);
        assert!(from_quoted(Kind::Float, b"inf").is_err());
        assert!(from_quoted(Kind::Double, b" 1").is_err());
        assert!(from_quoted(Kind::Int32, b"NaN").is_err());
        let infinity = f64::NEG_INFINITY.to_bits();
        assert_eq!(from_quoted(Kind::Double, b"-Infinity").unwrap(), infinity);
    }

    #[test]
    fn numbers_print_as_they_read() {
        let print = |f: &dyn Fn(&mut Vec<u8>)| {
            let mut out = Vec::new();
            f(&mut out);
            String::from_utf8(out).unwrap()
        };
        for value in [0, 9, 10, 99, 100, 12_345, 1_000_000, u64::MAX] {
            assert_eq!(print(&|out| put_unsigned(value, out)), value.to_string());
        }
        for value in [i64::MIN, -1, 0, i64::MAX] {
            assert_eq!(print(&|out| put_signed(value, out)), value.to_string());
        }
        assert_eq!(print(&|out| put_double(0.1, out)), "0.1");
        assert_eq!(print(&|out| put_double(5.0, out)), "5");
        assert_eq!(print(&|out| put_double(-0.0, out)), "-0.0");
        assert_eq!(print(&|out| put_float(0.1, out)), "0.1");
        assert_eq!(print(&|out| put_float(f32::NEG_INFINITY, out)), "\"-Infinity\"");
        for value in [f64::MAX, f64::MIN_POSITIVE, 1e21, 123_456.789] {
            assert_eq!(print(&|out| put_double(value, out)).parse(), Ok(value));
        }
    }
}
