//! The policies of all RPCs as one static table, sorted by path: nothing is looked up in descriptors at run time.

use crate::{
    names,
    rpc::{Access, Audit, Rpc, Sse},
};
use std::fmt::Write;

/// The Rust code of the table, to be included in a crate that has `rpc` at its root.
pub fn generate_table(rpcs: &[Rpc]) -> String {
    let mut rows: Vec<(String, String)> = rpcs.iter().filter_map(table_row).collect();
    rows.sort();
    let rows: String = rows.into_iter().map(|(_, row)| row).collect();
    format!("/// Every RPC, sorted by path.\npub static RPCS: &[crate::rpc::Rpc] = &[\n{rows}];\n")
}

fn table_row(rpc: &Rpc) -> Option<(String, String)> {
    let Access {
        callers,
        scope,
        services,
        idempotency_key,
        success_status,
        critical,
        sse,
        audit: Audit { reason, read },
        headers,
    } = rpc.access.as_ref()?;
    let callers: Vec<String> = callers.iter().map(|caller| row_value("Caller", caller)).collect();
    let mut routes = String::new();
    for route in &rpc.routes {
        let _ = write!(
            routes,
            "crate::rpc::Route {{ verb: {:?}, template: {:?}, body: {:?}, response_body: {:?} }}, ",
            route.verb, route.template, route.body, route.response_body
        );
    }
    let level = match rpc.level.as_str() {
        "NO_SIDE_EFFECTS" => "NoSideEffects",
        "IDEMPOTENT" => "Idempotent",
        _ => "Unknown",
    };
    let path = rpc.path();
    let row = format!(
        "crate::rpc::Rpc {{ path: {path:?}, service: {:?}, method: {:?}, \
         callers: crate::rpc::Callers::of(&[{}]), scope: {}, services: &{services:?}, \
         idempotency_key: {}, idempotency_level: crate::rpc::IdempotencyLevel::{level}, \
         success_status: {}, critical: {critical}, sse: {}, audit: crate::rpc::Audit {{ reason: {reason}, read: {read} }}, \
         headers: &{headers:?}, client_streaming: {}, server_streaming: {}, routes: &[{routes}] }},\n",
        rpc.method.parent_service().full_name(),
        rpc.method.name(),
        callers.join(", "),
        row_value("Scope", scope),
        row_value("IdempotencyKey", idempotency_key),
        if *success_status == 0 { 200 } else { *success_status },
        sse_value(sse.as_ref()),
        rpc.method.is_client_streaming(),
        rpc.method.is_server_streaming(),
    );
    Some((path, row))
}

fn sse_value(sse: Option<&Sse>) -> String {
    match sse {
        None => "None".to_owned(),
        Some(Sse { id, event, resume }) => {
            format!("Some(crate::rpc::Sse {{ id: {id:?}, event: {event:?}, resume: {resume:?} }})")
        }
    }
}

/// A value of an enum of the options, as prost names it: without the prefix of its type.
fn row_value(name: &str, value: &str) -> String {
    let full = names::camel_case(value);
    let short = full.strip_prefix(name).unwrap_or(&full);
    format!("crate::rpc::{name}::{}", names::camel_case(short))
}
