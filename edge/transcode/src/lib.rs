//! Transcoding between HTTP with JSON and gRPC, driven by descriptors.
//!
//! A [`Schema`] is compiled once from a `FileDescriptorSet`. With it, ProtoJSON is turned into the
//! protobuf wire format and back in one pass, with no message in between.
//!
//! A [`Transcoder`] adds the HTTP rules of the contracts: it finds the method for a request, binds
//! path, query and content, calls the upstream and prints its answer. [`serve`] puts it on sockets.
//!
//! # The codec
//! [`json_to_wire`] and [`wire_to_json`] follow the ProtoJSON specification strictly, pass the
//! official conformance suite, and allocate nothing once their buffers are warm. What they refuse,
//! they refuse with the path of the field ([`FieldError::path`]).
//!
//! ```
//! use bytes::BytesMut;
//! use transcode::{Bindings, JsonOptions, Schema, json_to_wire, wire_to_json};
//! # let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/proto");
//! # let mut compiler = protox::Compiler::new([folder])?;
//! # compiler.include_imports(true).open_file("codec.proto")?;
//! # let descriptors = compiler.encode_file_descriptor_set();
//!
//! // The output of `protoc --include_imports --descriptor_set_out`, or of any compiler like it.
//! let schema = Schema::from_descriptor_set(&descriptors)?;
//! let tree = schema.find_message("codec.v1.Tree").ok_or("no such message")?;
//! let options = JsonOptions::default();
//!
//! // A field can come from the URL, here the one with number 1, and the others from the body.
//! let mut bindings = Bindings::new();
//! bindings.add_text(&schema, tree, &[1], "oak")?;
//! let (body, mut wire) = (br#"{"weight": 7, "tags": ["old"]}"#, BytesMut::new());
//! json_to_wire(&schema, tree, Some(body), &bindings, &options, &mut wire)?;
//!
//! let mut json = Vec::new();
//! wire_to_json(&schema, tree, &wire, &options, None, &mut json)?;
//! assert_eq!(json, br#"{"name":"oak","weight":7,"tags":["old"]}"#);
//!
//! // Mistakes name the field, and where in the text they were noticed.
//! let body = br#"{"children": [{"weight": "heavy"}]}"#;
//! let error = json_to_wire(&schema, tree, Some(body), &bindings, &options, &mut wire).unwrap_err();
//! assert_eq!(error.path(), "children[0].weight");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Two sources may not contradict each other: a field that path, query and body give must have the
//! same value everywhere, and a oneof has one member.

#![warn(missing_docs)]

mod accept;
mod base64;
mod bindings;
mod body;
mod buffer;
mod call;
#[cfg(feature = "cli")]
mod check;
#[cfg(feature = "cli")]
pub mod cli;
mod codes;
mod compiled;
mod deadline;
mod direct;
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
mod query;
mod reflection;
mod router;
mod rule;
pub mod schema;
mod scratch;
pub mod serve;
mod served;
pub mod source;
mod sse;
mod time;
mod transcoder;
mod wire;

pub use bindings::Bindings;
pub use body::{Body, BoxError};
pub use buffer::{BufferBudget, BufferedContent, ContentBuffer};
pub use call::{RequestContent, Upstream, UpstreamExtensions, UpstreamMetadata};
pub use compiled::Route;
pub use direct::Direct;
pub use error::{ErrorKind, FieldError, WireError};
pub use error_body::{ErrorContext, Problem, RequestId, Violation};
pub use failure::{Detail, Failure, FailureParts};
pub use json::{
    Selection, any_to_json, json_field_to_wire, json_paths, json_to_wire, wire_field_to_json,
    wire_to_json,
};
pub use limits::{JsonOptions, Limits};
pub use options::{ErrorFormat, Options, SuccessStatus, TrailingSlash};
pub use route_template::{Template, TemplateError};
pub use rule::CompileError;
pub use schema::{
    Cardinality, Enum, EnumIndex, EnumValue, Field, GOOGLE_API_HTTP, HttpRule, Idempotency, Kind,
    LeftOut, Location, Message, MessageIndex, Method, PathError, Schema, SchemaError,
    SchemaOptions, Service, WellKnown,
};
pub use sse::{MethodSse, SseFields};
pub use transcoder::{RouteError, Transcoder};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
