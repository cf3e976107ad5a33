//! Each RPC has its own request and response, so that each can grow alone; every file is proto3.

use super::Report;
use crate::{contracts::Contracts, problem::Problem, rpc::Rpc};
use prost_reflect::{MessageDescriptor, Syntax};
use std::collections::HashSet;

/// What stands for raw bytes on either side.
const RAW: &str = "google.api.HttpBody";

pub fn check_messages(contracts: &Contracts, rpcs: &[Rpc]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in &contracts.files {
        if file.syntax() != Syntax::Proto3 {
            problems.push(contracts.problem(file, &[12], "must be `syntax = \"proto3\"`"));
        }
    }
    let mut used = HashSet::new();
    for rpc in rpcs {
        let mut report = Report { contracts, rpc, problems: &mut problems };
        let sides = [("Request", rpc.method.input()), ("Response", rpc.method.output())];
        for (suffix, message) in sides.into_iter().filter(|(_, message)| !is_raw(message)) {
            let wanted = format!("{}{suffix}", rpc.method.name());
            let package = rpc.method.parent_file();
            if message.name() != wanted || message.package_name() != package.package_name() {
                let other = message.full_name();
                report.add(format!("must use its own {wanted}, not {other}"));
            } else if !used.insert(message.full_name().to_owned()) {
                report.add(format!("shares {wanted} with another RPC"));
            }
        }
    }
    problems
}

fn is_raw(message: &MessageDescriptor) -> bool {
    message.full_name() == RAW
}
