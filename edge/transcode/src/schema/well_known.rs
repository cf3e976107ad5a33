//! Recognises the types with a ProtoJSON form of their own, by name and by shape.

use super::table::{Cardinality, Kind, Message, WellKnown};

/// What `message` is. A type with the right name and other fields is an ordinary message, so that
/// the codec may rely on the field numbers.
pub(super) fn well_known_of(message: &Message) -> WellKnown {
    let Some(name) = message.full_name.strip_prefix("google.protobuf.") else {
        return WellKnown::None;
    };
    let has = |number, test: fn(Kind) -> bool, cardinality| {
        let field = message.field_by_number(number);
        field.is_some_and(|f| test(f.kind) && f.cardinality == cardinality)
    };
    let time = || {
        has(1, |k| k == Kind::Int64, Cardinality::Singular)
            && has(2, |k| k == Kind::Int32, Cardinality::Singular)
    };
    let message_kind = |k: Kind| matches!(k, Kind::Message(_));
    let (found, fits) = match name {
        "Any" => (
            WellKnown::Any,
            has(1, |k| k == Kind::String, Cardinality::Singular)
                && has(2, |k| k == Kind::Bytes, Cardinality::Singular),
        ),
        "Timestamp" => (WellKnown::Timestamp, time()),
        "Duration" => (WellKnown::Duration, time()),
        "FieldMask" => (WellKnown::FieldMask, has(1, |k| k == Kind::String, Cardinality::Repeated)),
        "Struct" => (WellKnown::Struct, has(1, message_kind, Cardinality::Map)),
        "ListValue" => (WellKnown::ListValue, has(1, message_kind, Cardinality::Repeated)),
        "Value" => (WellKnown::Value, is_value(message)),
        _ if name.ends_with("Value") => {
            let one = message.fields.len() == 1 && has(1, |_| true, Cardinality::Singular);
            (WellKnown::Wrapper, one)
        }
        _ => (WellKnown::None, true),
    };
    if fits { found } else { WellKnown::None }
}

fn is_value(message: &Message) -> bool {
    let kind = |number| message.field_by_number(number).map(|f| f.kind);
    matches!(
        (kind(1), kind(2), kind(3), kind(4), kind(5), kind(6)),
        (
            Some(Kind::Enum(_)),
            Some(Kind::Double),
            Some(Kind::String),
            Some(Kind::Bool),
            Some(Kind::Message(_)),
            Some(Kind::Message(_)),
        )
    )
}
