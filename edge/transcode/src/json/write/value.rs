//! Writes single values, which are no lists and no maps.

use super::select::Selected;
use super::{Stop, Writer};
use crate::error::WireError;
use crate::json::escape_json;
use crate::number::{put_double, put_float, put_signed, put_unsigned, sign_extend};
use crate::schema::{EnumIndex, Field, Kind};
use crate::{base64, wire};

impl Writer<'_, '_> {
    /// Takes a value from the wire and prints it. False means that it counts as absent: a zero
    /// where `zero` says so, or an unknown number of a closed enum.
    #[inline]
    pub(super) fn value(
        &mut self,
        field: &Field,
        rest: &mut &[u8],
        zero: bool,
        selected: Selected<'_>,
    ) -> Result<bool, Stop> {
        match field.kind {
            Kind::String => {
                let text = wire::read_delimited(rest)?;
                if text.is_empty() && !zero {
                    return Ok(false);
                }
                self.string(text)?;
                Ok(true)
            }
            Kind::Bytes => {
                let bytes = wire::read_delimited(rest)?;
                if bytes.is_empty() && !zero {
                    return Ok(false);
                }
                self.bytes(bytes);
                Ok(true)
            }
            Kind::Message(index) => {
                let content = wire::read_delimited(rest)?;
                self.message(index, content, selected)?;
                Ok(true)
            }
            Kind::Group(index) => {
                let content = wire::read_group(rest, field.number)?;
                self.message(index, content, selected)?;
                Ok(true)
            }
            kind => {
                let bits = take_value(kind, rest)?;
                if bits == 0 && !zero { Ok(false) } else { Ok(self.scalar(kind, bits)) }
            }
        }
    }
}

/// Takes the bits of a numeric, bool or enum value, cut to the width of its kind.
#[inline]
pub(super) fn take_value(kind: Kind, rest: &mut &[u8]) -> Result<u64, wire::Malformed> {
    match kind {
        Kind::Double | Kind::Fixed64 | Kind::Sfixed64 => wire::read_fixed64(rest),
        Kind::Float | Kind::Fixed32 | Kind::Sfixed32 => wire::read_fixed32(rest).map(u64::from),
        Kind::Bool => wire::read_varint(rest).map(|bits| u64::from(bits != 0)),
        Kind::Int32 | Kind::Uint32 | Kind::Sint32 | Kind::Enum(_) => {
            wire::read_varint(rest).map(|bits| u64::from(bits as u32))
        }
        _ => wire::read_varint(rest),
    }
}

impl Writer<'_, '_> {
    /// Prints a scalar; false for an unknown number of a closed enum.
    #[inline]
    pub(super) fn scalar(&mut self, kind: Kind, bits: u64) -> bool {
        let out = &mut *self.out;
        match kind {
            Kind::Enum(index) => return self.enumeration(index, bits as i32),
            Kind::Bool => out.extend_from_slice(if bits == 0 { b"false" } else { b"true" }),
            Kind::Int32 | Kind::Sfixed32 => put_signed(i64::from(bits as i32), out),
            Kind::Uint32 | Kind::Fixed32 => put_unsigned(bits, out),
            Kind::Sint32 => {
                let value = (bits as u32 >> 1) as i32 ^ -((bits & 1) as i32);
                put_signed(i64::from(value), out);
            }
            Kind::Int64 | Kind::Sfixed64 => write_quoted(out, |out| put_signed(bits as i64, out)),
            Kind::Sint64 => {
                let value = (bits >> 1) as i64 ^ -((bits & 1) as i64);
                write_quoted(out, |out| put_signed(value, out));
            }
            Kind::Double => put_double(f64::from_bits(bits), out),
            Kind::Float => put_float(f32::from_bits(bits as u32), out),
            _ => write_quoted(out, |out| put_unsigned(bits, out)),
        }
        true
    }

    fn enumeration(&mut self, index: EnumIndex, number: i32) -> bool {
        let values = self.schema.enumeration(index);
        if values.null_value {
            self.out.extend_from_slice(b"null");
            return true;
        }
        let name = values.name(number);
        if name.is_none() && values.closed {
            return false;
        }
        match name.filter(|_| !self.options.enums_as_ints) {
            Some(name) => write_quoted(self.out, |out| out.extend_from_slice(name.as_bytes())),
            None => put_signed(i64::from(number), self.out),
        }
        true
    }

    /// The default value of a kind that is no message.
    pub(super) fn zero(&mut self, kind: Kind) {
        match kind {
            Kind::String | Kind::Bytes => self.out.extend_from_slice(b"\"\""),
            Kind::Message(_) | Kind::Group(_) => self.out.extend_from_slice(b"{}"),
            Kind::Enum(index) => {
                // A closed enum's default is its first value, also when its number is not 0.
                let first = self.schema.enumeration(index).values.first();
                self.scalar(kind, sign_extend(first.map_or(0, |value| value.number)));
            }
            _ => drop(self.scalar(kind, 0)),
        }
    }

    #[inline]
    pub(super) fn string(&mut self, text: &[u8]) -> Result<(), Stop> {
        let text =
            std::str::from_utf8(text).map_err(|_| WireError::Malformed("a string is not UTF-8"))?;
        write_quoted(self.out, |out| escape_json(text, out));
        Ok(())
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        write_quoted(self.out, |out| base64::encode_base64(bytes, out));
    }
}

#[inline]
fn write_quoted(out: &mut Vec<u8>, print: impl FnOnce(&mut Vec<u8>)) {
    out.push(b'"');
    print(out);
    out.push(b'"');
}
