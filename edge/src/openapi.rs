//! The OpenAPI 3.1 document, made from the contracts: descriptors, comments, validation rules and policies. Nothing
//! is written here for a new RPC.

mod comments;
mod errors;
mod operation;
mod parameters;
mod yaml;

use crate::rpc_table::{self, is_reachable, package_of};
use bytes::Bytes;
use json_schema::{Direction, Schemas};
use operation::Operations;
use prost_reflect::MethodDescriptor;
use proto::Rpc;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The document as JSON.
pub fn to_json() -> Bytes {
    build_document().to_string().into()
}

/// The document as YAML.
pub fn to_yaml() -> Bytes {
    yaml::write_yaml(&build_document()).into()
}

pub fn build_document() -> Value {
    let schemas = component_schemas();
    let mut paths = Map::new();
    let operations = Operations::new(&schemas);
    for rpc in proto::all_rpcs().iter().filter(|rpc| is_reachable(rpc)) {
        for (index, route) in rpc.routes.iter().enumerate() {
            let Some(template) = rpc_table::template(route) else { continue };
            let Some(operation) = operations.of(rpc, route, index) else { continue };
            let item =
                paths.entry(parameters::path_parameters(&template)).or_insert_with(|| json!({}));
            if let Some(item) = item.as_object_mut() {
                item.insert(route.verb.to_ascii_lowercase(), operation);
            }
        }
    }
    let mut all = schemas.definitions();
    all.insert("Problem".to_owned(), errors::error_schema());
    let responses = errors::error_responses();
    let mut components = Map::new();
    keep_cached(&responses, &mut all, &mut components);
    keep_cached(&Value::Object(paths.clone()), &mut all, &mut components);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "QuickServe",
            "version": env!("CARGO_PKG_VERSION"),
            "description": DESCRIPTION,
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "tags": service_tags(&schemas),
        "paths": paths,
        "components": {
            "schemas": components,
            "responses": responses,
            "securitySchemes": security_schemes(),
        },
    })
}

/// The schemas of all messages that clients send and receive.
fn component_schemas() -> Schemas {
    let public = proto::all_rpcs().iter().filter(|rpc| is_reachable(rpc) && !rpc.routes.is_empty());
    let messages = public.filter_map(method_name).flat_map(|method| {
        [(method.input(), Direction::Request), (method.output(), Direction::Response)]
    });
    let shapes = json_schema::shape_messages().map(|shape| (shape, Direction::Request));
    Schemas::new("#/components/schemas/", messages.chain(shapes))
}

/// The descriptor of an RPC.
fn method_name(rpc: &Rpc) -> Option<MethodDescriptor> {
    let service = proto::descriptor_pool().get_service_by_name(rpc.service)?;
    service.methods().find(|method| method.name() == rpc.method)
}

/// Moves the schemas that `value` refers to, and those that they refer to, from `all` to `kept`.
fn keep_cached(value: &Value, all: &mut Map<String, Value>, kept: &mut Map<String, Value>) {
    match value {
        Value::Object(fields) => {
            let target = fields.get("$ref").and_then(Value::as_str);
            let name = target.and_then(|it| it.strip_prefix("#/components/schemas/"));
            if let Some((name, schema)) = name.and_then(|name| all.remove_entry(name)) {
                keep_cached(&schema, all, kept);
                kept.insert(name, schema);
            }
            fields.values().for_each(|field| keep_cached(field, all, kept));
        }
        Value::Array(items) => items.iter().for_each(|item| keep_cached(item, all, kept)),
        _ => {}
    }
}

const DESCRIPTION: &str = "\
A marketplace of services on demand: customers book, providers come, everybody is paid.

* Bodies are JSON with `snake_case` names. Unknown fields and query parameters are refused, with the field named.
* A field that is `null` is like one that is absent.
* 64-bit integers are texts, as ProtoJSON has them; times are RFC 3339. Where a name of an enum is expected, its number
  is taken too.
* A failure is `application/problem+json` (RFC 9457) with a stable `reason`.
* `$fields=id,name` in a query returns only these fields of the answer.
* What has a `version` has an `ETag`; `If-Match` makes a change depend on it, `If-None-Match` saves a reading.
* `Idempotency-Key` makes a creation take effect once, however often it is sent.
* Every operation is also an RPC of gRPC and gRPC-Web on the same port.";

