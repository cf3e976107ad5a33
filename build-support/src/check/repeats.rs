//! What happens when a call is repeated: said for every RPC, so that clients and proxies may retry without guessing.

use super::Report;
use crate::{contracts::Contracts, problem::Problem, rpc::Rpc};

pub fn check_repeats(contracts: &Contracts, rpcs: &[Rpc]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for rpc in rpcs {
        let mut report = Report { contracts, rpc, problems: &mut problems };
        let reads = rpc.level == "NO_SIDE_EFFECTS";
        let says_nothing = rpc.level == "IDEMPOTENCY_UNKNOWN";
        let key = rpc.access.as_ref().map(|access| access.idempotency_key.as_str());
        let keyed = key.is_some_and(|key| key != "IDEMPOTENCY_KEY_UNSPECIFIED");
        if says_nothing && !keyed {
            report.add("says nothing of repetition: set `idempotency_level` or `idempotency_key`");
        }
        if reads && keyed {
            report.add("has no side effects, so it needs no `idempotency_key`");
        }
        // With a GET a client also opens the WebSocket through which it streams; that is no read.
        let streams = rpc.method.is_client_streaming();
        if !reads && !streams && rpc.routes.iter().any(|route| route.verb == "GET") {
            report.add("is a GET, so its `idempotency_level` must be NO_SIDE_EFFECTS");
        }
    }
    problems
}
