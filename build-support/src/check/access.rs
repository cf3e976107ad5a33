//! Who may call: said for every RPC, without contradiction, and reachable over HTTP exactly when people may call.

use super::fault_at;
use crate::{
    contracts::Contracts,
    problem::Problem,
    rpc::{Access, Rpc},
};
use std::collections::BTreeSet;

const SERVICE: &str = "CALLER_SERVICE";

/// The callers that have no contract of their own: the edge, and an operator at the program's command line.
const OUTSIDE: [&str; 2] = ["edge", "ops"];

pub fn check_access(contracts: &Contracts, rpcs: &[Rpc]) -> Vec<Problem> {
    let known = known_services(contracts);
    let mut problems = Vec::new();
    for rpc in rpcs {
        let mut report = |message: &str| problems.push(fault_at(contracts, rpc, message));
        match &rpc.access {
            None => report("has no `(quickserve.options.v1.rpc)`: say who may call"),
            Some(access) if access.callers.is_empty() => report("has no `callers`"),
            Some(access) => {
                check_callers(access, &mut report);
                check_peers(access, &known, &mut report);
                check_reach(rpc, &mut report);
            }
        }
    }
    problems
}

/// The services that may be named as callers: those that have a package, and the callers from outside.
fn known_services(contracts: &Contracts) -> BTreeSet<String> {
    let segment = |package: &str| package.rsplit('.').nth(1).map(str::to_owned);
    let packages = contracts.files.iter().filter_map(|file| segment(file.package_name()));
    packages.chain(OUTSIDE.map(str::to_owned)).collect()
}

fn check_callers(access: &Access, report: &mut impl FnMut(&str)) {
    let unique: BTreeSet<_> = access.callers.iter().collect();
    if unique.len() < access.callers.len() {
        report("names a caller twice");
    }
    let named = |caller: &String| caller.starts_with("CALLER_") && caller != "CALLER_UNSPECIFIED";
    if !access.callers.iter().all(named) {
        report("has a caller that is never valid");
    }
    let internal = access.callers.iter().any(|caller| caller == SERVICE);
    if internal && access.callers.len() > 1 {
        report("mixes CALLER_SERVICE with other callers: give services an RPC of their own");
    }
    if access.success_status != 0 && !(200..300).contains(&access.success_status) {
        report("has a `success_status` that is no success");
    }
}

fn check_peers(access: &Access, known: &BTreeSet<String>, report: &mut impl FnMut(&str)) {
    let internal = access.callers.iter().any(|caller| caller == SERVICE);
    match (internal, access.services.is_empty()) {
        (true, true) => report("has CALLER_SERVICE but no `services`"),
        (false, false) => report("has `services` but not CALLER_SERVICE"),
        _ => {}
    }
    for service in &access.services {
        if !known.contains(service) {
            report(&format!("names `{service}`, which is no service"));
        }
    }
    if access.services.iter().collect::<BTreeSet<_>>().len() < access.services.len() {
        report("names a service twice");
    }
}

fn check_reach(rpc: &Rpc, report: &mut impl FnMut(&str)) {
    match (rpc.is_internal(), rpc.routes.is_empty()) {
        (false, true) => report("has no `(google.api.http)` although people may call it"),
        (true, false) => report("has `(google.api.http)` although only services may call it"),
        _ => {}
    }
}
