//! The fields of a message as members of an object.

use super::select::Selected;
use super::{Stop, Writer};
use crate::schema::{Cardinality, Field, Message};
use crate::wire::{self, Malformed};

impl<'a> Writer<'a, '_> {
    pub(super) fn fields(
        &mut self,
        message: &'a Message,
        wire: &[u8],
        selected: Selected<'_>,
    ) -> Result<(), Stop> {
        let mut rest = wire;
        // The first field that may still come, and the oneofs that have a member.
        let (mut next, mut oneofs) = (0, 0_u128);
        while !rest.is_empty() {
            let tag = wire::read_tag(&mut rest)?;
            let guess = message.fields.get(next).filter(|f| f.tag.value == tag);
            let found = match guess {
                Some(field) => Some((next, field)),
                None => find_known(message, tag),
            };
            let Some((at, field)) = found else {
                wire::skip_field(&mut rest, tag)?;
                continue;
            };
            if at < next {
                return Err(Stop::Disorder);
            }
            if let Some(oneof) = field.oneof {
                // Beyond these, only the slow path knows.
                let bit = 1_u128.checked_shl(u32::from(oneof)).unwrap_or(u128::MAX);
                if oneofs & bit != 0 && !self.in_order {
                    return Err(Stop::Disorder);
                }
                oneofs |= bit;
            }
            if self.options.emit_defaults {
                self.defaults(message, next, at, selected);
            }
            next = at + 1;
            match selected.field(at) {
                Some(inside) => self.field(field, tag, &mut rest, inside)?,
                None => skip_run(field, tag, &mut rest)?,
            }
        }
        if self.options.emit_defaults {
            self.defaults(message, next, message.fields.len(), selected);
        }
        Ok(())
    }

    #[inline]
    fn field(
        &mut self,
        field: &'a Field,
        tag: u32,
        rest: &mut &[u8],
        selected: Selected<'_>,
    ) -> Result<(), Stop> {
        let start = self.out.len();
        self.key(field);
        self.count()?;
        let printed = match field.cardinality {
            Cardinality::Singular => self.value(field, rest, field.presence, selected)?,
            Cardinality::Repeated => self.list(field, tag, rest, selected)?,
            Cardinality::Map => self.map(field, rest, selected)?,
        };
        if !printed {
            self.out.truncate(start);
            if self.options.emit_defaults && !field.presence {
                self.default(field);
            }
        }
        Ok(())
    }

    /// A member's name, with a comma before it unless it is the first.
    #[inline]
    fn key(&mut self, field: &Field) {
        let proto = self.options.preserve_proto_names;
        let key = if proto { &field.proto_key } else { &field.json_key };
        let first = usize::from(self.out.last() == Some(&b'{'));
        self.out.extend_from_slice(key.get(first..).unwrap_or_default());
    }

    /// A run of a repeated field's elements, packed or not. False for an empty list.
    pub(super) fn list(
        &mut self,
        field: &'a Field,
        mut tag: u32,
        rest: &mut &[u8],
        selected: Selected<'_>,
    ) -> Result<bool, Stop> {
        self.out.push(b'[');
        let start = self.out.len();
        loop {
            if tag == field.tag.value {
                self.element(field, rest, selected)?;
            } else {
                let mut chunk = wire::read_delimited(rest)?;
                while !chunk.is_empty() {
                    self.element(field, &mut chunk, selected)?;
                }
            }
            let mut ahead = *rest;
            match wire::read_tag(&mut ahead) {
                Ok(next) if fits_type(field, next) => {
                    *rest = ahead;
                    tag = next;
                }
                _ => break,
            }
        }
        // Every element ends in a comma so far.
        match self.out.get_mut(start..).and_then(<[u8]>::last_mut) {
            Some(comma) => *comma = b']',
            None => return Ok(false),
        }
        Ok(true)
    }

    #[inline]
    fn element(
        &mut self,
        field: &'a Field,
        rest: &mut &[u8],
        selected: Selected<'_>,
    ) -> Result<(), Stop> {
        self.count()?;
        if self.value(field, rest, true, selected)? {
            self.out.push(b',');
        }
        Ok(())
    }

    /// The fields `from..to`, which are not on the wire, as far as they are never absent.
    fn defaults(&mut self, message: &Message, from: usize, to: usize, selected: Selected<'_>) {
        let fields = message.fields.get(from..to).unwrap_or_default();
        for (at, field) in (from..).zip(fields) {
            if !field.presence && !field.extension && selected.field(at).is_some() {
                self.default(field);
            }
        }
    }

    fn default(&mut self, field: &Field) {
        self.key(field);
        match field.cardinality {
            Cardinality::Repeated => self.out.extend_from_slice(b"[]"),
            Cardinality::Map => self.out.extend_from_slice(b"{}"),
            Cardinality::Singular => self.zero(field.kind),
        }
    }
}

/// The field that `tag` is for, unless its wire type is another one.
#[inline]
pub(super) fn find_known(message: &Message, tag: u32) -> Option<(usize, &Field)> {
    let at = message.index_by_number(tag >> 3)?;
    let field = message.fields.get(at)?;
    fits_type(field, tag).then_some((at, field))
}

/// Whether a value of the field may stand behind `tag`. Lists are read packed and unpacked,
/// whichever way they are declared.
#[inline]
pub(super) fn fits_type(field: &Field, tag: u32) -> bool {
    tag == field.tag.value
        || (tag == field.packed_tag.value
            && field.cardinality == Cardinality::Repeated
            && field.kind.packable())
}

/// Passes over a field that is not selected, all of its run.
fn skip_run(field: &Field, tag: u32, rest: &mut &[u8]) -> Result<(), Malformed> {
    wire::skip_field(rest, tag)?;
    if field.cardinality == Cardinality::Singular {
        return Ok(());
    }
    loop {
        let mut ahead = *rest;
        match wire::read_tag(&mut ahead) {
            Ok(next) if fits_type(field, next) => {
                *rest = ahead;
                wire::skip_field(rest, next)?;
            }
            _ => return Ok(()),
        }
    }
}
