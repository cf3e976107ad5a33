//! Base64 into and out of growing buffers, without a buffer in between.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, Simd};
use bytes::BytesMut;

use crate::wire;

const STRICT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const LENIENT: GeneralPurposeConfig = STRICT.with_decode_allow_trailing_bits(true);

static STANDARD: LazyLock<Simd> = LazyLock::new(|| Simd::standard(STRICT));
static URL_SAFE: LazyLock<Simd> = LazyLock::new(|| Simd::url_safe(STRICT));
static LENIENT_STANDARD: LazyLock<Simd> = LazyLock::new(|| Simd::standard(LENIENT));
static LENIENT_URL_SAFE: LazyLock<Simd> = LazyLock::new(|| Simd::url_safe(LENIENT));

/// Base64 with or without padding, as `-bin` metadata and `grpc-status-details-bin` are written.
pub(crate) const METADATA: GeneralPurpose =
    GeneralPurpose::new(&alphabet::STANDARD, STRICT.with_encode_padding(false));

/// What to make of the bits behind the last whole byte when they are not zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TrailingBits {
    /// Drop them, as other readers of ProtoJSON do.
    Drop,
    /// Refuse the text: in a URL, two spellings of one value are a mistake or a trick.
    Refuse,
}

/// Appends what `text` encodes. Both alphabets, but not mixed, with or without padding, and no
/// white space. On `None` nothing is appended.
pub(crate) fn decode_base64(text: &[u8], bits: TrailingBits, out: &mut BytesMut) -> Option<()> {
    let (standard, url_safe) = match bits {
        TrailingBits::Drop => (&LENIENT_STANDARD, &LENIENT_URL_SAFE),
        TrailingBits::Refuse => (&STANDARD, &URL_SAFE),
    };
    let start = out.len();
    out.resize(start + base64::decoded_len_estimate(text.len()), 0);
    let to = out.get_mut(start..)?;
    let written = standard.decode_slice(text, to).or_else(|_| url_safe.decode_slice(text, to));
    let decoded = written.is_ok().then_some(());
    out.truncate(start + written.unwrap_or(0));
    decoded
}

/// Appends the length of what `text` encodes and then that, as [`decode_base64`] does it.
pub(crate) fn put_delimited(text: &[u8], bits: TrailingBits, out: &mut BytesMut) -> Option<()> {
    let digits = match text {
        [digits @ .., b'=', b'='] | [digits @ .., b'='] => digits,
        _ => text,
    };
    // Valid text has this length: no room has to be made for the prefix afterwards.
    let len = digits.len() / 4 * 3 + digits.len() % 4 * 3 / 4;
    wire::put_varint(out, len as u64);
    let start = out.len();
    decode_base64(text, bits, out)?;
    (out.len() - start == len).then_some(())
}

/// Appends `bytes` in the standard alphabet, padded.
pub(crate) fn encode_base64(bytes: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + base64::encoded_len(bytes.len(), true).unwrap_or_default(), 0);
    let to = out.get_mut(start..).unwrap_or_default();
    let written = STANDARD.encode_slice(bytes, to).unwrap_or_default();
    out.truncate(start + written);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str, bits: TrailingBits) -> Option<Vec<u8>> {
        let mut out = BytesMut::from(&b"x"[..]);
        let result = decode_base64(text.as_bytes(), bits, &mut out);
        assert_eq!(out[0], b'x');
        result.map(|()| out[1..].to_vec())
    }

    #[test]
    fn both_alphabets_with_or_without_padding() {
        for text in ["+/+/", "-_-_"] {
            assert_eq!(decoded(text, TrailingBits::Drop), Some(vec![0xFB, 0xFF, 0xBF]));
        }
        for text in ["QQ==", "QQ"] {
            assert_eq!(decoded(text, TrailingBits::Refuse), Some(b"A".to_vec()));
        }
        assert_eq!(decoded("", TrailingBits::Refuse), Some(Vec::new()));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["@@@", "QUJD\nQUJD", "Q", "+_+_", "QQ= =", "Q===", " QQ=="] {
            assert_eq!(decoded(text, TrailingBits::Drop), None, "{text:?}");
        }
        assert_eq!(decoded("QR==", TrailingBits::Drop), Some(b"A".to_vec()));
        assert_eq!(decoded("QR==", TrailingBits::Refuse), None);
    }

    #[test]
    fn long_text_is_treated_like_short() {
        let bytes: Vec<u8> = (0..=255).cycle().take(1000).collect();
        for len in 0..bytes.len() {
            let mut text = Vec::new();
            encode_base64(&bytes[..len], &mut text);
            let text = String::from_utf8(text).unwrap();
            let whole = Some(bytes[..len].to_vec());
            assert_eq!(decoded(&text, TrailingBits::Refuse), whole);
            assert_eq!(decoded(text.trim_end_matches('='), TrailingBits::Refuse), whole);
            let mut out = BytesMut::new();
            put_delimited(text.as_bytes(), TrailingBits::Drop, &mut out).unwrap();
            assert_eq!(wire::read_delimited(&mut &out[..]), Ok(&bytes[..len]));
            let url_safe = text.replace('+', "-").replace('/', "_");
            assert_eq!(decoded(&url_safe, TrailingBits::Refuse), whole);
            assert_eq!(decoded(&format!("{text}\n"), TrailingBits::Drop), None);
            assert_eq!(decoded(&format!("{text}="), TrailingBits::Drop), None, "{text}");
        }
        let trailing = format!("{}QR==", "QUJD".repeat(40));
        assert!(decoded(&trailing, TrailingBits::Drop).is_some());
        assert_eq!(decoded(&trailing, TrailingBits::Refuse), None);
    }

    #[test]
    fn encodes_with_padding() {
        let mut out = b"\"".to_vec();
        encode_base64(b"A", &mut out);
        encode_base64(b"", &mut out);
        encode_base64(&[0xFB, 0xFF, 0xBF], &mut out);
        assert_eq!(out, b"\"QQ==+/+/");
    }
}
