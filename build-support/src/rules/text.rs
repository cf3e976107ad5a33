//! Which characters the texts of a field may have: the option `(quickserve.options.v1.text)`.

use prost_reflect::{FieldDescriptor, Kind, Value};

/// Google's types that contain texts and have no other rules.
pub const CONTAINERS: [&str; 5] = [
    "google.protobuf.Any",
    "google.protobuf.FieldMask",
    "google.protobuf.ListValue",
    "google.protobuf.Struct",
    "google.protobuf.Value",
];

/// Whether the field is a string, or a list or map that contains some.
pub fn is_text(field: &FieldDescriptor) -> bool {
    match field.kind() {
        Kind::Message(entry) if entry.is_map_entry() => {
            is_string(&entry.map_entry_key_field().kind())
                || is_string(&entry.map_entry_value_field().kind())
        }
        kind => is_string(&kind),
    }
}

/// Whether prost has a `String` for a value of this kind.
pub fn is_string(kind: &Kind) -> bool {
    match kind {
        Kind::Message(message) => message.full_name() == "google.protobuf.StringValue",
        kind => *kind == Kind::String,
    }
}

/// The name that the option has in Rust, for the texts of the field.
///
/// # Errors
/// When the option is set to what it does not know, or on a field without texts.
pub fn variant(field: &FieldDescriptor) -> Result<&'static str, String> {
    let options = field.options();
    let set = options.extensions().find(|(it, _)| it.full_name() == "quickserve.options.v1.text");
    if set.is_some() && !is_text(field) {
        return Err("`text` says something of strings only".into());
    }
    match set.and_then(|(_, value)| Value::as_enum_number(value)) {
        None | Some(0) => Ok("Unspecified"),
        Some(1) => Ok("Lines"),
        Some(2) => Ok("Name"),
        Some(other) => Err(format!("`text` {other} is not implemented")),
    }
}
