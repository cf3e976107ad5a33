//! Fields whose values come from the path and the query, converted and in order.

use bytes::BytesMut;

use crate::base64::{self, TrailingBits};
use crate::error::{ErrorKind, FieldError};
use crate::schema::{Cardinality, Field, Kind, MessageIndex, Schema, WellKnown};
use crate::{mask, number, time, wire};

/// The longest field path.
const MAX_PATH: usize = 100;

/// Values for fields of a request message that do not come from its JSON body.
///
/// They are converted when they are added, kept sorted by field path, and written by
/// [`json_to_wire`](crate::json_to_wire) where the JSON objects they belong to end. A program like
/// this may be kept and [cleared](Bindings::clear) for the next request.
#[derive(Clone, Debug, Default)]
pub struct Bindings {
    entries: Vec<Entry>,
    numbers: Vec<u32>,
    payload: BytesMut,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    path: (usize, usize),
    /// The value as on the wire, without tag and length.
    payload: (usize, usize),
    /// Of a map's entry, how much of the payload is the key.
    key: usize,
}

/// The entries `start..end`, all of which have the same path up to `level`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound {
    start: usize,
    end: usize,
    level: usize,
}

impl Bound {
    pub const NONE: Self = Self { start: 0, end: 0, level: 0 };

    pub fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// The same entries, seen from the message one step down their path.
    pub fn inside(self) -> Self {
        Self { level: self.level + 1, ..self }
    }
}

type Result<T> = std::result::Result<T, FieldError>;

impl Bindings {
    /// Starts without values; the path and the query of a request add theirs.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets the values and keeps the memory.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.numbers.clear();
        self.payload.clear();
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether the field at `path` has a value, or a field inside it.
    pub fn contains(&self, path: &[u32]) -> bool {
        self.entries.iter().any(|entry| self.path(entry).starts_with(path))
    }

    /// Adds a value given as text: a scalar, an enum (name or number), base64 bytes, or one of the
    /// well-known types that are text in JSON (times, field masks, wrappers). Of a repeated field,
    /// this is the next element.
    ///
    /// # Errors
    /// When the field cannot be given as text, the text is not of its type, or a singular field has
    /// another value already.
    pub fn add_text(
        &mut self,
        schema: &Schema,
        message: MessageIndex,
        path: &[u32],
        text: &str,
    ) -> Result<()> {
        self.text(schema, message, path, text).map_err(|e| named_value(schema, message, path, e))
    }

    fn text(
        &mut self,
        schema: &Schema,
        message: MessageIndex,
        path: &[u32],
        text: &str,
    ) -> Result<()> {
        let field = leaf_of(schema, message, path)?;
        if field.cardinality == Cardinality::Map {
            return refuse_value("a map takes parameters of the form field[key]");
        }
        let start = self.payload.len();
        put_text(schema, field.kind, text, &mut self.payload)?;
        self.insert(path, start, 0, field.cardinality == Cardinality::Singular)
    }

    /// Adds an entry of the map at `path`, whose values are scalars, enums or well-known types that
    /// are text in JSON.
    ///
    /// # Errors
    /// As [`add_text`](Self::add_text), and when the map has the key already.
    pub fn add_map_entry(
        &mut self,
        schema: &Schema,
        message: MessageIndex,
        path: &[u32],
        key: &str,
        value: &str,
    ) -> Result<()> {
        let field = leaf_of(schema, message, path);
        let added = field.and_then(|field| self.map_entry(schema, field, path, key, value));
        added.map_err(|e| named_value(schema, message, path, e))
    }

    fn map_entry(
        &mut self,
        schema: &Schema,
        field: &Field,
        path: &[u32],
        key: &str,
        value: &str,
    ) -> Result<()> {
        let entry = field.kind.message().filter(|_| field.cardinality == Cardinality::Map);
        let Some(entry) = entry.map(|index| schema.message(index)) else {
            return refuse_value("only maps take parameters of the form field[key]");
        };
        let (Some(key_field), Some(value_field)) =
            (entry.field_by_number(1), entry.field_by_number(2))
        else {
            return refuse_value("the map has no key or value");
        };
        let start = self.payload.len();
        put_field(schema, key_field, key, &mut self.payload)?;
        let key_len = self.payload.len() - start;
        put_field(schema, value_field, value, &mut self.payload)?;
        self.insert(path, start, key_len, false)
    }

