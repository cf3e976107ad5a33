//! Whether the edge can serve.

use chrono::{DateTime, Utc};
use tokio::sync::watch;
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicI64, Ordering},
};

/// Whether the edge can serve; cheap to clone.
#[derive(Clone)]
pub struct Health(Arc<State>);

struct State {
    clock: kit::Clock,
    /// Whether the disk of the data folder has room.
    has_room: watch::Receiver<bool>,
    stopping: AtomicBool,
    /// When the revocations were read last, in seconds since 1970; 0 for never.
    revocations: AtomicI64,
}

impl Health {
    /// Not ready yet.
    pub fn new(clock: kit::Clock, has_room: watch::Receiver<bool>) -> Self {
        let (stopping, revocations) = (AtomicBool::new(false), AtomicI64::new(0));
        Self(Arc::new(State { clock, has_room, stopping, revocations }))
    }

    /// Says that no more requests should come.
    pub fn stopping(&self) {
        self.0.stopping.store(true, Ordering::Relaxed);
    }

    /// Says that the void access tokens are known as of `at`.
    pub fn revocations_read(&self, at: DateTime<Utc>) {
        self.0.revocations.store(at.timestamp(), Ordering::Relaxed);
    }

    /// Ready means: not stopping, room on the disk, and the void access tokens have been read once. That they are old does not make it
    /// unready: every edge would be so at once, and services check their callers themselves.
    pub fn report(&self) -> (bool, serde_json::Value) {
        let read = self.0.revocations.load(Ordering::Relaxed);
        let stopping = self.0.stopping.load(Ordering::Relaxed);
        let age = (read > 0).then(|| (self.0.clock.now().timestamp() - read).max(0));
        let status = match (stopping, *self.0.has_room.borrow(), age) {
            (true, ..) => "stopping",
            (false, false, _) => "disk_full",
            (false, true, None) => "starting",
            (false, true, Some(_)) => "ready",
        };
        (status == "ready", serde_json::json!({ "status": status, "revocations_age_s": age }))
    }
}
