//! The JSON Schema of a message, derived from the contracts: names, types, limits and comments.

use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, ReflectMessage, Value,
};
use prost_types::Struct;
use serde_json::{Map, Value as Json, json};
use std::sync::LazyLock;

static POOL: LazyLock<Option<DescriptorPool>> =
    LazyLock::new(|| DescriptorPool::decode(proto::DESCRIPTORS).ok());

/// How deep messages within messages are described.
const DEPTH_MOST: usize = 8;

/// The schema of the message with this full name, if the contracts have it.
pub fn of_message(name: &str) -> Option<Struct> {
    let message = POOL.as_ref()?.get_message_by_name(name)?;
    let mut schema = object(&message, DEPTH_MOST);
    let draft = "https://json-schema.org/draft/2020-12/schema";
    schema.insert("$schema".to_owned(), json!(draft));
    schema.insert("title".to_owned(), json!(message.name()));
    Some(structure(schema))
}

fn object(message: &MessageDescriptor, depth: usize) -> Map<String, Json> {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for field in message.fields() {
        let rules = rules(&field);
        if flag(rules.as_ref(), "required") {
            required.push(json!(field.name()));
        }
        properties.insert(field.name().to_owned(), Json::Object(property(&field, rules, depth)));
    }
    let mut schema = Map::new();
    schema.insert("type".to_owned(), json!("object"));
    describe(&mut schema, &comment(message.parent_file().file_descriptor_proto(), message.path()));
    schema.insert("properties".to_owned(), Json::Object(properties));
    if !required.is_empty() {
        schema.insert("required".to_owned(), Json::Array(required));
    }
    schema.insert("additionalProperties".to_owned(), json!(false));
    schema
}

fn property(
    field: &FieldDescriptor,
    rules: Option<DynamicMessage>,
    depth: usize,
) -> Map<String, Json> {
    let repeated = rules.as_ref().and_then(|rules| message_of(rules, "repeated"));
    let items = repeated.as_ref().and_then(|rules| message_of(rules, "items"));
    let mut schema = if field.is_list() {
        let mut schema = Map::new();
        schema.insert("type".to_owned(), json!("array"));
        schema.insert("items".to_owned(), Json::Object(value(field, items.as_ref(), depth)));
        let sizes =
            [("min_items", "minItems"), ("max_items", "maxItems"), ("unique", "uniqueItems")];
        copy(&mut schema, repeated.as_ref(), &sizes);
        schema
    } else if field.is_map() {
        Map::from_iter([("type".to_owned(), json!("object"))])
    } else {
        value(field, rules.as_ref(), depth)
    };
    let file = field.parent_message().parent_file();
    describe(&mut schema, &comment(file.file_descriptor_proto(), field.path()));
    schema
}

/// A single value, as ProtoJSON writes it.
fn value(
    field: &FieldDescriptor,
    rules: Option<&DynamicMessage>,
    depth: usize,
) -> Map<String, Json> {
    let typed = |name: &str| Map::from_iter([("type".to_owned(), json!(name))]);
    let number = |name: &str, rule: &str| {
        let mut schema = typed(name);
        let limits = [
            ("gte", "minimum"),
            ("lte", "maximum"),
            ("gt", "exclusiveMinimum"),
            ("lt", "exclusiveMaximum"),
        ];
        copy(&mut schema, rules.and_then(|rules| message_of(rules, rule)).as_ref(), &limits);
        schema
    };
    match field.kind() {
        Kind::Double => number("number", "double"),
        Kind::Float => number("number", "float"),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => number("integer", "int32"),
        Kind::Uint32 | Kind::Fixed32 => number("integer", "uint32"),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => number("integer", "int64"),
        Kind::Uint64 | Kind::Fixed64 => number("integer", "uint64"),
        Kind::Bool => typed("boolean"),
        Kind::Bytes => typed("string"),
        Kind::String => {
            let mut schema = typed("string");
            let limits = [
                ("min_len", "minLength"),
                ("max_len", "maxLength"),
                ("pattern", "pattern"),
                ("in", "enum"),
            ];
            copy(&mut schema, rules.and_then(|it| message_of(it, "string")).as_ref(), &limits);
            schema
        }
        Kind::Enum(items) => {
            let names = items.values().filter(|item| item.number() != 0);
            let names: Vec<Json> = names.map(|item| json!(item.name())).collect();
            Map::from_iter([
                ("type".to_owned(), json!("string")),
                ("enum".to_owned(), json!(names)),
            ])
        }
        Kind::Message(message) => match message.full_name() {
            "google.protobuf.Timestamp" => Map::from_iter([
                ("type".to_owned(), json!("string")),
                ("format".to_owned(), json!("date-time")),
            ]),
            "google.protobuf.Duration" => typed("string"),
            _ if depth == 0 => typed("object"),
            _ => object(&message, depth - 1),
        },
    }
}

