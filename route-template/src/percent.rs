//! Percent-decoding of paths and of form-encoded queries; a bad escape is an error, never data.

use std::borrow::Cow;
use std::fmt;

/// What stays encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Everything is decoded: literals and variables of one segment.
    Nothing,
    /// `%2F` and `%2f` stay as they are: variables of several segments.
    Slash,
}

/// Why a text does not decode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// A `%` without two hex digits.
    Escape,
    /// The decoded bytes are not UTF-8.
    Utf8,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Escape => "a percent sign is not followed by two hex digits",
            Self::Utf8 => "the decoded value is not UTF-8",
        })
    }
}

/// Decodes percent escapes.
///
/// # Errors
/// [`Malformed::Escape`].
pub fn decode_path(text: &[u8], keep: Keep) -> Result<Cow<'_, [u8]>, Malformed> {
    if !text.contains(&b'%') {
        return Ok(Cow::Borrowed(text));
    }
    unescape_bytes(text, keep, false).map(Cow::Owned)
}

/// Decodes percent escapes to text.
///
/// # Errors
/// [`Malformed`].
pub fn decode_text(text: &str, keep: Keep) -> Result<Cow<'_, str>, Malformed> {
    match decode_path(text.as_bytes(), keep)? {
        Cow::Borrowed(_) => Ok(Cow::Borrowed(text)),
        Cow::Owned(bytes) => decode_owned(bytes),
    }
}

/// Decodes a name or a value of `application/x-www-form-urlencoded`, where `+` is a space.
///
/// # Errors
/// [`Malformed`].
pub fn decode_form(text: &str) -> Result<Cow<'_, str>, Malformed> {
    if !text.bytes().any(|b| matches!(b, b'%' | b'+')) {
        return Ok(Cow::Borrowed(text));
    }
    decode_owned(unescape_bytes(text.as_bytes(), Keep::Nothing, true)?)
}

fn decode_owned(bytes: Vec<u8>) -> Result<Cow<'static, str>, Malformed> {
    String::from_utf8(bytes).map(Cow::Owned).map_err(|_| Malformed::Utf8)
}

fn unescape_bytes(text: &[u8], keep: Keep, plus: bool) -> Result<Vec<u8>, Malformed> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match byte {
            b'%' => {
                let Some((&[high, low], tail)) = rest.split_first_chunk::<2>() else {
                    return Err(Malformed::Escape);
                };
                let (Some(h), Some(l)) = (hex_digit(high), hex_digit(low)) else {
                    return Err(Malformed::Escape);
                };
                rest = tail;
                match (h << 4) | l {
                    b'/' if keep == Keep::Slash => out.extend([b'%', high, low]),
                    decoded => out.push(decoded),
                }
            }
            b'+' if plus => out.push(b' '),
            _ => out.push(byte),
        }
    }
    Ok(out)
}

fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_is_kept_only_where_segments_are_joined() {
        assert_eq!(decode_text("a%2Fb%2f%3A%25", Keep::Nothing).unwrap(), "a/b/:%");
        assert_eq!(decode_text("a%2Fb%2f%3A%25", Keep::Slash).unwrap(), "a%2Fb%2f:%");
        assert_eq!(decode_text("%252F", Keep::Slash).unwrap(), "%2F");
    }

    #[test]
    fn plus_is_a_space_only_in_forms() {
        assert_eq!(decode_form("a+b%2Bc").unwrap(), "a b+c");
        assert_eq!(decode_text("a+b", Keep::Nothing).unwrap(), "a+b");
    }

    #[test]
    fn bad_escapes_and_bad_utf8_are_errors() {
        for text in ["%", "%4", "a%zz", "%+1", "%1"] {
            assert_eq!(decode_text(text, Keep::Nothing).unwrap_err(), Malformed::Escape, "{text}");
            assert_eq!(decode_form(text).unwrap_err(), Malformed::Escape, "{text}");
        }
        for text in ["%FF", "%C0%AF", "%ED%A0%80", "%F4%90%80%80"] {
            assert_eq!(decode_text(text, Keep::Nothing).unwrap_err(), Malformed::Utf8, "{text}");
        }
        assert_eq!(decode_text("a%00b", Keep::Nothing).unwrap(), "a\0b");
    }
}
