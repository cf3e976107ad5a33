//! The checks of one field: presence first, then the rules of its type, then of what it contains.

use super::{
    literal::{rule_extension, rule_flag},
    text, typed,
};
use crate::names;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind};
use std::{collections::HashSet, fmt::Write};

/// Field names of the messages that have rules.
type Checked = HashSet<String>;

/// What the checks of a field depend on besides its own rules.
#[derive(Clone, Copy)]
struct Context<'a> {
    checked: &'a Checked,
    /// Which characters texts may have, as a variant of `Text`; none where that is not checked.
    text: Option<&'static str>,
}

/// When the rules of a field do not apply.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ignore {
    Never,
    IfZero,
    Always,
}

/// The rules of a field, an item, a key or a value.
struct Rules {
    required: bool,
    ignore: Ignore,
    typed: Option<(String, DynamicMessage)>,
}

/// Whether a field carries any rule.
pub fn has_rules(field: &FieldDescriptor) -> bool {
    rule_extension(&field.options(), "buf.validate.field").is_some()
}

/// The code that checks the field of `self`; empty when there is nothing to check.
///
/// # Errors
/// When a rule is not implemented or does not fit the field.
pub fn field_checks(
    checked: &Checked,
    checks_texts: bool,
    field: &FieldDescriptor,
) -> Result<String, String> {
    let mut rules = Rules::read(rule_extension(&field.options(), "buf.validate.field"))?;
    let text = Some(text::variant(field)?).filter(|_| checks_texts);
    let mut context = Context { checked, text };
    let nothing = Checked::new();
    if rules.ignore == Ignore::Always {
        // It turns the rules of buf.validate off, and those alone.
        rules = Rules::read(None)?;
        context.checked = &nothing;
    }
    let inner = if field.is_map() {
        map_check(context, field, &rules)?
    } else if field.is_list() {
        list_check(context, field, &rules)?
    } else {
        value_check(context, &field.kind(), &rules)?
    };
    if inner.is_empty() && !rules.required {
        return Ok(String::new());
    }
    let body = if field.supports_presence() {
        with_presence(field, &rules, &inner)
    } else {
        without_presence(field, &rules, &inner)
    };
    Ok(format!("{{ at.field({:?});\n{body}at.leave(); }}\n", field.name()))
}

/// A field with presence: its rules apply when it is set, be it to zero. `IGNORE_IF_ZERO_VALUE` changes nothing here.
fn with_presence(field: &FieldDescriptor, rules: &Rules, inner: &str) -> String {
    let name = names::snake_case(field.name());
    let (place, set) = match field.containing_oneof().filter(|oneof| !oneof.is_synthetic()) {
        Some(oneof) => {
            let variant = names::camel_case(field.name());
            let set = format!(
                "::core::option::Option::Some({}::{variant}(value))",
                names::oneof_path(&oneof)
            );
            (names::snake_case(oneof.name()), set)
        }
        None => (name, "::core::option::Option::Some(value)".to_owned()),
    };
    let otherwise = if rules.required { "at.missing();" } else { "" };
    format!("match &self.{place} {{ {set} => {{ {inner} }} _ => {{ {otherwise} }} }}\n")
}

/// A field without presence: its rules always apply, and `required` refuses what the wire leaves out.
fn without_presence(field: &FieldDescriptor, rules: &Rules, inner: &str) -> String {
    let name = names::snake_case(field.name());
    let zero = if field.is_list() || field.is_map() {
        Some("value.is_empty()")
    } else {
        zero_value(&field.kind())
    };
    let body = match zero {
        Some(zero) if rules.required => {
            format!("if {zero} {{ at.missing(); }} else {{ {inner} }}")
        }
        Some(zero) if rules.ignore == Ignore::IfZero => format!("if !({zero}) {{ {inner} }}"),
        _ => inner.to_owned(),
    };
    format!("let value = &self.{name};\n{body}\n")
}

/// The checks of one value behind the reference `value`.
fn value_check(context: Context<'_>, kind: &Kind, rules: &Rules) -> Result<String, String> {
    let ignored = rules.ignore == Ignore::Always;
    let mut code = String::new();
    if let Kind::Message(message) = kind
        && context.checks(message.full_name(), ignored)
    {
        code.push_str("at.message(value);\n");
    }
    if let Some((name, typed)) = &rules.typed
        && !ignored
    {
        code.push_str(&typed::typed_checks(name, typed, kind)?);
    }
    match context.text.filter(|_| text::is_string(kind)) {
        // A text with wrong characters breaks one rule, not all that it cannot fit.
        Some(text) => {
            Ok(format!("if at.text(value, crate::validate::Text::{text}) {{\n{code}}}\n"))
        }
        None => Ok(code),
    }
}

impl Context<'_> {
    /// Whether something of a message with this name is checked, when its own rules are `ignored` or not.
    fn checks(self, message: &str, ignored: bool) -> bool {
        if text::CONTAINERS.contains(&message) {
            self.text.is_some()
        } else {
            !ignored && self.checked.contains(message)
        }
    }
}

