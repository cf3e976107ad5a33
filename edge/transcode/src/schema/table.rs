//! The flat tables of messages, fields and enums that both directions of the codec run on.

use super::names::Names;
use super::{Location, Options};
use crate::wire;

/// A message of a [`Schema`](super::Schema). Cheap to copy; only good for the schema it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageIndex(pub(crate) u32);

/// An enum of a [`Schema`](super::Schema). Only good for the schema it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EnumIndex(pub(crate) u32);

/// A field's type, as on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are protobuf's own")]
pub enum Kind {
    Double,
    Float,
    Int64,
    Uint64,
    Int32,
    Fixed64,
    Fixed32,
    Bool,
    String,
    Bytes,
    Uint32,
    Sfixed32,
    Sfixed64,
    Sint32,
    Sint64,
    Enum(EnumIndex),
    /// A message with a length before it.
    Message(MessageIndex),
    /// A message between two group tags.
    Group(MessageIndex),
}

impl Kind {
    /// The message's index, for both encodings of a message.
    pub fn message(self) -> Option<MessageIndex> {
        match self {
            Self::Message(index) | Self::Group(index) => Some(index),
            _ => None,
        }
    }

    pub(crate) fn wire_type(self) -> u32 {
        match self {
            Self::Double | Self::Fixed64 | Self::Sfixed64 => wire::FIXED64,
            Self::Float | Self::Fixed32 | Self::Sfixed32 => wire::FIXED32,
            Self::String | Self::Bytes | Self::Message(_) => wire::BYTES,
            Self::Group(_) => wire::START_GROUP,
            _ => wire::VARINT,
        }
    }

    pub(crate) fn packable(self) -> bool {
        !matches!(self.wire_type(), wire::BYTES | wire::START_GROUP)
    }
}

/// How often a field may occur.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cardinality {
    /// At most once.
    Singular,
    /// Any number of times, in order; an empty list is the same as an absent one.
    Repeated,
    /// A map; the field's message is its entry type, with the key as field 1 and the value as 2.
    Map,
}

/// A tag encoded once, when the schema is compiled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tag {
    pub value: u32,
    bytes: [u8; 5],
    len: u8,
}

impl Tag {
    pub fn new(number: u32, wire_type: u32) -> Self {
        let value = number << 3 | wire_type;
        let mut buffer = [0; 10];
        let len = wire::encode_varint(u64::from(value), &mut buffer);
        let [a, b, c, d, e, ..] = buffer;
        Self { value, bytes: [a, b, c, d, e], len: len as u8 }
    }

    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

/// A field of a message, or an extension of it (whose names are then `[full.name]`).
#[derive(Debug)]
pub struct Field {
    pub(crate) number: u32,
    pub(crate) kind: Kind,
    pub(crate) cardinality: Cardinality,
    /// Whether absence differs from the default value.
    pub(crate) presence: bool,
    /// Whether lists are written packed.
    pub(crate) packed: bool,
    /// The tag of one value; of a packed list it is `packed_tag`.
    pub(crate) tag: Tag,
    pub(crate) packed_tag: Tag,
    pub(crate) oneof: Option<u16>,
    pub(crate) name: Box<str>,
    pub(crate) json_name: Box<str>,
    /// `,"jsonName":` and `,"proto_name":`; the comma is left out for the first member.
    pub(crate) json_key: Box<[u8]>,
    pub(crate) proto_key: Box<[u8]>,
    pub(crate) extension: bool,
    pub(crate) options: Options,
    pub(crate) comment: Box<str>,
}

impl Field {
    /// Whether `name` is the field's ProtoJSON name or the one in the `.proto` file.
    #[inline]
    fn is_called(&self, name: &[u8]) -> bool {
        self.json_name.as_bytes() == name || self.name.as_bytes() == name
    }

    /// The field's name in the `.proto` file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The field's ProtoJSON name.
    pub fn json_name(&self) -> &str {
        &self.json_name
    }

    /// The field number.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The type of one value.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Singular, list or map.
    pub fn cardinality(&self) -> Cardinality {
        self.cardinality
    }

    /// Whether absence differs from the default value (`optional`, oneof members, messages).
    pub fn has_presence(&self) -> bool {
        self.presence
    }

    /// The index of the oneof the field belongs to, in [`Message::oneofs`]. The oneofs that the
    /// compiler makes for `optional` fields do not count.
    pub fn oneof(&self) -> Option<usize> {
        self.oneof.map(usize::from)
    }

    /// Whether this is an extension.
    pub fn is_extension(&self) -> bool {
        self.extension
    }

