//! Messages as schemas. A message that is both asked and answered has two: rules hold for what is asked.

use super::{
    contracts::{Contracts, example},
    rules::Rules,
};
use crate::rpc_table::is_reachable;
use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Way {
    /// From a client.
    In,
    /// To a client.
    Out,
}

/// The schemas of all messages that clients meet.
pub struct Schemas<'a> {
    contracts: &'a Contracts,
    messages: BTreeMap<(String, Way), MessageDescriptor>,
    /// How many messages have this short name.
    names: HashMap<String, usize>,
}

impl<'a> Schemas<'a> {
    /// Collects the messages.
    pub fn new(contracts: &'a Contracts) -> Self {
        let mut schemas = Self { contracts, messages: BTreeMap::new(), names: HashMap::new() };
        let public = proto::rpcs().iter().filter(|rpc| is_reachable(rpc) && !rpc.routes.is_empty());
        for method in public.filter_map(|rpc| contracts.method(rpc.service, rpc.method)) {
            schemas.collect(&method.input(), Way::In);
            schemas.collect(&method.output(), Way::Out);
        }
        let all: BTreeSet<_> = schemas.messages.values().map(|it| it.full_name()).collect();
        let mut names = HashMap::new();
        for full in all {
            *names.entry(short(full).to_owned()).or_insert(0) += 1;
        }
        schemas.names = names;
        schemas
    }

    fn collect(&mut self, message: &MessageDescriptor, way: Way) {
        if well_known(message).is_some() {
            return;
        }
        let key = (message.full_name().to_owned(), way);
        if self.messages.insert(key, message.clone()).is_some() {
            return;
        }
        for field in message.fields() {
            match field.kind() {
                Kind::Message(entry) if entry.is_map_entry() => {
                    if let Kind::Message(value) = entry.map_entry_value_field().kind() {
                        self.collect(&value, way);
                    }
                }
                Kind::Message(inner) => self.collect(&inner, way),
                _ => {}
            }
        }
    }

    /// All schemas, by name.
    pub fn components(&self) -> Map<String, Value> {
        let component = |((_, way), message): (&(String, Way), &MessageDescriptor)| {
            let fields: Vec<_> = message.fields().collect();
            let comment = self.contracts.message_comment(message);
            (self.name(message, *way), self.object(&fields, *way, &comment))
        };
        self.messages.iter().map(component).collect()
    }

    /// The name of a message's schema: its own, with its domain where two have the same one.
    fn name(&self, message: &MessageDescriptor, way: Way) -> String {
        let full = message.full_name();
        let mut name = short(full).to_owned();
        if self.names.get(&name).is_some_and(|count| *count > 1) {
            name = format!("{}.{name}", full.split('.').nth(1).unwrap_or_default());
        }
        let both = self.messages.contains_key(&(full.to_owned(), Way::Out));
        if way == Way::In && both { name + "Input" } else { name }
    }

    /// An object of these fields.
    pub fn object(&self, fields: &[FieldDescriptor], way: Way, comment: &str) -> Value {
        let properties: Map<String, Value> =
            fields.iter().map(|it| (it.name().to_owned(), self.field(it, way))).collect();
        let is_there = |field: &&FieldDescriptor| match way {
            Way::In => Rules::of(field).demands(field),
            Way::Out => !field.supports_presence(),
        };
        let required: Vec<_> = fields.iter().filter(is_there).map(FieldDescriptor::name).collect();
        let mut object = json!({ "type": "object", "properties": properties });
        if let Some(object) = object.as_object_mut() {
            if !comment.is_empty() {
                object.insert("description".to_owned(), json!(comment));
            }
            if !required.is_empty() {
                object.insert("required".to_owned(), json!(required));
            }
            if way == Way::In {
                object.insert("additionalProperties".to_owned(), json!(false));
            }
        }
        object
    }

    /// The schema of a field.
    pub fn field(&self, field: &FieldDescriptor, way: Way) -> Value {
        let rules = Rules::of(field);
        let mut schema = if field.is_map() {
            self.map(field, way)
        } else if field.is_list() {
            let mut items = self.value(&field.kind(), way, &rules.items());
            if way == Way::In {
                rules.items().apply(&mut items);
            }
            object(json!({ "type": "array", "items": items }))
        } else {
            self.value(&field.kind(), way, &rules)
        };
        if way == Way::In {
            rules.apply(&mut schema);
        }
        let comment = self.contracts.field_comment(field);
        if let Some(example) = example(&comment).and_then(|it| fitting(it, &schema)) {
            schema.insert("examples".to_owned(), json!([example]));
        }
        if !comment.is_empty() {
            schema.insert("description".to_owned(), json!(comment));
        }
        if field.field_descriptor_proto().options.as_ref().is_some_and(|it| it.deprecated()) {
            schema.insert("deprecated".to_owned(), json!(true));
        }
        Value::Object(schema)
    }

