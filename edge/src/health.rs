//! Whether the edge can serve.

use kit::{Clock, Host, identity::identify::Identity};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use tokio::sync::watch;

/// Whether the edge can serve; cheap to clone.
#[derive(Clone)]
pub struct EdgeHealth(Arc<State>);

struct State {
    clock: Clock,
    identity: Arc<Identity>,
    /// Whether the disk of the data folder has room.
    has_room: watch::Receiver<bool>,
    stopping: AtomicBool,
}

impl EdgeHealth {
    /// Not ready yet.
    pub fn new(host: &Host) -> Self {
        Self(Arc::new(State {
            clock: host.clock().clone(),
            identity: Arc::clone(host.identity()),
            has_room: host.has_room(),
            stopping: AtomicBool::new(false),
        }))
    }

    /// Says that no more requests should come.
    pub fn stopping(&self) {
        self.0.stopping.store(true, Ordering::Relaxed);
    }

    /// Ready means: not stopping, room on the disk, and the void access tokens have been read once. That they are old
    /// does not make it unready: every edge would be so at once, and services check their callers themselves.
    pub fn report(&self) -> (bool, serde_json::Value) {
        let read_at = self.0.identity.revocations().read_at();
        let age = read_at.map(|at| (self.0.clock.now() - at).num_seconds().max(0));
        let stopping = self.0.stopping.load(Ordering::Relaxed);
        let status = match (stopping, *self.0.has_room.borrow(), age) {
            (true, ..) => "stopping",
            (false, false, _) => "disk_full",
            (false, true, None) => "starting",
            (false, true, Some(_)) => "ready",
        };
        (status == "ready", serde_json::json!({ "status": status, "revocations_age_s": age }))
    }
}
