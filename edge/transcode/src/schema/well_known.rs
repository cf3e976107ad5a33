//! Recognises the types with a ProtoJSON form of their own, by name and by shape.

use super::table::Cardinality::{self, Map, Repeated, Singular};
use super::table::{Kind, Message, WellKnown};

/// What `message` is. A type with the right name and other fields is an ordinary message, so that
/// the codec may rely on the field numbers.
pub(super) fn well_known_of(message: &Message) -> WellKnown {
    let Some(name) = message.full_name.strip_prefix("google.protobuf.") else {
        return WellKnown::None;
    };
    let (first, second) = (type_of(message, 1), type_of(message, 2));
    let is_time = first == Some((Kind::Int64, Singular)) && second == Some((Kind::Int32, Singular));
    let (found, fits) = match name {
        "Any" => (
            WellKnown::Any,
            first == Some((Kind::String, Singular)) && second == Some((Kind::Bytes, Singular)),
        ),
        "Timestamp" => (WellKnown::Timestamp, is_time),
        "Duration" => (WellKnown::Duration, is_time),
        "FieldMask" => (WellKnown::FieldMask, first == Some((Kind::String, Repeated))),
        "Struct" => (WellKnown::Struct, matches!(first, Some((Kind::Message(_), Map)))),
        "ListValue" => (WellKnown::ListValue, matches!(first, Some((Kind::Message(_), Repeated)))),
        "Value" => (WellKnown::Value, is_value(message)),
        _ if name.ends_with("Value") => {
            let only = message.fields.len() == 1 && matches!(first, Some((_, Singular)));
            (WellKnown::Wrapper, only)
        }
        _ => (WellKnown::None, true),
    };
    if fits { found } else { WellKnown::None }
}

fn type_of(message: &Message, number: u32) -> Option<(Kind, Cardinality)> {
    message.field_by_number(number).map(|field| (field.kind, field.cardinality))
}

fn is_value(message: &Message) -> bool {
    let kinds = [1, 2, 3, 4, 5, 6].map(|number| type_of(message, number).map(|(kind, _)| kind));
    matches!(
        kinds,
        [
            Some(Kind::Enum(_)),
            Some(Kind::Double),
            Some(Kind::String),
            Some(Kind::Bool),
            Some(Kind::Message(_)),
            Some(Kind::Message(_)),
        ]
    )
}
