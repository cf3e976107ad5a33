//! JSON text to the wire, in one pass.

mod bound;
mod paths;
mod value;
mod well_known;

use bytes::BytesMut;

use super::scan::{RawStr, Scanner, Shape, unescape_json};
use crate::bindings::{Bindings, Bound};
use crate::error::{ErrorKind, FieldError};
use crate::limits::JsonOptions;
use crate::schema::{Field, Message, MessageIndex, Schema};
use crate::scratch::{Scratch, Seen};
use crate::wire;

pub use paths::json_paths;

type Result<T> = std::result::Result<T, FieldError>;

/// How often the text may be read ahead as a whole. `Any`s inside one another whose types come last
/// would otherwise cost their depth in passes.
const READ_AHEAD: usize = 8;

/// Appends the wire form of a message to `out`.
///
/// The fields come from a JSON object (`json`; absent means that there is no body) and from
/// `bindings`, which may lie inside messages of the body. A field given by both must have the same
/// value. On an error, `out` is as it was.
///
/// # Errors
/// When the text is not the ProtoJSON form of the message, or two sources contradict each other.
pub fn json_to_wire(
    schema: &Schema,
    message: MessageIndex,
    json: Option<&[u8]>,
    bindings: &Bindings,
    options: &JsonOptions,
    out: &mut BytesMut,
) -> Result<()> {
    text_to_wire(schema, json, bindings, options, out, |reader| match json {
        Some(_) => reader.message(message, bindings.all()),
        None => reader.unbound(message, bindings.all()),
    })
}

/// Appends the wire form of a message whose field `number` is the JSON text `json`, of the
/// shape that field has; absent text means an empty message where the field is one, and otherwise
/// nothing. The rest is as in [`json_to_wire`].
///
/// # Errors
/// As [`json_to_wire`]; the path of the error begins with the field.
pub fn json_field_to_wire(
    schema: &Schema,
    message: MessageIndex,
    number: u32,
    json: Option<&[u8]>,
    bindings: &Bindings,
    options: &JsonOptions,
    out: &mut BytesMut,
) -> Result<()> {
    text_to_wire(schema, json, bindings, options, out, |reader| {
        reader.single(message, number, json.is_some(), bindings.all())
    })
}

fn text_to_wire<'a>(
    schema: &'a Schema,
    json: Option<&'a [u8]>,
    bindings: &'a Bindings,
    options: &'a JsonOptions,
    out: &mut BytesMut,
    read: impl FnOnce(&mut Reader<'a, '_>) -> Result<()>,
) -> Result<()> {
    let json = json.unwrap_or_default();
    if json.len() > options.limits.input_bytes {
        return Err(FieldError::new(ErrorKind::Limit, "the text is too long"));
    }
    let text = simdutf8::basic::from_utf8(json).map_err(|_| not_utf8(json))?;
    let start = out.len();
    let mut reader = Reader {
        schema,
        bindings,
        options,
        scan: Scanner::new(text),
        scratch: Scratch::take(),
        depth: options.limits.depth,
        elements: options.limits.elements,
        out_max: start.saturating_add(options.limits.output_bytes),
        ahead: json.len().saturating_mul(READ_AHEAD),
        out,
    };
    let result = read(&mut reader).and_then(|()| reader.scan.end());
    let at = json.len() - reader.scan.left();
    reader.scratch.keep();
    if result.is_err() {
        out.truncate(start);
    }
    result.map_err(|e| if json.is_empty() { e } else { e.at(at) })
}

#[cold]
fn not_utf8(json: &[u8]) -> FieldError {
    let valid = std::str::from_utf8(json).map_or_else(|e| e.valid_up_to(), str::len);
    FieldError::new(ErrorKind::Syntax, "the text is not UTF-8").at(valid)
}

/// The state of one pass.
struct Reader<'a, 'o> {
    schema: &'a Schema,
    bindings: &'a Bindings,
    options: &'a JsonOptions,
    scan: Scanner<'a>,
    scratch: Box<Scratch>,
    /// How many more objects and lists may be opened. A message counts even where it shows in JSON as no
    /// object of its own, as the `Value`s of a `Struct` and the entries of a map: receivers count
    /// messages.
    depth: usize,
    /// How many more members and elements may follow.
    elements: usize,
    out_max: usize,
    /// How many more bytes may be read ahead, for the types of `Any`s.
    ahead: usize,
    out: &'o mut BytesMut,
}

/// An object being read.
#[derive(Clone, Copy)]
struct Frame<'a> {
    message: &'a Message,
    seen: Seen,
    bound: Bound,
}

