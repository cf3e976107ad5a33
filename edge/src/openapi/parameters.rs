//! What of a request is in its path, its query and its headers.

use crate::rpc_table;
use json_schema::{Direction, Rules, Schemas};
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use proto::{
    Rpc,
    rpc::{IdempotencyKey, Route},
};
use route_template::{Segment, Template};
use serde_json::{Value, json};
use std::borrow::Cow;

/// How deep the fields of a query are listed.
const DEPTH: usize = 3;

/// A template as OpenAPI writes it: `{name=orders/*}` is `{name}`.
pub fn path_parameters(template: &Template) -> String {
    let mut path = String::new();
    let mut next = 0;
    for (index, segment) in template.segments.iter().enumerate() {
        if index < next {
            continue;
        }
        path.push('/');
        match template.variables.iter().find(|variable| variable.start == index) {
            Some(variable) => {
                path.push_str(&format!("{{{}}}", variable.field));
                next = variable.end;
            }
            None => path.push_str(&text(segment)),
        }
    }
    if let Some(verb) = &template.verb {
        path.push_str(&format!(":{verb}"));
    }
    path
}

fn text(segment: &Segment) -> Cow<'_, str> {
    match segment {
        Segment::Literal(text) => String::from_utf8_lossy(text),
        Segment::One => "*".into(),
        Segment::Rest => "**".into(),
    }
}

/// The fields that the path of a route binds.
pub fn path_variables(route: &Route) -> Vec<String> {
    let variables = rpc_table::template(route).map(|template| template.variables);
    variables.unwrap_or_default().into_iter().map(|variable| variable.field).collect()
}

/// The fields of a request that are neither in the path nor in the body.
pub fn in_query(input: &MessageDescriptor, route: &Route) -> Vec<FieldDescriptor> {
    if route.body == "*" {
        return Vec::new();
    }
    let mut taken = path_variables(route);
    taken.push(route.body.to_owned());
    input.fields().filter(|field| taken.iter().all(|name| name != field.name())).collect()
}

/// All parameters of a route.
pub fn all_parameters(
    schemas: &Schemas,
    input: &MessageDescriptor,
    rpc: &Rpc,
    route: &Route,
) -> Vec<Value> {
    let mut parameters = Vec::new();
    for name in path_variables(route) {
        let field = resolve_field(input, &name);
        let schema = field.map_or_else(
            || json!({ "type": "string" }),
            |it| schemas.field(&it, Direction::Request),
        );
        parameters.push(build_parameter(&name, "path", true, schema));
    }
    for field in in_query(input, route) {
        query_parameters(schemas, &field, "", DEPTH, &mut parameters);
    }
    parameters.extend(header_parameters(input, rpc, route));
    parameters
}

fn resolve_field(message: &MessageDescriptor, path: &str) -> Option<FieldDescriptor> {
    match path.split_once('.') {
        None => message.get_field_by_name(path),
        Some((first, rest)) => match message.get_field_by_name(first)?.kind() {
            Kind::Message(inner) => resolve_field(&inner, rest),
            _ => None,
        },
    }
}

/// A field as parameters: itself, or the fields of the message that it is.
fn query_parameters(
    schemas: &Schemas,
    field: &FieldDescriptor,
    prefix: &str,
    depth: usize,
    parameters: &mut Vec<Value>,
) {
    let name = format!("{prefix}{}", field.name());
    match field.kind() {
        Kind::Message(message) if is_plain(&message) && !field.is_list() && depth > 0 => {
            for inner in message.fields() {
                query_parameters(schemas, &inner, &format!("{name}."), depth - 1, parameters);
            }
        }
        // The protocol has no place in a query for these.
        Kind::Message(message) if is_plain(&message) => {}
        _ => {
            let required = prefix.is_empty() && Rules::of(field).demands(field);
            parameters.push(build_parameter(
                &name,
                "query",
                required,
                schemas.field(field, Direction::Request),
            ));
        }
    }
}

/// Whether a message is one of fields, not of the well-known types that are written as one value.
fn is_plain(message: &MessageDescriptor) -> bool {
    !message.full_name().starts_with("google.")
}

fn header_parameters(input: &MessageDescriptor, rpc: &Rpc, route: &Route) -> Vec<Value> {
    let mut headers = Vec::new();
    if rpc.idempotency_key != IdempotencyKey::Unspecified {
        let required = rpc.idempotency_key == IdempotencyKey::Required;
        let schema = json!({
            "type": "string",
            "minLength": 1,
            "maxLength": 255,
            "pattern": "^[ -~]+$",
            "description": "Names the call. The same name and body take effect once and get the first answer again.",
        });
        headers.push(build_parameter("Idempotency-Key", "header", required, schema));
    }
    if rpc.audit.reason {
        let schema = json!({
            "type": "string",
            "minLength": 3,
            "maxLength": 1500,
            "pattern": "^[ -~]+$",
            "description": "Why an operator does this, in 3 to 500 characters, percent-encoded where they are not ASCII. Required of operators; others leave it out.",
        });
        headers.push(build_parameter("Operator-Reason", "header", false, schema));
    }
    if let Some(sse) = rpc.sse.filter(|sse| !sse.resume.is_empty()) {
        let field = sse.resume;
        let schema = json!({
            "type": "string",
            "description": format!("The `id` of the last event that was seen: stands for `{field}`."),
        });
        headers.push(build_parameter("Last-Event-ID", "header", false, schema));
    }
    if route.verb != "GET" && input.get_field_by_name("version").is_some() {
        let schema = json!({
            "type": "string",
            "pattern": r#"^"(0|[1-9][0-9]{0,17})"$"#,
            "examples": ["\"1\""],
            "description": "The ETag that the client saw. With another version there, the answer is 412.",
        });
        headers.push(build_parameter("If-Match", "header", false, schema));
    }
    headers
}

/// A parameter; the description moves from its schema to itself.
fn build_parameter(name: &str, place: &str, required: bool, mut schema: Value) -> Value {
    let description = schema.as_object_mut().and_then(|schema| schema.remove("description"));
    let mut parameter =
        json!({ "name": name, "in": place, "required": required, "schema": schema });
    if let (Some(parameter), Some(description)) = (parameter.as_object_mut(), description) {
        parameter.insert("description".to_owned(), description);
    }
    parameter
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_written_as_openapi_has_them() {
        for (template, expected) in [
            ("/v1/users", "/v1/users"),
            ("/v1/users/{user_id}:suspend", "/v1/users/{user_id}:suspend"),
            ("/v1/{name=a/*/b/**}/c/{d}", "/v1/{name}/c/{d}"),
            ("/v1/*/a/**", "/v1/*/a/**"),
        ] {
            assert_eq!(path_parameters(&Template::parse(template).unwrap()), expected);
        }
    }
}
