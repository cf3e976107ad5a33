//! The OpenAPI 3.1 document, made from the contracts when it is first asked for.

use crate::table::is_reachable;
use bytes::Bytes;
use serde_json::{Map, Value, json};
use std::sync::LazyLock;

/// The document as JSON.
pub fn json() -> Bytes {
    static JSON: LazyLock<Bytes> = LazyLock::new(|| document().to_string().into());
    JSON.clone()
}

/// The document as YAML, of which JSON is a part.
pub fn yaml() -> Bytes {
    json()
}

/// The document.
pub fn document() -> Value {
    let mut paths = Map::new();
    for rpc in proto::rpcs().iter().filter(|rpc| is_reachable(rpc)) {
        for route in rpc.routes {
            let item = paths.entry(route.template).or_insert_with(|| json!({}));
            if let Some(item) = item.as_object_mut() {
                let operation = json!({ "operationId": rpc.method, "responses": {} });
                item.insert(route.verb.to_ascii_lowercase(), operation);
            }
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": { "title": "QuickServe", "version": env!("CARGO_PKG_VERSION") },
        "paths": paths,
    })
}
