//! The schemas of the well-known types, which ProtoJSON writes in forms of their own.

use prost_reflect::MessageDescriptor;
use serde_json::{Value, json};

/// The schema of a well-known type; `None` for any other message.
pub fn well_known_schema(message: &MessageDescriptor) -> Option<Value> {
    Some(match message.full_name() {
        "google.protobuf.Timestamp" => json!({ "type": "string", "format": "date-time" }),
        "google.protobuf.Duration" => {
            let seconds = "([0-9]{1,11}|[12][0-9]{11})";
            json!({ "type": "string", "pattern": format!(r"^-?{seconds}(\.[0-9]{{1,9}})?s$") })
        }
        "google.protobuf.FieldMask" => {
            let path = r"[A-Za-z0-9]+(\.[A-Za-z0-9]+)*";
            json!({ "type": "string", "pattern": format!(r"^(\*|{path}(,{path})*)?$") })
        }
        // Generators of clients take an object without `additionalProperties` for one that is always empty.
        "google.protobuf.Struct" => json!({ "type": "object", "additionalProperties": true }),
        "google.protobuf.Value" | "google.api.HttpBody" => json!({}),
        "google.protobuf.ListValue" => json!({ "type": "array", "items": {} }),
        "google.protobuf.Any" => json!({
            "type": "object",
            "required": ["@type"],
            "properties": { "@type": { "type": "string" } },
            "additionalProperties": true,
        }),
        "google.protobuf.Empty" => json!({ "type": "object" }),
        "google.protobuf.BoolValue" => json!({ "type": ["boolean", "null"] }),
        "google.protobuf.StringValue" | "google.protobuf.BytesValue" => {
            json!({ "type": ["string", "null"] })
        }
        "google.protobuf.DoubleValue" | "google.protobuf.FloatValue" => {
            json!({ "type": ["number", "null"] })
        }
        "google.protobuf.Int32Value" | "google.protobuf.UInt32Value" => {
            json!({ "type": ["integer", "null"] })
        }
        "google.protobuf.Int64Value" | "google.protobuf.UInt64Value" => {
            json!({ "type": ["string", "null"] })
        }
        _ => return None,
    })
}
