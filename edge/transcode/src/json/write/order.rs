//! The slow path: a message's fields put in the order that the fast path wants.
//!
//! What any parser makes of the bytes is kept: the last value of a singular field counts, messages
//! in several parts are merged, a oneof keeps its last member, and a map each key's last value.
//! Everything inside is put in order too, so that nothing is done twice on the way down.

use std::collections::HashMap;

use super::Stop;
use super::fields::find_known;
use super::map::Entry;
use super::value::take_value;
use crate::error::WireError;
use crate::schema::{Cardinality, Field, Kind, Message, MessageIndex, Schema, WellKnown};
use crate::wire::{self, Record, Records};

/// Messages that stand for one level of JSON: a `Value`, its `Struct` and the entry of that.
const MESSAGES_A_LEVEL: usize = 3;

/// The message with its fields in order.
pub(super) fn order_fields(
    schema: &Schema,
    message: &Message,
    wire: &[u8],
    depth: usize,
) -> Result<Vec<u8>, Stop> {
    let mut out = Vec::with_capacity(wire.len());
    let order = Order { schema };
    order.message(message, wire, depth.saturating_mul(MESSAGES_A_LEVEL), &mut out)?;
    Ok(out)
}

/// The records of the field at `at`, if they stand together, are no more than one of a singular
/// field, and no other member of its oneof is there.
pub(super) fn run_of<'w>(message: &Message, at: usize, wire: &'w [u8]) -> Result<&'w [u8], Stop> {
    let (mut rest, mut place, mut sibling) = (wire, None::<(usize, usize)>, false);
    let field = message.fields.get(at);
    let singular = field.is_some_and(|f| f.cardinality == Cardinality::Singular);
    while !rest.is_empty() {
        let start = wire.len() - rest.len();
        let tag = wire::read_tag(&mut rest)?;
        wire::skip_field(&mut rest, tag)?;
        let end = wire.len() - rest.len();
        let Some((found, other)) = find_known(message, tag) else { continue };
        if found == at {
            place = match place {
                None => Some((start, end)),
                Some((first, last)) if last == start && !singular => Some((first, end)),
                Some(_) => return Err(Stop::Disorder),
            };
        } else {
            sibling |= other.oneof.is_some() && other.oneof == field.and_then(|f| f.oneof);
        }
    }
    if sibling && place.is_some() {
        return Err(Stop::Disorder);
    }
    Ok(place.and_then(|(from, to)| wire.get(from..to)).unwrap_or_default())
}

struct Order<'a> {
    schema: &'a Schema,
}

/// A field's record: the field's index, the record with its tag, and where its value begins.
#[derive(Clone, Copy)]
struct Part<'w> {
    at: usize,
    record: &'w [u8],
    value: usize,
}

