//! Which characters a text may have (`quickserve.options.v1.text`), as a pattern.

use prost_reflect::{FieldDescriptor, Kind};
use proto::validate::Text;
use serde_json::{Map, Value, json};

/// Adds a pattern to the schema of a string of `field`, unless a rule limits its characters more than that.
pub fn limit(schema: &mut Map<String, Value>, field: &FieldDescriptor, kind: &Kind) {
    let limited = ["pattern", "format", "enum", "const", "anyOf"];
    let is_text = *kind == Kind::String && schema.get("type").is_some_and(|it| it == "string");
    if is_text && !limited.iter().any(|keyword| schema.contains_key(*keyword)) {
        schema.insert("pattern".to_owned(), json!(pattern(text(field))));
    }
}

/// The option of the field.
fn text(field: &FieldDescriptor) -> Text {
    let options = field.options();
    let set = options.extensions().find(|(it, _)| it.full_name() == "quickserve.options.v1.text");
    let number = set.and_then(|(_, value)| value.as_enum_number()).unwrap_or_default();
    Text::try_from(number).unwrap_or_default()
}

/// What `Text::broken_rule` refuses. Where joiners and variation selectors may stand is beyond a pattern: it lets them
/// pass.
const fn pattern(text: Text) -> &'static str {
    match text {
        Text::Unspecified => r"^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*$",
        Text::Lines => r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*$",
        Text::Name => {
            r"^[^\u0000-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164\ufeff\uffa0]*$"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use regex::Regex;

    #[test]
    fn patterns_say_what_is_refused() {
        for text in [Text::Unspecified, Text::Lines, Text::Name] {
            let pattern = Regex::new(pattern(text)).unwrap();
            for c in (0..=0xffff).filter_map(char::from_u32) {
                let value = format!("a{c}b");
                let refused = text.broken_rule(&value).is_some();
                assert!(refused || pattern.is_match(&value), "{text:?} {value:?}");
                if c < '\u{3000}' && text != Text::Name {
                    assert_eq!(refused, !pattern.is_match(&value), "{text:?} {value:?}");
                }
            }
            assert!(pattern.is_match(""));
        }
    }
}
