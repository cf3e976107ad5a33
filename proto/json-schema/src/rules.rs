//! Validation rules (`buf.validate`) as the keywords of JSON Schema.

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, ReflectMessage as _, Value as Field};
use regex::Regex;
use serde_json::{Map, Value, json};

/// The rules of a field, an item or a value.
pub struct Rules {
    required: bool,
    /// Whether what is zero is never checked.
    ignores_zero: bool,
    /// The rules of the type, with the name of their kind: `string`, `int32`, `repeated` …
    typed: Option<(String, DynamicMessage)>,
}

impl Rules {
    /// The rules of a field.
    pub fn of(field: &FieldDescriptor) -> Self {
        Self::read(rules_extension(&field.options(), "buf.validate.field").as_ref())
    }

    fn read(rules: Option<&DynamicMessage>) -> Self {
        let mut read = Self { required: false, ignores_zero: false, typed: None };
        for (field, value) in rules.into_iter().flat_map(DynamicMessage::fields) {
            match (field.name(), value) {
                ("required", value) => read.required = value.as_bool() == Some(true),
                ("ignore", value) => read.ignores_zero = value.as_enum_number() != Some(0),
                (name, Field::Message(typed)) => {
                    read.typed = Some((name.to_owned(), typed.clone()));
                }
                _ => {}
            }
        }
        read
    }

    /// The rules of the items of a list.
    pub fn items(&self) -> Self {
        let items = self.typed.as_ref().and_then(|(_, typed)| typed.get_field_by_name("items"));
        Self::read(items.as_deref().and_then(Field::as_message))
    }

    /// Adds the keywords to a schema of the field's type.
    pub fn apply(&self, schema: &mut Map<String, Value>) {
        let Some((_, typed)) = &self.typed else { return };
        for (field, value) in typed.fields() {
            keyword_of(schema, field.name(), value);
        }
        if self.ignores_zero {
            accept_empty(schema);
        }
    }

    /// Whether a request must have the field: because the rules say so, or because they refuse its zero, which is what
    /// they see when it is absent.
    pub fn demands(&self, field: &FieldDescriptor) -> bool {
        self.required
            || (!field.supports_presence() && !self.ignores_zero && self.refuses_zero(field))
    }

    fn refuses_zero(&self, field: &FieldDescriptor) -> bool {
        let Some((_, typed)) = &self.typed else { return false };
        typed.fields().any(|(rule, value)| match rule.name() {
            "min_len" | "min_items" | "min_pairs" | "len" => {
                value.as_u64().is_some_and(|it| it > 0)
            }
            "uuid" | "uri" | "hostname" | "ip" => value.as_bool() == Some(true),
            "pattern" => value.as_str().is_some_and(|it| !matches_empty(it)),
            "in" => !list_values(value).iter().any(|it| is_zero(it, field)),
            "not_in" => list_values(value).iter().any(|it| is_zero(it, field)),
            "gt" => number_value(value).is_some_and(|it| it >= 0.0),
            "gte" => number_value(value).is_some_and(|it| it > 0.0),
            "lt" => number_value(value).is_some_and(|it| it <= 0.0),
            "lte" => number_value(value).is_some_and(|it| it < 0.0),
            _ => false,
        })
    }

    /// Numbers of an enum that are refused.
    pub fn refused_numbers(&self) -> Vec<i32> {
        self.numbers("not_in")
    }

    /// The only numbers of an enum that are accepted; none for no such limit.
    pub fn accepted_numbers(&self) -> Vec<i32> {
        self.numbers("in")
    }

    fn numbers(&self, rule: &str) -> Vec<i32> {
        let Some(("enum", typed)) = self.typed.as_ref().map(|(name, typed)| (name.as_str(), typed))
        else {
            return Vec::new();
        };
        let value = typed.get_field_by_name(rule);
        let items = value.as_deref().and_then(Field::as_list).unwrap_or_default();
        items.iter().filter_map(Field::as_i32).collect()
    }
}

