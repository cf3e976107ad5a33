//! Who may call: said for every RPC, without contradiction, and reachable over HTTP exactly when people may call.

use super::Report;
use crate::{
    contracts::Contracts,
    problem::Problem,
    rpc::{Access, Rpc},
};
use prost_reflect::FileDescriptor;
use std::collections::BTreeSet;

const SERVICE: &str = "CALLER_SERVICE";

/// The callers that have no contract of their own: the edge, and an operator at the program's command line.
const OUTSIDE: [&str; 2] = ["edge", "ops"];

pub fn check_access(contracts: &Contracts, rpcs: &[Rpc]) -> Vec<Problem> {
    let known = known_services(contracts);
    let mut problems = Vec::new();
    for rpc in rpcs {
        let mut report = Report { contracts, rpc, problems: &mut problems };
        match &rpc.access {
            None => report.add("has no `(quickserve.options.v1.rpc)`: say who may call"),
            Some(access) if access.callers.is_empty() => report.add("has no `callers`"),
            Some(access) => {
                check_callers(access, &mut report);
                check_peers(access, &known, &mut report);
                check_reach(rpc, &mut report);
                check_audit(rpc, access, &mut report);
            }
        }
    }
    problems
}

/// The services that may be named as callers: those that have a package, and the callers from outside.
fn known_services(contracts: &Contracts) -> BTreeSet<String> {
    let packages = contracts.files.iter().map(FileDescriptor::package_name);
    let services = packages.filter_map(|package| package.rsplit('.').nth(1));
    services.chain(OUTSIDE).map(str::to_owned).collect()
}

fn check_callers(access: &Access, report: &mut Report<'_>) {
    let unique: BTreeSet<_> = access.callers.iter().collect();
    if unique.len() < access.callers.len() {
        report.add("names a caller twice");
    }
    if !access.callers.iter().all(|caller| is_valid_caller(caller)) {
        report.add("has a caller that is never valid");
    }
    let internal = access.callers.iter().any(|caller| caller == SERVICE);
    if internal && access.callers.len() > 1 {
        report.add("mixes CALLER_SERVICE with other callers: give services an RPC of their own");
    }
    if access.success_status != 0 && !(200..300).contains(&access.success_status) {
        report.add("has a `success_status` that is no success");
    }
}

/// The header in which an operator says why.
const REASON: &str = "operator-reason";

/// What is written down of a call can be: the reason comes in by a header, and only a read is a read.
fn check_audit(rpc: &Rpc, access: &Access, report: &mut Report<'_>) {
    if access.audit.reason && !access.headers.iter().any(|header| header == REASON) {
        report
            .add("demands a reason of operators, but does not name `operator-reason` in `headers`");
    }
    if access.audit.read && rpc.level != "NO_SIDE_EFFECTS" {
        report.add("has `audit.read`, but is no read");
    }
    if access.headers.iter().any(|header| header.chars().any(|it| it.is_ascii_uppercase())) {
        report.add("names a header that is not in lower case");
    }
}

fn is_valid_caller(name: &str) -> bool {
    name.starts_with("CALLER_") && name != "CALLER_UNSPECIFIED"
}

fn check_peers(access: &Access, known: &BTreeSet<String>, report: &mut Report<'_>) {
    let internal = access.callers.iter().any(|caller| caller == SERVICE);
    match (internal, access.services.is_empty()) {
        (true, true) => report.add("has CALLER_SERVICE but no `services`"),
        (false, false) => report.add("has `services` but not CALLER_SERVICE"),
        _ => {}
    }
    for service in &access.services {
        if !known.contains(service) {
            report.add(format!("names `{service}`, which is no service"));
        }
    }
    if access.services.iter().collect::<BTreeSet<_>>().len() < access.services.len() {
        report.add("names a service twice");
    }
}

fn check_reach(rpc: &Rpc, report: &mut Report<'_>) {
    match (rpc.is_internal(), rpc.routes.is_empty()) {
        (false, true) => report.add("has no `(google.api.http)` although people may call it"),
        (true, false) => report.add("has `(google.api.http)` although only services may call it"),
        _ => {}
    }
}
