//! Whether every route can be reached: a path made of its template leads to it.

use std::fmt::{self, Write as _};

use http::Method as HttpMethod;
use route_template::{Segment, Template};

use crate::schema::{HttpRule, Method};
use crate::served;
use crate::transcoder::{RouteError, Transcoder};

/// So many segments are tried for `**`, because a route with fewer wildcards may take some of the paths.
const LONGEST_REST: usize = 5;

/// A route that no path leads to.
#[derive(Debug)]
pub struct Unreachable {
    rpc: String,
    template: String,
    /// Who answers its paths.
    taken_by: String,
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rpc, template, taken_by } = self;
        write!(f, "rpc {rpc} is never reached by \"{template}\": {taken_by} its paths")
    }
}

/// Looks for a path to each route, and returns those without one.
pub fn unreachable_routes(transcoder: &Transcoder) -> Vec<Unreachable> {
    let services = served::select_services(transcoder.schema(), transcoder.options());
    let methods = services.into_iter().flatten().flat_map(|service| service.methods());
    let rules = methods.flat_map(|method| {
        let first = method.http_rule();
        let more = first.into_iter().flat_map(|rule| &rule.additional_bindings);
        first.into_iter().chain(more).map(move |rule| (method, rule))
    });
    rules.filter_map(|(method, rule)| look_for(transcoder, method, rule)).collect()
}

fn look_for(transcoder: &Transcoder, method: &Method, rule: &HttpRule) -> Option<Unreachable> {
    let template = Template::parse(&rule.template).ok()?;
    let http_method = match rule.method.as_str() {
        // Any method that has no route of its own.
        "*" => HttpMethod::TRACE,
        name => HttpMethod::from_bytes(name.as_bytes()).ok()?,
    };
    let mut taken_by = String::new();
    for rest in 0..=LONGEST_REST {
        match transcoder.route(&http_method, &example_path(&template, rest)) {
            Ok(route) if route.method().path() == method.path() => return None,
            Ok(route) => {
                taken_by = format!("{} answers", route.method().path().trim_start_matches('/'));
            }
            Err(RouteError::MethodNotAllowed { allow }) => {
                taken_by = format!("a route for {allow} is closer to");
            }
            Err(_) => {}
        }
    }
    let rpc = method.path().trim_start_matches('/').to_owned();
    Some(Unreachable { rpc, template: rule.template.clone(), taken_by })
}

/// A path that the template matches, with `rest` segments in the place of `**`.
fn example_path(template: &Template, rest: usize) -> String {
    let mut path = String::new();
    for segment in &template.segments {
        match segment {
            Segment::Literal(text) => {
                path.push('/');
                encode_segment(text, &mut path);
            }
            Segment::One => path.push_str("/any-one"),
            Segment::Rest => path.push_str(&"/any-rest".repeat(rest)),
        }
    }
    if path.is_empty() {
        path.push('/');
    }
    if let Some(verb) = &template.verb {
        path.push(':');
        encode_segment(verb.as_bytes(), &mut path);
    }
    path
}

fn encode_segment(text: &[u8], out: &mut String) {
    for &byte in text {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
}