fn list_check(
    context: Context<'_>,
    field: &FieldDescriptor,
    rules: &Rules,
) -> Result<String, String> {
    let typed = rules.collection("repeated")?;
    let mut code = String::new();
    let mut items = Rules::read(None)?;
    if let Some(typed) = typed {
        if let Some(size) = typed::size_rules(typed, ["min_items", "max_items"], "LIST")? {
            let _ = writeln!(code, "({size}).check(value.len(), at);");
        }
        if rule_flag(typed, "unique") {
            if matches!(field.kind(), Kind::Float | Kind::Double | Kind::Message(_)) {
                return Err("`repeated.unique` needs items that are equal or not".into());
            }
            code.push_str("at.unique(value);\n");
        }
        items = Rules::nested(typed, "items")?;
    }
    let check = value_check(context, &field.kind(), &items)?;
    if !check.is_empty() {
        let check = unless_zero(&field.kind(), &items, &check);
        let _ = writeln!(code, "at.items(value, |value, at| {{ {check} }});");
    }
    Ok(code)
}

fn map_check(
    context: Context<'_>,
    field: &FieldDescriptor,
    rules: &Rules,
) -> Result<String, String> {
    let typed = rules.collection("map")?;
    let Kind::Message(entry) = field.kind() else { return Err("not a map".into()) };
    let mut code = String::new();
    let (mut keys, mut values) = (Rules::read(None)?, Rules::read(None)?);
    if let Some(typed) = typed {
        if let Some(size) = typed::size_rules(typed, ["min_pairs", "max_pairs"], "MAP")? {
            let _ = writeln!(code, "({size}).check(value.len(), at);");
        }
        (keys, values) = (Rules::nested(typed, "keys")?, Rules::nested(typed, "values")?);
    }
    let mut check = String::new();
    let of_keys = Context { text: context.text.map(|_| "Unspecified"), ..context };
    for (context, rules, field, name) in [
        (of_keys, keys, entry.map_entry_key_field(), "key"),
        (context, values, entry.map_entry_value_field(), "value"),
    ] {
        let inner = value_check(context, &field.kind(), &rules)?;
        if !inner.is_empty() {
            let inner = unless_zero(&field.kind(), &rules, &inner);
            let _ = writeln!(check, "{{ let value = {name}; {inner} }}");
        }
    }
    if !check.is_empty() {
        let shown = !rule_flag(&field.options(), "debug_redact");
        let _ = writeln!(code, "at.entries(value, {shown}, |key, value, at| {{ {check} }});");
    }
    Ok(code)
}

fn unless_zero(kind: &Kind, rules: &Rules, inner: &str) -> String {
    match zero_value(kind).filter(|_| rules.ignore == Ignore::IfZero) {
        Some(zero) => format!("if !({zero}) {{ {inner} }}"),
        None => inner.to_owned(),
    }
}

/// Whether the scalar behind the reference `value` is the one that the wire leaves out. A message is never.
fn zero_value(kind: &Kind) -> Option<&'static str> {
    match kind {
        Kind::Message(_) => None,
        Kind::String | Kind::Bytes => Some("value.is_empty()"),
        Kind::Bool => Some("!*value"),
        Kind::Float | Kind::Double => Some("*value == 0.0"),
        _ => Some("*value == 0"),
    }
}

impl Rules {
    fn read(rules: Option<DynamicMessage>) -> Result<Self, String> {
        let mut read = Self { required: false, ignore: Ignore::Never, typed: None };
        let Some(rules) = rules else { return Ok(read) };
        for (field, value) in rules.fields() {
            match (field.name(), value.as_message()) {
                ("required", _) => read.required = value.as_bool() == Some(true),
                ("ignore", _) => {
                    read.ignore = match value.as_enum_number() {
                        Some(0) => Ignore::Never,
                        Some(1) => Ignore::IfZero,
                        Some(3) => Ignore::Always,
                        other => return Err(format!("`ignore` {other:?} is not implemented")),
                    };
                }
                (name, Some(typed)) => read.typed = Some((name.to_owned(), typed.clone())),
                (name, None) => return Err(format!("the rule `{name}` is not implemented")),
            }
        }
        if rules.unknown_fields().next().is_some() {
            return Err("a rule of this field is not implemented".into());
        }
        if read.required && read.ignore != Ignore::Never {
            return Err("`required` and `ignore` contradict each other".into());
        }
        Ok(read)
    }

    /// The rules of what a list or a map contains. Its elements are always set.
    fn nested(rules: &DynamicMessage, name: &str) -> Result<Self, String> {
        let nested = rules.has_field_by_name(name).then(|| rules.get_field_by_name(name)).flatten();
        let nested = Self::read(nested.and_then(|value| value.as_message().cloned()))?;
        if nested.required {
            return Err(format!("`{name}.required` says nothing: an element is always there"));
        }
        Ok(nested)
    }

    fn collection(&self, kind: &str) -> Result<Option<&DynamicMessage>, String> {
        match &self.typed {
            None => Ok(None),
            Some((name, typed)) if name == kind => Ok(Some(typed)),
            Some((name, _)) => Err(format!("`{name}` rules do not fit a {kind} field")),
        }
    }
}
