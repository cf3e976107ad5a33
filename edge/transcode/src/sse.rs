//! Server-sent events beyond their data: which fields of a stream's messages are `id:` and `event:`, and which field of
//! the request takes `Last-Event-ID` (HTML §9.2).

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName};

use crate::bindings::Bindings;
use crate::extract::{self, Absent};
use crate::failure::Failure;
use crate::options::Options;
use crate::rule::is_text;
use crate::schema::{Cardinality, Field, Kind, MessageIndex, Method, Schema};
use crate::wire::Malformed;

/// The header by which a client says up to where it has seen a stream.
pub(crate) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// When a client of events comes back, in milliseconds: those that were cut off together do not all come together.
const RETRY_MS: std::ops::Range<u32> = 1_000..2_000;

/// The line that tells a client when to come back.
pub(crate) fn retry_line() -> String {
    format!("retry: {}\n", rand::random_range(RETRY_MS))
}

/// The names of the fields that make events of a stream's messages, as the contract writes them; a field within a
/// field is written with dots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SseFields {
    /// The text or integer of the response that is printed as `id:`. An event in which it is absent or empty has none.
    pub id: Option<String>,
    /// The text of the response that is printed as `event:`. An event in which it is empty has the usual type, `message`.
    pub event: Option<String>,
    /// The field of the request that takes `Last-Event-ID`. A query parameter for it is then ignored: a browser that
    /// connects again repeats the query of its first request.
    pub resume: Option<String>,
}

/// The fields of a method's events, where its contract names them.
pub type MethodSse = Arc<dyn Fn(&Method) -> Option<SseFields> + Send + Sync>;

/// [`SseFields`] of one method, by field numbers.
#[derive(Debug, Default)]
pub(crate) struct SsePaths {
    id: Option<Vec<u32>>,
    event: Option<Vec<u32>>,
    resume: Option<Vec<u32>>,
}

impl SsePaths {
    /// Looks the fields of a method up. What the method's own contract names must exist and fit; of the names for all
    /// methods those count that fit.
    pub fn compile(schema: &Schema, method: &Method, options: &Options) -> Result<Self, String> {
        let own = options.method_sse.as_ref().and_then(|fields_of| fields_of(method));
        if !method.server_streaming() {
            return match own {
                Some(_) => Err("it names fields of events, but sends no stream".to_owned()),
                None => Ok(Self::default()),
            };
        }
        let strict = own.is_some();
        let fields = own.unwrap_or_else(|| options.sse.clone());
        let (input, output) = (method.input(), method.output());
        let find = |message, name: &Option<String>, fits: fn(&Schema, &Field) -> bool| {
            let Some(name) = name else { return Ok(None) };
            match find_field(schema, message, name, fits) {
                Err(reason) if strict => Err(reason),
                found => Ok(found.ok()),
            }
        };
        Ok(Self {
            id: find(output, &fields.id, may_be_id)?,
            event: find(output, &fields.event, |_, field| field.kind() == Kind::String)?,
            resume: find(input, &fields.resume, is_text)?,
        })
    }

    /// Binds `Last-Event-ID` where the method resumes. Says which field has its value from it.
    pub fn bind_resume(
        &self,
        schema: &Schema,
        input: MessageIndex,
        headers: &HeaderMap,
        bindings: &mut Bindings,
    ) -> Result<Option<&[u32]>, Failure> {
        let (Some(path), Some(id)) = (&self.resume, headers.get(&LAST_EVENT_ID)) else {
            return Ok(None);
        };
        let id = std::str::from_utf8(id.as_bytes())
            .map_err(|_| Failure::invalid(LAST_EVENT_ID.as_str(), "must be UTF-8"))?;
        if id.is_empty() {
            return Ok(None);
        }
        bindings
            .add_text(schema, input, path, id)
            .map_err(|error| Failure::invalid(LAST_EVENT_ID.as_str(), error.problem()))?;
        Ok(Some(path))
    }

    /// The lines of an event before its data.
    pub fn print_head(
        &self,
        schema: &Schema,
        output: MessageIndex,
        message: &Bytes,
    ) -> Result<Vec<u8>, Malformed> {
        let mut head = Vec::new();
        for (name, path) in [("id", &self.id), ("event", &self.event)] {
            let Some(path) = path else { continue };
            let value = extract::extract_text(schema, output, path, message, Absent::Nothing)?;
            // What does not fit on a line would become fields of its own.
            let value = value.filter(|it| !it.is_empty() && !it.contains(['\r', '\n', '\0']));
            if let Some(value) = value {
                head.extend_from_slice(format!("{name}: {value}\n").as_bytes());
            }
        }
        Ok(head)
    }
}

fn find_field(
    schema: &Schema,
    message: MessageIndex,
    name: &str,
    fits: fn(&Schema, &Field) -> bool,
) -> Result<Vec<u32>, String> {
    let (path, field) = schema.resolve(message, name.split('.')).map_err(|e| e.to_string())?;
    if field.cardinality() != Cardinality::Singular || !fits(schema, field) {
        return Err(format!("the field {name} of its events is of no type that fits"));
    }
    Ok(path)
}

fn may_be_id(_: &Schema, field: &Field) -> bool {
    !matches!(
        field.kind(),
        Kind::Message(_)
            | Kind::Group(_)
            | Kind::Bytes
            | Kind::Bool
            | Kind::Enum(_)
            | Kind::Double
            | Kind::Float
    )
}
