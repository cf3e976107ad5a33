//! The rules of one type, such as `StringRules`, as a Rust value of the same name in the `validate` module.

use super::{
    literal::{compare_values, rust_literal},
    pattern,
};
use crate::names;
use prost_reflect::{DynamicMessage, Kind, Value};
use std::fmt::Write;

/// The code that checks `value`, a reference to a value of `kind`, by the rules called `name` in `FieldRules`.
///
/// # Errors
/// When the rules do not fit the type, contradict each other or are not implemented.
pub fn typed_checks(name: &str, rules: &DynamicMessage, kind: &Kind) -> Result<String, String> {
    let (rust_type, value) = match (name, kind) {
        ("float", Kind::Float) => ("NumberRules<f32>".into(), "*value"),
        ("double", Kind::Double) => ("NumberRules<f64>".into(), "*value"),
        ("int32", Kind::Int32) => ("NumberRules<i32>".into(), "*value"),
        ("int64", Kind::Int64) => ("NumberRules<i64>".into(), "*value"),
        ("uint32", Kind::Uint32) => ("NumberRules<u32>".into(), "*value"),
        ("uint64", Kind::Uint64) => ("NumberRules<u64>".into(), "*value"),
        ("bool", Kind::Bool) => ("BoolRules".into(), "*value"),
        ("string", Kind::String) => ("StringRules".into(), "value"),
        ("bytes", Kind::Bytes) => ("BytesRules".into(), "value"),
        ("enum", Kind::Enum(_)) => ("EnumRules".into(), "*value"),
        ("timestamp" | "duration", Kind::Message(message))
            if message
                .full_name()
                .strip_prefix("google.protobuf.")
                .is_some_and(|of| of.eq_ignore_ascii_case(name)) =>
        {
            (format!("TimeRules<::prost_types::{}>", message.name()), "value")
        }
        (name, kind) => return Err(format!("`{name}` rules do not fit a field of type {kind:?}")),
    };
    let fields = match kind {
        Kind::Enum(_) => enum_rule(rules, kind)?,
        _ => rule_fields(name, rules, &rust_type)?,
    };
    Ok(format!(
        "static RULES: crate::validate::{rust_type} = {fields};\nRULES.check({value}, at);\n"
    ))
}

/// The size of a list or a map, from the names of its rules.
///
/// # Errors
/// When the limits contradict each other.
pub fn size_rules(
    rules: &DynamicMessage,
    [min, max]: [&str; 2],
    base: &str,
) -> Result<Option<String>, String> {
    let read = |name| rules.has_field_by_name(name).then(|| rules.get_field_by_name(name));
    let read = |name| read(name).flatten().and_then(|value| value.as_u64());
    is_ordered(rules, min, max)?;
    Ok((read(min).is_some() || read(max).is_some()).then(|| {
        format!(
            "crate::validate::SizeRules {{ min: {:?}, max: {:?}, ..crate::validate::SizeRules::{base} }}",
            read(min),
            read(max)
        )
    }))
}

fn rule_fields(name: &str, rules: &DynamicMessage, rust_type: &str) -> Result<String, String> {
    let path = rust_type.replacen('<', "::<", 1);
    let mut code = format!("crate::validate::{path} {{ ");
    for (field, value) in rules.fields() {
        code.push_str(&struct_initializer(name, field.name(), value)?);
    }
    find_contradictions(rules)?;
    if matches!(name, "timestamp" | "duration") {
        let _ = write!(code, "kind: {name:?}, range: {} }}", range_rule(name, rules)?);
    } else if path.starts_with("NumberRules") {
        let range = range_rule(name, rules)?;
        let _ = write!(code, "kind: {name:?}, range: {range}, ..crate::validate::{path}::NONE }}");
    } else {
        let _ = write!(code, "..crate::validate::{path}::NONE }}");
    }
    Ok(code)
}

/// The initializer of one field of the Rust rules; empty for what the range of a number says.
fn struct_initializer(name: &str, rule: &str, value: &Value) -> Result<String, String> {
    Ok(match rule {
        "gt" | "gte" | "lt" | "lte" => String::new(),
        "const" => format!("equals: Some({}), ", rust_literal(value)?),
        "in" => format!("one_of: {}, ", rust_literal(value)?),
        "not_in" => format!("none_of: {}, ", rust_literal(value)?),
        "finite" => format!("finite: {}, ", rust_literal(value)?),
        "pattern" => format!("pattern: Some({}), ", pattern_literal(value)?),
        "len" | "min_len" | "max_len" | "min_bytes" | "max_bytes" | "prefix" | "suffix" => {
            format!("{rule}: Some({}), ", rust_literal(value)?)
        }
        "hostname" | "ip" | "ipv4" | "ipv6" | "uri" | "address" | "uuid" | "tuuid" => {
            match value.as_bool() {
                Some(true) => {
                    format!("format: Some(crate::validate::Format::{}), ", names::camel_case(rule))
                }
                _ => return Err(format!("`{name}.{rule}` can only be true")),
            }
        }
        other => return Err(format!("the rule `{name}.{other}` is not implemented")),
    })
}

