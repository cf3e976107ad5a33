//! Query strings: WHATWG form rules for the text, `google/api/http.proto` for the names.

use std::collections::HashSet;

use route_template::percent;

use crate::bindings::Bindings;
use crate::failure::Failure;
use crate::options::Options;
use crate::rule::{Binding, RequestBody, is_text};
use crate::schema::{Cardinality, Field, MessageIndex, Schema, WellKnown};

/// The system parameter of a partial response (AIP-157).
pub(crate) const FIELDS: &str = "$fields";

/// What a query says beside the fields it binds.
#[derive(Debug, Default)]
pub(crate) struct Query {
    /// The value of `$fields`: which fields the answer keeps.
    pub fields: Option<String>,
    /// Whether it binds the binding's `update_mask`.
    pub has_mask: bool,
}

/// A parameter's name: `a.b.c` or `a.b[key]`.
struct Name<'a> {
    path: &'a str,
    key: Option<&'a str>,
}

/// Why a name binds nothing.
enum Refusal {
    /// It names no field: may be ignored by option.
    Unknown(String),
    /// It names a field which no text can fill.
    Unbindable(&'static str),
}

/// Adds the parameters of `query` (without its `?`) to `out`, but for one whose field `resumed` a header has given.
///
/// # Errors
/// When a parameter names no field, a field that has another owner, or a value that does not fit.
pub(crate) fn bind_query(
    query: &str,
    binding: &Binding,
    schema: &Schema,
    options: &Options,
    resumed: Option<&[u32]>,
    out: &mut Bindings,
) -> Result<Query, Failure> {
    let (found, seen) = (Query::default(), HashSet::new());
    let mut binder = Binder { binding, schema, options, resumed, out, found, seen };
    for (count, pair) in query.split('&').filter(|p| !p.is_empty()).enumerate() {
        if count >= options.max_query_parameters {
            return Err(Failure::invalid("", "the query has too many parameters"));
        }
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = percent::decode_form(name)
            .map_err(|e| Failure::invalid("", format!("a query parameter's name: {e}")))?;
        if options.ignored_query_parameters.iter().any(|ignored| *ignored == name) {
            continue;
        }
        binder
            .add_parameter(&name, value)
            .map_err(|problem| Failure::invalid(name.as_ref(), problem))?;
    }
    Ok(binder.found)
}

/// Binds the parameters of one query, one after the other.
struct Binder<'a> {
    binding: &'a Binding,
    schema: &'a Schema,
    options: &'a Options,
    /// The field that has its value from `Last-Event-ID`.
    resumed: Option<&'a [u32]>,
    out: &'a mut Bindings,
    found: Query,
    /// The singular fields and the entries of maps that have their value.
    seen: HashSet<(Vec<u32>, Option<String>)>,
}

impl Binder<'_> {
    /// Adds a parameter, whose value is still encoded, or says what is wrong with it.
    fn add_parameter(&mut self, name: &str, value: &str) -> Result<(), String> {
        let value = percent::decode_form(value).map_err(|error| error.to_string())?;
        if name == FIELDS {
            return match self.found.fields.replace(value.into_owned()) {
                Some(_) => Err("the parameter is given twice".to_owned()),
                None => Ok(()),
            };
        }
        let (schema, input) = (self.schema, self.binding.method.input());
        let parsed = parse_query(name);
        let (path, field) = match locate_field(schema, input, &parsed, self.options.max_depth) {
            Ok(found) => found,
            Err(Refusal::Unknown(_)) if self.options.ignore_unknown_query => return Ok(()),
            Err(Refusal::Unknown(problem)) => return Err(problem),
            Err(Refusal::Unbindable(problem)) => return Err(problem.to_owned()),
        };
        find_owner(&self.binding.request, &path)?;
        if self.resumed == Some(path.as_slice()) {
            return Ok(());
        }
        let once = (path.clone(), parsed.key.map(str::to_owned));
        if field.cardinality() != Cardinality::Repeated && !self.seen.insert(once) {
            return Err("the parameter is given twice".to_owned());
        }
        self.found.has_mask |= self.binding.update_mask.as_ref() == Some(&path);
        let added = match parsed.key {
            Some(key) => self.out.add_map_entry(schema, input, &path, key, &value),
            None => self.out.add_text(schema, input, &path, &value),
        };
        added.map_err(|error| error.problem().to_owned())
    }
}

fn parse_query(name: &str) -> Name<'_> {
    if let Some(inner) = name.strip_suffix(']')
        && let Some((path, key)) = inner.split_once('[')
    {
        return Name { path, key: Some(key) };
    }
    Name { path: name, key: None }
}

/// The body owns its fields: no parameter may fill what the content fills.
fn find_owner(body: &RequestBody, path: &[u32]) -> Result<(), &'static str> {
    let taken = match body {
        RequestBody::None => false,
        RequestBody::Whole | RequestBody::Raw(None) => true,
        RequestBody::Field(target) | RequestBody::Raw(Some(target)) => {
            path.first() == Some(&target.number)
        }
    };
    if taken { Err("the field belongs to the request body") } else { Ok(()) }
}

fn locate_field<'s>(
    schema: &'s Schema,
    input: MessageIndex,
    name: &Name<'_>,
    max_depth: usize,
) -> Result<(Vec<u32>, &'s Field), Refusal> {
    let (mut path, mut last) = (Vec::new(), None::<&Field>);
    for part in name.path.split('.') {
        let message = match last {
            None => input,
            Some(field) => is_inside(schema, field)?,
        };
        if path.len() >= max_depth {
            return Err(Refusal::Unbindable("the field path is too deep"));
        }
        let field = schema.message(message).field_by_name(part).filter(|f| !f.is_extension());
        let field = field.ok_or_else(|| {
            let message = schema.message(message).full_name();
            Refusal::Unknown(format!("{message} has no such field"))
        })?;
        path.push(field.number());
        last = Some(field);
    }
    let field = last.ok_or(Refusal::Unbindable("the name is empty"))?;
    match (field.cardinality(), name.key) {
        (Cardinality::Map, None) => {
            return Err(Refusal::Unbindable("an entry of a map is written name[key]=value"));
        }
        (Cardinality::Map, Some(_)) => {
            let entry = field.kind().message().map(|m| schema.message(m));
            let value = entry.and_then(|e| e.field_by_number(2));
            if !value.is_some_and(|v| is_text(schema, v)) {
                return Err(Refusal::Unbindable("the map's values are messages"));
            }
        }
        (Cardinality::Singular | Cardinality::Repeated, Some(_)) => {
            return Err(Refusal::Unknown("only maps take a key in brackets".to_owned()));
        }
        (Cardinality::Singular | Cardinality::Repeated, None) => {
            if !is_text(schema, field) {
                return Err(Refusal::Unbindable("a message is given by its fields"));
            }
        }
    }
    Ok((path, field))
}

/// The message in which a path goes on: only one that is an object in JSON has fields.
fn is_inside(schema: &Schema, field: &Field) -> Result<MessageIndex, Refusal> {
    let message = field.kind().message();
    let message = message.filter(|_| field.cardinality() == Cardinality::Singular);
    message
        .filter(|m| schema.message(*m).well_known() == WellKnown::None)
        .ok_or_else(|| Refusal::Unknown(format!("{} has no fields of its own", field.name())))
}
