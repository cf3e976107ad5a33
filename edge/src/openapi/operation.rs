//! One route of one RPC as an operation.

use super::{
    comments::{media_type, reasons_of, summary_of},
    errors, method_name, parameters,
};
use crate::rpc_table::{is_reachable, package_of};
use json_schema::{Direction, Rules, Schemas};
use prost_reflect::{Kind, MessageDescriptor, MethodDescriptor};
use proto::{
    Rpc,
    rpc::{Caller, Route, Scope, Sse},
};
use serde_json::{Value, json};
use std::collections::HashMap;

const HTTP_BODY: &str = "google.api.HttpBody";

pub struct Operations<'a> {
    schemas: &'a Schemas,
    /// How many RPCs have this name.
    names: HashMap<&'static str, usize>,
}

impl<'a> Operations<'a> {
    /// Operations on messages of these schemas.
    pub fn new(schemas: &'a Schemas) -> Self {
        let mut names = HashMap::new();
        for rpc in proto::all_rpcs().iter().filter(|rpc| is_reachable(rpc)) {
            *names.entry(rpc.method).or_insert(0) += 1;
        }
        Self { schemas, names }
    }

    /// The operation of an RPC's route, the `index`th.
    pub fn of(&self, rpc: &Rpc, route: &Route, index: usize) -> Option<Value> {
        let method = method_name(rpc)?;
        let comment = self.schemas.comments().of_method(&method);
        let mut operation = json!({
            "operationId": self.id(rpc, index),
            "summary": summary_of(comment),
            "description": describe_operation(rpc, comment),
            "tags": [package_of(rpc)],
            "parameters": parameters::all_parameters(self.schemas, &method.input(), rpc, route),
            "responses": self.responses(rpc, route, &method),
            "security": security_of(rpc),
            "x-roles": role_names(rpc),
            "x-reasons": reasons_of(comment),
            "x-grpc": rpc.path.trim_start_matches('/'),
        });
        let fields = operation.as_object_mut()?;
        if let Some(body) = self.request_body(route, &method.input()) {
            fields.insert("requestBody".to_owned(), body);
        }
        let options = method.method_descriptor_proto().options.as_ref();
        if options.is_some_and(|options| options.deprecated()) {
            fields.insert("deprecated".to_owned(), json!(true));
        }
        Some(operation)
    }

    fn id(&self, rpc: &Rpc, index: usize) -> String {
        let service = rpc.service.rsplit('.').next().unwrap_or_default();
        let unique = self.names.get(rpc.method).is_none_or(|count| *count == 1);
        let name = if unique { rpc.method.to_owned() } else { format!("{service}_{}", rpc.method) };
        if index == 0 { name } else { format!("{name}_{}", index + 1) }
    }

    fn request_body(&self, route: &Route, input: &MessageDescriptor) -> Option<Value> {
        if route.body.is_empty() {
            return None;
        }
        if route.body == "*" {
            let bound = parameters::path_variables(route);
            let fields = input.fields().filter(|it| bound.iter().all(|name| name != it.name()));
            let fields: Vec<_> = fields.collect();
            // The whole message where the path takes nothing of it.
            let schema = if bound.is_empty() {
                self.schemas.message(input, Direction::Request)
            } else {
                let comment = self.schemas.comments().of_message(input);
                Value::Object(self.schemas.object(&fields, Direction::Request, comment))
            };
            let required = fields.iter().any(|it| Rules::of(it).demands(it));
            return Some(json!({
                "required": required, "content": { "application/json": { "schema": schema } },
            }));
        }
        let field = input.get_field_by_name(route.body)?;
        let schema = self.schemas.field(&field, Direction::Request);
        let comment = self.schemas.comments().of_field(&field);
        if matches!(field.kind(), Kind::Message(it) if it.full_name() == HTTP_BODY) {
            let media = media_type(comment).unwrap_or("*/*");
            let schema = if media == "application/x-www-form-urlencoded" {
                json!({ "type": "object", "additionalProperties": { "type": "string" } })
            } else {
                json!({})
            };
            return Some(json!({
                "required": true, "description": comment, "content": { media: { "schema": schema } },
            }));
        }
        // No content is the empty message.
        let required = match field.kind() {
            Kind::Message(message) => message.fields().any(|it| Rules::of(&it).demands(&it)),
            _ => true,
        };
        let content = json!({ "application/json": { "schema": schema } });
        Some(json!({ "required": required, "content": content }))
    }