fn find_contradictions(rules: &DynamicMessage) -> Result<(), String> {
    for (min, max) in [("min_len", "max_len"), ("min_bytes", "max_bytes")] {
        is_ordered(rules, min, max)?;
    }
    let set = |name| rules.has_field_by_name(name);
    if set("len") && (set("min_len") || set("max_len")) {
        return Err("`len` says all: leave `min_len` and `max_len` out".into());
    }
    Ok(())
}

fn is_ordered(rules: &DynamicMessage, min: &str, max: &str) -> Result<(), String> {
    let read = |name| rules.get_field_by_name(name).and_then(|value| value.as_u64());
    if rules.has_field_by_name(min) && rules.has_field_by_name(max) && read(min) > read(max) {
        return Err(format!("`{min}` is above `{max}`: nothing fits"));
    }
    Ok(())
}

/// The bounds of a number or a time. A lower bound above the upper one, which buf.validate reads as «outside of», is
/// refused, because readers do not expect it.
fn range_rule(kind: &str, rules: &DynamicMessage) -> Result<String, String> {
    let bound = |open: &str, closed: &str| {
        let found = rules.fields().find(|(field, _)| [open, closed].contains(&field.name()));
        found.map(|(field, value)| (field.name() == open, value.clone()))
    };
    let (lower, upper) = (bound("gt", "gte"), bound("lt", "lte"));
    if let (Some((_, low)), Some((_, high))) = (&lower, &upper)
        && compare_values(low)? >= compare_values(high)?
    {
        return Err(format!("the `{kind}` rules leave no range between their bounds"));
    }
    let write = |bound: Option<(bool, Value)>| match bound {
        None => Ok("None".to_owned()),
        Some((open, value)) => {
            let end = if open { "Open" } else { "Closed" };
            rust_literal(&value)
                .map(|value| format!("Some(crate::validate::Bound::{end}({value}))"))
        }
    };
    Ok(format!("crate::validate::Range {{ lower: {}, upper: {} }}", write(lower)?, write(upper)?))
}

fn pattern_literal(value: &Value) -> Result<String, String> {
    let shown = value.as_str().unwrap_or_default();
    let source = pattern::translate_pattern(shown)?;
    Ok(format!(
        "{{ static PATTERN: crate::validate::Pattern = \
         crate::validate::Pattern::new({shown:?}, {source:?}); &PATTERN }}"
    ))
}

fn enum_rule(rules: &DynamicMessage, kind: &Kind) -> Result<String, String> {
    let Kind::Enum(definition) = kind else { return Err("not an enum".into()) };
    let named = |value: &Value| {
        let number = value.as_i32().unwrap_or_default();
        let name = definition.get_value(number);
        name.map(|value| format!("({number}, {:?})", value.name()))
            .ok_or_else(|| format!("{number} is no value of {}", definition.full_name()))
    };
    let list = |value: &Value| -> Result<String, String> {
        let items: Result<Vec<_>, _> =
            value.as_list().unwrap_or_default().iter().map(named).collect();
        Ok(format!("&[{}]", items?.join(", ")))
    };
    let (mut equals, mut defined_only) = ("None".to_owned(), false);
    let (mut one_of, mut none_of) = ("&[]".to_owned(), "&[]".to_owned());
    for (field, value) in rules.fields() {
        match field.name() {
            "const" => equals = format!("Some({})", named(value)?),
            "defined_only" => defined_only = value.as_bool() == Some(true),
            "in" => one_of = list(value)?,
            "not_in" => none_of = list(value)?,
            other => return Err(format!("the rule `enum.{other}` is not implemented")),
        }
    }
    let name = names::enum_path(definition);
    Ok(format!(
        "crate::validate::EnumRules {{ is_defined: {name}::is_valid, \
         defined_only: {defined_only}, equals: {equals}, one_of: {one_of}, none_of: {none_of} }}"
    ))
}
