//! The way from a request to one of its fields, written as in `addresses[0].postcode`.

use std::fmt;

/// Longest part of a map's key that a path shows, in characters: the caller chose it.
const KEY_SHOWN: usize = 32;

/// The way from a request to a field. Building it costs nothing to speak of; writing it happens for a violation only.
#[derive(Debug, Default)]
pub struct FieldPath(Vec<Segment>);

#[derive(Debug)]
enum Segment {
    Field(&'static str),
    Index(usize),
    Member(String),
    Key(String),
    AnyKey,
}

impl FieldPath {
    /// Steps into a field, by its name in the contract.
    pub fn field(&mut self, name: &'static str) {
        self.0.push(Segment::Field(name));
    }

    /// Steps into an item of a list.
    pub fn index(&mut self, index: usize) {
        self.0.push(Segment::Index(index));
    }

    /// Steps into an entry of a map.
    pub fn key(&mut self, key: &impl fmt::Display) {
        self.0.push(Segment::Key(shown(key.to_string())));
    }

    /// Steps into a member of a `google.protobuf.Struct`.
    pub fn member(&mut self, name: &str) {
        let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let segment = if is_plain && !name.is_empty() { Segment::Member } else { Segment::Key };
        self.0.push(segment(shown(name.to_owned())));
    }

    /// Steps into an entry of a map whose keys must not be shown.
    pub fn any_key(&mut self) {
        self.0.push(Segment::AnyKey);
    }

    /// Takes the last step back.
    pub fn leave(&mut self) {
        self.0.pop();
    }
}

/// A key as far as a path shows it.
fn shown(mut key: String) -> String {
    if let Some((end, _)) = key.char_indices().nth(KEY_SHOWN) {
        key.truncate(end);
        key.push('…');
    }
    key
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (depth, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Field(name) if depth == 0 => f.write_str(name)?,
                Segment::Field(name) => write!(f, ".{name}")?,
                Segment::Member(name) => write!(f, ".{name}")?,
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Key(key) => write!(f, "[{key:?}]")?,
                Segment::AnyKey => f.write_str("[*]")?,
            }
        }
        Ok(())
    }
}
