//! What the edge knows of each RPC before the first request comes.

use crate::config::Config;
use http::HeaderValue;
use kit::{Host, rpc::client::Channel};
use proto::{
    Rpc,
    rpc::{Caller, Callers, IdempotencyLevel, Route},
};
use route_template::{Segment, Template};
use std::collections::HashMap;

/// An RPC that the outside can reach.
pub struct RpcEntry {
    pub rpc: &'static Rpc,
    /// The channel to its service.
    pub channel: Channel,
    /// Its main route's template, or its path where it has none: what logs and metrics call it.
    pub label: &'static str,
    /// Whether anyone may call it.
    pub public: bool,
    /// Whether it makes something that is then found by its id below the path it was made at.
    pub creates: bool,
    /// The `grpc-timeout` of calls whose client names none; streams have no such limit.
    pub timeout: Option<HeaderValue>,
}

/// The RPCs that the outside can reach, by path. Any other is like one that does not exist.
pub struct RpcTable(HashMap<&'static str, RpcEntry>);

impl RpcTable {
    /// Finds the services of all RPCs.
    pub fn new(host: &Host, config: &Config) -> Self {
        let mut channels = HashMap::new();
        let reachable = proto::all_rpcs().iter().filter(|rpc| is_reachable(rpc));
        let entries = reachable.map(|rpc| {
            let package = package_of(rpc);
            let channel = channels.entry(package).or_insert_with(|| host.channel(package));
            (rpc.path, RpcEntry::new(rpc, channel.clone(), config))
        });
        Self(entries.collect())
    }

    /// The RPC whose calls have this path.
    pub fn get(&self, path: &str) -> Option<&RpcEntry> {
        self.0.get(path)
    }
}

impl RpcEntry {
    fn new(rpc: &'static Rpc, channel: Channel, config: &Config) -> Self {
        let streams = rpc.server_streaming || rpc.client_streaming;
        let reads = rpc.idempotency_level == IdempotencyLevel::NoSideEffects;
        let millis = if reads { config.read_deadline_ms } else { config.write_deadline_ms };
        let timeout = HeaderValue::try_from(format!("{millis}m")).ok().filter(|_| !streams);
        let label = rpc.routes.first().map_or(rpc.path, |route| route.template);
        let public = rpc.callers.contains(Caller::Public);
        Self { rpc, channel, label, public, creates: creates_resource(rpc), timeout }
    }
}

/// Whether the main route is one of a creation, and another RPC reads `{route}/{id}`.
fn creates_resource(rpc: &Rpc) -> bool {
    let route = rpc.routes.first().filter(|_| rpc.success_status == 201);
    let Some(made) = route.and_then(template) else { return false };
    let mut routes = proto::all_rpcs().iter().flat_map(|rpc| rpc.routes);
    routes
        .any(|route| route.verb == "GET" && template(route).is_some_and(|it| is_below(&it, &made)))
}

/// Whether a template is `collection` and one variable.
fn is_below(template: &Template, collection: &Template) -> bool {
    let Some((last, above)) = template.segments.split_last() else { return false };
    let is_variable = template.variables.last().is_some_and(|it| it.start == above.len());
    *last == Segment::One && is_variable && above == collection.segments && template.verb.is_none()
}

/// The template of a route; the build has checked that it is one.
pub fn template(route: &Route) -> Option<Template> {
    Template::parse(route.template).ok()
}

/// Whether anyone but services may call.
pub fn is_reachable(rpc: &Rpc) -> bool {
    rpc.callers != Callers::of(&[Caller::Service]) && rpc.callers != Callers::of(&[])
}

/// The package segment that names the RPC's service: `user` of `quickserve.user.v1.UserService`.
pub fn package_of(rpc: &Rpc) -> &'static str {
    rpc.service.split('.').nth(1).unwrap_or(rpc.service)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn creations_are_found_where_they_are_read() {
        let of = |path| creates_resource(proto::find_rpc(path).unwrap());
        assert!(of("/quickserve.user.v1.UserService/CreateUser"));
        assert!(of("/quickserve.user.v1.UserService/CreateAddress"));
        assert!(!of("/quickserve.user.v1.UserService/RecordConsent"));
        assert!(!of("/quickserve.user.v1.UserService/GetUser"));
    }

    #[test]
    fn only_services_reach_what_is_theirs() {
        let of = |path| is_reachable(proto::find_rpc(path).unwrap());
        assert!(of("/quickserve.user.v1.UserService/GetUser"));
        assert!(of("/quickserve.user.v1.AuthService/Login"));
        assert!(!of("/quickserve.user.v1.AccountService/ListRevocations"));
        assert!(!of("/quickserve.user.v1.AccountService/GetContact"));
    }
}
