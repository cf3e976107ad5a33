//! The well-known types whose JSON form is not an object of their fields.

use super::fields::find_known;
use super::select::Selected;
use super::{Stop, Writer, unprintable_error};
use crate::error::WireError;
use crate::json::escape_json;
use crate::schema::{Field, Message, WellKnown};
use crate::time::Time;
use crate::wire::{self, Record, Records};
use crate::{base64, mask, time};

impl<'a> Writer<'a, '_> {
    /// A message of the type `shape`.
    pub(super) fn well_known(
        &mut self,
        shape: WellKnown,
        message: &'a Message,
        wire: &[u8],
    ) -> Result<(), Stop> {
        match shape {
            WellKnown::Timestamp => {
                time::put_timestamp(read_time(wire)?, self.out).map_err(unprintable_error)
            }
            WellKnown::Duration => {
                time::put_duration(read_time(wire)?, self.out).map_err(unprintable_error)
            }
            WellKnown::FieldMask => self.field_mask(wire),
            WellKnown::Wrapper => self.wrapper(message, wire),
            WellKnown::Struct => self.structure(message, wire),
            WellKnown::Value => self.any_value(message, wire),
            WellKnown::ListValue => self.list_value(message, wire),
            WellKnown::Any => {
                let (mut url, mut value): (&[u8], &[u8]) = (&[], &[]);
                for record in Records::new(wire) {
                    match record? {
                        (1, Record::Bytes(bytes)) => url = bytes,
                        (2, Record::Bytes(bytes)) => value = bytes,
                        _ => {}
                    }
                }
                let url = std::str::from_utf8(url)
                    .map_err(|_| WireError::Malformed("a type URL is not UTF-8"))?;
                self.any(url, value)
            }
            WellKnown::None => self.object(message, wire, Selected::ALL, None),
        }
    }

    fn field_mask(&mut self, wire: &[u8]) -> Result<(), Stop> {
        self.out.push(b'"');
        let mut first = true;
        for record in Records::new(wire) {
            if let (1, Record::Bytes(path)) = record? {
                if !std::mem::take(&mut first) {
                    self.out.push(b',');
                }
                mask::put_camel(path, self.out).map_err(unprintable_error)?;
            }
        }
        self.out.push(b'"');
        Ok(())
    }

    fn wrapper(&mut self, message: &'a Message, wire: &[u8]) -> Result<(), Stop> {
        let Some(field) = message.fields.first() else { return Err(unprintable_error("no value")) };
        let (mut last, mut rest) = (None, wire);
        while !rest.is_empty() {
            let tag = wire::read_tag(&mut rest)?;
            if tag == field.tag.value {
                last = Some(rest);
            }
            wire::skip_field(&mut rest, tag)?;
        }
        match last {
            Some(mut value) => self.value(field, &mut value, true, Selected::ALL).map(drop),
            None => {
                self.zero(field.kind);
                Ok(())
            }
        }
    }

    fn structure(&mut self, message: &'a Message, wire: &[u8]) -> Result<(), Stop> {
        let Some(field) = message.fields.first() else {
            return Err(unprintable_error("no fields"));
        };
        let (mut printed, mut rest) = (false, wire);
        while !rest.is_empty() {
            let tag = wire::read_tag(&mut rest)?;
            if tag != field.tag.value {
                wire::skip_field(&mut rest, tag)?;
            } else if printed {
                return Err(Stop::Disorder);
            } else {
                printed = self.map(field, &mut rest, Selected::ALL)?;
            }
        }
        if !printed {
            self.out.extend_from_slice(b"{}");
        }
        Ok(())
    }

    /// A `Value` is a oneof, so that only its last member counts; one without a member has no JSON
    /// form of its own and is printed as `null`.
    fn any_value(&mut self, message: &'a Message, wire: &[u8]) -> Result<(), Stop> {
        let (mut found, mut rest) = (None::<(&Field, &[u8])>, wire);
        while !rest.is_empty() {
            let tag = wire::read_tag(&mut rest)?;
            if let Some((_, field)) = find_known(message, tag) {
                if found.is_some() {
                    return Err(Stop::Disorder);
                }
                found = Some((field, rest));
            }
            wire::skip_field(&mut rest, tag)?;
        }
        let Some((field, mut value)) = found else {
            self.out.extend_from_slice(b"null");
            return Ok(());
        };
        if let crate::Kind::Double = field.kind
            && !f64::from_bits(wire::read_fixed64(&mut &*value)?).is_finite()
        {
            return Err(unprintable_error("a Value holds a number that is not finite"));
        }
        self.value(field, &mut value, true, Selected::ALL).map(drop)
    }

    fn list_value(&mut self, message: &'a Message, wire: &[u8]) -> Result<(), Stop> {
        let Some(field) = message.fields.first() else {
            return Err(unprintable_error("no values"));
        };
        self.enter()?;
        self.out.push(b'[');
        let mut rest = wire;
        let mut first = true;
        while !rest.is_empty() {
            let tag = wire::read_tag(&mut rest)?;
            if tag != field.tag.value {
                wire::skip_field(&mut rest, tag)?;
                continue;
            }
            if !std::mem::take(&mut first) {
                self.out.push(b',');
            }
            self.count()?;
            self.value(field, &mut rest, true, Selected::ALL)?;
        }
        self.out.push(b']');
        self.depth += 1;
        Ok(())
    }

    /// An `Any`: its content's members behind `@type`, or a well-known type as `value`.
    pub(super) fn any(&mut self, url: &str, value: &[u8]) -> Result<(), Stop> {
        if url.is_empty() && value.is_empty() {
            self.out.extend_from_slice(b"{}");
            return Ok(());
        }
        let name = url.rsplit('/').next().unwrap_or_default();
        let Some(index) = self.schema.find_message(name) else {
            if !self.options.unknown_any_as_base64 {
                return Err(WireError::UnknownType(name.to_owned()).into());
            }
            self.type_url(url);
            self.out.extend_from_slice(b"\"value\":\"");
            base64::encode_base64(value, self.out);
            self.out.extend_from_slice(b"\"}");
            return Ok(());
        };
        let message = self.schema.message(index);
        if message.well_known == WellKnown::None {
            return self.object(message, value, Selected::ALL, Some(url));
        }
        self.enter()?;
        self.type_url(url);
        self.out.extend_from_slice(b"\"value\":");
        self.well_known(message.well_known, message, value)?;
        self.out.push(b'}');
        self.depth += 1;
        Ok(())
    }

    /// Opens the object of an `Any` and writes its type: `{"@type":"url",`.
    fn type_url(&mut self, url: &str) {
        self.out.extend_from_slice(b"{\"@type\":\"");
        escape_json(url, self.out);
        self.out.extend_from_slice(b"\",");
    }
}

/// Seconds and nanoseconds of a `Timestamp` or `Duration`.
fn read_time(wire: &[u8]) -> Result<Time, Stop> {
    let (mut seconds, mut nanos) = (0, 0);
    for record in Records::new(wire) {
        match record? {
            (1, Record::Varint(value)) => seconds = value as i64,
            (2, Record::Varint(value)) => nanos = value as i32,
            _ => {}
        }
    }
    Ok((seconds, nanos))
}