    /// The field's options, extensions included.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The comment before the field; empty where there is none.
    pub fn comment(&self) -> &str {
        &self.comment
    }
}

/// The types whose ProtoJSON form is not an object of their fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are protobuf's own")]
pub enum WellKnown {
    /// An ordinary message.
    #[default]
    None,
    Any,
    Timestamp,
    Duration,
    FieldMask,
    Struct,
    Value,
    ListValue,
    /// `StringValue` and the other wrappers; the value is the message's only field.
    Wrapper,
}

/// A message type.
#[derive(Debug)]
pub struct Message {
    pub(crate) full_name: Box<str>,
    /// Sorted by number.
    pub(crate) fields: Vec<Field>,
    pub(crate) names: Names,
    /// Small field numbers to indices.
    pub(crate) dense: Box<[u16]>,
    pub(crate) oneofs: Vec<Box<str>>,
    pub(crate) well_known: WellKnown,
    pub(crate) map_entry: bool,
    pub(crate) options: Options,
    pub(crate) location: Location,
}

/// Marks a number without a field in [`Message::dense`].
pub(crate) const NO_FIELD: u16 = u16::MAX;

impl Message {
    /// Name with its package, `package.Message`.
    pub fn full_name(&self) -> &str {
        &self.full_name
    }

    /// The fields, sorted by number.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The names of the oneofs.
    pub fn oneofs(&self) -> impl ExactSizeIterator<Item = &str> {
        self.oneofs.iter().map(AsRef::as_ref)
    }

    /// Which of the types with a ProtoJSON form of their own this is.
    pub fn well_known(&self) -> WellKnown {
        self.well_known
    }

    /// Whether this is the entry type of a map field.
    pub fn is_map_entry(&self) -> bool {
        self.map_entry
    }

    /// The field with this ProtoJSON or `.proto` name.
    pub fn field_by_name(&self, name: &str) -> Option<&Field> {
        self.fields.get(self.index_by_name(name.as_bytes())?)
    }

    /// The field that the `.proto` file calls `name`. The ProtoJSON names of other fields do not count.
    pub fn field_by_proto_name(&self, name: &str) -> Option<&Field> {
        let found = self.names.find(name.as_bytes(), |index| {
            self.field_at(index).is_some_and(|field| &*field.name == name)
        });
        self.field_at(found?)
    }

    /// The field with this number.
    pub fn field_by_number(&self, number: u32) -> Option<&Field> {
        self.fields.get(self.index_by_number(number)?)
    }

    /// The message's options, extensions included.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Where the message is declared, with its comment.
    pub fn location(&self) -> &Location {
        &self.location
    }

    #[inline]
    pub(crate) fn index_by_name(&self, name: &[u8]) -> Option<usize> {
        let found = self
            .names
            .find(name, |index| self.field_at(index).is_some_and(|field| field.is_called(name)));
        found.map(usize::from)
    }

    #[inline]
    fn field_at(&self, index: u16) -> Option<&Field> {
        self.fields.get(usize::from(index))
    }

    #[inline]
    pub(crate) fn index_by_number(&self, number: u32) -> Option<usize> {
        match self.dense.get(number as usize) {
            Some(&NO_FIELD) => None,
            Some(&index) => Some(usize::from(index)),
            None => self.fields.binary_search_by_key(&number, |f| f.number).ok(),
        }
    }
}

/// An enum type.
#[derive(Debug)]
pub struct Enum {
    pub(crate) full_name: Box<str>,
    pub(crate) values: Vec<EnumValue>,
    pub(crate) names: Names,
    /// Numbers and the index of their first name, sorted by number.
    pub(crate) numbers: Box<[(i32, u16)]>,
    pub(crate) closed: bool,
    /// `google.protobuf.NullValue`, which is `null` in ProtoJSON.
    pub(crate) null_value: bool,
    pub(crate) options: Options,
}

/// A name of an enum. Several may have one number.
#[derive(Debug)]
pub struct EnumValue {
    pub(crate) name: Box<str>,
    pub(crate) number: i32,
}

impl EnumValue {
    /// The value's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value's number.
    pub fn number(&self) -> i32 {
        self.number
    }
}

impl Enum {
    /// Name with its package, `package.Enum`.
    pub fn full_name(&self) -> &str {
        &self.full_name
    }

    /// The values in their order of declaration.
    pub fn values(&self) -> &[EnumValue] {
        &self.values
    }

    /// Whether unknown numbers are unknown fields (proto2) instead of values.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// The enum's options, extensions included.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The number of a name.
    pub fn number(&self, name: &str) -> Option<i32> {
        self.number_of(name.as_bytes())
    }

    /// The first name of a number.
    #[inline]
    pub fn name(&self, number: i32) -> Option<&str> {
        let at = self.numbers.binary_search_by_key(&number, |&(n, _)| n).ok()?;
        let &(_, index) = self.numbers.get(at)?;
        self.values.get(usize::from(index)).map(EnumValue::name)
    }

    #[inline]
    pub(crate) fn number_of(&self, name: &[u8]) -> Option<i32> {
        let found = self.names.find(name, |index| {
            self.value_at(index).is_some_and(|value| value.name.as_bytes() == name)
        });
        self.value_at(found?).map(|value| value.number)
    }

    #[inline]
    fn value_at(&self, index: u16) -> Option<&EnumValue> {
        self.values.get(usize::from(index))
    }
}
