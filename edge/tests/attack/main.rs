//! What attacks cost the edge: its memory stays bounded, its neighbours are served, the attacker is sent away. In a
//! process of its own and one after another, because memory is measured.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "../it/fakes.rs"]
#[allow(dead_code, reason = "these tests need fewer of the fakes")]
mod fakes;
#[path = "../it/fixture.rs"]
#[allow(dead_code, reason = "these tests need less of the fixture")]
mod fixture;

mod bombs;
mod frames;
mod places;
mod slow;

use fixture::{Edge, customer};
use http::StatusCode;
use tokio::sync::{Mutex, MutexGuard};

static ALONE: Mutex<()> = Mutex::const_new(());

/// Memory that this process took since it began to be watched.
struct Memory {
    _alone: MutexGuard<'static, ()>,
    before: usize,
    most: usize,
}

impl Memory {
    /// Waits until no other test runs.
    async fn alone() -> Self {
        Self { _alone: ALONE.lock().await, before: 0, most: 0 }
    }

    /// Forgets what was before.
    fn watch(&mut self) {
        self.before = resident();
    }

    fn look(&mut self) {
        self.most = self.most.max(resident());
    }

    /// The most that was seen beyond what was there before, in MiB.
    fn grown(&mut self) -> usize {
        self.look();
        self.most.saturating_sub(self.before) >> 20
    }
}

/// Memory that this process has in use, in bytes.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap();
    status.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// A neighbour asks for something that takes the whole way to a service.
async fn neighbour(edge: &Edge) {
    assert_eq!(edge.get_as(customer(), "/v1/me").await.status, StatusCode::OK);
}