/// The value of an extension that is a message, when it is set.
fn rules_extension(options: &DynamicMessage, name: &str) -> Option<DynamicMessage> {
    let (_, value) = options.extensions().find(|(extension, _)| extension.full_name() == name)?;
    value.as_message().cloned()
}

fn keyword_of(schema: &mut Map<String, Value>, rule: &str, value: &Field) {
    let on = value.as_bool() == Some(true);
    let (name, value) = match rule {
        "min_len" => ("minLength", plain_value(value)),
        "max_len" => ("maxLength", plain_value(value)),
        "len" => {
            schema.insert("minLength".to_owned(), plain_value(value));
            ("maxLength", plain_value(value))
        }
        "pattern" => ("pattern", plain_value(value)),
        "uuid" if on => ("format", json!("uuid")),
        "uri" if on => ("format", json!("uri")),
        "hostname" if on => ("format", json!("hostname")),
        "gt" => {
            no_sign(schema, value, "^[1-9][0-9]{0,18}$");
            ("exclusiveMinimum", plain_value(value))
        }
        "gte" => {
            no_sign(schema, value, "^(0|[1-9][0-9]{0,18})$");
            ("minimum", plain_value(value))
        }
        "lt" => ("exclusiveMaximum", plain_value(value)),
        "lte" => ("maximum", plain_value(value)),
        "min_items" => ("minItems", plain_value(value)),
        "max_items" => ("maxItems", plain_value(value)),
        "min_pairs" => ("minProperties", plain_value(value)),
        "max_pairs" => ("maxProperties", plain_value(value)),
        "unique" if on => ("uniqueItems", json!(true)),
        "const" => ("const", plain_value(value)),
        // Those of enums are numbers, and the schema names the values.
        "in" if !schema.contains_key("enum") => ("enum", plain_value(value)),
        "not_in" if !schema.contains_key("enum") => ("not", json!({ "enum": plain_value(value) })),
        _ => return,
    };
    schema.insert(name.to_owned(), value);
}

/// Says of a 64-bit integer, which may be a text, that it is not below zero. Keywords for numbers do not look at texts.
fn no_sign(schema: &mut Map<String, Value>, least: &Field, pattern: &str) {
    if least.as_i64() == Some(0) && schema.contains_key("pattern") {
        schema.insert("pattern".to_owned(), json!(pattern));
    }
}

/// Lets a text be empty beside its other rules, because those do not look at an empty one.
fn accept_empty(schema: &mut Map<String, Value>) {
    if schema.get("type").and_then(Value::as_str) != Some("string") {
        return;
    }
    schema.remove("minLength");
    if let Some(Value::String(pattern)) = schema.get_mut("pattern") {
        *pattern = format!("^$|{pattern}");
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum") {
        values.push(json!(""));
    }
    if let Some(format) = schema.remove("format") {
        // Generators of clients want the type in each of the choices.
        schema.remove("type");
        let formatted = json!({ "type": "string", "format": format });
        let empty = json!({ "type": "string", "maxLength": 0 });
        schema.insert("anyOf".to_owned(), json!([formatted, empty]));
    }
}

fn plain_value(value: &Field) -> Value {
    match value {
        Field::Bool(value) => json!(value),
        Field::I32(value) => json!(value),
        Field::I64(value) => json!(value),
        Field::U32(value) => json!(value),
        Field::U64(value) => json!(value),
        Field::F32(value) => json!(value),
        Field::F64(value) => json!(value),
        Field::String(value) => json!(value),
        Field::List(values) => values.iter().map(plain_value).collect(),
        Field::Message(message) => json!(message.descriptor().name()),
        _ => Value::Null,
    }
}

fn list_values(value: &Field) -> &[Field] {
    value.as_list().unwrap_or_default()
}

fn is_zero(value: &Field, field: &FieldDescriptor) -> bool {
    value.is_default(&field.kind())
        || (matches!(field.kind(), Kind::Enum(_)) && value.as_i32() == Some(0))
}

fn number_value(value: &Field) -> Option<f64> {
    plain_value(value).as_f64()
}

fn matches_empty(pattern: &str) -> bool {
    Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(""))
}
