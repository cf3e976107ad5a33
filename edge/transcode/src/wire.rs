//! The protobuf wire format: reading it with every length checked, and writing it into a buffer.

use bytes::BytesMut;

/// Why bytes are not the wire format. A word wide, so that results with it stay in registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Malformed {
    Truncated,
    LongVarint,
    TagRange,
    FieldZero,
    GroupDepth,
    GroupCrossed,
    GroupEnd,
    WireType,
}

impl Malformed {
    /// What is wrong, as a phrase.
    pub fn problem(self) -> &'static str {
        match self {
            Self::Truncated => "it ends inside a field",
            Self::LongVarint => "a varint has more than 64 bits",
            Self::TagRange => "a tag is out of range",
            Self::FieldZero => "a field number is zero",
            Self::GroupDepth => "groups are nested too deep",
            Self::GroupCrossed => "a group ends with another field's tag",
            Self::GroupEnd => "a group ends that was not begun",
            Self::WireType => "a wire type does not exist",
        }
    }
}

/// The wire types, as in the low three bits of a tag.
pub(crate) const VARINT: u32 = 0;
pub(crate) const FIXED64: u32 = 1;
pub(crate) const BYTES: u32 = 2;
pub(crate) const START_GROUP: u32 = 3;
pub(crate) const END_GROUP: u32 = 4;
pub(crate) const FIXED32: u32 = 5;

/// The largest field number.
pub(crate) const MAX_FIELD: u32 = (1 << 29) - 1;

/// Groups inside groups that an unknown field may hold.
const MAX_GROUP_DEPTH: u32 = 100;

/// Takes a varint from the front of `input`.
#[inline]
pub(crate) fn read_varint(input: &mut &[u8]) -> Result<u64, Malformed> {
    match input.split_first() {
        Some((&byte, rest)) if byte < 0x80 => {
            *input = rest;
            Ok(u64::from(byte))
        }
        _ => long_varint(input),
    }
}

fn long_varint(input: &mut &[u8]) -> Result<u64, Malformed> {
    let mut value = 0;
    for (at, &byte) in input.iter().enumerate().take(10) {
        if at == 9 && byte > 1 {
            return Err(Malformed::LongVarint);
        }
        value |= u64::from(byte & 0x7F) << (7 * at);
        if byte < 0x80 {
            *input = input.get(at + 1..).unwrap_or_default();
            return Ok(value);
        }
    }
    Err(Malformed::Truncated)
}

/// Takes a tag: a field number within its range, and a wire type.
#[inline]
pub(crate) fn read_tag(input: &mut &[u8]) -> Result<u32, Malformed> {
    let tag = u32::try_from(read_varint(input)?).map_err(|_| Malformed::TagRange)?;
    if tag >> 3 == 0 { Err(Malformed::FieldZero) } else { Ok(tag) }
}

/// Takes the next `len` bytes.
#[inline]
pub(crate) fn take_bytes<'a>(input: &mut &'a [u8], len: usize) -> Result<&'a [u8], Malformed> {
    let (taken, rest) = input.split_at_checked(len).ok_or(Malformed::Truncated)?;
    *input = rest;
    Ok(taken)
}

/// Takes a length-delimited value.
#[inline]
pub(crate) fn read_delimited<'a>(input: &mut &'a [u8]) -> Result<&'a [u8], Malformed> {
    let len = usize::try_from(read_varint(input)?).map_err(|_| Malformed::Truncated)?;
    take_bytes(input, len)
}

/// Takes four bytes, little-endian.
#[inline]
pub(crate) fn read_fixed32(input: &mut &[u8]) -> Result<u32, Malformed> {
    let (bytes, rest) = input.split_first_chunk().ok_or(Malformed::Truncated)?;
    *input = rest;
    Ok(u32::from_le_bytes(*bytes))
}

/// Takes eight bytes, little-endian.
#[inline]
pub(crate) fn read_fixed64(input: &mut &[u8]) -> Result<u64, Malformed> {
    let (bytes, rest) = input.split_first_chunk().ok_or(Malformed::Truncated)?;
    *input = rest;
    Ok(u64::from_le_bytes(*bytes))
}

/// Takes the body of a group up to its end tag, which is taken too.
pub(crate) fn read_group<'a>(input: &mut &'a [u8], field: u32) -> Result<&'a [u8], Malformed> {
    let start = *input;
    let mut open = vec![field];
    while let Some(&current) = open.last() {
        let before = input.len();
        let tag = read_tag(input)?;
        match tag & 7 {
            START_GROUP if open.len() as u32 >= MAX_GROUP_DEPTH => {
                return Err(Malformed::GroupDepth);
            }
            START_GROUP => open.push(tag >> 3),
            END_GROUP if tag >> 3 != current => {
                return Err(Malformed::GroupCrossed);
            }
            END_GROUP => {
                open.pop();
                if open.is_empty() {
                    return Ok(start.get(..start.len() - before).unwrap_or_default());
                }
            }
            _ => skip_field(input, tag)?,
        }
    }
    Err(Malformed::Truncated)
}

/// Takes the value that follows `tag` without looking at it.
pub(crate) fn skip_field(input: &mut &[u8], tag: u32) -> Result<(), Malformed> {
    match tag & 7 {
        VARINT => read_varint(input).map(drop),
        FIXED64 => take_bytes(input, 8).map(drop),
        BYTES => read_delimited(input).map(drop),
        START_GROUP => read_group(input, tag >> 3).map(drop),
        FIXED32 => take_bytes(input, 4).map(drop),
        END_GROUP => Err(Malformed::GroupEnd),
        _ => Err(Malformed::WireType),
    }
}

