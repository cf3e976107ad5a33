//! JSON values as YAML 1.2. Texts are quoted as in JSON, which YAML reads too.

use serde_json::Value;
use std::fmt::Write as _;

/// The value as a YAML document.
pub fn write_yaml(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(_) | Value::Array(_) => write_block(value, 0, &mut out),
        scalar => {
            // Writing to a string cannot fail.
            let _ = writeln!(out, "{scalar}");
        }
    }
    out
}

/// A collection, each of its lines indented by `depth` levels.
fn write_block(value: &Value, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                let _ = write!(out, "{indent}{}:", Value::from(name.as_str()));
                write_entry(field, depth, out);
            }
        }
        Value::Array(items) => {
            for item in items {
                let _ = write!(out, "{indent}-");
                write_entry(item, depth, out);
            }
        }
        _ => {}
    }
}

/// What follows a key or a dash.
fn write_entry(value: &Value, depth: usize, out: &mut String) {
    let is_block = match value {
        Value::Object(fields) => !fields.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    };
    if is_block {
        out.push('\n');
        write_block(value, depth + 1, out);
    } else {
        let _ = writeln!(out, " {value}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_written() {
        let value = json!({ "a": [1, { "b": "x: \"y\"\n" }, []], "c": {}, "d": null, "e": true });
        let want = "\"a\":\n  - 1\n  -\n    \"b\": \"x: \\\"y\\\"\\n\"\n  - []\n\"c\": {}\n\"d\": null\n\"e\": true\n";
        assert_eq!(write_yaml(&value), want);
        assert_eq!(write_yaml(&json!(7)), "7\n");
    }
}
