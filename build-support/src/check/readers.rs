//! Who reads what people write about their homes: said for every free text of an order's details, and never of a field
//! that is printed.

use crate::{
    contracts::Contracts,
    problem::Problem,
    rules::literal::{rule_extension, rule_flag},
};
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};
use std::collections::BTreeMap;

const READERS: &str = "quickserve.options.v1.readers";
const DETAILS_OF: &str = "quickserve.options.v1.details_of";

/// Rules of a string that leave it to people what to write.
const FREE: [&str; 11] = [
    "min_len",
    "max_len",
    "len",
    "min_bytes",
    "max_bytes",
    "len_bytes",
    "prefix",
    "suffix",
    "contains",
    "not_contains",
    "not_in",
];

pub fn check_readers(contracts: &Contracts) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut report = |element: (&MessageDescriptor, &[i32]), message: String| {
        let (message_of, path) = element;
        problems.push(contracts.problem(&message_of.parent_file(), path, message));
    };
    let messages = contracts.messages();
    for message in &messages {
        for field in message.fields().filter(|field| readers(field) != 0) {
            if !rule_flag(&field.options(), "debug_redact") {
                let fault = format!("{} has `readers`, so it must be `debug_redact`", field.name());
                report((message, field.path()), fault);
            }
        }
    }
    let mut details: BTreeMap<String, &MessageDescriptor> = BTreeMap::new();
    for message in &messages {
        let Some(vertical) = details_of(message) else { continue };
        if let Some(other) = details.insert(vertical.clone(), message) {
            let fault = format!("{} has the details of `{vertical}` already", other.full_name());
            report((message, message.path()), fault);
        }
        for field in open_texts(message, &mut Vec::new()) {
            let fault = format!("{} is free text of details: say its `readers`", field.name());
            report((field.parent_message(), field.path()), fault);
        }
    }
    problems
}

/// The vertical whose details the message has.
fn details_of(message: &MessageDescriptor) -> Option<String> {
    let options = message.options();
    let (_, value) = options.extensions().find(|(it, _)| it.full_name() == DETAILS_OF)?;
    value.as_str().map(str::to_owned)
}

/// The number of the option; 0 when it is not set.
fn readers(field: &FieldDescriptor) -> i32 {
    let options = field.options();
    let set = options.extensions().find(|(it, _)| it.full_name() == READERS);
    set.and_then(|(_, value)| Value::as_enum_number(value)).unwrap_or_default()
}

/// The fields of a message and of those within it that people write freely and that do not say who reads them.
fn open_texts(message: &MessageDescriptor, above: &mut Vec<String>) -> Vec<FieldDescriptor> {
    let mut found = Vec::new();
    above.push(message.full_name().to_owned());
    for field in message.fields().filter(|field| readers(field) == 0) {
        match field.kind() {
            Kind::Message(inner) if above.iter().any(|name| name == inner.full_name()) => {}
            Kind::Message(inner) => found.extend(open_texts(&inner, above)),
            Kind::String if is_free(&field) => found.push(field),
            _ => {}
        }
    }
    above.pop();
    found
}

/// Whether no rule says what the string, or each of the strings, may be.
fn is_free(field: &FieldDescriptor) -> bool {
    let inner = |rules: Option<DynamicMessage>, name: &str| {
        let rules = rules?;
        let set = rules.has_field_by_name(name).then(|| rules.get_field_by_name(name))??;
        set.as_message().cloned()
    };
    let rules = rule_extension(&field.options(), "buf.validate.field");
    let items = inner(inner(rules.clone(), "repeated"), "items");
    let strings = inner(if field.is_list() { items } else { rules }, "string");
    strings.is_none_or(|rules| rules.fields().all(|(rule, _)| FREE.contains(&rule.name())))
}
