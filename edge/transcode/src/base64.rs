//! Base64 into and out of growing buffers, without a buffer in between.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::BytesMut;

const STRICT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const LENIENT: GeneralPurposeConfig = STRICT.with_decode_allow_trailing_bits(true);

static STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, STRICT);
static URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, STRICT);
static LENIENT_STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
static LENIENT_URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

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
pub(crate) fn decode(text: &[u8], bits: TrailingBits, out: &mut BytesMut) -> Option<()> {
    let url_safe = text.iter().any(|b| matches!(b, b'-' | b'_'));
    let engine = match (bits, url_safe) {
        (TrailingBits::Drop, false) => &LENIENT_STANDARD,
        (TrailingBits::Drop, true) => &LENIENT_URL_SAFE,
        (TrailingBits::Refuse, false) => &STANDARD,
        (TrailingBits::Refuse, true) => &URL_SAFE,
    };
    let start = out.len();
    out.resize(start + base64::decoded_len_estimate(text.len()), 0);
    let written = out.get_mut(start..).and_then(|to| engine.decode_slice(text, to).ok());
    out.truncate(start + written.unwrap_or(0));
    written.map(drop)
}

/// Appends `bytes` in the standard alphabet, padded.
pub(crate) fn encode(bytes: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    let written = out.get_mut(start..).and_then(|to| STANDARD.encode_slice(bytes, to).ok());
    out.truncate(start + written.unwrap_or(0));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str, bits: TrailingBits) -> Option<Vec<u8>> {
        let mut out = BytesMut::from(&b"x"[..]);
        let result = decode(text.as_bytes(), bits, &mut out);
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
    fn encodes_with_padding() {
        let mut out = b"\"".to_vec();
        encode(b"A", &mut out);
        encode(b"", &mut out);
        encode(&[0xFB, 0xFF, 0xBF], &mut out);
        assert_eq!(out, b"\"QQ==+/+/");
    }
}
