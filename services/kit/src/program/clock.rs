//! Time as the services see it: the system's, or a test's own.

use chrono::{DateTime, Duration, SubsecRound, Utc};
use std::sync::Arc;
use tokio::sync::watch;

/// How often a worker looks again while a manual clock stands still.
const MANUAL_POLL: std::time::Duration = std::time::Duration::from_millis(50);

/// A source of the current time.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Manual(Arc<watch::Sender<DateTime<Utc>>>),
}

impl Clock {
    /// The system's clock.
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands at `now` until it is moved. Its clones move with it.
    pub fn manual(now: DateTime<Utc>) -> Self {
        Self(Source::Manual(Arc::new(watch::Sender::new(now.trunc_subsecs(6)))))
    }

    /// The time now, in whole microseconds: what both databases keep.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the system's clock")]
    pub fn now(&self) -> DateTime<Utc> {
        match &self.0 {
            Source::System => Utc::now().trunc_subsecs(6),
            Source::Manual(now) => *now.borrow(),
        }
    }

    /// Moves a manual clock forward; the system's clock stays as it is.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual(now) = &self.0 {
            now.send_modify(|now| *now += by);
        }
    }

    /// Waits until the clock reads `time` or later.
    pub async fn sleep_until(&self, time: DateTime<Utc>) {
        match &self.0 {
            Source::System => {
                let left = (time - self.now()).to_std().unwrap_or_default();
                tokio::time::sleep(left).await;
            }
            Source::Manual(now) => {
                // The sender lives as long as `self`, so that waiting cannot fail.
                let _ = now.subscribe().wait_for(|now| *now >= time).await;
            }
        }
    }

    /// Waits until it is time to look again: `every` on the system's clock; on a manual one as soon as it moves.
    pub async fn poll(&self, every: std::time::Duration) {
        match &self.0 {
            Source::System => tokio::time::sleep(every).await,
            Source::Manual(now) => {
                let mut moved = now.subscribe();
                let _ = tokio::time::timeout(every.min(MANUAL_POLL), moved.changed()).await;
            }
        }
    }

    /// Waits for `span` to pass on this clock.
    pub async fn sleep(&self, span: Duration) {
        self.sleep_until(self.now() + span).await;
    }
}
