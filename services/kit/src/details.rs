//! Inputs of a vertical: a free-form `Struct` on the public side, a typed message of the contract on the inside.

use crate::error::Error;
use prost::Message;
use prost_reflect::{DescriptorPool, DeserializeOptions, DynamicMessage};
use prost_types::{ListValue, Struct, Value, value::Kind};
use proto::validate::{self, Validate};
use serde_json::{Map, Number, Value as Json};
use std::sync::LazyLock;

static POOL: LazyLock<Option<DescriptorPool>> =
    LazyLock::new(|| DescriptorPool::decode(proto::DESCRIPTORS).ok());

/// Reads `details` as the message `name`, strictly: an unknown or wrong field is an error that names it below
/// `details`, and the contract's own validation applies.
pub fn decode<M: Message + Default + Validate>(name: &str, details: &Struct) -> Result<M, Error> {
    let refused = |problem: &str| Error::invalid("details", problem);
    let descriptor = POOL
        .as_ref()
        .and_then(|pool| pool.get_message_by_name(name))
        .ok_or_else(|| Error::internal(format!("no message is called {name}")))?;
    let json = Json::Object(object(details));
    let options = DeserializeOptions::new().deny_unknown_fields(true);
    let dynamic = DynamicMessage::deserialize_with_options(descriptor, json, &options)
        .map_err(|error| refused(&error.to_string()))?;
    let message = M::decode(dynamic.encode_to_vec().as_slice()).map_err(Error::internal)?;
    match validate::violations(&message).into_iter().next() {
        None => Ok(message),
        Some(violation) => {
            Err(Error::invalid(format!("details.{}", violation.field), violation.description))
        }
    }
}

fn object(details: &Struct) -> Map<String, Json> {
    details.fields.iter().map(|(key, value)| (key.clone(), json(value))).collect()
}

fn json(value: &Value) -> Json {
    match &value.kind {
        None | Some(Kind::NullValue(_)) => Json::Null,
        Some(Kind::BoolValue(value)) => Json::Bool(*value),
        Some(Kind::NumberValue(value)) => Number::from_f64(*value).map_or(Json::Null, Json::Number),
        Some(Kind::StringValue(value)) => Json::String(value.clone()),
        Some(Kind::StructValue(value)) => Json::Object(object(value)),
        Some(Kind::ListValue(ListValue { values })) => {
            Json::Array(values.iter().map(json).collect())
        }
    }
}
