//! How operations fail: one schema, and a response for each status.

use proto::{
    Rpc,
    rpc::{Caller, IdempotencyLevel, Route},
};
use serde_json::{Map, Value, json};

/// The responses: status, name, what it means.
const RESPONSES: [(&str, &str, &str); 13] = [
    (
        "400",
        "BadRequest",
        "A field is wrong (`violations` names it), or the state does not allow it.",
    ),
    ("401", "Unauthenticated", "Nobody is signed in, or the access token is not valid."),
    ("403", "Forbidden", "The account may not do this."),
    ("404", "NotFound", "It is absent, or not the caller's to see."),
    ("409", "Conflict", "It exists already, or another call won a race."),
    ("412", "PreconditionFailed", "It has changed since the version in `If-Match`."),
    ("413", "TooLarge", "The content is too long."),
    ("415", "UnsupportedMediaType", "The content is of a type or coding that is not taken."),
    ("429", "TooManyRequests", "Too many requests; `Retry-After` says when to go on."),
    ("500", "Internal", "Our fault."),
    ("503", "Unavailable", "Try again shortly."),
    ("504", "DeadlineExceeded", "It took too long. What was asked may have happened."),
    ("default", "Problem", "Any other failure."),
];

/// The schema of a failure (RFC 9457).
pub fn error_schema() -> Value {
    json!({
        "type": "object",
        "description": "A failure, after RFC 9457.",
        "required": ["type", "title", "status", "detail", "code"],
        "properties": {
            "type": { "type": "string", "description": "Always `about:blank`; `reason` tells kinds apart." },
            "title": { "type": "string", "description": "The status in words." },
            "status": { "type": "integer", "description": "The HTTP status.", "examples": [404] },
            "detail": { "type": "string", "description": "What went wrong, for people." },
            "code": { "type": "string", "description": "The gRPC code.", "examples": ["NOT_FOUND"] },
            "reason": { "type": "string", "description": "A stable code.", "examples": ["ORDER_STATE"] },
            "violations": {
                "type": "array",
                "description": "The fields that are wrong.",
                "items": {
                    "type": "object",
                    "required": ["field", "description"],
                    "properties": {
                        "field": { "type": "string", "examples": ["window.start"] },
                        "description": { "type": "string" },
                    },
                },
            },
            "allowed_actions": {
                "type": "array",
                "description": "What the caller can do instead.",
                "items": { "type": "string" },
            },
            "metadata": {
                "type": "object",
                "description": "More about the reason.",
                "additionalProperties": { "type": "string" },
            },
            "request_id": { "type": "string", "description": "Names the request in our logs." },
            "details": { "type": "array", "items": { "type": "object", "additionalProperties": true } },
        },
    })
}

/// The responses that operations refer to.
pub fn error_responses() -> Value {
    let responses = RESPONSES.into_iter();
    let responses =
        responses.map(|(status, name, meaning)| (name.to_owned(), error_response(status, meaning)));
    Value::Object(responses.collect())
}

fn error_response(status: &str, meaning: &str) -> Value {
    let mut headers = json!({
        "x-request-id": {
            "required": true, "schema": { "type": "string" }, "description": "Names the request.",
        },
    });
    let more = match status {
        "401" => Some(("WWW-Authenticate", "string")),
        "429" | "503" => Some(("Retry-After", "integer")),
        _ => None,
    };
    if let (Some((name, kind)), Some(headers)) = (more, headers.as_object_mut()) {
        headers.insert(name.to_owned(), json!({ "schema": { "type": kind } }));
    }
    let content = json!({
        "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } },
    });
    json!({ "description": meaning, "headers": headers, "content": content })
}

/// References to the failures of an operation.
pub fn errors_of(rpc: &Rpc, route: &Route) -> Map<String, Value> {
    let mut references = Map::new();
    for (status, name, _) in RESPONSES {
        if can_fail_with(status, rpc, route) {
            let reference = json!({ "$ref": format!("#/components/responses/{name}") });
            references.insert(status.to_owned(), reference);
        }
    }
    references
}

fn can_fail_with(status: &str, rpc: &Rpc, route: &Route) -> bool {
    match status {
        // Any account may call what is for users.
        "403" => !rpc.callers.contains(Caller::Public) && !rpc.callers.contains(Caller::User),
        "404" => route.template.contains('{'),
        "409" | "412" => rpc.idempotency_level != IdempotencyLevel::NoSideEffects,
        "413" | "415" => !route.body.is_empty(),
        _ => true,
    }
}
