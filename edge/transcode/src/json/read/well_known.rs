//! The well-known types whose JSON form is not an object of their fields.

use super::{Reader, Result, duplicate_field};
use crate::bindings::Bound;
use crate::error::{ErrorKind, FieldError};
use crate::json::scan::{RawStr, Shape};
use crate::schema::{Message, WellKnown};
use crate::{mask, number, time, wire};

/// Tags of `Value`: null, number, string, bool, struct, list.
const VALUE_NULL: &[u8] = &[0x08, 0x00];
const VALUE_NUMBER: u8 = 0x11;
const VALUE_STRING: u8 = 0x1A;
const VALUE_BOOL: u8 = 0x20;
const VALUE_STRUCT: u8 = 0x2A;
const VALUE_LIST: u8 = 0x32;
/// The first field, of `Struct`, `ListValue`, a map's entry or `Any`, and the second.
const FIRST: u8 = 0x0A;
const SECOND: u8 = 0x12;

fn expected_text<T>(what: &'static str) -> Result<T> {
    Err(FieldError::new(ErrorKind::Type, what))
}

fn refuse_type_url<T>(problem: &'static str) -> Result<T> {
    Err(FieldError::new(ErrorKind::Type, problem).in_field("@type"))
}

impl<'a> Reader<'a, '_> {
    /// The content of a message of the type `shape`.
    pub(super) fn well_known(&mut self, shape: WellKnown, message: &'a Message) -> Result<()> {
        match shape {
            WellKnown::Timestamp => {
                let raw = self.string("expected a time in a string")?;
                let time = self.text_of(raw, time::parse_timestamp)?;
                time::put_wire(time, self.out);
            }
            WellKnown::Duration => {
                let raw = self.string("expected a duration in a string")?;
                let time = self.text_of(raw, time::parse_duration)?;
                time::put_wire(time, self.out);
            }
            WellKnown::FieldMask => {
                let raw = self.string("expected a string of field paths")?;
                if raw.escaped() {
                    self.unescaped(raw)?;
                    return mask::put_wire(&self.scratch.text, self.out);
                }
                mask::put_wire(raw.bytes, self.out)?;
            }
            WellKnown::Wrapper => {
                // The JSON form of a wrapper is its only field's, and zero is left out.
                let Some(value) = message.fields.first() else { return Ok(()) };
                self.field(value, Bound::NONE)?;
            }
            WellKnown::Struct => self.structure()?,
            WellKnown::Value => self.any_value()?,
            WellKnown::ListValue => self.list_value()?,
            WellKnown::Any => self.any()?,
            WellKnown::None => self.object(message, Bound::NONE, false)?,
        }
        Ok(())
    }

    fn text_of<T>(&mut self, raw: RawStr<'_>, parse: fn(&[u8]) -> Result<T>) -> Result<T> {
        if raw.escaped() { parse(self.unescaped(raw)?) } else { parse(raw.bytes) }
    }

    /// `Struct`: a map from names to values.
    fn structure(&mut self) -> Result<()> {
        if self.scan.shape() != Shape::Object {
            return expected_text("expected an object");
        }
        self.scan.take(b'{');
        self.enter()?;
        let mut keys = self.scratch.open_keys();
        if !self.scan.take(b'}') {
            loop {
                self.count()?;
                let raw = self.scan.key()?;
                self.enter()?;
                let entry = self.member_value(raw);
                self.depth += 1;
                let place = entry.map_err(|e| e.in_key(&String::from_utf8_lossy(raw.bytes)))?;
                if !self.scratch.add_key(&mut keys, self.out, place) {
                    return Err(duplicate_field().in_key(&String::from_utf8_lossy(raw.bytes)));
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

    /// An entry of a `Struct`; returns where its key came to stand.
    fn member_value(&mut self, raw: RawStr<'_>) -> Result<(usize, usize)> {
        self.out.extend_from_slice(&[FIRST]);
        let entry = wire::open_length(self.out);
        self.out.extend_from_slice(&[FIRST]);
        self.put_string(raw)?;
        let key_len = self.out.len() - entry - 1;
        self.out.extend_from_slice(&[SECOND]);
        let value = wire::open_length(self.out);
        self.any_value()?;
        wire::close_length(self.out, value);
        let key_at = wire::close_length(self.out, entry);
        Ok((key_at, key_at + key_len))
    }

    /// `Value`: any JSON.
    fn any_value(&mut self) -> Result<()> {
        self.enter()?;
        self.kind_of_value()?;
        self.depth += 1;
        Ok(())
    }

    fn kind_of_value(&mut self) -> Result<()> {
        match self.scan.shape() {
            Shape::Null => {
                self.scan.word("null")?;
                self.out.extend_from_slice(VALUE_NULL);
            }
            Shape::True => {
                self.scan.word("true")?;
                self.out.extend_from_slice(&[VALUE_BOOL, 1]);
            }
            Shape::False => {
                self.scan.word("false")?;
                self.out.extend_from_slice(&[VALUE_BOOL, 0]);
            }
            Shape::Number => {
                let value = number::parse_double(self.scan.number()?)?;
                self.out.extend_from_slice(&[VALUE_NUMBER]);
                self.out.extend_from_slice(&value.to_le_bytes());
            }
            Shape::String => {
                let raw = self.scan.string()?;
                self.out.extend_from_slice(&[VALUE_STRING]);
                self.put_string(raw)?;
            }
            Shape::Object => {
                self.out.extend_from_slice(&[VALUE_STRUCT]);
                let start = wire::open_length(self.out);
                self.structure()?;
                wire::close_length(self.out, start);
            }
            Shape::List => {
                self.out.extend_from_slice(&[VALUE_LIST]);
                let start = wire::open_length(self.out);
                self.list_value()?;
                wire::close_length(self.out, start);
            }
            Shape::Other => return Err(FieldError::new(ErrorKind::Syntax, "expected a value")),
        }
        Ok(())
    }

    fn list_value(&mut self) -> Result<()> {
        if self.scan.shape() != Shape::List {
            return expected_text("expected a list");
        }
        self.scan.take(b'[');
        self.enter()?;
        if !self.scan.take(b']') {
            let mut at = 0;
            loop {
                self.count()?;
                self.out.extend_from_slice(&[FIRST]);
                let start = wire::open_length(self.out);
                self.any_value().map_err(|e| e.in_element(at))?;
                wire::close_length(self.out, start);
                at += 1;
                if !self.scan.more(b']')? {
                    break;
                }
            }
        }
        self.depth += 1;
        Ok(())
    }

    /// `Any`: an object with `@type` among its members. Where that is not the first, the text is
    /// looked through for it and then read from the start.
    fn any(&mut self) -> Result<()> {
        if self.scan.shape() != Shape::Object {
            return expected_text("expected an object");
        }
        let Some(url) = self.type_url()? else {
            self.scan.take(b'{');
            self.scan.take(b'}');
            return Ok(());
        };
        let schema = self.schema;
        let name = {
            let url = if url.escaped() { self.unescaped(url)? } else { url.bytes };
            let at = url.iter().rposition(|&b| b == b'/');
            at.and_then(|at| std::str::from_utf8(url.get(at + 1..)?).ok())
        };
        let Some(name) = name.filter(|name| !name.is_empty()) else {
            return refuse_type_url("expected a type URL like type.googleapis.com/package.Type");
        };
        let Some(index) = schema.find_message(name) else {
            return refuse_type_url("the type is not known here");
        };
        let message = schema.message(index);
        self.out.extend_from_slice(&[FIRST]);
        self.put_string(url)?;
        let before = self.out.len();
        self.out.extend_from_slice(&[SECOND]);
        let start = wire::open_length(self.out);
        match message.well_known {
            WellKnown::None => self.object(message, Bound::NONE, true)?,
            shape => self.wrapped(shape, message)?,
        }
        if self.out.len() == start + 1 {
            self.out.truncate(before);
        } else {
            wire::close_length(self.out, start);
        }
        Ok(())
    }

    /// The value of `@type` in the object ahead, or `None` if the object is empty.
    fn type_url(&mut self) -> Result<Option<RawStr<'a>>> {
        let mut ahead = self.scan;
        ahead.take(b'{');
        if ahead.take(b'}') {
            return Ok(None);
        }
        loop {
            let key = ahead.key()?;
            if key.is("@type") {
                if ahead.shape() == Shape::String {
                    return ahead.string().map(Some);
                }
                return refuse_type_url("expected a string");
            }
            let before = ahead.left();
            ahead.skip(self.depth)?;
            let budget = self.ahead.checked_sub(before - ahead.left());
            self.ahead = budget.ok_or_else(|| {
                FieldError::new(ErrorKind::Limit, "too many nested Anys do not begin with @type")
            })?;
            if !ahead.more(b'}')? {
                return expected_text("an Any needs a member @type");
            }
        }
    }

    /// A well-known type in an `Any`: `{"@type": …, "value": …}`.
    fn wrapped(&mut self, shape: WellKnown, message: &'a Message) -> Result<()> {
        self.scan.take(b'{');
        self.enter()?;
        let (mut type_seen, mut value_seen) = (false, false);
        loop {
            self.count()?;
            let key = self.scan.key()?;
            if key.is("value") {
                if value_seen {
                    return Err(duplicate_field().in_field("value"));
                }
                value_seen = true;
                self.well_known(shape, message).map_err(|e| e.in_field("value"))?;
            } else if key.is("@type") {
                if type_seen {
                    return Err(duplicate_field().in_field("@type"));
                }
                type_seen = true;
                self.scan.skip(self.depth)?;
            } else {
                self.unknown(key)?;
            }
            if !self.scan.more(b'}')? {
                break;
            }
        }
        self.depth += 1;
        if value_seen { Ok(()) } else { expected_text("the Any needs a member value") }
    }
}
