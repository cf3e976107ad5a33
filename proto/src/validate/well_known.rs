//! The texts within Google's types, which have no contract of ours: keys and paths are one line, values may be several.

use super::{Checker, FieldPath, Text, Validate, Violation};
use prost_types::{Any, FieldMask, ListValue, Struct, Value, value::Kind};

impl Validate for Struct {
    fn validate(&self, path: &mut FieldPath, violations: &mut Vec<Violation>) {
        let at = &mut Checker::new(path, violations);
        for (name, value) in &self.fields {
            if at.full() {
                return;
            }
            at.member(name);
            if at.text(name, Text::Unspecified) {
                at.message(value);
            }
            at.leave();
        }
    }
}

impl Validate for Value {
    fn validate(&self, path: &mut FieldPath, violations: &mut Vec<Violation>) {
        match &self.kind {
            Some(Kind::StringValue(text)) => {
                Checker::new(path, violations).text(text, Text::Lines);
            }
            Some(Kind::StructValue(fields)) => fields.validate(path, violations),
            Some(Kind::ListValue(items)) => items.validate(path, violations),
            None | Some(Kind::NullValue(_) | Kind::NumberValue(_) | Kind::BoolValue(_)) => {}
        }
    }
}

impl Validate for ListValue {
    fn validate(&self, path: &mut FieldPath, violations: &mut Vec<Violation>) {
        Checker::new(path, violations).items(&self.values, |value, at| at.message(value));
    }
}

impl Validate for FieldMask {
    fn validate(&self, path: &mut FieldPath, violations: &mut Vec<Violation>) {
        let at = &mut Checker::new(path, violations);
        // In JSON the paths are one text: a fault is the whole mask's.
        let _ = self.paths.iter().all(|path| at.text(path, Text::Unspecified));
    }
}

impl Validate for Any {
    fn validate(&self, path: &mut FieldPath, violations: &mut Vec<Violation>) {
        let at = &mut Checker::new(path, violations);
        at.field("type_url");
        at.text(&self.type_url, Text::Unspecified);
        at.leave();
    }
}
