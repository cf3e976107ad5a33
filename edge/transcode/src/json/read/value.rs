//! Field values: scalars, lists, maps and messages.

use super::{Reader, Result};
use crate::base64::{self, TrailingBits};
use crate::bindings::Bound;
use crate::error::{ErrorKind, FieldError};
use crate::json::scan::{RawStr, Shape, control_character, unescape_json};
use crate::number;
use crate::schema::{Cardinality, EnumIndex, Field, Kind, MessageIndex, Tag, WellKnown};
use crate::wire;

fn expected_value<T>(what: &'static str) -> Result<T> {
    Err(FieldError::new(ErrorKind::Type, what))
}

impl<'a> Reader<'a, '_> {
    /// Whether `null` is a value of the field, and not its absence.
    #[inline]
    pub(super) fn takes_null(&self, field: &Field) -> bool {
        match (field.cardinality, field.kind) {
            (Cardinality::Singular, Kind::Message(index)) => {
                self.schema.message(index).well_known == WellKnown::Value
            }
            (Cardinality::Singular, Kind::Enum(index)) => self.schema.enumeration(index).null_value,
            _ => false,
        }
    }

    /// A field's value with its tags.
    #[inline]
    pub(super) fn field(&mut self, field: &'a Field, bound: Bound) -> Result<()> {
        match field.cardinality {
            Cardinality::Singular => {
                self.value(field.kind, &field.tag, field.presence, bound).map(drop)
            }
            Cardinality::Repeated => self.list(field),
            Cardinality::Map => self.map(field),
        }
    }

    /// One value and its tag. A zero is left out unless `zero` says that it counts. False means
    /// that nothing was written because the value is an enum's name that is to be ignored.
    #[inline]
    fn value(&mut self, kind: Kind, tag: &Tag, zero: bool, bound: Bound) -> Result<bool> {
        match kind {
            Kind::String => {
                let raw = self.string("expected a string")?;
                if zero || !raw.bytes.is_empty() {
                    self.out.extend_from_slice(tag.as_bytes());
                    self.put_string(raw)?;
                }
            }
            Kind::Bytes => {
                let raw = self.base64_string()?;
                if zero || !raw.bytes.is_empty() {
                    self.out.extend_from_slice(tag.as_bytes());
                    self.put_base64(raw)?;
                }
            }
            Kind::Message(index) => {
                self.out.extend_from_slice(tag.as_bytes());
                let start = wire::open_length(self.out);
                self.message(index, bound)?;
                wire::close_length(self.out, start);
            }
            Kind::Group(index) => {
                self.out.extend_from_slice(tag.as_bytes());
                self.message(index, bound)?;
                wire::put_varint(self.out, u64::from(tag.value + 1));
            }
            _ => {
                let Some(bits) = self.scalar(kind)? else { return Ok(false) };
                if zero || bits != 0 {
                    self.out.extend_from_slice(tag.as_bytes());
                    number::put_number(kind, bits, self.out);
                }
            }
        }
        Ok(true)
    }

    /// The content of a message in the JSON form of its type.
    #[inline]
    pub(super) fn message(&mut self, index: MessageIndex, bound: Bound) -> Result<()> {
        let message = self.schema.message(index);
        match message.well_known {
            WellKnown::None => self.object(message, bound, false),
            other => self.well_known(other, message),
        }
    }

    /// A number, bool or enum; `None` for an enum's name that is to be ignored.
    #[inline]
    fn scalar(&mut self, kind: Kind) -> Result<Option<u64>> {
        match (self.scan.shape(), kind) {
            (shape, Kind::Bool) => self.bool(shape).map(Some),
            (shape, Kind::Enum(index)) => self.enumeration(shape, index),
            (Shape::Number, _) => number::from_text(kind, self.scan.number()?).map(Some),
            (Shape::String, _) => {
                let raw = self.scan.string()?;
                if !raw.escaped() {
                    return number::from_quoted(kind, raw.bytes).map(Some);
                }
                number::from_quoted(kind, self.unescaped(raw)?).map(Some)
            }
            _ => expected_value("expected a number"),
        }
    }

    fn bool(&mut self, shape: Shape) -> Result<u64> {
        match shape {
            Shape::True => self.scan.word("true").map(|()| 1),
            Shape::False => self.scan.word("false").map(|()| 0),
            _ => expected_value("expected true or false"),
        }
    }

    fn enumeration(&mut self, shape: Shape, index: EnumIndex) -> Result<Option<u64>> {
        let schema = self.schema;
        let values = schema.enumeration(index);
        match shape {
            Shape::String => {
                let raw = self.scan.string()?;
                let name = if raw.escaped() { self.unescaped(raw)? } else { raw.bytes };
                match values.number_of(name) {
                    Some(number) => Ok(Some(number::sign_extend(number))),
                    None if self.options.ignore_unknown_fields => Ok(None),
                    None => expected_value("the enum has no such name"),
                }
            }
            Shape::Number => number::parse_int32(self.scan.number()?)
                .map(|number| Some(number::sign_extend(number))),
            Shape::Null if values.null_value => self.scan.word("null").map(|()| Some(0)),
            _ => expected_value("expected a name or number of the enum"),
        }
    }

    /// A list. An empty one leaves nothing on the wire.
    fn list(&mut self, field: &'a Field) -> Result<()> {
        if self.scan.shape() != Shape::List {
            return expected_value("expected a list");
        }
        self.scan.take(b'[');
        self.enter()?;
        if !self.scan.take(b']') {
            let before = self.out.len();
            if field.packed {
                self.out.extend_from_slice(field.packed_tag.as_bytes());
                let start = wire::open_length(self.out);
                self.elements(field)?;
                if self.out.len() == start + 1 {
                    self.out.truncate(before);
                } else {
                    wire::close_length(self.out, start);
                }
            } else {
                self.elements(field)?;
            }
        }
        self.depth += 1;
        Ok(())
    }

    fn elements(&mut self, field: &'a Field) -> Result<()> {
        let mut at = 0;
        loop {
            self.count().and_then(|()| self.element(field)).map_err(|e| e.in_element(at))?;
            at += 1;
            if !self.scan.more(b']')? {
                return Ok(());
            }
        }
    }

    #[inline]
    fn element(&mut self, field: &'a Field) -> Result<()> {
        if field.packed {
            if let Some(bits) = self.scalar(field.kind)? {
                number::put_number(field.kind, bits, self.out);
            }
            return Ok(());
        }
        self.value(field.kind, &field.tag, true, Bound::NONE).map(drop)
    }

    /// An object as a map. Keys are compared after they were converted.
    fn map(&mut self, field: &'a Field) -> Result<()> {
        if self.scan.shape() != Shape::Object {
            return expected_value("expected an object");
        }
        let entry = field.kind.message().map(|index| self.schema.message(index));
        let key_value = entry.and_then(|e| Some((e.field_by_number(1)?, e.field_by_number(2)?)));
        let Some((key, value)) = key_value else {
            return expected_value("the map has no key or value");
        };
        self.scan.take(b'{');
        self.enter()?;
        let mut keys = self.scratch.open_keys();
        if !self.scan.take(b'}') {
            loop {
                self.count()?;
                let raw = self.scan.key()?;
                match self.entry(field, key, value, raw) {
                    Ok(Some(place)) if !self.scratch.add_key(&mut keys, self.out, place) => {
                        let twice = FieldError::new(ErrorKind::Duplicate, "the key is given twice");
                        return Err(twice.in_key(&String::from_utf8_lossy(raw.bytes)));
                    }
                    Ok(_) => {}
                    Err(error) => return Err(error.in_key(&String::from_utf8_lossy(raw.bytes))),
                }
                if !self.scan.more(b'}')? {
                    break;
                }
            }
        }
        self.scratch.close_keys(keys);
        self.depth += 1;
        Ok(())
    }

    /// An entry of a map. Returns where its key came to stand, or `None` if it is to be ignored.
    fn entry(
        &mut self,
        field: &Field,
        key: &'a Field,
        value: &'a Field,
        raw: RawStr<'a>,
    ) -> Result<Option<(usize, usize)>> {
        let before = self.out.len();
        self.out.extend_from_slice(field.tag.as_bytes());
        let start = wire::open_length(self.out);
        self.key(key, raw)?;
        let key_len = self.out.len() - start - 1;
        if !self.value(value.kind, &value.tag, true, Bound::NONE)? {
            self.out.truncate(before);
            return Ok(None);
        }
        let key_at = wire::close_length(self.out, start);
        Ok(Some((key_at, key_at + key_len)))
    }

    fn key(&mut self, key: &Field, raw: RawStr<'a>) -> Result<()> {
        self.out.extend_from_slice(key.tag.as_bytes());
        if key.kind == Kind::String {
            return self.put_string(raw);
        }
        let text = if raw.escaped() { self.unescaped(raw)? } else { raw.bytes };
        let bits = match (key.kind, text) {
            (Kind::Bool, b"true") => 1,
            (Kind::Bool, b"false") => 0,
            (Kind::Bool, _) => return expected_value("expected a key that is true or false"),
            (kind, text) => number::from_quoted(kind, text)?,
        };
        number::put_number(key.kind, bits, self.out);
        Ok(())
    }

    /// Takes a string, or says what was expected.
    #[inline]
    pub(super) fn string(&mut self, what: &'static str) -> Result<RawStr<'a>> {
        if self.scan.shape() == Shape::String { self.scan.string() } else { expected_value(what) }
    }

    /// A string of base64, whose decoder refuses what JSON does not allow in a string either.
    fn base64_string(&mut self) -> Result<RawStr<'a>> {
        match self.scan.shape() {
            Shape::String => self.scan.unjudged_string(),
            _ => expected_value("expected a string of base64"),
        }
    }

    /// Appends the length and the text of a string.
    #[inline]
    pub(super) fn put_string(&mut self, raw: RawStr<'_>) -> Result<()> {
        if !raw.escaped() {
            wire::put_delimited(self.out, raw.bytes);
            return Ok(());
        }
        let start = wire::open_length(self.out);
        let out = &mut *self.out;
        unescape_json(raw, |piece| out.extend_from_slice(piece))?;
        wire::close_length(self.out, start);
        Ok(())
    }

    /// Appends the length and the content of bytes.
    fn put_base64(&mut self, raw: RawStr<'_>) -> Result<()> {
        let decoded = if raw.escaped() {
            let text = &mut self.scratch.text;
            text.clear();
            unescape_json(raw, |piece| text.extend_from_slice(piece))?;
            base64::put_delimited(text, TrailingBits::Drop, self.out)
        } else {
            base64::put_delimited(raw.bytes, TrailingBits::Drop, self.out)
        };
        match decoded {
            Some(()) => Ok(()),
            None if raw.bytes.iter().any(|&byte| byte < 0x20) => Err(control_character()),
            None => expected_value("expected base64"),
        }
    }

    /// The text of a string with escapes, in the scratch.
    pub(super) fn unescaped(&mut self, raw: RawStr<'_>) -> Result<&[u8]> {
        let text = &mut self.scratch.text;
        text.clear();
        unescape_json(raw, |piece| text.extend_from_slice(piece))?;
        Ok(&self.scratch.text)
    }
}