/// The field's `buf.validate` rules.
fn rules(field: &FieldDescriptor) -> Option<DynamicMessage> {
    let options = field.options();
    let (_, rules) = options.extensions().find(|(it, _)| it.full_name() == "buf.validate.field")?;
    rules.as_message().cloned()
}

fn message_of(rules: &DynamicMessage, name: &str) -> Option<DynamicMessage> {
    if !rules.has_field_by_name(name) {
        return None;
    }
    rules.get_field_by_name(name)?.as_message().cloned()
}

fn flag(rules: Option<&DynamicMessage>, name: &str) -> bool {
    let value = rules.and_then(|rules| rules.get_field_by_name(name));
    value.is_some_and(|value| value.as_bool() == Some(true))
}

/// Copies the limits that are set, each under JSON Schema's name for it.
fn copy(schema: &mut Map<String, Json>, rules: Option<&DynamicMessage>, names: &[(&str, &str)]) {
    let Some(rules) = rules else { return };
    for (rule, keyword) in names {
        if rules.descriptor().get_field_by_name(rule).is_some() && rules.has_field_by_name(rule) {
            let value = rules.get_field_by_name(rule).as_deref().and_then(literal);
            if let Some(value) = value {
                schema.insert((*keyword).to_owned(), value);
            }
        }
    }
}

fn literal(value: &Value) -> Option<Json> {
    Some(match value {
        Value::Bool(it) => json!(it),
        Value::I32(it) => json!(it),
        Value::I64(it) => json!(it),
        Value::U32(it) => json!(it),
        Value::U64(it) => json!(it),
        Value::F32(it) => json!(it),
        Value::F64(it) => json!(it),
        Value::String(it) => json!(it),
        Value::List(items) => Json::Array(items.iter().filter_map(literal).collect()),
        _ => return None,
    })
}

fn describe(schema: &mut Map<String, Json>, text: &str) {
    if !text.is_empty() {
        schema.insert("description".to_owned(), json!(text));
    }
}

/// The comment above an element of a contract.
fn comment(file: &prost_reflect::prost_types::FileDescriptorProto, path: &[i32]) -> String {
    let locations = file.source_code_info.iter().flat_map(|info| &info.location);
    let found = locations.into_iter().find(|location| location.path == path);
    let text = found.map(|location| location.leading_comments()).unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn structure(object: Map<String, Json>) -> Struct {
    Struct { fields: object.into_iter().map(|(key, value)| (key, wire(value))).collect() }
}

fn wire(value: Json) -> prost_types::Value {
    use prost_types::value::Kind as Wire;
    let kind = match value {
        Json::Null => Wire::NullValue(0),
        Json::Bool(it) => Wire::BoolValue(it),
        Json::Number(it) => Wire::NumberValue(it.as_f64().unwrap_or_default()),
        Json::String(it) => Wire::StringValue(it),
        Json::Array(items) => {
            let values = items.into_iter().map(wire).collect();
            Wire::ListValue(prost_types::ListValue { values })
        }
        Json::Object(it) => Wire::StructValue(structure(it)),
    };
    prost_types::Value { kind: Some(kind) }
}
