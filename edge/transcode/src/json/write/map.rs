//! Maps: a run of entries as an object.

use super::fields::fits_type;
use super::select::Selected;
use super::value::take_value;
use super::{Stop, Writer};
use crate::error::WireError;
use crate::schema::{Field, Kind, Message};
use crate::wire::{self, Malformed};

/// What an entry holds: the bytes behind the tag of its key and of its value.
#[derive(Clone, Copy, Default)]
pub(super) struct Entry<'w> {
    pub key: Option<&'w [u8]>,
    pub value: Option<&'w [u8]>,
    /// The value is there more than once, so that messages have to be merged.
    pub split: bool,
}

impl<'w> Entry<'w> {
    pub fn read(entry: &Message, content: &'w [u8]) -> Result<Self, Malformed> {
        let key_tag = entry.field_by_number(1).map(|key| key.tag.value);
        let value_tag = entry.field_by_number(2).map(|value| value.tag.value);
        let (mut found, mut rest) = (Self::default(), content);
        while !rest.is_empty() {
            let tag = wire::read_tag(&mut rest)?;
            if Some(tag) == key_tag {
                found.key = Some(rest);
            } else if Some(tag) == value_tag {
                found.split = found.value.is_some();
                found.value = Some(rest);
            }
            wire::skip_field(&mut rest, tag)?;
        }
        Ok(found)
    }
}

impl<'a> Writer<'a, '_> {
    /// A run of a map's entries. An empty map is not there, so this always prints.
    pub(super) fn map(
        &mut self,
        field: &'a Field,
        rest: &mut &[u8],
        selected: Selected<'_>,
    ) -> Result<bool, Stop> {
        let schema = self.schema;
        let entry = field.kind.message().map(|index| schema.message(index));
        let parts = entry.and_then(|e| Some((e, e.field_by_number(1)?, e.field_by_number(2)?)));
        let Some((entry, key, value)) = parts else {
            return Err(WireError::Malformed("a map has no key or value").into());
        };
        self.enter()?;
        self.out.push(b'{');
        let mut keys = self.scratch.open_keys();
        loop {
            self.count()?;
            let found = Entry::read(entry, wire::read_delimited(rest)?)?;
            if found.split && value.kind.message().is_some() {
                return Err(Stop::Disorder);
            }
            let start = self.out.len();
            if self.out.last() != Some(&b'{') {
                self.out.push(b',');
            }
            let place = self.map_key(key, found.key)?;
            self.out.push(b':');
            if !self.map_value(value, found.value, selected)? {
                self.out.truncate(start);
            } else if !self.scratch.add_key(&mut keys, self.out, place) {
                return Err(Stop::Disorder);
            }
            let mut ahead = *rest;
            match wire::read_tag(&mut ahead) {
                Ok(tag) if fits_type(field, tag) => *rest = ahead,
                _ => break,
            }
        }
        self.scratch.close_keys(keys);
        self.out.push(b'}');
        self.depth += 1;
        Ok(true)
    }

    /// A key in quotes; returns where it stands.
    fn map_key(&mut self, key: &Field, value: Option<&[u8]>) -> Result<(usize, usize), Stop> {
        let start = self.out.len();
        match key.kind {
            Kind::String => {
                let mut value = value.unwrap_or(&[0]);
                self.string(wire::read_delimited(&mut value)?)?;
            }
            // These are strings in JSON anyway.
            Kind::Int64 | Kind::Uint64 | Kind::Sint64 | Kind::Fixed64 | Kind::Sfixed64 => {
                self.key_number(key.kind, value)?;
            }
            kind => {
                self.out.push(b'"');
                self.key_number(kind, value)?;
                self.out.push(b'"');
            }
        }
        Ok((start, self.out.len()))
    }

    fn key_number(&mut self, kind: Kind, value: Option<&[u8]>) -> Result<(), Stop> {
        match value {
            Some(mut value) => {
                let bits = take_value(kind, &mut value)?;
                self.scalar(kind, bits);
            }
            None => self.zero(kind),
        }
        Ok(())
    }

    /// A value, or the default of its kind if the entry has none.
    fn map_value(
        &mut self,
        field: &'a Field,
        value: Option<&[u8]>,
        selected: Selected<'_>,
    ) -> Result<bool, Stop> {
        match (value, field.kind) {
            (Some(mut value), _) => self.value(field, &mut value, true, selected),
            (None, Kind::Message(index) | Kind::Group(index)) => {
                self.message(index, &[], selected).map(|()| true)
            }
            (None, kind) => {
                self.zero(kind);
                Ok(true)
            }
        }
    }
}
