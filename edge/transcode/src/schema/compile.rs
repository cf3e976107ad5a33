//! Descriptors to tables: types are numbered first, then fields are filled in.

use std::collections::{HashMap, HashSet};

use prost::Message as _;

use super::declared::{Declarations, Type};
use super::descriptor::{EnumType, FieldType, File, FileSet, MessageType};
use super::features::{self, Features};
use super::names::Names;
use super::source::Source;
use super::table::{Cardinality, Enum, EnumIndex, EnumValue, Field, Kind, Message, MessageIndex};
use super::table::{Tag, WellKnown};
use super::{LeftOut, Options, Schema, SchemaError, SchemaOptions, Service};
use crate::wire;

/// Fields, values or names that one type may have, so that indices fit 16 bits.
pub(super) const MAX_MEMBERS: usize = 30_000;
/// Number of `map_entry` in `MessageOptions`.
const MAP_ENTRY: u32 = 7;
/// Number of `packed` in `FieldOptions`.
const PACKED: u32 = 2;

pub(super) fn compile_set(own: &[u8], options: SchemaOptions<'_>) -> Result<Schema, SchemaError> {
    let (own, fallback) = (decode_set(own)?, decode_set(options.fallback)?);
    let mut compiler = Compiler { skip_incomplete: options.skip_incomplete, ..Compiler::default() };
    for file in &own.files {
        compiler.declare(file)?;
    }
    compiler.declarations.end_of_own();
    for file in &fallback.files {
        compiler.declare(file)?;
    }
    let messages = std::mem::take(&mut compiler.to_fill);
    for message in &messages {
        compiler.fields(message)?;
    }
    for file in &own.files {
        compiler.extensions(file)?;
        compiler.services(file)?;
    }
    compiler.leave_out_methods_of_incomplete_messages();
    compiler.finish()
}

fn decode_set(set: &[u8]) -> Result<FileSet, SchemaError> {
    FileSet::decode(set).map_err(|error| SchemaError::Malformed(error.to_string()))
}

/// A message whose name has its index, and whose fields are still to be compiled.
struct Unfilled<'a> {
    index: usize,
    descriptor: &'a MessageType,
    features: Features,
    source: std::rc::Rc<Source<'a>>,
    path: Vec<i32>,
}

#[derive(Default)]
pub(super) struct Compiler<'a> {
    pub declarations: Declarations<'a>,
    pub skip_incomplete: bool,
    /// Messages with a field that is skipped because its type is missing.
    pub incomplete: HashMap<MessageIndex, SchemaError>,
    pub left_out: Vec<LeftOut>,
    to_fill: Vec<Unfilled<'a>>,
    pub messages: Vec<Message>,
    pub message_names: HashMap<Box<str>, MessageIndex>,
    enums: Vec<Enum>,
    enum_names: HashMap<Box<str>, EnumIndex>,
    pub services: Vec<Service>,
}

/// Where a declaration stands while files are walked.
pub(super) struct Scope<'a> {
    pub prefix: String,
    pub features: Features,
    pub source: std::rc::Rc<Source<'a>>,
    path: Vec<i32>,
}

impl<'a> Scope<'a> {
    pub fn of_file(file: &'a File) -> Self {
        let features =
            Features::of_syntax(&file.syntax, file.edition).with(&file.options, features::IN_FILE);
        let source = std::rc::Rc::new(Source::new(&file.name, file.source.as_ref()));
        Self { prefix: file.package.clone(), features, source, path: Vec::new() }
    }

    pub fn name(&self, name: &str) -> String {
        if self.prefix.is_empty() { name.to_owned() } else { format!("{}.{name}", self.prefix) }
    }

    pub fn path(&self, kind: i32, at: usize) -> Vec<i32> {
        let mut path = self.path.clone();
        path.extend([kind, i32::try_from(at).unwrap_or(i32::MAX)]);
        path
    }
}

impl<'a> Compiler<'a> {
    fn declare(&mut self, file: &'a File) -> Result<(), SchemaError> {
        let scope = Scope::of_file(file);
        for (at, descriptor) in file.messages.iter().enumerate() {
            let name = scope.name(&descriptor.name);
            if self.declarations.add_type(name, Type::Message(descriptor), &file.name)? {
                self.declare_message(&scope, scope.path(4, at), descriptor)?;
            }
        }
        for descriptor in &file.enums {
            let name = scope.name(&descriptor.name);
            if self.declarations.add_type(name, Type::Enum(descriptor), &file.name)? {
                self.declare_enum(&scope, descriptor)?;
            }
        }
        Ok(())
    }