fn security_schemes() -> Value {
    json!({
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "An access token, as signing in returns it. It is valid for ten minutes.",
        },
        "password": {
            "type": "oauth2",
            "description": "Signs in with e-mail address and password.",
            "flows": { "password": { "tokenUrl": "/token", "scopes": {} } },
        },
    })
}

/// The domains, each with what its services say of themselves.
fn service_tags(schemas: &Schemas) -> Value {
    let mut tags: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let public = proto::all_rpcs().iter().filter(|rpc| is_reachable(rpc) && !rpc.routes.is_empty());
    for rpc in public {
        let Some(service) = proto::descriptor_pool().get_service_by_name(rpc.service) else {
            continue;
        };
        let comment = schemas.comments().of_service(&service).to_owned();
        let texts = tags.entry(package_of(rpc)).or_default();
        if !texts.contains(&comment) {
            texts.push(comment);
        }
    }
    tags.into_iter()
        .map(|(name, texts)| json!({ "name": name, "description": texts.join("\n\n") }))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::build_document;
    use serde_json::json;

    #[test]
    fn the_document_demands_no_more_than_the_system_does() {
        let document = build_document();
        let at = |pointer: &str| document.pointer(pointer).unwrap_or_else(|| panic!("{pointer}"));
        let register = "/components/schemas/CreateUserRequest/properties";
        assert_eq!(at(&format!("{register}/phone/pattern")), r"^$|^\+[1-9][0-9]{6,14}$");
        assert_eq!(*at(&format!("{register}/locale/enum")), serde_json::json!(["fr", "en", ""]));
        let order = "/components/schemas/CreateOrderRequest/properties/provider_id";
        assert_eq!(at(&format!("{order}/anyOf/0/format")), "uuid");
        assert_eq!(at(&format!("{order}/anyOf/0/type")), "string");
        assert_eq!(at(&format!("{order}/anyOf/1/type")), "string");
        // No content is the empty message, which some operations take.
        let required = |path: &str| at(&format!("/paths/{path}/requestBody/required")) == true;
        assert!(!required("~1v1~1me~1preferences/put"));
        assert!(!required("~1v1~1auth~1logout/post"));
        assert!(required("~1v1~1auth~1login/post"));
        // A number in a text has no sign where it cannot be below zero.
        let price = "/components/schemas/ChangeLineInput/properties/minor_units/pattern";
        assert_eq!(at(price), "^[1-9][0-9]{0,18}$");
    }

    #[test]
    fn the_document_suits_generators_of_clients() {
        let document = build_document();
        let at = |pointer: &str| document.pointer(pointer).unwrap_or_else(|| panic!("{pointer}"));
        let details = at("/components/schemas/CreateQuoteRequest/properties/details");
        // Each vertical says what its details are; an object of a vertical that came later fits too.
        let fitting = details["anyOf"].as_array().unwrap();
        for name in ["CleaningDetailsInput", "RideDetailsInput", "RepairDetailsInput"] {
            let component = json!({ "$ref": format!("#/components/schemas/{name}") });
            assert!(fitting.contains(&component), "{name}: {details}");
        }
        assert_eq!(fitting.last().unwrap()["additionalProperties"], true);
        let ride = at("/components/schemas/RideDetailsInput/properties/stops");
        assert_eq!((&ride["minItems"], &ride["maxItems"]), (&json!(1), &json!(6)));
        let change = at("/components/schemas/RideChange/properties/stops");
        assert_eq!(change["items"]["$ref"], "#/components/schemas/RideStopInput");
        let estimate = at("/components/schemas/RepairEstimate/properties/labour");
        assert_eq!(estimate["items"]["$ref"], "#/components/schemas/Labour");
        let state = at("/components/schemas/Order/properties/state");
        let (names, meanings) = (state["enum"].as_array(), state["x-enum-descriptions"].as_array());
        assert_eq!(names.map(Vec::len), meanings.map(Vec::len));
        assert!(names.is_some_and(|it| it.len() > 5));
        // Two domains have a `Payment`.
        at("/components/schemas/OrderPayment");
        at("/components/schemas/PaymentPayment");
    }
}
