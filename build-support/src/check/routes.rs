//! HTTP routes: each is well formed, binds to its messages and is reached by one RPC only.

use super::Report;
use crate::{
    contracts::Contracts,
    problem::Problem,
    rpc::{Route, Rpc},
};
use prost_reflect::{Kind, MessageDescriptor};
use route_template::{Segment, Template};
use std::collections::HashMap;

/// The requests that a route matches.
#[derive(PartialEq, Eq, Hash)]
struct Matched {
    method: String,
    segments: Vec<Segment>,
    verb: Option<String>,
}

pub fn check_routes(contracts: &Contracts, rpcs: &[Rpc]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut taken: HashMap<Matched, String> = HashMap::new();
    for rpc in rpcs {
        for route in &rpc.routes {
            let mut report = Report { contracts, rpc, problems: &mut problems };
            let template = match parse_template(route) {
                Ok(template) => template,
                Err(message) => {
                    report.add(message);
                    continue;
                }
            };
            bind_variables(rpc, route, &template, &mut report);
            let matched = Matched {
                method: route.verb.clone(),
                segments: template.segments,
                verb: template.verb,
            };
            if let Some(other) = taken.insert(matched, rpc.path()) {
                let (verb, path) = (&route.verb, &route.template);
                report.add(format!("has the route `{verb} {path}`, which {other} has already"));
            }
        }
    }
    problems
}

fn parse_template(route: &Route) -> Result<Template, String> {
    if route.verb.is_empty() {
        return Err("has a route without verb and path".into());
    }
    if route.nested {
        return Err("has additional_bindings inside additional_bindings".into());
    }
    let path = &route.template;
    Template::parse(path)
        .map_err(|error| format!("has the path `{path}`, which cannot be served: {error}"))
}

fn bind_variables(rpc: &Rpc, route: &Route, template: &Template, report: &mut Report<'_>) {
    let (input, output) = (rpc.method.input(), rpc.method.output());
    for variable in template.variables.iter().map(|variable| variable.field.as_str()) {
        if let Err(reason) = is_scalar(&input, variable) {
            report.add(format!("has the path variable `{variable}`, but {reason}"));
        }
    }
    if route.verb == "GET" && !route.body.is_empty() {
        report.add("has a GET route with a `body`");
    }
    let body = route.body.as_str();
    if !["", "*"].contains(&body) && input.get_field_by_name(body).is_none() {
        report.add(format!("has the `body` `{body}`, which {} has not", input.name()));
    }
    if template.variables.iter().any(|variable| variable.field == body) {
        report.add(format!("takes `{body}` from the path and from the body"));
    }
    let response = route.response_body.as_str();
    if !response.is_empty() && output.get_field_by_name(response).is_none() {
        report
            .add(format!("has the `response_body` `{response}`, which {} has not", output.name()));
    }
}

/// Follows a field path to a single scalar or enum.
fn is_scalar(message: &MessageDescriptor, path: &str) -> Result<(), String> {
    let (name, rest) = path.split_once('.').map_or((path, None), |(a, b)| (a, Some(b)));
    let Some(field) = message.get_field_by_name(name) else {
        return Err(format!("{} has no field `{name}`", message.name()));
    };
    if field.is_list() || field.is_map() {
        return Err(format!("`{name}` is repeated"));
    }
    match (field.kind(), rest) {
        (Kind::Message(inner), Some(rest)) => is_scalar(&inner, rest),
        (Kind::Message(_), None) => Err(format!("`{name}` is a message")),
        (_, Some(_)) => Err(format!("`{name}` is not a message")),
        (_, None) => Ok(()),
    }
}
