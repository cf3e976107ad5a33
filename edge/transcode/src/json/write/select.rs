//! Partial responses: the fields that a caller wants.

use crate::error::{ErrorKind, FieldError};
use crate::schema::{Cardinality, MessageIndex, Schema, WellKnown};

/// A set of fields of a message, for responses that hold only those.
///
/// Written as comma-separated paths of ProtoJSON or `.proto` names: `id,items.name`. A path leads
/// through lists and maps to the fields of their elements. `*` alone is everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    root: Node,
}

/// The wanted fields of a message, by index and sorted; none means all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Node {
    children: Vec<(usize, Node)>,
}

/// The longest path, in names.
const MAX_PATH: usize = 32;

impl Selection {
    /// Reads a selection of fields of `message`.
    ///
    /// # Errors
    /// When a path is empty, names a field that does not exist, or goes on after a scalar.
    pub fn parse(schema: &Schema, message: MessageIndex, paths: &str) -> Result<Self, FieldError> {
        let mut root = Node::default();
        if paths == "*" {
            return Ok(Self { root });
        }
        // A path that ends here wants everything below; longer ones then add nothing.
        let mut whole = Vec::new();
        for path in paths.split(',') {
            let steps = resolve_path(schema, message, path).map_err(|e| e.in_field(path))?;
            whole.push(steps);
        }
        whole.sort();
        let mut last: Option<&Vec<usize>> = None;
        for steps in &whole {
            if last.is_some_and(|last| steps.starts_with(last)) {
                continue;
            }
            root.add(steps);
            last = Some(steps);
        }
        Ok(Self { root })
    }
}

impl Node {
    fn add(&mut self, steps: &[usize]) {
        let Some((&first, rest)) = steps.split_first() else { return };
        let at = self.children.binary_search_by_key(&first, |&(at, _)| at);
        let at = at.unwrap_or_else(|at| {
            self.children.insert(at, (first, Self::default()));
            at
        });
        if let Some((_, child)) = self.children.get_mut(at) {
            child.add(rest);
        }
    }
}

fn resolve_path(
    schema: &Schema,
    message: MessageIndex,
    path: &str,
) -> Result<Vec<usize>, FieldError> {
    let mut next = Some(message);
    let mut steps = Vec::new();
    for name in path.split('.') {
        if steps.len() == MAX_PATH {
            return Err(FieldError::new(ErrorKind::Limit, "the field path is too long"));
        }
        let message = match next.map(|index| schema.message(index)) {
            Some(message) if steps.is_empty() || message.well_known == WellKnown::None => message,
            _ => return unknown_field("the path goes on after a value"),
        };
        let Some(at) = message.index_by_name(name.as_bytes()) else {
            return unknown_field("the message has no such field");
        };
        steps.push(at);
        let field = message.fields.get(at);
        next = field.and_then(|field| match field.cardinality {
            Cardinality::Map => {
                let entry = field.kind.message().map(|index| schema.message(index));
                entry.and_then(|entry| entry.field_by_number(2)?.kind.message())
            }
            Cardinality::Singular | Cardinality::Repeated => field.kind.message(),
        });
    }
    Ok(steps)
}

fn unknown_field<T>(problem: &'static str) -> Result<T, FieldError> {
    Err(FieldError::new(ErrorKind::UnknownField, problem))
}

/// What is selected of the message at hand.
#[derive(Clone, Copy)]
pub(super) struct Selected<'s>(Option<&'s Node>);

impl<'s> Selected<'s> {
    pub const ALL: Self = Self(None);

    pub fn of(selection: Option<&'s Selection>) -> Self {
        Self(selection.map(|s| &s.root).filter(|root| !root.children.is_empty()))
    }

    /// What is selected of the field at index `at`; `None` if it is not.
    #[inline]
    pub fn field(self, at: usize) -> Option<Self> {
        let Some(node) = self.0 else { return Some(self) };
        let found = node.children.binary_search_by_key(&at, |&(at, _)| at).ok()?;
        let (_, child) = node.children.get(found)?;
        Some(Self(Some(child).filter(|child| !child.children.is_empty())))
    }
}
