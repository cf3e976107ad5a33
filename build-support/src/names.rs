//! The Rust names that prost gives to protobuf elements: our own generated code refers to them.

use heck::{ToSnakeCase, ToUpperCamelCase};
use prost_reflect::{EnumDescriptor, MessageDescriptor, OneofDescriptor};

/// The name of a field, oneof or module.
pub fn snake_case(name: &str) -> String {
    escape_keyword(name.to_snake_case())
}

/// The name of a type or of a variant.
pub fn camel_case(name: &str) -> String {
    escape_keyword(name.to_upper_camel_case())
}

/// The path of a message from the crate's root.
pub fn message_path(message: &MessageDescriptor) -> String {
    match message.parent_message() {
        Some(parent) => format!("{}::{}", module_path(&parent), camel_case(message.name())),
        None => format!("{}::{}", package_path(message.package_name()), camel_case(message.name())),
    }
}

/// The path of an enum from the crate's root.
pub fn enum_path(item: &EnumDescriptor) -> String {
    match item.parent_message() {
        Some(parent) => format!("{}::{}", module_path(&parent), camel_case(item.name())),
        None => format!("{}::{}", package_path(item.package_name()), camel_case(item.name())),
    }
}

/// The path of the enum that stands for a oneof. It gets a suffix when a nested type has its name.
pub fn oneof_path(oneof: &OneofDescriptor) -> String {
    let parent = oneof.parent_message();
    let name = camel_case(oneof.name());
    let messages = parent.child_messages().map(|child| camel_case(child.name()));
    let enums = parent.child_enums().map(|child| camel_case(child.name()));
    let suffix = if messages.chain(enums).any(|other| other == name) { "OneOf" } else { "" };
    format!("{}::{name}{suffix}", module_path(parent))
}

/// The path of the module that holds what is nested in a message.
fn module_path(message: &MessageDescriptor) -> String {
    match message.parent_message() {
        Some(parent) => format!("{}::{}", module_path(&parent), snake_case(message.name())),
        None => format!("{}::{}", package_path(message.package_name()), snake_case(message.name())),
    }
}

fn package_path(name: &str) -> String {
    name.split('.').fold("crate".to_owned(), |path, part| format!("{path}::{}", snake_case(part)))
}

/// Escapes what Rust reserves, as prost does: raw where the language allows it, with an underscore where it does not.
fn escape_keyword(name: String) -> String {
    const RAW: &[&str] = &[
        "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do",
        "dyn", "else", "enum", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let",
        "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return",
        "static", "struct", "trait", "true", "try", "type", "typeof", "unsafe", "unsized", "use",
        "virtual", "where", "while", "yield",
    ];
    const SUFFIXED: &[&str] = &["_", "super", "self", "Self", "extern", "crate"];
    match name.as_str() {
        word if RAW.contains(&word) => format!("r#{word}"),
        word if SUFFIXED.contains(&word) => format!("{word}_"),
        word if word.starts_with(char::is_numeric) => format!("_{word}"),
        _ => name,
    }
}
