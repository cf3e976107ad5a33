//! The field paths that a JSON object names, for an update mask.

use super::super::scan::{Scanner, Shape, unescape_json};
use super::Result;
use crate::error::{ErrorKind, FieldError};
use crate::limits::JsonOptions;
use crate::schema::{Cardinality, MessageIndex, Schema, WellKnown};

/// The paths, in `.proto` names and sorted, of the fields that a JSON object gives, `null` and
/// defaults included. Messages with members count by those members, and lists, maps and well-known
/// types as a whole.
///
/// # Errors
/// When the text is no object, or names a field that the message does not have.
pub fn json_paths(
    schema: &Schema,
    message: MessageIndex,
    json: &[u8],
    options: &JsonOptions,
) -> Result<Vec<String>> {
    let text = std::str::from_utf8(json)
        .map_err(|_| FieldError::new(ErrorKind::Syntax, "the text is not UTF-8"))?;
    let mut walk = Walk { schema, options, scan: Scanner::new(text), paths: Vec::new() };
    walk.object(message, "", options.limits.depth)?;
    walk.scan.end()?;
    walk.paths.sort_unstable();
    walk.paths.dedup();
    Ok(walk.paths)
}

struct Walk<'a> {
    schema: &'a Schema,
    options: &'a JsonOptions,
    scan: Scanner<'a>,
    paths: Vec<String>,
}

impl Walk<'_> {
    fn object(&mut self, index: MessageIndex, prefix: &str, depth: usize) -> Result<()> {
        if !self.scan.take(b'{') {
            return Err(FieldError::new(ErrorKind::Type, "expected an object"));
        }
        let depth = depth.checked_sub(1).ok_or_else(FieldError::nested_too_deep)?;
        if self.scan.take(b'}') {
            if let Some(path) = prefix.strip_suffix('.') {
                self.paths.push(path.to_owned());
            }
            return Ok(());
        }
        let schema = self.schema;
        loop {
            let mut key = Vec::new();
            unescape_json(self.scan.key()?, |piece| key.extend_from_slice(piece))?;
            let key = String::from_utf8_lossy(&key);
            match schema.message(index).field_by_name(&key) {
                Some(field) => {
                    let single = field.cardinality == Cardinality::Singular;
                    let child = field.kind.message().filter(|_| single);
                    let child = child.filter(|&c| schema.message(c).well_known == WellKnown::None);
                    let path = format!("{prefix}{}", field.name);
                    match child {
                        Some(child) if self.scan.shape() == Shape::Object => {
                            let inside = self.object(child, &format!("{path}."), depth);
                            inside.map_err(|e| e.in_field(&key))?;
                        }
                        _ => {
                            self.paths.push(path);
                            self.scan.skip(depth)?;
                        }
                    }
                }
                None if self.options.ignore_unknown_fields => self.scan.skip(depth)?,
                None => {
                    let kind = ErrorKind::UnknownField;
                    let error = FieldError::new(kind, "the message has no such field");
                    return Err(error.in_field(&key));
                }
            }
            if !self.scan.more(b'}')? {
                return Ok(());
            }
        }
    }
}
