//! Single values read out of a message on the wire, without decoding the rest.

use bytes::Bytes;

use crate::schema::{Kind, MessageIndex, Schema};
use crate::wire::{Malformed, Record, Records};

/// The payload of a singular message field: parts that are split on the wire are joined, which is
/// how protobuf merges them. `None` when the field is absent.
pub(crate) fn extract_message(wire: &Bytes, number: u32) -> Result<Option<Bytes>, Malformed> {
    let mut found: Option<Bytes> = None;
    for record in Records::new(wire) {
        let (field, record) = record?;
        let (Record::Bytes(part) | Record::Group(part)) = record else { continue };
        if field != number {
            continue;
        }
        found = Some(match found {
            None => wire.slice_ref(part),
            Some(before) => [&before[..], part].concat().into(),
        });
    }
    Ok(found)
}

/// The last length-delimited value of a field.
pub(crate) fn extract_bytes(wire: &Bytes, number: u32) -> Result<Option<Bytes>, Malformed> {
    let mut found = None;
    for record in Records::new(wire) {
        if let (field, Record::Bytes(value)) = record?
            && field == number
        {
            found = Some(wire.slice_ref(value));
        }
    }
    Ok(found)
}

/// What a field that is absent from a message is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Absent {
    /// The default of its type.
    Default,
    /// Nothing.
    Nothing,
}

/// A scalar as text.
pub(crate) fn extract_text(
    schema: &Schema,
    message: MessageIndex,
    path: &[u32],
    wire: &Bytes,
    absent: Absent,
) -> Result<Option<String>, Malformed> {
    let Some((&number, rest)) = path.split_first() else { return Ok(None) };
    let Some(field) = schema.message(message).field_by_number(number) else { return Ok(None) };
    if let (Some(child), false) = (field.kind().message(), rest.is_empty()) {
        let inner = self::extract_message(wire, number)?.unwrap_or_default();
        return extract_text(schema, child, rest, &inner, absent);
    }
    let mut last = None;
    for record in Records::new(wire) {
        let (found, record) = record?;
        if found == number {
            last = Some(record);
        }
    }
    if last.is_none() && absent == Absent::Nothing {
        return Ok(None);
    }
    Ok(extract_scalar(field.kind(), last))
}

fn extract_scalar(kind: Kind, record: Option<Record<'_>>) -> Option<String> {
    let number = match record {
        None => 0,
        Some(Record::Varint(v) | Record::Fixed64(v)) => v,
        Some(Record::Fixed32(v)) => u64::from(v),
        Some(Record::Bytes(v)) => return std::str::from_utf8(v).ok().map(str::to_owned),
        Some(Record::Group(_)) => return None,
    };
    let zigzag = (number >> 1) as i64 ^ -((number & 1) as i64);
    Some(match kind {
        Kind::String => String::new(),
        Kind::Uint64 | Kind::Fixed64 | Kind::Uint32 | Kind::Fixed32 => number.to_string(),
        Kind::Int64 | Kind::Sfixed64 => (number as i64).to_string(),
        Kind::Int32 | Kind::Sfixed32 | Kind::Enum(_) => (number as i32).to_string(),
        Kind::Sint32 | Kind::Sint64 => zigzag.to_string(),
        Kind::Bool => (number != 0).to_string(),
        Kind::Double | Kind::Float | Kind::Bytes | Kind::Message(_) | Kind::Group(_) => {
            return None;
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn split_messages_are_joined() {
        let wire = Bytes::from_static(&[0x0A, 2, 8, 1, 0x10, 7, 0x0A, 2, 16, 2]);
        assert_eq!(extract_message(&wire, 1), Ok(Some(Bytes::from_static(&[8, 1, 16, 2]))));
        assert_eq!(extract_message(&wire, 3), Ok(None));
        assert!(extract_message(&Bytes::from_static(&[0x0A, 9]), 1).is_err());
    }

    #[test]
    fn scalars_are_printed_by_their_kind() {
        for (kind, record, want) in [
            (Kind::Int64, Some(Record::Varint(u64::MAX)), "-1"),
            (Kind::Uint64, Some(Record::Varint(u64::MAX)), "18446744073709551615"),
            (Kind::Sint32, Some(Record::Varint(3)), "-2"),
            (Kind::Int32, None, "0"),
            (Kind::String, Some(Record::Bytes(b"v1")), "v1"),
            (Kind::Bool, Some(Record::Varint(1)), "true"),
        ] {
            assert_eq!(extract_scalar(kind, record).as_deref(), Some(want));
        }
    }
}
