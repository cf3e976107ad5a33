//! Which process may call which, as the contracts say, and as network policies of Kubernetes.

use crate::{process::OPS, service::Service};
use kit::rpc::caller::EDGE;
use proto::rpc::Caller;
use std::collections::BTreeSet;

/// Where the RPCs are that every service serves to those who run it.
const EVERY_SERVICE: &str = "quickserve.kit.v1.";
/// Where the RPCs are that every vertical serves.
const EVERY_VERTICAL: &str = "quickserve.fulfilment.v1.";
/// The label that the pods of an installation have in common.
const PART_OF: &str = "app.kubernetes.io/part-of: quickserve";

/// Who may call `service`, by the names of their processes: the services that its contracts list, and the edge where others
/// than services may call.
pub fn callers_of(service: Service) -> BTreeSet<&'static str> {
    let own = format!("quickserve.{}.v1.", service.name());
    let serves = |rpc: &&proto::Rpc| {
        rpc.service.starts_with(&own)
            || rpc.service.starts_with(EVERY_SERVICE)
            || (rpc.service.starts_with(EVERY_VERTICAL) && Service::VERTICALS.contains(&service))
    };
    let mut callers = BTreeSet::new();
    for rpc in proto::all_rpcs().iter().filter(serves) {
        callers.extend(rpc.services);
        if rpc.callers.iter().any(|caller| caller != Caller::Service) {
            callers.insert(EDGE);
        }
    }
    callers
}

/// The name of a process as a label or a host has it, without underscores.
fn name_in_kubernetes(name: &str) -> String {
    name.replace('_', "-")
}

/// The network policies that let pods call each other as the contracts say, both ways, and nothing else.
pub fn network_policies() -> String {
    let mut text = "# Printed by `quickserve policy --k8s` from the contracts: who may call whom. A test compares.\n"
        .to_owned();
    for service in Service::ALL {
        let name = name_in_kubernetes(service.name());
        let from = callers_of(service);
        let to: Vec<_> =
            Service::ALL.iter().filter(|it| callers_of(**it).contains(service.name())).collect();
        let to: BTreeSet<_> = to.iter().map(|it| it.name()).collect();
        text.push_str(&policy_of(&name, &from, &to));
    }
    for caller in [EDGE, OPS] {
        let to = Service::ALL.iter().filter(|it| callers_of(**it).contains(caller));
        let to: BTreeSet<_> = to.map(|it| it.name()).collect();
        text.push_str(&policy_of(caller, &BTreeSet::new(), &to));
    }
    text
}

/// The policy of the pods called `name`, which `from` may call and which may call `to`.
fn policy_of(name: &str, from: &BTreeSet<&str>, to: &BTreeSet<&str>) -> String {
    let mut types = Vec::new();
    let mut rules = String::new();
    for (kind, side, peers) in [("ingress", "from", from), ("egress", "to", to)] {
        if peers.is_empty() {
            continue;
        }
        types.push(if kind == "ingress" { "Ingress" } else { "Egress" });
        rules.push_str(&format!("  {kind}:\n    - {side}:\n"));
        for peer in peers {
            let peer = name_in_kubernetes(peer);
            rules.push_str(&format!(
                "        - podSelector:\n            matchLabels:\n              app.kubernetes.io/name: {peer}\n              {PART_OF}\n"
            ));
        }
        rules.push_str("      ports:\n        - port: 7100\n          protocol: TCP\n");
    }
    format!(
        "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: {name}-calls\nspec:\n  \
         podSelector:\n    matchLabels:\n      app.kubernetes.io/name: {name}\n      {PART_OF}\n  \
         policyTypes: [{}]\n{rules}",
        types.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a cluster lets through is what the guard of each service lets through.
    #[test]
    fn the_network_policies_of_the_cluster_are_those_of_the_contracts() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../k8s/base/calls.yaml");
        let kept = std::fs::read_to_string(path).unwrap();
        let command = "cargo run -q -- policy --k8s >k8s/base/calls.yaml";
        assert!(kept == network_policies(), "the contracts say otherwise now: {command}");
    }

    #[test]
    fn a_service_is_called_by_those_that_its_contracts_list() {
        let payment = callers_of(Service::Payment);
        assert_eq!(payment, BTreeSet::from(["edge", "ops", "order"]));
        assert!(callers_of(Service::Cleaning).contains("order"));
        assert!(callers_of(Service::Provider).contains("transport"));
        assert!(!callers_of(Service::Order).contains("payment"));
        // Every process asks which access tokens became void.
        let all = Service::ALL.map(Service::name).into_iter().chain(["edge", "ops"]);
        assert_eq!(callers_of(Service::User), all.collect());
    }
}
