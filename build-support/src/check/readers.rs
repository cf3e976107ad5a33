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
    let messages = contracts.messages();
    for message in &messages {
        for field in message.fields().filter(|field| readers(field) != 0) {
            if !rule_flag(&field.options(), "debug_redact") {
                let fault = "has `readers`, so it must be `debug_redact`";
                problems.push(fault_of_field(contracts, &field, fault));
            }
        }
    }
    let mut details: BTreeMap<String, &MessageDescriptor> = BTreeMap::new();
    for message in &messages {
        let Some(vertical) = details_of(message) else { continue };
        if let Some(other) = details.insert(vertical.clone(), message) {
            let fault = format!("{} has the details of `{vertical}` already", other.full_name());
            problems.push(contracts.problem(&message.parent_file(), message.path(), fault));
        }
        for field in open_texts(message, &mut Vec::new()) {
            let fault = "is free text of details: say its `readers`";
            problems.push(fault_of_field(contracts, &field, fault));
        }
    }
    problems
}

/// `fault` goes on after the name of the field: "has no comment".
fn fault_of_field(contracts: &Contracts, field: &FieldDescriptor, fault: &str) -> Problem {
    let file = field.parent_message().parent_file();
    contracts.problem(&file, field.path(), format!("{} {fault}", field.name()))
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
    match string_rules(field) {
        Some(rules) => rules.fields().all(|(rule, _)| FREE.contains(&rule.name())),
        None => true,
    }
}

/// The rules of the string, or of each string of a list.
fn string_rules(field: &FieldDescriptor) -> Option<DynamicMessage> {
    let mut rules = rule_extension(&field.options(), "buf.validate.field")?;
    if field.is_list() {
        rules = rules_within(&rules, "repeated")?;
        rules = rules_within(&rules, "items")?;
    }
    rules_within(&rules, "string")
}

fn rules_within(rules: &DynamicMessage, name: &str) -> Option<DynamicMessage> {
    if !rules.has_field_by_name(name) {
        return None;
    }
    rules.get_field_by_name(name)?.as_message().cloned()
}