/// One field of a message as it stands on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Record<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Group(&'a [u8]),
    Fixed32(u32),
}

/// The fields of a message in their order, with their numbers.
pub(crate) struct Records<'a> {
    rest: &'a [u8],
}

impl<'a> Records<'a> {
    pub fn new(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    fn read(&mut self) -> Result<(u32, Record<'a>), Malformed> {
        let tag = read_tag(&mut self.rest)?;
        let record = match tag & 7 {
            VARINT => Record::Varint(read_varint(&mut self.rest)?),
            FIXED64 => Record::Fixed64(read_fixed64(&mut self.rest)?),
            BYTES => Record::Bytes(read_delimited(&mut self.rest)?),
            START_GROUP => Record::Group(read_group(&mut self.rest, tag >> 3)?),
            FIXED32 => Record::Fixed32(read_fixed32(&mut self.rest)?),
            END_GROUP => return Err(Malformed::GroupEnd),
            _ => return Err(Malformed::WireType),
        };
        Ok((tag >> 3, record))
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<(u32, Record<'a>), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let read = self.read();
        if read.is_err() {
            self.rest = &[];
        }
        Some(read)
    }
}

/// Encodes `value` into the front of `buffer` and says how many bytes it took.
#[inline]
pub(crate) fn encode_varint(mut value: u64, buffer: &mut [u8; 10]) -> usize {
    for (at, byte) in buffer.iter_mut().enumerate() {
        if value < 0x80 {
            *byte = value as u8;
            return at + 1;
        }
        *byte = value as u8 | 0x80;
        value >>= 7;
    }
    10
}

/// Appends a varint.
#[inline]
pub(crate) fn put_varint(out: &mut BytesMut, value: u64) {
    if value < 0x80 {
        out.extend_from_slice(&[value as u8]);
    } else {
        let mut buffer = [0; 10];
        let len = encode_varint(value, &mut buffer);
        out.extend_from_slice(buffer.get(..len).unwrap_or_default());
    }
}

/// Appends a length-delimited value without its tag.
#[inline]
pub(crate) fn put_delimited(out: &mut BytesMut, value: &[u8]) {
    put_varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

/// Leaves one byte for a length that [`close_length`] fills in. Returns where.
#[inline]
pub(crate) fn open_length(out: &mut BytesMut) -> usize {
    let start = out.len();
    out.extend_from_slice(&[0]);
    start
}

/// Writes the length of what came after [`open_length`], and makes room where it needs more than a byte.
/// Returns where the content begins now.
#[inline]
pub(crate) fn close_length(out: &mut BytesMut, start: usize) -> usize {
    let len = out.len() - start - 1;
    match out.get_mut(start) {
        Some(byte) if len < 0x80 => {
            *byte = len as u8;
            start + 1
        }
        _ => close_long(out, start, len),
    }
}

fn close_long(out: &mut BytesMut, start: usize, len: usize) -> usize {
    let mut buffer = [0; 10];
    let size = encode_varint(len as u64, &mut buffer);
    let prefix = buffer.get(..size).unwrap_or_default();
    out.extend_from_slice(prefix);
    out.copy_within(start + 1..start + 1 + len, start + size);
    if let Some(place) = out.get_mut(start..start + size) {
        place.copy_from_slice(prefix);
    }
    out.truncate(start + size + len);
    start + size
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_round_trip() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX >> 1, u64::MAX] {
            let mut out = BytesMut::new();
            put_varint(&mut out, value);
            assert_eq!(read_varint(&mut &out[..]), Ok(value));
        }
    }

    #[test]
    fn overlong_and_cut_varints_are_refused() {
        let too_wide = Malformed::LongVarint;
        assert_eq!(read_varint(&mut &[0x80; 10][..]), Err(too_wide));
        let mut wide = [0xFF; 10];
        wide[9] = 2;
        assert_eq!(read_varint(&mut &wide[..]), Err(too_wide));
        assert_eq!(read_varint(&mut &[0x80][..]), Err(Malformed::Truncated));
        assert_eq!(read_varint(&mut &[][..]), Err(Malformed::Truncated));
    }

    #[test]
    fn closing_makes_room_for_long_lengths() {
        for len in [0, 127, 128, 16_383, 16_384, 3_000_000] {
            let mut out = BytesMut::from(&b"before"[..]);
            let start = open_length(&mut out);
            let body: Vec<u8> = (0..len).map(|i| i as u8).collect();
            out.extend_from_slice(&body);
            close_length(&mut out, start);
            let mut rest = &out[6..];
            assert_eq!(read_delimited(&mut rest), Ok(&body[..]));
            assert!(rest.is_empty());
        }
    }

    #[test]
    fn groups_are_matched_by_number() {
        let bytes = [0x08, 0x01, 0x1B, 0x1C, 0x14, 0x08];
        let mut input = &bytes[..];
        assert_eq!(read_group(&mut input, 2), Ok(&bytes[..4]));
        assert_eq!(input, [0x08]);
        assert!(read_group(&mut &[0x1C][..], 2).is_err());
        assert!(read_group(&mut &[0x0B; 200][..], 1).is_err());
    }
}
