//! Errors of the codec. They name the field, and never repeat a value.

use std::fmt;

use crate::wire::Malformed;

/// What kind of mistake an input has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Not JSON (RFC 8259), or not UTF-8.
    Syntax,
    /// A member or parameter that the message does not have.
    UnknownField,
    /// The same field twice: two members, a second map key, both names of a field.
    Duplicate,
    /// Two sources for a field with different values, or two members of a oneof.
    Conflict,
    /// The wrong JSON type, or text that is not of the field's type.
    Type,
    /// A number or time outside its range.
    Range,
    /// A bound of [`Limits`](crate::Limits).
    Limit,
}

/// Input that is refused, with the field it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    inner: Box<Inner>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Inner {
    kind: ErrorKind,
    path: String,
    problem: &'static str,
    offset: Option<usize>,
}

/// The longest name of a member that is copied from the input into an error.
const MAX_NAME: usize = 64;

impl FieldError {
    /// An error about the value at hand; its path is filled in on the way out.
    pub fn new(kind: ErrorKind, problem: &'static str) -> Self {
        Self { inner: Box::new(Inner { kind, path: String::new(), problem, offset: None }) }
    }

    /// An object or list inside more others than [`Limits::depth`](crate::Limits::depth) allows.
    #[cold]
    pub(crate) fn nested_too_deep() -> Self {
        Self::new(ErrorKind::Limit, "nested too deep")
    }

    /// What kind of mistake it is.
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// The path of the field, like `msg.items[3].labels["key"]`; empty for the message as a whole.
    pub fn path(&self) -> &str {
        &self.inner.path
    }

    /// What is wrong, as a phrase without the field.
    pub fn problem(&self) -> &'static str {
        self.inner.problem
    }

    /// The byte of the JSON text at which the mistake was noticed.
    pub fn offset(&self) -> Option<usize> {
        self.inner.offset
    }

    /// The same error with another path.
    #[must_use]
    pub(crate) fn at_path(mut self, path: String) -> Self {
        self.inner.path = path;
        self
    }

    /// Puts the field `name` before the path.
    #[must_use]
    pub fn in_field(mut self, name: &str) -> Self {
        let path = &self.inner.path;
        let dot = if path.is_empty() || path.starts_with('[') { "" } else { "." };
        self.inner.path = format!("{}{dot}{path}", shorten_text(name));
        self
    }

    #[must_use]
    pub(crate) fn in_element(self, index: usize) -> Self {
        self.in_brackets(&index.to_string())
    }

    #[must_use]
    pub(crate) fn in_key(self, key: &str) -> Self {
        self.in_brackets(&format!("{:?}", shorten_text(key)))
    }

    fn in_brackets(mut self, inside: &str) -> Self {
        let path = &self.inner.path;
        let dot = if path.is_empty() || path.starts_with('[') { "" } else { "." };
        self.inner.path = format!("[{inside}]{dot}{path}");
        self
    }

    #[must_use]
    pub(crate) fn at(mut self, offset: usize) -> Self {
        self.inner.offset.get_or_insert(offset);
        self
    }
}

fn shorten_text(name: &str) -> &str {
    match name.char_indices().nth(MAX_NAME) {
        Some((end, _)) => name.get(..end).unwrap_or_default(),
        None => name,
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { path, problem, offset, .. } = &*self.inner;
        if !path.is_empty() {
            write!(f, "{path}: ")?;
        }
        f.write_str(problem)?;
        match offset {
            Some(offset) => write!(f, " (byte {offset})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for FieldError {}

/// A message on the wire that has no ProtoJSON form.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WireError {
    /// The bytes are not the wire format of the message.
    Malformed(&'static str),
    /// A value that ProtoJSON cannot express: a time out of range, a non-finite number in a
    /// `Value`, a field mask that does not survive the conversion of its names.
    Unprintable(&'static str),
    /// An `Any` whose type is not in the schema.
    UnknownType(String),
    /// A bound of [`Limits`](crate::Limits).
    Limit(&'static str),
}

impl WireError {
    /// Whether the bytes are well-formed, and only a value has no JSON form.
    pub(crate) fn is_of_value(&self) -> bool {
        matches!(self, Self::Unprintable(_) | Self::UnknownType(_))
    }
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(problem) => write!(f, "the message is malformed: {problem}"),
            Self::Unprintable(problem) => write!(f, "the message has no JSON form: {problem}"),
            Self::UnknownType(name) => write!(f, "the schema has no type {name} for an Any"),
            Self::Limit(problem) => write!(f, "the message is over a limit: {problem}"),
        }
    }
}

impl std::error::Error for WireError {}

impl From<Malformed> for WireError {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed.problem())
    }
}
