//! ProtoJSON, in and out.
//!
//! [`read`] writes wire bytes while it scans the text: lengths get one byte, which is widened when
//! a message turns out longer. [`mod@write`] prints records as they come, and puts those messages in
//! order first whose fields are not. Neither builds a message.

mod read;
mod scan;
mod text;
mod write;

pub use read::{json_field_to_wire, json_paths, json_to_wire};
pub(crate) use scan::number_len;
pub(crate) use text::escape_json;
pub use write::{Selection, any_to_json, wire_field_to_json, wire_to_json};
