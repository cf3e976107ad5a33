//! A `FileDescriptorSet` compiled into flat tables: messages, fields, enums, services, methods.

mod compile;
mod compile_services;
mod declared;
mod descriptor;
mod extensions;
mod features;
mod incomplete;
mod index;
mod names;
mod options;
mod service;
mod source;
mod table;
mod well_known;

use std::collections::HashMap;

pub use options::Options;
pub use service::{GOOGLE_API_HTTP, HttpRule, Idempotency, Location, Method, Service};
pub(crate) use table::Tag;
pub use table::{
    Cardinality, Enum, EnumIndex, EnumValue, Field, Kind, Message, MessageIndex, WellKnown,
};

/// The compiled contracts. Immutable; share it in an [`Arc`](std::sync::Arc).
#[derive(Debug)]
pub struct Schema {
    messages: Vec<Message>,
    message_names: HashMap<Box<str>, MessageIndex>,
    enums: Vec<Enum>,
    enum_names: HashMap<Box<str>, EnumIndex>,
    services: Vec<Service>,
    left_out: Vec<LeftOut>,
    /// Stands in for an index of another schema, which is a mistake of the caller.
    no_message: Message,
    no_enum: Enum,
}

impl Schema {
    /// Compiles a serialised `google.protobuf.FileDescriptorSet`.
    ///
    /// Sets may be concatenated. A type is known by its full name and not by that of its file:
    /// one that is declared twice counts once, as it was declared first, and is refused only where
    /// the two declarations contradict each other. All types must be in the set, in any order.
    ///
    /// # Errors
    /// When the bytes are no descriptor set, or name a type that is not in it.
    pub fn from_descriptor_set(bytes: &[u8]) -> Result<Self, SchemaError> {
        Self::compile(bytes, SchemaOptions::default())
    }

    /// Like [`from_descriptor_set`](Self::from_descriptor_set), with options.
    ///
    /// # Errors
    /// As [`from_descriptor_set`](Self::from_descriptor_set).
    pub fn compile(bytes: &[u8], options: SchemaOptions<'_>) -> Result<Self, SchemaError> {
        compile::compile_set(bytes, options)
    }

    /// The message at `index`.
    #[inline]
    pub fn message(&self, index: MessageIndex) -> &Message {
        self.messages.get(index.0 as usize).unwrap_or(&self.no_message)
    }

    /// The enum at `index`.
    #[inline]
    pub fn enumeration(&self, index: EnumIndex) -> &Enum {
        self.enums.get(index.0 as usize).unwrap_or(&self.no_enum)
    }

    /// The message called `package.Message`.
    pub fn find_message(&self, full_name: &str) -> Option<MessageIndex> {
        self.message_names.get(full_name).copied()
    }

    /// The enum called `package.Enum`.
    pub fn find_enum(&self, full_name: &str) -> Option<EnumIndex> {
        self.enum_names.get(full_name).copied()
    }

    /// All services, in the order of the descriptor set.
    pub fn services(&self) -> &[Service] {
        &self.services
    }

    /// The methods that are missing because types of theirs are.
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    /// All messages with their indices.
    pub fn messages(&self) -> impl ExactSizeIterator<Item = (MessageIndex, &Message)> {
        self.messages.iter().enumerate().map(|(at, m)| (MessageIndex(at as u32), m))
    }

    /// The field numbers along a path of names, and the last field. Paths of templates and field masks
    /// are made of the names that the `.proto` file gives; ProtoJSON names do not count.
    ///
    /// # Errors
    /// When a name is unknown, or the path goes on after a field that is not one message.
    pub fn resolve<'a>(
        &self,
        message: MessageIndex,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Result<(Vec<u32>, &Field), PathError> {
        let (mut path, mut last) = (Vec::new(), None::<&Field>);
        for name in names {
            let message = match last {
                None => message,
                Some(field) => match (field.cardinality, field.kind.message()) {
                    (Cardinality::Singular, Some(child)) => child,
                    _ => return Err(PathError::NotAMessage { field: field.name.to_string() }),
                },
            };
            let field = self.message(message).field_by_proto_name(name).ok_or_else(|| {
                let message = self.message(message).full_name().to_owned();
                PathError::Unknown { field: name.to_owned(), message }
            })?;
            path.push(field.number);
            last = Some(field);
        }
        last.map(|field| (path, field)).ok_or(PathError::Empty)
    }
}

/// How a descriptor set is compiled.
#[derive(Clone, Copy, Debug, Default)]
pub struct SchemaOptions<'a> {
    /// A second set, whose types fill gaps: a type of the first set wins over one of the
    /// same name here. Services and extensions of this one do not count.
    pub fallback: &'a [u8],
    /// Leave out the methods whose messages need a type that is in neither set, instead of refusing
    /// all: [`Schema::left_out`] names them.
    pub skip_incomplete: bool,
}

/// A method that is left out of an incomplete set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The method's path, `package.Service/Method`.
    pub rpc: String,
    /// The missing type.
    pub cause: SchemaError,
}

impl std::fmt::Display for LeftOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "rpc {} is left out: {}", self.rpc, self.cause)
    }
}

/// Why a field path leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathError {
    /// The path has no names.
    Empty,
    /// The message has no such field.
    Unknown {
        /// The name that was looked for.
        field: String,
        /// The message it was looked for in.
        message: String,
    },
    /// The path goes on after a field that is no message, or a list or map.
    NotAMessage {
        /// The field that has no fields.
        field: String,
    },
}

impl std::fmt::Display for PathError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Empty => f.write_str("the field path is empty"),
            Self::Unknown { field, message } => write!(f, "{message} has no field {field}"),
            Self::NotAMessage { field } => write!(f, "{field} is not a single message"),
        }
    }
}

impl std::error::Error for PathError {}

/// Why descriptors could not be compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SchemaError {
    /// The bytes are no `FileDescriptorSet`.
    Malformed(String),
    /// A type is named that no file of the set declares.
    MissingType {
        /// The name, as the descriptor gives it.
        name: String,
        /// What names it.
        user: String,
    },
    /// Two files of the set declare one name, and contradict each other.
    Contradiction {
        /// The full name.
        name: String,
        /// The file that declares it first.
        first: String,
        /// The file that declares it again.
        second: String,
        /// Where they differ.
        difference: String,
    },
    /// Something is too large, or contradicts itself.
    Invalid {
        /// What it is about.
        name: String,
        /// What is wrong.
        problem: &'static str,
    },
}

impl std::fmt::Display for SchemaError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Malformed(cause) => write!(f, "not a FileDescriptorSet: {cause}"),
            Self::MissingType { name, user } => {
                write!(f, "{user} uses {name}, which the descriptor set does not contain")
            }
            Self::Contradiction { name, first, second, difference } => write!(
                f,
                "{name} is declared twice, in {first} and in {second}, and they differ: {difference}"
            ),
            Self::Invalid { name, problem } => write!(f, "{name} {problem}"),
        }
    }
}

impl std::error::Error for SchemaError {}
