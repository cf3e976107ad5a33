//! The wire to JSON text, in one pass while the wire is in canonical order.
//!
//! Fields in ascending order, singular ones once, lists and maps in one run: then every record can
//! be printed as it comes. At the first violation the text is taken back, the fields of the whole
//! message are put in order ([`order`]), and it is printed again: three passes at most.

mod map;
mod order;
mod select;
mod value;
mod well_known;

pub use select::Selection;

use crate::error::WireError;
use crate::json::escape;
use crate::limits::JsonOptions;
use crate::schema::{Cardinality, Field, Message, MessageIndex, Schema, WellKnown};
use crate::scratch::Scratch;
use crate::wire::{self, Malformed};
use select::Selected;

/// Appends the ProtoJSON form of a message to `out`, of its fields only those that are selected.
/// On an error, `out` is as it was.
///
/// # Errors
/// When the bytes are not the wire form of the message, or a value has no JSON form.
pub fn wire_to_json(
    schema: &Schema,
    message: MessageIndex,
    wire: &[u8],
    options: &JsonOptions,
    selection: Option<&Selection>,
    out: &mut Vec<u8>,
) -> Result<(), WireError> {
    transcode(schema, wire, options, out, |writer| {
        writer.ordered(schema.message(message), wire, |writer, wire| {
            writer.message(message, wire, Selected::of(selection))
        })
    })
}

/// Appends the ProtoJSON form of one field of a message: an object, list, map or scalar, its
/// default where it is not on the wire (for a message `{}`; `null` for well-known types that have
/// no empty form).
///
/// # Errors
/// As [`wire_to_json`], and when the message has no such field.
pub fn wire_field_to_json(
    schema: &Schema,
    message: MessageIndex,
    number: u32,
    wire: &[u8],
    options: &JsonOptions,
    out: &mut Vec<u8>,
) -> Result<(), WireError> {
    transcode(schema, wire, options, out, |writer| writer.single(message, number, wire))
}

/// Appends the ProtoJSON form of an `Any` with the given content.
///
/// # Errors
/// As [`wire_to_json`]; an unknown type is an error unless
/// [`unknown_any_as_base64`](JsonOptions::unknown_any_as_base64) is set.
pub fn any_to_json(
    schema: &Schema,
    type_url: &str,
    value: &[u8],
    options: &JsonOptions,
    out: &mut Vec<u8>,
) -> Result<(), WireError> {
    let name = type_url.rsplit('/').next().unwrap_or_default();
    transcode(schema, value, options, out, |writer| match schema.find_message(name) {
        Some(index) => writer
            .ordered(schema.message(index), value, |writer, value| writer.any(type_url, value)),
        None => writer.any(type_url, value),
    })
}

fn transcode(
    schema: &Schema,
    wire: &[u8],
    options: &JsonOptions,
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Writer<'_, '_>) -> Result<(), Stop>,
) -> Result<(), WireError> {
    if wire.len() > options.limits.input_bytes {
        return Err(WireError::Limit("the message is too large"));
    }
    let start = out.len();
    let mut writer = Writer {
        schema,
        options,
        scratch: Scratch::take(),
        depth: options.limits.depth,
        elements: options.limits.elements,
        out_max: start.saturating_add(options.limits.output_bytes),
        in_order: false,
        out,
    };
    let result = write(&mut writer);
    writer.scratch.keep();
    result.map_err(|stop| {
        out.truncate(start);
        match stop {
            Stop::Error(error) => *error,
            Stop::Disorder => WireError::Malformed("its fields cannot be put in order"),
        }
    })
}

/// Why a pass cannot go on.
#[derive(Debug)]
enum Stop {
    /// The message is not in canonical order.
    Disorder,
    Error(Box<WireError>),
}

impl From<Malformed> for Stop {
    #[cold]
    fn from(malformed: Malformed) -> Self {
        Self::Error(Box::new(malformed.into()))
    }
}

impl From<WireError> for Stop {
    #[cold]
    fn from(error: WireError) -> Self {
        Self::Error(Box::new(error))
    }
}

fn unprintable(problem: &'static str) -> Stop {
    WireError::Unprintable(problem).into()
}

/// The state of one pass.
struct Writer<'a, 'o> {
    schema: &'a Schema,
    options: &'a JsonOptions,
    scratch: Box<Scratch>,
    /// How many more objects and lists may be opened.
    depth: usize,
    /// How many more members and elements may follow.
    elements: usize,
    out_max: usize,
    /// Whether the fields of all messages have been put in order.
    in_order: bool,
    out: &'o mut Vec<u8>,
}