    fn responses(&self, rpc: &Rpc, route: &Route, method: &MethodDescriptor) -> Value {
        let output = method.output();
        let field = output.get_field_by_name(route.response_body);
        let (schema, comment, raw) = match &field {
            Some(field) => {
                let raw = matches!(field.kind(), Kind::Message(it) if it.full_name() == HTTP_BODY);
                let comment = self.schemas.comments().of_field(field);
                (self.schemas.field(field, Direction::Response), comment, raw)
            }
            None => {
                let comment = self.schemas.comments().of_message(&output);
                let raw = output.full_name() == HTTP_BODY;
                (self.schemas.message(&output, Direction::Response), comment, raw)
            }
        };
        let content = if raw {
            json!({ media_type(comment).unwrap_or("*/*"): { "schema": {} } })
        } else if rpc.server_streaming {
            json!({
                "application/json": { "schema": { "type": "array", "items": schema } },
                "application/x-ndjson": { "schema": schema },
                "text/event-stream": { "schema": event_schema(&schema) },
            })
        } else {
            json!({ "application/json": { "schema": schema } })
        };
        let mut responses = errors::errors_of(rpc, route);
        if rpc.client_streaming && route.body.is_empty() {
            let input = self.schemas.message(&method.input(), Direction::Request);
            let upgraded = json!({
                "description": "The connection is a WebSocket now: each message is one JSON document.",
                "x-websocket": { "client": input, "server": schema },
            });
            responses.insert("101".to_owned(), upgraded);
            return Value::Object(responses);
        }
        let description = if comment.is_empty() { "The answer." } else { comment };
        let success = json!({ "description": description, "content": content });
        responses.insert(rpc.success_status.to_string(), success);
        Value::Object(responses)
    }
}

fn describe_operation(rpc: &Rpc, comment: &str) -> String {
    let who = describe_callers(rpc);
    let reach = match rpc.scope {
        Scope::Unspecified => "",
        Scope::Self_ => " What is another's answers like what is absent.",
        Scope::Party => " Whoever is no party to it gets the same answer as for what is absent.",
    };
    let events = rpc.sse.map(describe_events).unwrap_or_default();
    format!("{comment}\n\n**Who may call:** {who}.{reach}{events}")
}

/// One event of a stream, whose data is a JSON document that fits `schema`.
fn event_schema(schema: &Value) -> Value {
    json!({
        "type": "object",
        "required": ["data"],
        "properties": {
            "id": { "type": "string" },
            "event": { "type": "string" },
            "data": {
                "type": "string",
                "contentMediaType": "application/json",
                "contentSchema": schema,
            },
        },
    })
}

/// What a stream is as `text/event-stream`, beyond its data.
fn describe_events(sse: Sse) -> String {
    let mut parts = Vec::new();
    if !sse.id.is_empty() {
        parts.push(format!("`id:` is `{}`", sse.id));
    }
    if !sse.event.is_empty() {
        parts.push(format!("`event:` is `{}`", sse.event));
    }
    if !sse.resume.is_empty() {
        parts.push(format!("`Last-Event-ID` stands for `{}`", sse.resume));
    }
    format!("\n\n**Server-sent events:** {}.", parts.join(", "))
}

fn describe_callers(rpc: &Rpc) -> String {
    if rpc.callers.contains(Caller::Public) {
        return "anyone".to_owned();
    }
    if rpc.callers.contains(Caller::User) {
        return "any signed-in account".to_owned();
    }
    let names: Vec<_> = role_names(rpc).into_iter().map(|role| format!("`{role}`")).collect();
    format!("accounts with the role {}", names.join(" or "))
}

/// The roles that may call; empty when none is needed.
fn role_names(rpc: &Rpc) -> Vec<&'static str> {
    if rpc.callers.contains(Caller::Public) || rpc.callers.contains(Caller::User) {
        return Vec::new();
    }
    let all = [
        (Caller::Customer, "customer"),
        (Caller::Provider, "provider"),
        (Caller::Operator, "operator"),
    ];
    all.into_iter().filter(|(caller, _)| rpc.callers.contains(*caller)).map(|(_, it)| it).collect()
}

fn security_of(rpc: &Rpc) -> Value {
    if rpc.callers.contains(Caller::Public) {
        return json!([{}, { "bearer": [] }]);
    }
    json!([{ "bearer": [] }, { "password": [] }])
}
