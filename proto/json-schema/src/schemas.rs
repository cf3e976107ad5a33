//! Messages as schemas. A message that is both asked and answered has two: rules hold for what is asked.

use crate::{
    comments::{Comments, split_example},
    free_form,
    rules::Rules,
    text, well_known,
};
use heck::ToUpperCamelCase as _;
use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    /// From a client: rules apply, unknown fields are refused.
    Request,
    /// To a client: fields without presence are always there.
    Response,
}

/// A set of messages as schemas that refer to each other by name.
pub struct Schemas {
    comments: Comments,
    /// What stands before the name in a reference, for example `#/$defs/`.
    base: &'static str,
    messages: BTreeMap<(String, Direction), MessageDescriptor>,
    /// How many messages have this short name.
    names: HashMap<String, usize>,
}

impl Schemas {
    /// The schemas of these messages and of all messages within them.
    pub fn new(
        base: &'static str,
        messages: impl IntoIterator<Item = (MessageDescriptor, Direction)>,
    ) -> Self {
        let comments = Comments::read(proto::descriptor_pool());
        let mut schemas = Self { comments, base, messages: BTreeMap::new(), names: HashMap::new() };
        for (message, direction) in messages {
            schemas.collect(&message, direction);
        }
        let all: BTreeSet<_> = schemas.messages.values().map(|it| it.full_name()).collect();
        let mut names = HashMap::new();
        for full in all {
            *names.entry(short_name(full).to_owned()).or_insert(0) += 1;
        }
        schemas.names = names;
        schemas
    }

    /// The schemas of the messages within this one; of itself only when it contains itself.
    pub fn within(base: &'static str, message: &MessageDescriptor, direction: Direction) -> Self {
        let inner = message.fields().filter_map(|field| message_of(&field));
        Self::new(base, inner.map(|inner| (inner, direction)))
    }

    /// The comments of the contracts.
    pub fn comments(&self) -> &Comments {
        &self.comments
    }

    fn collect(&mut self, message: &MessageDescriptor, direction: Direction) {
        if well_known::well_known_schema(message).is_some() {
            return;
        }
        let key = (message.full_name().to_owned(), direction);
        if self.messages.insert(key, message.clone()).is_some() {
            return;
        }
        for inner in message.fields().filter_map(|field| message_of(&field)) {
            self.collect(&inner, direction);
        }
    }

    /// All schemas, by name.
    pub fn definitions(&self) -> Map<String, Value> {
        let mut definitions = Map::new();
        for ((_, direction), message) in &self.messages {
            let schema = self.message_object(message, *direction);
            definitions.insert(self.name(message, *direction), Value::Object(schema));
        }
        definitions
    }

    /// The schema of a message, written out.
    pub fn message_object(
        &self,
        message: &MessageDescriptor,
        direction: Direction,
    ) -> Map<String, Value> {
        let fields: Vec<_> = message.fields().collect();
        self.object(&fields, direction, self.comments.of_message(message))
    }

    /// The name of a message's schema: its own, after its domain where two have the same one. It has no dots, which
    /// generators of clients take for modules.
    fn name(&self, message: &MessageDescriptor, direction: Direction) -> String {
        let full = message.full_name();
        let mut name = short_name(full).to_owned();
        if self.names.get(&name).is_some_and(|count| *count > 1) {
            let domain = full.split('.').nth(1).unwrap_or_default().to_upper_camel_case();
            name = domain + &name;
        }
        name.retain(|letter| letter != '.');
        let both = self.messages.contains_key(&(full.to_owned(), Direction::Response));
        if direction == Direction::Request && both { name + "Input" } else { name }
    }

    /// An object of these fields.
    pub fn object(
        &self,
        fields: &[FieldDescriptor],
        direction: Direction,
        comment: &str,
    ) -> Map<String, Value> {
        let properties: Map<String, Value> =
            fields.iter().map(|it| (it.name().to_owned(), self.field(it, direction))).collect();
        let required = fields.iter().filter(|field| is_required(field, direction));
        let required: Vec<_> = required.map(FieldDescriptor::name).collect();
        let mut object = object_schema(json!({ "type": "object", "properties": properties }));
        if !comment.is_empty() {
            object.insert("description".to_owned(), json!(comment));
        }
        if !required.is_empty() {
            object.insert("required".to_owned(), json!(required));
        }
        if direction == Direction::Request {
            object.insert("additionalProperties".to_owned(), json!(false));
        }
        object
    }

