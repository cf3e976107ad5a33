//! ProtoJSON, in and out.
//!
//! The interface, agreed before it is filled in:
//! ```text
//! // bindings.rs: fields that path and query give, converted when they are added.
//! Bindings::new(); .clear(); .is_empty()
//! Bindings::add_text(&mut self, &Schema, MessageIndex, path: &[u32], text: &str) -> Result<(), FieldError>
//!     // scalar, enum, bytes, wrapper, Timestamp, Duration, FieldMask; repeated: once for each element.
//!     // A singular field twice with different text is ErrorKind::Conflict.
//! Bindings::add_map_entry(&mut self, &Schema, MessageIndex, path: &[u32], key: &str, value: &str) -> ...
//! Bindings::add_encoded(&mut self, &Schema, MessageIndex, path: &[u32], payload: &[u8]) -> ...
//!     // a field's value already encoded, without tag and length (an HttpBody, an update_mask)
//!
//! // Body `*`, or no body (json: None is the empty message).
//! json_to_wire(&Schema, MessageIndex, json: Option<&[u8]>, &Bindings, &JsonOptions, out: &mut BytesMut) -> Result<(), FieldError>
//! // Body that is one field of the message: message, scalar, list or map. None writes an empty message field.
//! json_field_to_wire(&Schema, MessageIndex, path: &[u32], json: Option<&[u8]>, &Bindings, &JsonOptions, out: &mut BytesMut)
//! // The paths (`.proto` names) that a JSON object names, for update_mask.
//! json_paths(&Schema, MessageIndex, json: &[u8], &JsonOptions) -> Result<Vec<String>, FieldError>
//!
//! // All append to out; on an error they take back what they wrote.
//! wire_to_json(&Schema, MessageIndex, wire: &[u8], &JsonOptions, Option<&Selection>, out: &mut Vec<u8>) -> Result<(), WireError>
//! wire_field_to_json(&Schema, MessageIndex, path: &[u32], wire, &JsonOptions, out)   // response_body
//! any_to_json(&Schema, type_url: &str, value: &[u8], &JsonOptions, out)              // error details
//! Selection::parse(&Schema, MessageIndex, fields: &str) -> Result<Selection, FieldError>  // $fields=a,b.c
//! ```

mod text;

pub(crate) use text::escape;
