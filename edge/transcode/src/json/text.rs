//! JSON strings on the way out.

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Appends `text` with what JSON wants escaped, without the quotes around it.
#[inline]
pub(crate) fn escape_json(text: &str, out: &mut Vec<u8>) {
    let mut rest = text.as_bytes();
    loop {
        let plain = plain_prefix(rest);
        let (before, after) = rest.split_at(plain.min(rest.len()));
        out.extend_from_slice(before);
        let Some((&byte, after)) = after.split_first() else { return };
        escape_byte(byte, out);
        rest = after;
    }
}

#[cold]
fn escape_byte(byte: u8, out: &mut Vec<u8>) {
    match byte {
        b'"' => out.extend_from_slice(b"\\\""),
        b'\\' => out.extend_from_slice(b"\\\\"),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        0x08 => out.extend_from_slice(b"\\b"),
        0x0C => out.extend_from_slice(b"\\f"),
        _ => {
            out.extend_from_slice(b"\\u00");
            out.extend_from_slice(&[hex_digit(byte >> 4), hex_digit(byte & 0xF)]);
        }
    }
}

fn hex_digit(nibble: u8) -> u8 {
    HEX.get(usize::from(nibble)).copied().unwrap_or(b'0')
}

/// How many bytes from the front are neither `"`, `\` nor a control character.
#[inline]
pub(crate) fn plain_prefix(bytes: &[u8]) -> usize {
    let words = bytes.get(..SHORT).unwrap_or(bytes);
    let plain = plain_words(words);
    if plain < SHORT { plain } else { long_prefix(bytes) }
}

/// Names and most values end before this.
const SHORT: usize = 32;

/// The rest of a long text, in blocks that the compiler turns into vector instructions.
fn long_prefix(bytes: &[u8]) -> usize {
    let mut at = SHORT;
    for block in bytes.get(SHORT..).unwrap_or_default().chunks_exact(64) {
        if block.iter().fold(false, |found, &b| found | needs_escape(b)) {
            break;
        }
        at += block.len();
    }
    at + plain_words(bytes.get(at..).unwrap_or_default())
}

#[inline]
fn needs_escape(byte: u8) -> bool {
    (byte == b'"') | (byte == b'\\') | (byte < 0x20)
}

const ONES: u64 = 0x0101_0101_0101_0101;
const TOPS: u64 = 0x8080_8080_8080_8080;

/// Eight bytes are looked at together: a byte's top bit in `found` is set when it is special.
/// Borrows can set it falsely only in bytes above a true one, and the lowest is what counts.
#[inline]
fn plain_words(bytes: &[u8]) -> usize {
    let mut chunks = bytes.chunks_exact(8);
    let mut at = 0;
    for chunk in &mut chunks {
        let mut word = [0; 8];
        word.copy_from_slice(chunk);
        let word = u64::from_le_bytes(word);
        let quote = mark_zeros(word ^ (ONES * u64::from(b'"')));
        let slash = mark_zeros(word ^ (ONES * u64::from(b'\\')));
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        let found = (quote | slash | control) & TOPS;
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let rest = chunks.remainder();
    at + rest.iter().position(|&b| needs_escape(b)).unwrap_or(rest.len())
}

/// The top bits of the result mark the bytes of `word` that are zero: the lowest for certain, those above it perhaps
/// falsely.
#[inline]
fn mark_zeros(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_found_at_every_place() {
        for byte in 0..=255 {
            for at in 0..200 {
                let mut bytes = vec![b'x'; 200];
                bytes[at] = byte;
                let special = byte == b'"' || byte == b'\\' || byte < 0x20;
                assert_eq!(plain_prefix(&bytes), if special { at } else { 200 }, "{byte} at {at}");
            }
        }
    }

    #[test]
    fn escapes_as_json_wants() {
        let mut out = Vec::new();
        escape_json("a\"b\\c\n\u{1}\u{1f}é🚀 and a longer tail", &mut out);
        let want = "a\\\"b\\\\c\\n\\u0001\\u001fé🚀 and a longer tail";
        assert_eq!(String::from_utf8(out).unwrap(), want);
    }
}