impl Order<'_> {
    fn message(
        &self,
        message: &Message,
        wire: &[u8],
        depth: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), Stop> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(WireError::Limit("it is nested too deep").into());
        };
        if message.well_known == WellKnown::Any {
            return self.any(wire, depth, out);
        }
        let mut parts = self.parts(message, wire)?;
        one_member(message, &mut parts);
        parts.sort_by_key(|part| part.at);
        for same in parts.chunk_by(|a, b| a.at == b.at) {
            let field = same.first().and_then(|part| message.fields.get(part.at));
            let Some(field) = field else { continue };
            match (field.cardinality, field.kind) {
                (Cardinality::Map, _) => self.map(field, same, depth, out)?,
                (Cardinality::Singular, Kind::Message(index) | Kind::Group(index)) => {
                    self.child(field, index, same, depth, out)?;
                }
                (Cardinality::Repeated, Kind::Message(index) | Kind::Group(index)) => {
                    for part in same.chunks(1) {
                        self.child(field, index, part, depth, out)?;
                    }
                }
                (Cardinality::Singular, _) => {
                    out.extend_from_slice(same.last().map_or(&[][..], |part| part.record));
                }
                (Cardinality::Repeated, _) => {
                    same.iter().for_each(|part| out.extend_from_slice(part.record));
                }
            }
        }
        Ok(())
    }

    /// The records of known fields, except those that count as unknown.
    fn parts<'w>(&self, message: &Message, wire: &'w [u8]) -> Result<Vec<Part<'w>>, Stop> {
        let (mut parts, mut rest) = (Vec::new(), wire);
        while !rest.is_empty() {
            let start = rest;
            let tag = wire::read_tag(&mut rest)?;
            let value = start.len() - rest.len();
            let behind = rest;
            wire::skip_field(&mut rest, tag)?;
            let Some((at, field)) = find_known(message, tag) else { continue };
            if field.cardinality == Cardinality::Singular
                && let Kind::Enum(index) = field.kind
                && let values = self.schema.enumeration(index)
                && values.closed
                && values.name(wire::read_varint(&mut &*behind)? as i32).is_none()
            {
                continue;
            }
            let record = start.get(..start.len() - rest.len()).unwrap_or_default();
            parts.push(Part { at, record, value });
        }
        Ok(parts)
    }

    /// A message, from all parts of it.
    fn child(
        &self,
        field: &Field,
        index: MessageIndex,
        parts: &[Part<'_>],
        depth: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), Stop> {
        let (mut content, mut joined): (&[u8], Vec<u8>) = (&[], Vec::new());
        for part in parts {
            let mut value = part.record.get(part.value..).unwrap_or_default();
            content = match field.kind {
                Kind::Group(_) => wire::read_group(&mut value, field.number)?,
                _ => wire::read_delimited(&mut value)?,
            };
            if parts.len() > 1 {
                // Two halves of a field are no field, although they would join to one.
                Records::new(content).try_for_each(|record| record.map(drop))?;
                joined.extend_from_slice(content);
            }
        }
        if parts.len() > 1 {
            content = &joined;
        }
        let mut inside = Vec::with_capacity(content.len());
        self.message(self.schema.message(index), content, depth, &mut inside)?;
        out.extend_from_slice(field.tag.as_bytes());
        match field.kind {
            Kind::Group(_) => {
                out.extend_from_slice(&inside);
                put_varint(u64::from(field.tag.value + 1), out);
            }
            _ => put_delimited(&inside, out),
        }
        Ok(())
    }

    /// The entries of a map, each key once, where it came first and with its last value.
    fn map(
        &self,
        field: &Field,
        parts: &[Part<'_>],
        depth: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), Stop> {
        let entry = field.kind.message().map(|index| self.schema.message(index));
        let fields = entry.and_then(|e| Some((e, e.field_by_number(1)?, e.field_by_number(2)?)));
        let Some((entry, key, value)) = fields else { return Ok(()) };
        let (mut places, mut entries) = (HashMap::new(), Vec::new());
        for part in parts {
            let mut content = part.record.get(part.value..).unwrap_or_default();
            let content = wire::read_delimited(&mut content)?;
            let found = Entry::read(entry, content)?;
            if let (Kind::Enum(index), Some(mut number)) = (value.kind, found.value)
                && let values = self.schema.enumeration(index)
                && values.closed
                && values.name(wire::read_varint(&mut number)? as i32).is_none()
            {
                continue;
            }
            let content = if found.split || value.kind.message().is_some() {
                let mut ordered = Vec::with_capacity(content.len());
                self.message(entry, content, depth, &mut ordered)?;
                ordered
            } else {
                content.to_vec()
            };
            let at = *places.entry(key_of(key, found)?).or_insert(entries.len());
            match entries.get_mut(at) {
                Some(place) => *place = content,
                None => entries.push(content),
            }
        }
        for content in entries {
            out.extend_from_slice(field.tag.as_bytes());
            put_delimited(&content, out);
        }
        Ok(())
    }

    fn any(&self, wire: &[u8], depth: usize, out: &mut Vec<u8>) -> Result<(), Stop> {
        const TYPE_URL: u8 = 1 << 3 | wire::BYTES as u8;
        const VALUE: u8 = 2 << 3 | wire::BYTES as u8;
        let (mut url, mut value): (&[u8], &[u8]) = (&[], &[]);
        for record in Records::new(wire) {
            match record? {
                (1, Record::Bytes(bytes)) => url = bytes,
                (2, Record::Bytes(bytes)) => value = bytes,
                _ => {}
            }
        }
        let name = std::str::from_utf8(url).unwrap_or_default().rsplit('/').next();
        let index = name.and_then(|name| self.schema.find_message(name));
        out.push(TYPE_URL);
        put_delimited(url, out);
        out.push(VALUE);
        match index {
            Some(index) => {
                let mut inside = Vec::with_capacity(value.len());
                self.message(self.schema.message(index), value, depth, &mut inside)?;
                put_delimited(&inside, out);
            }
            None => put_delimited(value, out),
        }
        Ok(())
    }
}

/// A map's key, so that equal keys are equal however they are written.
#[derive(PartialEq, Eq, Hash)]
enum Key<'w> {
    Text(&'w [u8]),
    Number(u64),
}

fn key_of<'w>(key: &Field, entry: Entry<'w>) -> Result<Key<'w>, Stop> {
    let Some(mut value) = entry.key else {
        let text = key.kind == Kind::String;
        return Ok(if text { Key::Text(&[]) } else { Key::Number(0) });
    };
    Ok(match key.kind {
        Kind::String => Key::Text(wire::read_delimited(&mut value)?),
        kind => Key::Number(take_value(kind, &mut value)?),
    })
}

/// Keeps of each oneof the last member, and of that only what comes after any other member.
fn one_member(message: &Message, parts: &mut Vec<Part<'_>>) {
    let mut last: HashMap<u16, (usize, bool)> = HashMap::new();
    let mut keep = Vec::with_capacity(parts.len());
    for part in parts.iter().rev() {
        let oneof = message.fields.get(part.at).and_then(|field| field.oneof);
        keep.push(oneof.is_none_or(|oneof| {
            let (member, alone) = last.entry(oneof).or_insert((part.at, true));
            *alone &= *member == part.at;
            *alone
        }));
    }
    let mut keep = keep.into_iter().rev();
    parts.retain(|_| keep.next().unwrap_or(true));
}

fn put_varint(value: u64, out: &mut Vec<u8>) {
    let mut buffer = [0; 10];
    let len = wire::encode_varint(value, &mut buffer);
    out.extend_from_slice(buffer.get(..len).unwrap_or_default());
}

fn put_delimited(content: &[u8], out: &mut Vec<u8>) {
    put_varint(content.len() as u64, out);
    out.extend_from_slice(content);
}
