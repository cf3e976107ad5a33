//! ProtoJSON, in and out.

mod read;
mod scan;
mod text;
mod write;

pub use read::{json_field_to_wire, json_paths, json_to_wire};
pub(crate) use scan::number_len;
pub(crate) use text::escape;
pub use write::{Selection, any_to_json, wire_field_to_json, wire_to_json};
