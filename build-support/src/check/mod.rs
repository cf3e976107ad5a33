//! What a contract must say for everything else to be derived from it. Each fault fails the build.

mod access;
mod comments;
mod messages;
mod readers;
mod repeats;
mod routes;
mod streams;

use crate::{contracts::Contracts, problem::Problem, rpc::Rpc};

/// Every fault of the tree.
pub fn check_contracts(contracts: &Contracts, rpcs: &[Rpc]) -> Vec<Problem> {
    let mut problems = comments::check_comments(contracts);
    problems.extend(messages::check_messages(contracts, rpcs));
    problems.extend(access::check_access(contracts, rpcs));
    problems.extend(readers::check_readers(contracts));
    problems.extend(repeats::check_repeats(contracts, rpcs));
    problems.extend(routes::check_routes(contracts, rpcs));
    problems.extend(streams::check_streams(contracts, rpcs));
    problems
}

/// Takes down the faults of one RPC, each with its name and its place.
struct Report<'a> {
    contracts: &'a Contracts,
    rpc: &'a Rpc,
    problems: &'a mut Vec<Problem>,
}

impl Report<'_> {
    /// `message` goes on after the name of the RPC: "has no route".
    fn add(&mut self, message: impl AsRef<str>) {
        let method = &self.rpc.method;
        let message = format!("{} {}", method.name(), message.as_ref());
        let problem = self.contracts.problem(&method.parent_file(), method.path(), message);
        self.problems.push(problem);
    }
}