    fn declare_message(
        &mut self,
        scope: &Scope<'a>,
        path: Vec<i32>,
        descriptor: &'a MessageType,
    ) -> Result<(), SchemaError> {
        let name = scope.name(&descriptor.name);
        let index = self.messages.len();
        let features = scope.features.with(&descriptor.options, features::IN_MESSAGE);
        let options = Options::new(descriptor.options.clone());
        let map_entry = options.varint(MAP_ENTRY) == Some(1);
        let location = scope.source.at(&path);
        let message = Message { map_entry, options, location, ..Message::empty(&name) };
        let key = name.as_str().into();
        if self.message_names.insert(key, MessageIndex(index as u32)).is_some() {
            return Err(invalid_set(name, "is declared twice"));
        }
        self.messages.push(message);
        let source = scope.source.clone();
        let inner = Scope { prefix: name, features, source: source.clone(), path: path.clone() };
        self.to_fill.push(Unfilled { index, descriptor, features, source, path });
        for (at, nested) in descriptor.messages.iter().enumerate() {
            self.declare_message(&inner, inner.path(3, at), nested)?;
        }
        descriptor.enums.iter().try_for_each(|nested| self.declare_enum(&inner, nested))
    }

    fn declare_enum(
        &mut self,
        scope: &Scope<'a>,
        descriptor: &EnumType,
    ) -> Result<(), SchemaError> {
        let full_name = scope.name(&descriptor.name);
        if descriptor.values.len() > MAX_MEMBERS {
            return Err(invalid_set(full_name, "has too many values"));
        }
        let features = scope.features.with(&descriptor.options, features::IN_ENUM);
        let values: Vec<_> = descriptor
            .values
            .iter()
            .map(|value| EnumValue { name: value.name.as_str().into(), number: value.number })
            .collect();
        let mut numbers: Vec<(i32, u16)> =
            values.iter().enumerate().map(|(at, v)| (v.number, at as u16)).collect();
        numbers.sort_unstable();
        numbers.dedup_by_key(|&mut (number, _)| number);
        let names = values.iter().enumerate().map(|(at, v)| (v.name(), at as u16));
        let names = Names::build(names);
        let index = EnumIndex(self.enums.len() as u32);
        if self.enum_names.insert(full_name.as_str().into(), index).is_some() {
            return Err(invalid_set(full_name, "is declared twice"));
        }
        self.enums.push(Enum {
            null_value: full_name == "google.protobuf.NullValue",
            full_name: full_name.into(),
            values,
            names,
            numbers: numbers.into(),
            closed: features.closed_enum,
            options: Options::new(descriptor.options.clone()),
        });
        Ok(())
    }

    fn fields(&mut self, declared: &Unfilled<'a>) -> Result<(), SchemaError> {
        let descriptor = declared.descriptor;
        // `optional` in proto3 is a oneof of its own, declared after the real ones.
        let synthetic: HashSet<i32> = descriptor
            .fields
            .iter()
            .filter(|f| f.proto3_optional)
            .filter_map(|f| f.oneof)
            .collect();
        let oneofs = descriptor.oneofs.iter().enumerate();
        let oneofs = oneofs.filter(|(at, _)| !synthetic.contains(&(*at as i32)));
        let oneofs: Vec<Box<str>> = oneofs.map(|(_, oneof)| oneof.name.as_str().into()).collect();
        let mut fields = Vec::with_capacity(descriptor.fields.len());
        // A map's values are never groups, even where the file's features say so.
        let map_entry = self.messages.get(declared.index).is_some_and(|m| m.map_entry);
        let delimited = declared.features.delimited && !map_entry;
        let features = Features { delimited, ..declared.features };
        for (at, field) in descriptor.fields.iter().enumerate() {
            let owner = self.messages.get(declared.index).map(|m| m.full_name.to_string());
            let owner = owner.unwrap_or_default();
            let mut path = declared.path.clone();
            path.extend([2, at as i32]);
            let comment = declared.source.at(&path).comment;
            match self.field(&owner, field, features, false, comment) {
                Err(error @ SchemaError::MissingType { .. }) if self.skip_incomplete => {
                    self.incomplete.insert(MessageIndex(declared.index as u32), error);
                }
                field => fields.push(field?),
            }
        }
        if let Some(message) = self.messages.get_mut(declared.index) {
            message.oneofs = oneofs;
            message.fields = fields;
        }
        Ok(())
    }

