//! The rules of one type, such as `StringRules`, as a Rust value of the same name in the `validate` module.

use super::{
    literal::{compare_values, rust_literal},
    pattern,
};
use crate::names;
use prost_reflect::{DynamicMessage, EnumDescriptor, Kind, Value};
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
    is_ordered(rules, min, max)?;
    let (min, max) = (read_limit(rules, min), read_limit(rules, max));
    if min.is_none() && max.is_none() {
        return Ok(None);
    }
    Ok(Some(format!(
        "crate::validate::SizeRules {{ min: {min:?}, max: {max:?}, ..crate::validate::SizeRules::{base} }}"
    )))
}

/// The number that a rule is set to; none if it is not set.
fn read_limit(rules: &DynamicMessage, rule: &str) -> Option<u64> {
    if !rules.has_field_by_name(rule) {
        return None;
    }
    rules.get_field_by_name(rule)?.as_u64()
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
    let has_limit = rules.has_field_by_name("min_len") || rules.has_field_by_name("max_len");
    if rules.has_field_by_name("len") && has_limit {
        return Err("`len` says all: leave `min_len` and `max_len` out".into());
    }
    Ok(())
}

fn is_ordered(rules: &DynamicMessage, min: &str, max: &str) -> Result<(), String> {
    match (read_limit(rules, min), read_limit(rules, max)) {
        (Some(low), Some(high)) if low > high => {
            Err(format!("`{min}` is above `{max}`: nothing fits"))
        }
        _ => Ok(()),
    }
}

/// One end of a range.
struct Bound<'a> {
    /// Whether the value itself is outside.
    is_open: bool,
    value: &'a Value,
}

impl<'a> Bound<'a> {
    /// The bound that one of two rules sets, if one does.
    fn find(rules: &'a DynamicMessage, open: &str, closed: &str) -> Option<Self> {
        let mut fields = rules.fields();
        let (field, value) = fields.find(|(field, _)| [open, closed].contains(&field.name()))?;
        Some(Self { is_open: field.name() == open, value })
    }

    /// The bound, or that there is none, as Rust writes it.
    fn write_literal(bound: Option<&Self>) -> Result<String, String> {
        let Some(Self { is_open, value }) = bound else { return Ok("None".to_owned()) };
        let variant = if *is_open { "Open" } else { "Closed" };
        Ok(format!("Some(crate::validate::Bound::{variant}({}))", rust_literal(value)?))
    }
}

/// The bounds of a number or a time. A lower bound above the upper one, which buf.validate reads as «outside of», is
/// refused, because readers do not expect it.
fn range_rule(kind: &str, rules: &DynamicMessage) -> Result<String, String> {
    let (lower, upper) = (Bound::find(rules, "gt", "gte"), Bound::find(rules, "lt", "lte"));
    if let (Some(low), Some(high)) = (&lower, &upper)
        && compare_values(low.value)? >= compare_values(high.value)?
    {
        return Err(format!("the `{kind}` rules leave no range between their bounds"));
    }
    let lower = Bound::write_literal(lower.as_ref())?;
    let upper = Bound::write_literal(upper.as_ref())?;
    Ok(format!("crate::validate::Range {{ lower: {lower}, upper: {upper} }}"))
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
    let (mut equals, mut defined_only) = ("None".to_owned(), false);
    let (mut one_of, mut none_of) = ("&[]".to_owned(), "&[]".to_owned());
    for (field, value) in rules.fields() {
        match field.name() {
            "const" => equals = format!("Some({})", named_number(definition, value)?),
            "defined_only" => defined_only = value.as_bool() == Some(true),
            "in" => one_of = named_numbers(definition, value)?,
            "not_in" => none_of = named_numbers(definition, value)?,
            other => return Err(format!("the rule `enum.{other}` is not implemented")),
        }
    }
    let name = names::enum_path(definition);
    Ok(format!(
        "crate::validate::EnumRules {{ is_defined: {name}::is_valid, \
         defined_only: {defined_only}, equals: {equals}, one_of: {one_of}, none_of: {none_of} }}"
    ))
}

/// A number of an enum with its name, as Rust writes the pair.
fn named_number(definition: &EnumDescriptor, value: &Value) -> Result<String, String> {
    let number = value.as_i32().unwrap_or_default();
    match definition.get_value(number) {
        Some(value) => Ok(format!("({number}, {:?})", value.name())),
        None => Err(format!("{number} is no value of {}", definition.full_name())),
    }
}

fn named_numbers(definition: &EnumDescriptor, value: &Value) -> Result<String, String> {
    let numbers = value.as_list().unwrap_or_default().iter();
    let items: Result<Vec<_>, _> = numbers.map(|it| named_number(definition, it)).collect();
    Ok(format!("&[{}]", items?.join(", ")))
}
