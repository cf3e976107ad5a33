//! Transcoding between HTTP with JSON and gRPC, driven by descriptors.
//!
//! A [`Schema`] is compiled once from a `FileDescriptorSet`. With it, ProtoJSON is turned into the
//! protobuf wire format and back in one pass, with no message in between.

mod error;
mod json;
mod limits;
mod schema;
mod wire;

pub use error::{ErrorKind, FieldError, WireError};
pub use limits::{JsonOptions, Limits};
pub use schema::{
    Cardinality, Enum, EnumIndex, EnumValue, Field, GOOGLE_API_HTTP, HttpRule, Idempotency, Kind,
    Location, Message, MessageIndex, Method, Options, PathError, Schema, SchemaError, Service,
    WellKnown,
};