    fn map(&self, field: &FieldDescriptor, way: Way) -> Map<String, Value> {
        let Kind::Message(entry) = field.kind() else { return Map::new() };
        let value = entry.map_entry_value_field();
        let values = self.value(&value.kind(), way, &Rules::of(&value));
        object(json!({ "type": "object", "additionalProperties": values }))
    }

    /// The schema of one value.
    fn value(&self, kind: &Kind, way: Way, rules: &Rules) -> Map<String, Value> {
        let schema = match kind {
            Kind::Message(message) => self.message(message, way),
            Kind::Enum(values) => self.choice(values, way, rules),
            Kind::Bool => json!({ "type": "boolean" }),
            Kind::String => json!({ "type": "string" }),
            Kind::Bytes => json!({ "type": "string", "contentEncoding": "base64" }),
            Kind::Double => json!({ "type": "number", "format": "double" }),
            Kind::Float => json!({ "type": "number", "format": "float" }),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => json!({
                "type": "integer", "format": "int32", "minimum": i32::MIN, "maximum": i32::MAX,
            }),
            Kind::Uint32 | Kind::Fixed32 => json!({
                "type": "integer", "format": "int64", "minimum": 0, "maximum": u32::MAX,
            }),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => {
                long("int64", way, "^(0|-?[1-9][0-9]{0,18})$")
            }
            Kind::Uint64 | Kind::Fixed64 => long("uint64", way, "^(0|[1-9][0-9]{0,19})$"),
        };
        object(schema)
    }

    /// A reference to the schema of a message, or the schema of a well-known type.
    pub fn message(&self, message: &MessageDescriptor, way: Way) -> Value {
        well_known(message).unwrap_or_else(
            || json!({ "$ref": format!("#/components/schemas/{}", self.name(message, way)) }),
        )
    }

    fn choice(&self, values: &EnumDescriptor, way: Way, rules: &Rules) -> Value {
        let (refused, accepted) = (rules.refused_numbers(), rules.accepted_numbers());
        let is_open = |number: i32| {
            way == Way::Out
                || (!refused.contains(&number)
                    && (accepted.is_empty() || accepted.contains(&number)))
        };
        let values: Vec<_> = values.values().filter(|value| is_open(value.number())).collect();
        let names: Vec<_> = values.iter().map(|value| value.name()).collect();
        let meaning = |value: &prost_reflect::EnumValueDescriptor| {
            (value.name().to_owned(), json!(self.contracts.value_comment(value)))
        };
        let meanings: Map<String, Value> = values.iter().map(meaning).collect();
        json!({ "type": "string", "enum": names, "x-enum-descriptions": meanings })
    }
}

/// A 64-bit integer: a text in answers, a text or a number in requests.
fn long(format: &str, way: Way, pattern: &str) -> Value {
    match way {
        Way::In => json!({ "type": ["string", "integer"], "format": format, "pattern": pattern }),
        Way::Out => json!({ "type": "string", "format": format, "pattern": pattern }),
    }
}

/// The schemas that ProtoJSON gives the well-known types.
fn well_known(message: &MessageDescriptor) -> Option<Value> {
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
        "google.protobuf.Struct" => json!({ "type": "object" }),
        "google.protobuf.Value" => json!({}),
        "google.protobuf.ListValue" => json!({ "type": "array" }),
        "google.protobuf.Any" => json!({
            "type": "object",
            "required": ["@type"],
            "properties": { "@type": { "type": "string" } },
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
        "google.api.HttpBody" => json!({}),
        _ => return None,
    })
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

/// An example as a value of the schema's type, if it is one.
fn fitting(example: &str, schema: &Map<String, Value>) -> Option<Value> {
    match schema.get("type").and_then(Value::as_str)? {
        "string" => Some(json!(example)),
        "integer" | "number" => serde_json::from_str(example).ok().filter(Value::is_number),
        "boolean" => serde_json::from_str(example).ok().filter(Value::is_boolean),
        _ => None,
    }
}

/// The name of a message without its package.
fn short(full: &str) -> &str {
    let mut parts = full.splitn(4, '.');
    parts.nth(3).unwrap_or(full)
}
