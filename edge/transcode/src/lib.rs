//! Transcoding between HTTP with JSON and gRPC, driven by descriptors.
//!
//! A [`Schema`] is compiled once from a `FileDescriptorSet`. With it, ProtoJSON is turned into the
//! protobuf wire format and back in one pass, with no message in between.

mod base64;
mod bindings;
mod error;
mod json;
mod limits;
mod mask;
mod number;
mod schema;
mod scratch;
mod time;
mod wire;

pub use bindings::Bindings;
pub use error::{ErrorKind, FieldError, WireError};
pub use json::{
    Selection, any_to_json, json_field_to_wire, json_paths, json_to_wire, wire_field_to_json,
    wire_to_json,
};
pub use limits::{JsonOptions, Limits};
pub use schema::{
    Cardinality, Enum, EnumIndex, EnumValue, Field, GOOGLE_API_HTTP, HttpRule, Idempotency, Kind,
    Location, Message, MessageIndex, Method, Options, PathError, Schema, SchemaError, Service,
    WellKnown,
};