    /// Adds a value that is encoded already: the content of a message, or of a string or bytes
    /// field, without tag and length. Of a repeated field, this is the next element.
    ///
    /// # Errors
    /// When the field does not exist, is a scalar of another kind or a map, or has another value.
    pub fn add_encoded(
        &mut self,
        schema: &Schema,
        message: MessageIndex,
        path: &[u32],
        content: &[u8],
    ) -> Result<()> {
        let added = leaf_of(schema, message, path).and_then(|field| {
            let delimited = field.kind.wire_type() == wire::BYTES;
            if !delimited || field.cardinality == Cardinality::Map {
                return refuse_value("the field takes no encoded content");
            }
            let start = self.payload.len();
            self.payload.extend_from_slice(content);
            self.insert(path, start, 0, field.cardinality == Cardinality::Singular)
        });
        added.map_err(|e| named_value(schema, message, path, e))
    }

    /// Files the payload from `start` on under `path`.
    fn insert(&mut self, path: &[u32], start: usize, key: usize, singular: bool) -> Result<()> {
        let payload = (start, self.payload.len());
        let first = self.entries.partition_point(|e| self.path(e) < path);
        let end = self.entries.partition_point(|e| self.path(e) <= path);
        let same = self.entries.get(first..end).unwrap_or_default();
        if singular && let Some(other) = same.first() {
            if self.payload(other) == self.bytes(payload) {
                return Ok(());
            }
            return Err(FieldError::new(ErrorKind::Conflict, "given twice, with different values"));
        }
        let key_bytes = self.bytes((start, start + key));
        if key > 0
            && same.iter().any(|e| self.bytes((e.payload.0, e.payload.0 + e.key)) == key_bytes)
        {
            return Err(FieldError::new(ErrorKind::Duplicate, "a map key is given twice"));
        }
        let at = self.numbers.len();
        self.numbers.extend_from_slice(path);
        self.entries.insert(end, Entry { path: (at, at + path.len()), payload, key });
        Ok(())
    }

    fn path(&self, entry: &Entry) -> &[u32] {
        self.numbers.get(entry.path.0..entry.path.1).unwrap_or_default()
    }

    fn payload(&self, entry: &Entry) -> &[u8] {
        self.bytes(entry.payload)
    }

    fn bytes(&self, (start, end): (usize, usize)) -> &[u8] {
        self.payload.get(start..end).unwrap_or_default()
    }

    fn slice(&self, bound: Bound) -> &[Entry] {
        self.entries.get(bound.start..bound.end).unwrap_or_default()
    }

    fn number(&self, entry: &Entry, level: usize) -> u32 {
        self.path(entry).get(level).copied().unwrap_or(0)
    }

    pub(crate) fn all(&self) -> Bound {
        Bound { start: 0, end: self.entries.len(), level: 0 }
    }

    /// The entries for the field `number`, or inside it.
    #[inline]
    pub(crate) fn of_field(&self, bound: Bound, number: u32) -> Bound {
        if bound.is_empty() { bound } else { self.find(bound, number) }
    }

    fn find(&self, bound: Bound, number: u32) -> Bound {
        let entries = self.slice(bound);
        let from = entries.partition_point(|e| self.number(e, bound.level) < number);
        let to = entries.partition_point(|e| self.number(e, bound.level) <= number);
        Bound { start: bound.start + from, end: bound.start + to, level: bound.level }
    }

    /// Splits off the entries of the first field: its number, its entries and the others.
    pub(crate) fn split(&self, bound: Bound) -> Option<(u32, Bound, Bound)> {
        let number = self.number(self.slice(bound).first()?, bound.level);
        let first = self.of_field(bound, number);
        Some((number, first, Bound { start: first.end, ..bound }))
    }

    /// Whether the entries, all of one field, give the field itself. Some that do and some that
    /// give a field inside it contradict each other.
    pub(crate) fn is_leaf(&self, bound: Bound) -> Result<bool> {
        let mut depths = self.slice(bound).iter().map(|e| self.path(e).len() == bound.level + 1);
        let first = depths.next().unwrap_or(true);
        if depths.any(|leaf| leaf != first) {
            return Err(FieldError::new(ErrorKind::Conflict, "given as a whole and in part"));
        }
        Ok(first)
    }

    /// Appends the field that the entries give, tags and lengths included.
    pub(crate) fn put(&self, field: &Field, bound: Bound, out: &mut BytesMut) {
        let entries = self.slice(bound);
        if field.packed {
            out.extend_from_slice(field.packed_tag.as_bytes());
            let start = wire::open_length(out);
            entries.iter().for_each(|entry| out.extend_from_slice(self.payload(entry)));
            wire::close_length(out, start);
            return;
        }
        let delimited = field.kind.wire_type() == wire::BYTES;
        for payload in entries.iter().map(|entry| self.payload(entry)) {
            let zero = if delimited { payload.is_empty() } else { payload.iter().all(|&b| b == 0) };
            if zero && !field.presence && field.cardinality == Cardinality::Singular {
                continue;
            }
            out.extend_from_slice(field.tag.as_bytes());
            if delimited {
                wire::put_delimited(out, payload);
            } else {
                out.extend_from_slice(payload);
            }
        }
    }
}