    /// The schema of a field.
    pub fn field(&self, field: &FieldDescriptor, direction: Direction) -> Value {
        let rules = Rules::of(field);
        let mut schema = if field.is_map() {
            self.map(field, direction)
        } else if field.is_list() {
            let mut items = self.value(&field.kind(), direction, &rules.items());
            if direction == Direction::Request {
                rules.items().apply(&mut items);
                text::limit(&mut items, field, &field.kind());
            }
            object_schema(json!({ "type": "array", "items": items }))
        } else {
            self.value(&field.kind(), direction, &rules)
        };
        if direction == Direction::Request {
            rules.apply(&mut schema);
            text::limit(&mut schema, field, &field.kind());
            self.list_shapes(field, &mut schema);
        }
        let comment = self.comments.of_field(field);
        if let Some(example) = split_example(comment).and_then(|it| fitting_schema(it, &schema)) {
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

    /// Lists the messages that a free-form field of a request may fit, beside any object: verticals come and go.
    fn list_shapes(&self, field: &FieldDescriptor, schema: &mut Map<String, Value>) {
        let Some(option) = free_form::option_of_shapes(field) else { return };
        let messages = self.messages.iter().filter(|((_, way), message)| {
            *way == Direction::Request && free_form::has_option(message, option)
        });
        let mut shapes: Vec<Value> =
            messages.map(|(_, message)| self.message(message, Direction::Request)).collect();
        if !shapes.is_empty() {
            shapes.push(Value::Object(std::mem::take(schema)));
            schema.insert("anyOf".to_owned(), json!(shapes));
        }
    }

    fn map(&self, field: &FieldDescriptor, direction: Direction) -> Map<String, Value> {
        let Kind::Message(entry) = field.kind() else { return Map::new() };
        let value = entry.map_entry_value_field();
        let mut values = self.value(&value.kind(), direction, &Rules::of(&value));
        if direction == Direction::Request {
            text::limit(&mut values, field, &value.kind());
        }
        object_schema(json!({ "type": "object", "additionalProperties": values }))
    }

    /// The schema of one value.
    fn value(&self, kind: &Kind, direction: Direction, rules: &Rules) -> Map<String, Value> {
        let schema = match kind {
            Kind::Message(message) => self.message(message, direction),
            Kind::Enum(values) => self.choice(values, direction, rules),
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
                long_schema("int64", direction, "^(0|-?[1-9][0-9]{0,18})$")
            }
            Kind::Uint64 | Kind::Fixed64 => {
                long_schema("uint64", direction, "^(0|[1-9][0-9]{0,19})$")
            }
        };
        object_schema(schema)
    }

    /// A reference to the schema of a message, or the schema of a well-known type.
    pub fn message(&self, message: &MessageDescriptor, direction: Direction) -> Value {
        well_known::well_known_schema(message).unwrap_or_else(
            || json!({ "$ref": format!("{}{}", self.base, self.name(message, direction)) }),
        )
    }

    fn choice(&self, values: &EnumDescriptor, direction: Direction, rules: &Rules) -> Value {
        let mut values: Vec<_> = values.values().collect();
        if direction == Direction::Request {
            let (refused, accepted) = (rules.refused_numbers(), rules.accepted_numbers());
            values.retain(|value| {
                !refused.contains(&value.number())
                    && (accepted.is_empty() || accepted.contains(&value.number()))
            });
        }
        let names: Vec<_> = values.iter().map(|value| value.name()).collect();
        // In the order of the names, as generators of clients read it.
        let meanings: Vec<_> = values.iter().map(|it| self.comments.of_value(it)).collect();
        json!({ "type": "string", "enum": names, "x-enum-descriptions": meanings })
    }
}

/// Whether a field is always there: demanded of a client, or given to it.
fn is_required(field: &FieldDescriptor, direction: Direction) -> bool {
    match direction {
        Direction::Request => Rules::of(field).demands(field),
        Direction::Response => !field.supports_presence(),
    }
}

/// The message that a field holds: one, some in a list, or the values of a map.
fn message_of(field: &FieldDescriptor) -> Option<MessageDescriptor> {
    match field.kind() {
        Kind::Message(entry) if entry.is_map_entry() => {
            entry.map_entry_value_field().kind().as_message().cloned()
        }
        Kind::Message(message) => Some(message),
        _ => None,
    }
}

/// A 64-bit integer: a text in answers, a text or a number in requests.
fn long_schema(format: &str, direction: Direction, pattern: &str) -> Value {
    match direction {
        Direction::Request => {
            json!({ "type": ["string", "integer"], "format": format, "pattern": pattern })
        }
        Direction::Response => json!({ "type": "string", "format": format, "pattern": pattern }),
    }
}

fn object_schema(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

/// An example as a value of the schema's type, if it is one.
fn fitting_schema(example: &str, schema: &Map<String, Value>) -> Option<Value> {
    match schema.get("type").and_then(Value::as_str)? {
        "string" => Some(json!(example)),
        "integer" | "number" => serde_json::from_str(example).ok().filter(Value::is_number),
        "boolean" => serde_json::from_str(example).ok().filter(Value::is_boolean),
        _ => None,
    }
}

/// The name of a message without its package.
fn short_name(full: &str) -> &str {
    let mut parts = full.splitn(4, '.');
    parts.nth(3).unwrap_or(full)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_messages_share_a_name() {
        let pool = proto::descriptor_pool();
        let messages = pool.all_messages().filter(|it| it.full_name().starts_with("quickserve."));
        let both =
            messages.flat_map(|it| [(it.clone(), Direction::Request), (it, Direction::Response)]);
        let schemas = Schemas::new("#/$defs/", both);
        let definitions = schemas.definitions();
        assert_eq!(definitions.len(), schemas.messages.len());
        assert!(definitions.keys().all(|name| name.chars().all(|it| it.is_ascii_alphanumeric())));
    }
}