    pub fn field(
        &self,
        owner: &str,
        descriptor: &FieldType,
        features: Features,
        extension: bool,
        comment: Box<str>,
    ) -> Result<Field, SchemaError> {
        let full_name = format!("{owner}.{}", descriptor.name);
        let number = u32::try_from(descriptor.number).unwrap_or(0);
        if number == 0 || number > wire::MAX_FIELD {
            return Err(invalid_set(full_name, "has a number out of range"));
        }
        let features = features.with(&descriptor.options, features::IN_FIELD);
        let kind = self.kind(&full_name, descriptor, features)?;
        let cardinality = self.cardinality(descriptor, kind);
        // Nor is the map itself a group.
        let kind = match (kind, cardinality) {
            (Kind::Group(entry), Cardinality::Map) => Kind::Message(entry),
            (kind, _) => kind,
        };
        let singular = cardinality == Cardinality::Singular;
        let real_oneof = descriptor.oneof.filter(|_| !descriptor.proto3_optional);
        let always = kind.message().is_some() || descriptor.oneof.is_some() || extension;
        let options = Options::new(descriptor.options.clone());
        let packed = options.varint(PACKED).map_or(features.packed, |packed| packed == 1);
        let (name, json_name) = match (extension, descriptor.json_name.as_str()) {
            (true, _) => (format!("[{full_name}]"), format!("[{full_name}]")),
            (false, "") => (descriptor.name.clone(), lower_camel(&descriptor.name)),
            (false, json) => (descriptor.name.clone(), json.to_owned()),
        };
        Ok(Field {
            number,
            kind,
            cardinality,
            presence: singular && (always || features.explicit_presence),
            packed: packed && cardinality == Cardinality::Repeated && kind.packable(),
            tag: Tag::new(number, kind.wire_type()),
            packed_tag: Tag::new(number, wire::BYTES),
            oneof: real_oneof.and_then(|oneof| u16::try_from(oneof).ok()),
            json_key: type_key(&json_name),
            proto_key: type_key(&name),
            name: name.into(),
            json_name: json_name.into(),
            extension,
            options,
            comment,
        })
    }

    fn kind(
        &self,
        user: &str,
        descriptor: &FieldType,
        features: Features,
    ) -> Result<Kind, SchemaError> {
        Ok(match descriptor.kind {
            1 => Kind::Double,
            2 => Kind::Float,
            3 => Kind::Int64,
            4 => Kind::Uint64,
            5 => Kind::Int32,
            6 => Kind::Fixed64,
            7 => Kind::Fixed32,
            8 => Kind::Bool,
            9 => Kind::String,
            10 => Kind::Group(self.message(user, &descriptor.type_name)?),
            11 if features.delimited => Kind::Group(self.message(user, &descriptor.type_name)?),
            11 => Kind::Message(self.message(user, &descriptor.type_name)?),
            12 => Kind::Bytes,
            13 => Kind::Uint32,
            14 => {
                let name = descriptor.type_name.trim_start_matches('.');
                let index = self.enum_names.get(name);
                Kind::Enum(*index.ok_or_else(|| missing_type(user, &descriptor.type_name))?)
            }
            15 => Kind::Sfixed32,
            16 => Kind::Sfixed64,
            17 => Kind::Sint32,
            18 => Kind::Sint64,
            _ => return Err(invalid_set(user.to_owned(), "has no known type")),
        })
    }

    fn cardinality(&self, descriptor: &FieldType, kind: Kind) -> Cardinality {
        const LABEL_REPEATED: i32 = 3;
        let entry = kind.message().and_then(|index| self.messages.get(index.0 as usize));
        match (descriptor.label, entry) {
            (LABEL_REPEATED, Some(entry)) if entry.map_entry => Cardinality::Map,
            (LABEL_REPEATED, _) => Cardinality::Repeated,
            _ => Cardinality::Singular,
        }
    }

    pub fn message(&self, user: &str, name: &str) -> Result<MessageIndex, SchemaError> {
        let index = self.message_names.get(name.trim_start_matches('.'));
        index.copied().ok_or_else(|| missing_type(user, name))
    }

    fn finish(mut self) -> Result<Schema, SchemaError> {
        for message in &mut self.messages {
            message.index()?;
        }
        let shapes: Vec<WellKnown> =
            self.messages.iter().map(super::well_known::well_known_of).collect();
        for (message, shape) in self.messages.iter_mut().zip(shapes) {
            message.well_known = shape;
        }
        Ok(Schema {
            messages: self.messages,
            message_names: self.message_names,
            enums: self.enums,
            enum_names: self.enum_names,
            services: self.services,
            left_out: self.left_out,
            no_message: Message::empty(""),
            no_enum: Enum::empty(),
        })
    }
}

/// The key of a field as JSON prints it between two fields: `,"name":`.
fn type_key(name: &str) -> Box<[u8]> {
    let mut key = b",\"".to_vec();
    crate::json::escape_json(name, &mut key);
    key.extend_from_slice(b"\":");
    key.into()
}

/// The ProtoJSON name that compilers give a field without `json_name`.
fn lower_camel(name: &str) -> String {
    let mut camel = String::with_capacity(name.len());
    let mut upper = false;
    for c in name.chars() {
        match c {
            '_' => upper = true,
            c if upper => {
                camel.push(c.to_ascii_uppercase());
                upper = false;
            }
            c => camel.push(c),
        }
    }
    camel
}

fn missing_type(user: &str, name: &str) -> SchemaError {
    SchemaError::MissingType {
        name: name.trim_start_matches('.').to_owned(),
        user: user.to_owned(),
    }
}

pub(super) fn invalid_set(name: String, problem: &'static str) -> SchemaError {
    SchemaError::Invalid { name, problem }
}
