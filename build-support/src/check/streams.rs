//! Server-sent events: what their fields are, and that there is a stream to make them of.

use super::Report;
use crate::{contracts::Contracts, problem::Problem, rpc::Rpc};
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

pub fn check_streams(contracts: &Contracts, rpcs: &[Rpc]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for rpc in rpcs {
        let Some(sse) = rpc.access.as_ref().and_then(|access| access.sse.as_ref()) else {
            continue;
        };
        let mut report = Report { contracts, rpc, problems: &mut problems };
        if !rpc.method.is_server_streaming() {
            report.add("has `sse`, but sends no stream");
        }
        let (input, output) = (rpc.method.input(), rpc.method.output());
        for (name, message, path, fits) in [
            ("id", &output, &sse.id, is_text_or_integer as fn(&Kind) -> bool),
            ("event", &output, &sse.event, is_text),
            ("resume", &input, &sse.resume, is_text_or_integer),
        ] {
            let field = field_at(message, path);
            let fits = field.is_some_and(|field| !field.is_list() && fits(&field.kind()));
            if !path.is_empty() && !fits {
                let message = message.name();
                report
                    .add(format!("has `sse.{name}` `{path}`, which is no such field of {message}"));
            }
        }
    }
    problems
}

fn field_at(message: &MessageDescriptor, path: &str) -> Option<FieldDescriptor> {
    match path.split_once('.') {
        None => message.get_field_by_name(path),
        Some((first, rest)) => match message.get_field_by_name(first)?.kind() {
            Kind::Message(inner) => field_at(&inner, rest),
            _ => None,
        },
    }
}

fn is_text(kind: &Kind) -> bool {
    matches!(kind, Kind::String)
}

fn is_text_or_integer(kind: &Kind) -> bool {
    matches!(kind, Kind::String | Kind::Int32 | Kind::Int64 | Kind::Uint32 | Kind::Uint64)
}
