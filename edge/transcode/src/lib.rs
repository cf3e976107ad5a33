//! Transcoding between HTTP with JSON and gRPC, driven by descriptors.
//!
//! A [`Schema`] is compiled once from a `FileDescriptorSet`. With it, ProtoJSON is turned into the
//! protobuf wire format and back in one pass, with no message in between.

mod accept;
mod base64;
mod bindings;
mod body;
mod call;
#[cfg(feature = "cli")]
pub mod cli;
mod deadline;
mod error;
mod error_body;
mod etag;
mod extract;
mod failure;
mod json;
mod limits;
mod mask;
mod metadata;
mod number;
mod options;
mod percent;
mod query;
mod reflection;
mod router;
mod rule;
pub mod schema;
mod scratch;
pub mod serve;
pub mod source;
mod template;
mod time;
mod transcoder;
mod wire;

pub use bindings::Bindings;
pub use body::{Body, BoxError};
pub use call::{RequestContent, Upstream, UpstreamExtensions, UpstreamMetadata};
pub use error::{ErrorKind, FieldError, WireError};
pub use error_body::{ErrorContext, Problem, RequestId, Violation};
pub use failure::{Detail, Failure, FailureParts};
pub use json::{
    Selection, any_to_json, json_field_to_wire, json_paths, json_to_wire, wire_field_to_json,
    wire_to_json,
};
pub use limits::{JsonOptions, Limits};
pub use options::{ErrorFormat, Options, SuccessStatus, TrailingSlash};
pub use rule::CompileError;
pub use schema::{
    Cardinality, Enum, EnumIndex, EnumValue, Field, GOOGLE_API_HTTP, HttpRule, Idempotency, Kind,
    Location, Message, MessageIndex, Method, PathError, Schema, SchemaError, Service, WellKnown,
};
pub use template::{Template, TemplateError};
pub use transcoder::{Route, RouteError, Transcoder};
