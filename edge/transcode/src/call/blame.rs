//! What a client is told about its own request: fields by the names that it sent, and failed preconditions as such.

use http::StatusCode;
use tonic::Code;

use super::prepare::Call;
use crate::failure::Failure;
use crate::rule::{Binding, RequestBody};
use crate::schema::Schema;

/// The upstream's failure in the client's terms.
pub(crate) fn in_terms_of_client(call: &Call, failure: Failure) -> Failure {
    let (binding, schema) = (&call.route.binding, &call.route.inner.schema);
    let failure = failure.with_fields_renamed(|path| sent_path(schema, binding, path));
    if call.conditional && is_version_mismatch(call, &failure) {
        return failure.with_status(StatusCode::PRECONDITION_FAILED);
    }
    failure
}

/// Whether a conditional call failed because the version is out of date: ABORTED, with the reason that the options name
/// if they name one. ABORTED for another reason is a lost race.
fn is_version_mismatch(call: &Call, failure: &Failure) -> bool {
    if failure.code != Code::Aborted {
        return false;
    }
    match &call.route.inner.options.version_mismatch_reason {
        Some(expected) => failure.error_info().unwrap_or_default().reason == *expected,
        None => true,
    }
}

/// The path of a field as the client sent it. Where the content is one field of the request, the client has never seen
/// that field's name.
pub(crate) fn sent_path<'p>(schema: &Schema, binding: &Binding, path: &'p str) -> &'p str {
    let RequestBody::Field(target) = &binding.request else { return path };
    // What comes from the URL is called what it is called there.
    if binding.template.variables.iter().any(|variable| variable.field == path) {
        return path;
    }
    let message = schema.message(binding.method.input());
    let Some(field) = message.field_by_number(target.number) else { return path };
    for name in [field.name(), field.json_name()] {
        match path.strip_prefix(name) {
            Some(rest) if rest.is_empty() || rest.starts_with('[') => return rest,
            Some(rest) if rest.starts_with('.') => return rest.trim_start_matches('.'),
            _ => {}
        }
    }
    path
}