fn refuse_value<T>(problem: &'static str) -> Result<T> {
    Err(FieldError::new(ErrorKind::Type, problem))
}

/// The field at the end of a path that leads through single ordinary messages.
fn leaf_of<'a>(schema: &'a Schema, message: MessageIndex, path: &[u32]) -> Result<&'a Field> {
    if path.len() > MAX_PATH {
        return Err(FieldError::new(ErrorKind::Limit, "the field path is too long"));
    }
    let mut next = Some(message);
    let mut found = None;
    for &number in path {
        let message = next.map(|index| schema.message(index));
        let ordinary = |m: &&crate::Message| found.is_none() || m.well_known == WellKnown::None;
        let Some(message) = message.filter(ordinary) else {
            return refuse_value("its fields cannot be given one by one");
        };
        let missing = || FieldError::new(ErrorKind::UnknownField, "the message has no such field");
        let field = message.field_by_number(number).ok_or_else(missing)?;
        next = field.kind.message().filter(|_| field.cardinality == Cardinality::Singular);
        found = Some(field);
    }
    found.ok_or_else(|| FieldError::new(ErrorKind::UnknownField, "the field path is empty"))
}

/// Puts the names along `path` before the error's own path.
fn named_value(
    schema: &Schema,
    message: MessageIndex,
    path: &[u32],
    error: FieldError,
) -> FieldError {
    let (mut next, mut names) = (Some(message), String::new());
    for &number in path {
        let field = next.and_then(|index| schema.message(index).field_by_number(number));
        let Some(field) = field else { break };
        if !names.is_empty() {
            names.push('.');
        }
        names.push_str(field.name());
        next = field.kind.message();
    }
    error.in_field(&names)
}

/// Appends a map entry's key or value: tag, length and content.
fn put_field(schema: &Schema, field: &Field, text: &str, out: &mut BytesMut) -> Result<()> {
    out.extend_from_slice(field.tag.as_bytes());
    if field.kind.wire_type() != wire::BYTES {
        return put_text(schema, field.kind, text, out);
    }
    let start = wire::open_length(out);
    put_text(schema, field.kind, text, out)?;
    wire::close_length(out, start);
    Ok(())
}

/// Appends what `text` is on the wire, without tag and length.
fn put_text(schema: &Schema, kind: Kind, text: &str, out: &mut BytesMut) -> Result<()> {
    match kind {
        Kind::String => out.extend_from_slice(text.as_bytes()),
        Kind::Bytes => {
            let decoded = base64::decode_base64(text.as_bytes(), TrailingBits::Refuse, out);
            decoded.ok_or_else(|| FieldError::new(ErrorKind::Type, "expected base64"))?;
        }
        Kind::Bool => match text {
            "true" => number::put_number(kind, 1, out),
            "false" => number::put_number(kind, 0, out),
            _ => return refuse_value("expected true or false"),
        },
        Kind::Enum(index) => {
            let named = schema.enumeration(index).number(text);
            let number = match named {
                Some(number) => number,
                None if crate::json::number_len(text.as_bytes()) == Some(text.len()) => {
                    number::parse_int32(text.as_bytes())?
                }
                None => return refuse_value("expected a name or number of the enum"),
            };
            number::put_number(kind, number::sign_extend(number), out);
        }
        Kind::Message(index) => put_well_known(schema, index, text, out)?,
        Kind::Group(_) => return refuse_value("a message cannot be given as text"),
        _ => number::put_number(kind, number::from_quoted(kind, text.as_bytes())?, out),
    }
    Ok(())
}

fn put_well_known(
    schema: &Schema,
    index: MessageIndex,
    text: &str,
    out: &mut BytesMut,
) -> Result<()> {
    let message = schema.message(index);
    match message.well_known {
        WellKnown::Timestamp => time::put_wire(time::parse_timestamp(text.as_bytes())?, out),
        WellKnown::Duration => time::put_wire(time::parse_duration(text.as_bytes())?, out),
        WellKnown::FieldMask => mask::put_wire(text.as_bytes(), out)?,
        WellKnown::Wrapper => {
            let Some(value) = message.fields.first() else { return Ok(()) };
            let start = out.len();
            put_field(schema, value, text, out)?;
            let content = out.get(start + value.tag.as_bytes().len()..).unwrap_or_default();
            if content.iter().all(|&byte| byte == 0) {
                out.truncate(start);
            }
        }
        WellKnown::None | WellKnown::Any => {
            return refuse_value("a message cannot be given as text");
        }
        WellKnown::Struct | WellKnown::Value | WellKnown::ListValue => {
            return refuse_value("a JSON value cannot be given as text");
        }
    }
    Ok(())
}