impl<'a> Reader<'a, '_> {
    /// The fields of a message, from an object.
    fn object(&mut self, message: &'a Message, bound: Bound, any: bool) -> Result<()> {
        if self.scan.shape() != Shape::Object {
            return Err(FieldError::new(ErrorKind::Type, "expected an object"));
        }
        self.scan.take(b'{');
        self.enter()?;
        let frame = self.open(message, bound);
        if !self.scan.take(b'}') {
            let (mut next, mut type_seen) = (0, false);
            loop {
                self.count()?;
                let key = self.scan.key()?;
                match self.find(message, key, next)? {
                    Some((at, field)) => {
                        next = at + 1;
                        self.member(frame, at, field)?;
                    }
                    None if any && key.is("@type") => {
                        if type_seen {
                            return Err(duplicate_field().in_field("@type"));
                        }
                        type_seen = true;
                        self.scan.skip(self.depth)?;
                    }
                    None => self.unknown(key)?,
                }
                if !self.scan.more(b'}')? {
                    break;
                }
            }
        }
        self.close(frame)?;
        self.depth += 1;
        Ok(())
    }

    fn open(&mut self, message: &'a Message, bound: Bound) -> Frame<'a> {
        let seen = self.scratch.open_seen(message.fields.len() + message.oneofs.len());
        Frame { message, seen, bound }
    }

    /// Writes what the bindings give and the body did not, and forgets the object.
    fn close(&mut self, frame: Frame<'a>) -> Result<()> {
        if !frame.bound.is_empty() {
            self.rest_of_bound(frame)?;
        }
        self.scratch.close_seen(frame.seen);
        self.fits()
    }

    #[inline]
    fn fits(&self) -> Result<()> {
        if self.out.len() > self.out_max {
            return Err(FieldError::new(ErrorKind::Limit, "the message is too large"));
        }
        Ok(())
    }

    /// The field that `key` names. The one after the last is tried first: text made by a program
    /// has the fields in order.
    #[inline]
    fn find(
        &mut self,
        message: &'a Message,
        key: RawStr<'a>,
        next: usize,
    ) -> Result<Option<(usize, &'a Field)>> {
        if !key.escaped() {
            if let Some(field) = message.fields.get(next)
                && field.json_name.as_bytes() == key.bytes
            {
                return Ok(Some((next, field)));
            }
            let at = message.index_by_name(key.bytes);
            return Ok(at.and_then(|at| message.fields.get(at).map(|field| (at, field))));
        }
        let text = &mut self.scratch.text;
        text.clear();
        unescape_json(key, |piece| text.extend_from_slice(piece))?;
        let at = message.index_by_name(text);
        Ok(at.and_then(|at| message.fields.get(at).map(|field| (at, field))))
    }

    #[inline]
    fn member(&mut self, frame: Frame<'a>, at: usize, field: &'a Field) -> Result<()> {
        let null = self.scan.shape() == Shape::Null && !self.takes_null(field);
        let inside = self.bindings.of_field(frame.bound, field.number);
        if null {
            // Unset: a binding may still give the field.
            if inside.is_empty() && !self.scratch.see(frame.seen, at) {
                return Err(duplicate_field().in_field(self.name_of(field)));
            }
            return self.scan.word("null").map_err(|e| e.in_field(self.name_of(field)));
        }
        let read = self.see(frame, at, field).and_then(|()| {
            if inside.is_empty() {
                self.field(field, Bound::NONE)
            } else {
                self.both(field, inside)
            }
        });
        read.map_err(|e| e.in_field(self.name_of(field)))
    }

    /// Marks a field, and its oneof, as given.
    #[inline]
    fn see(&mut self, frame: Frame<'a>, at: usize, field: &Field) -> Result<()> {
        if !self.scratch.see(frame.seen, at) {
            return Err(duplicate_field());
        }
        match field.oneof {
            Some(oneof) => {
                let bit = frame.message.fields.len() + usize::from(oneof);
                if self.scratch.see(frame.seen, bit) {
                    return Ok(());
                }
                Err(FieldError::new(ErrorKind::Conflict, "another member of its oneof is given"))
            }
            None => Ok(()),
        }
    }

    fn unknown(&mut self, key: RawStr<'a>) -> Result<()> {
        if self.options.ignore_unknown_fields {
            unescape_json(key, |_| ())?;
            return self.scan.skip(self.depth);
        }
        let name = String::from_utf8_lossy(key.bytes);
        Err(FieldError::new(ErrorKind::UnknownField, "the message has no such field")
            .in_field(&name))
    }

    /// The body is one field of the message.
    fn single(
        &mut self,
        index: MessageIndex,
        number: u32,
        given: bool,
        bound: Bound,
    ) -> Result<()> {
        let message = self.schema.message(index);
        let at = message.index_by_number(number);
        let Some((at, field)) = at.and_then(|at| Some((at, message.fields.get(at)?))) else {
            return Err(FieldError::new(ErrorKind::UnknownField, "the message has no such field"));
        };
        let frame = self.open(message, bound);
        let inside = self.bindings.of_field(bound, number);
        if given {
            if self.scan.shape() == Shape::Null && !self.takes_null(field) {
                let error = FieldError::new(ErrorKind::Type, "expected a value instead of null");
                return Err(error.in_field(self.name_of(field)));
            }
            self.member(frame, at, field)?;
        } else if field.presence && field.kind.message().is_some() && inside.is_empty() {
            self.see(frame, at, field)?;
            self.out.extend_from_slice(field.tag.as_bytes());
            match field.kind {
                crate::Kind::Group(_) => wire::put_varint(self.out, u64::from(field.tag.value + 1)),
                _ => self.out.extend_from_slice(&[0]),
            }
        }
        self.close(frame)
    }

    #[inline]
    fn enter(&mut self) -> Result<()> {
        match self.depth.checked_sub(1) {
            Some(depth) => {
                self.depth = depth;
                Ok(())
            }
            None => Err(FieldError::nested_too_deep()),
        }
    }

    /// The name of a field in errors, which is its name in the JSON that we print.
    fn name_of<'f>(&self, field: &'f Field) -> &'f str {
        if self.options.preserve_proto_names { field.name() } else { &field.json_name }
    }

    /// Counts a member or an element, before which the message may not be too large already: short ones become many
    /// times as long.
    #[inline]
    fn count(&mut self) -> Result<()> {
        self.fits()?;
        match self.elements.checked_sub(1) {
            Some(elements) => {
                self.elements = elements;
                Ok(())
            }
            None => Err(FieldError::new(ErrorKind::Limit, "too many members and elements")),
        }
    }
}

#[cold]
fn duplicate_field() -> FieldError {
    FieldError::new(ErrorKind::Duplicate, "given twice")
}
