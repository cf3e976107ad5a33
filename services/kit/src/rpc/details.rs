//! Inputs of a vertical: a free-form `Struct` on the public side, a typed message of the contract on the inside.

use crate::rpc::error::Error;
use prost::Message;
use prost_reflect::{DeserializeOptions, DynamicMessage, MessageDescriptor};
use prost_types::{ListValue, Struct, Value, value::Kind};
use proto::validate::{self, Validate};
use serde_json::{Map, Number, Value as Json};

/// Reads `details` as the message `name`, strictly: an unknown or wrong field is an error that names it below
/// `details`, and the contract's own validation applies.
pub fn decode_details<M: Message + Default + Validate>(
    name: &str,
    details: &Struct,
) -> Result<M, Error> {
    let message: M = decode_accepted(name, details)?;
    match validate::violations_of(&message).into_iter().next() {
        None => Ok(message),
        Some(violation) => {
            Err(Error::invalid(format!("details.{}", violation.field), violation.description))
        }
    }
}

/// As [`decode_details`], for details that were accepted before and come back, of an order for example. The contract's
/// validation is not asked again: it may have become stricter since.
pub fn decode_accepted<M: Message + Default>(name: &str, details: &Struct) -> Result<M, Error> {
    let descriptor = proto::descriptor_pool()
        .get_message_by_name(name)
        .ok_or_else(|| Error::internal(format!("no message is called {name}")))?;
    let fields = to_object(details);
    let dynamic = read_detail(&descriptor, fields.clone())
        .map_err(|error| blamed_fields(&descriptor, fields, &error.to_string()))?;
    M::decode(dynamic.encode_to_vec().as_slice()).map_err(Error::internal)
}

fn read_detail(
    descriptor: &MessageDescriptor,
    fields: Map<String, Json>,
) -> Result<DynamicMessage, serde_json::Error> {
    let options = DeserializeOptions::new().deny_unknown_fields(true);
    DynamicMessage::deserialize_with_options(descriptor.clone(), Json::Object(fields), &options)
}

/// The error for `fields` that are not read: each is tried alone, to name the one that is wrong.
fn blamed_fields(
    descriptor: &MessageDescriptor,
    fields: Map<String, Json>,
    problem: &str,
) -> Error {
    for (name, value) in fields {
        let field = format!("details.{name}");
        let known = descriptor.get_field_by_name(&name).is_some()
            || descriptor.get_field_by_json_name(&name).is_some();
        if !known {
            return Error::invalid(field, "is not a field of these details");
        }
        if let Err(error) = read_detail(descriptor, Map::from_iter([(name, value)])) {
            return Error::invalid(field, format!("is wrong: {error}"));
        }
    }
    Error::invalid("details", problem)
}

/// The `Struct` that says what a JSON object says.
pub fn to_struct(object: Map<String, Json>) -> Struct {
    Struct { fields: object.into_iter().map(|(key, value)| (key, to_value(value))).collect() }
}

fn to_value(value: Json) -> Value {
    let kind = match value {
        Json::Null => Kind::NullValue(0),
        Json::Bool(value) => Kind::BoolValue(value),
        Json::Number(value) => Kind::NumberValue(value.as_f64().unwrap_or_default()),
        Json::String(value) => Kind::StringValue(value),
        Json::Array(items) => {
            Kind::ListValue(ListValue { values: items.into_iter().map(to_value).collect() })
        }
        Json::Object(fields) => Kind::StructValue(to_struct(fields)),
    };
    Value { kind: Some(kind) }
}

fn to_object(details: &Struct) -> Map<String, Json> {
    details.fields.iter().map(|(key, value)| (key.clone(), to_json(value))).collect()
}

fn to_json(value: &Value) -> Json {
    match &value.kind {
        None | Some(Kind::NullValue(_)) => Json::Null,
        Some(Kind::BoolValue(value)) => Json::Bool(*value),
        Some(Kind::NumberValue(value)) => Number::from_f64(*value).map_or(Json::Null, Json::Number),
        Some(Kind::StringValue(value)) => Json::String(value.clone()),
        Some(Kind::StructValue(value)) => Json::Object(to_object(value)),
        Some(Kind::ListValue(ListValue { values })) => {
            Json::Array(values.iter().map(to_json).collect())
        }
    }
}
