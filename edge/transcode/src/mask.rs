//! `FieldMask` paths between `snake_case` on the wire and `lowerCamelCase` in JSON.

use bytes::BytesMut;

use crate::error::{ErrorKind, FieldError};
use crate::wire;

/// The tag of `FieldMask.paths`.
const PATHS: u8 = 1 << 3 | wire::BYTES as u8;

/// Appends the wire form of a mask given as comma-separated lowerCamelCase paths. The lone path
/// `*` is taken as well, since AIP-134 gives it a meaning.
pub(crate) fn put_wire(text: &[u8], out: &mut BytesMut) -> Result<(), FieldError> {
    if text.is_empty() {
        return Ok(());
    }
    for path in text.split(|&b| b == b',') {
        out.extend_from_slice(&[PATHS]);
        let start = wire::open_length(out);
        if path == b"*" {
            out.extend_from_slice(path);
        } else {
            put_snake(path, out)?;
        }
        wire::close_length(out, start);
    }
    Ok(())
}

fn put_snake(path: &[u8], out: &mut BytesMut) -> Result<(), FieldError> {
    if path.is_empty() || path.split(|&b| b == b'.').any(<[u8]>::is_empty) {
        return refuse_mask("a path of the field mask is empty");
    }
    for &byte in path {
        match byte {
            b'A'..=b'Z' => out.extend_from_slice(&[b'_', byte.to_ascii_lowercase()]),
            b'a'..=b'z' | b'0'..=b'9' | b'.' => out.extend_from_slice(&[byte]),
            _ => return refuse_mask("paths of a field mask are lowerCamelCase names"),
        }
    }
    Ok(())
}

fn refuse_mask(problem: &'static str) -> Result<(), FieldError> {
    Err(FieldError::new(ErrorKind::Type, problem))
}

/// Appends one path in lowerCamelCase, or says why it would not come back as it was.
pub(crate) fn put_camel(path: &[u8], out: &mut Vec<u8>) -> Result<(), &'static str> {
    const PROBLEM: &str = "a path of a FieldMask does not survive lowerCamelCase";
    if path == b"*" {
        out.push(b'*');
        return Ok(());
    }
    let mut upper = false;
    for &byte in path {
        match (byte, upper) {
            (b'_', false) => upper = true,
            (b'a'..=b'z', true) => {
                out.push(byte.to_ascii_uppercase());
                upper = false;
            }
            (b'a'..=b'z' | b'0'..=b'9' | b'.', false) => out.push(byte),
            _ => return Err(PROBLEM),
        }
    }
    if upper { Err(PROBLEM) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_converted_both_ways() {
        let mut out = BytesMut::new();
        put_wire(b"fooBar,a.b1.cD,*", &mut out).unwrap();
        assert_eq!(&out[..], b"\x0A\x07foo_bar\x0A\x08a.b1.c_d\x0A\x01*");
        for (snake, camel) in [("foo_bar", "fooBar"), ("a.b1.c_d", "a.b1.cD"), ("*", "*")] {
            let mut out = Vec::new();
            put_camel(snake.as_bytes(), &mut out).unwrap();
            assert_eq!(out, camel.as_bytes());
        }
    }

    #[test]
    fn what_does_not_round_trip_is_refused() {
        for bad in ["foo_bar", "a,", ",a", "a..b", ".a", "a b", "a-b", "é", "a.*"] {
            assert!(put_wire(bad.as_bytes(), &mut BytesMut::new()).is_err(), "{bad}");
        }
        for bad in ["fooBar", "foo__bar", "foo_3bar", "foo_", "foo_.a"] {
            assert!(put_camel(bad.as_bytes(), &mut Vec::new()).is_err(), "{bad}");
        }
    }
}