impl<'a> Writer<'a, '_> {
    /// A message in whatever JSON form its type has.
    #[inline]
    fn message(
        &mut self,
        index: MessageIndex,
        wire: &[u8],
        selected: Selected<'_>,
    ) -> Result<(), Stop> {
        let message = self.schema.message(index);
        match message.well_known {
            WellKnown::None => self.object(message, wire, selected, None),
            other => self.well_known(other, message, wire),
        }
    }

    /// Prints the outermost message, and once more if it, or anything inside, is not in order. A
    /// value without a JSON form is a reason too: a later part may override it.
    fn ordered(
        &mut self,
        message: &Message,
        wire: &[u8],
        print: impl Fn(&mut Self, &[u8]) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let (start, depth, elements) = (self.out.len(), self.depth, self.elements);
        let mark = self.scratch.mark();
        match print(self, wire) {
            Err(Stop::Disorder) => {}
            Err(Stop::Error(error)) if error.is_of_value() => {}
            done => return done,
        }
        self.out.truncate(start);
        (self.depth, self.elements) = (depth, elements);
        self.scratch.reset(mark);
        self.in_order = true;
        let ordered = order::order(self.schema, message, wire, self.options.limits.depth)?;
        print(self, &ordered)
    }

    /// The fields of a message as an object, whose first member is `@type` inside an `Any`.
    fn object(
        &mut self,
        message: &'a Message,
        wire: &[u8],
        selected: Selected<'_>,
        type_url: Option<&str>,
    ) -> Result<(), Stop> {
        self.enter()?;
        self.out.push(b'{');
        if let Some(url) = type_url {
            self.out.extend_from_slice(b"\"@type\":\"");
            escape(url, self.out);
            self.out.push(b'"');
        }
        self.fields(message, wire, selected)?;
        self.out.push(b'}');
        self.depth += 1;
        if self.out.len() > self.out_max {
            return Err(WireError::Limit("the JSON text is too long").into());
        }
        Ok(())
    }

    fn fields(
        &mut self,
        message: &'a Message,
        wire: &[u8],
        selected: Selected<'_>,
    ) -> Result<(), Stop> {
        let mut rest = wire;
        // The first field that may still come, and the oneofs that have a member.
        let (mut next, mut oneofs) = (0, 0_u128);
        while !rest.is_empty() {
            let tag = wire::tag(&mut rest)?;
            let guess = message.fields.get(next).filter(|f| f.tag.value == tag);
            let found = match guess {
                Some(field) => Some((next, field)),
                None => known(message, tag),
            };
            let Some((at, field)) = found else {
                wire::skip(&mut rest, tag)?;
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
    fn list(
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
                let mut chunk = wire::delimited(rest)?;
                while !chunk.is_empty() {
                    self.element(field, &mut chunk, selected)?;
                }
            }
            let mut ahead = *rest;
            match wire::tag(&mut ahead) {
                Ok(next) if fits(field, next) => {
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

    /// The body is one field of the message.
    fn single(&mut self, index: MessageIndex, number: u32, wire: &[u8]) -> Result<(), Stop> {
        let message = self.schema.message(index);
        let at = message.index_by_number(number);
        let Some((at, field)) = at.and_then(|at| Some((at, message.fields.get(at)?))) else {
            return Err(unprintable("the message has no such field"));
        };
        self.ordered(message, wire, |writer, wire| {
            let mut run = order::run(message, at, wire)?;
            let start = writer.out.len();
            if !run.is_empty() && writer.run(field, &mut run)? {
                return Ok(());
            }
            writer.out.truncate(start);
            match (field.cardinality, field.kind.message()) {
                (Cardinality::Repeated, _) => writer.out.extend_from_slice(b"[]"),
                (Cardinality::Map, _) => writer.out.extend_from_slice(b"{}"),
                (Cardinality::Singular, Some(child)) => return writer.absent(child),
                (Cardinality::Singular, None) => writer.zero(field.kind),
            }
            Ok(())
        })
    }

    /// The value of a field from its records, which stand together.
    fn run(&mut self, field: &'a Field, run: &mut &[u8]) -> Result<bool, Stop> {
        let tag = wire::tag(run)?;
        match field.cardinality {
            Cardinality::Singular => self.value(field, run, true, Selected::ALL),
            Cardinality::Repeated => self.list(field, tag, run, Selected::ALL),
            Cardinality::Map => self.map(field, run, Selected::ALL),
        }
    }

    /// A message that is not there, where JSON needs a value.
    fn absent(&mut self, index: MessageIndex) -> Result<(), Stop> {
        match self.schema.message(index).well_known {
            WellKnown::None | WellKnown::Struct | WellKnown::ListValue | WellKnown::Any => {
                self.message(index, &[], Selected::ALL)
            }
            _ => {
                self.out.extend_from_slice(b"null");
                Ok(())
            }
        }
    }

    #[inline]
    fn enter(&mut self) -> Result<(), Stop> {
        match self.depth.checked_sub(1) {
            Some(depth) => {
                self.depth = depth;
                Ok(())
            }
            None => Err(WireError::Limit("it is nested too deep").into()),
        }
    }

    #[inline]
    fn count(&mut self) -> Result<(), Stop> {
        match self.elements.checked_sub(1) {
            Some(elements) => {
                self.elements = elements;
                Ok(())
            }
            None => Err(WireError::Limit("it has too many fields and elements").into()),
        }
    }
}

/// The field that `tag` is for, unless its wire type is another one.
#[inline]
fn known(message: &Message, tag: u32) -> Option<(usize, &Field)> {
    let at = message.index_by_number(tag >> 3)?;
    let field = message.fields.get(at)?;
    fits(field, tag).then_some((at, field))
}

/// Whether a value of the field may stand behind `tag`. Lists are read packed and unpacked,
/// whichever way they are declared.
#[inline]
fn fits(field: &Field, tag: u32) -> bool {
    tag == field.tag.value
        || (tag == field.packed_tag.value
            && field.cardinality == Cardinality::Repeated
            && field.kind.packable())
}

/// Passes over a field that is not selected, all of its run.
fn skip_run(field: &Field, tag: u32, rest: &mut &[u8]) -> Result<(), Malformed> {
    wire::skip(rest, tag)?;
    if field.cardinality == Cardinality::Singular {
        return Ok(());
    }
    loop {
        let mut ahead = *rest;
        match wire::tag(&mut ahead) {
            Ok(next) if fits(field, next) => {
                *rest = ahead;
                wire::skip(rest, next)?;
            }
            _ => return Ok(()),
        }
    }
}
