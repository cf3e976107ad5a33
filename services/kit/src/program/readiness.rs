//! Whether a process can do its work, and why not.

use futures::future::{pending, select_all};
use tokio::sync::watch;

/// What must hold before a process takes requests. Without a condition it is always ready.
#[derive(Clone, Debug, Default)]
pub struct Readiness {
    conditions: Vec<Condition>,
}

#[derive(Clone, Debug)]
struct Condition {
    holds: watch::Receiver<bool>,
    problem: &'static str,
}

impl Readiness {
    /// As before, and only while `holds` is true; `problem` names what is the matter otherwise, such as `disk_full`.
    #[must_use]
    pub fn and(mut self, problem: &'static str, holds: watch::Receiver<bool>) -> Self {
        self.conditions.push(Condition { holds, problem });
        self
    }

    /// The first condition that does not hold; none when the process is ready.
    pub fn problem(&self) -> Option<&'static str> {
        self.conditions.iter().find(|it| !*it.holds.borrow()).map(|it| it.problem)
    }

    /// Waits until a condition has changed, for ever when none can change any more.
    pub async fn changed(&mut self) {
        if self.conditions.is_empty() {
            return pending().await;
        }
        let changes = self.conditions.iter_mut().map(|condition| {
            Box::pin(async {
                if condition.holds.changed().await.is_err() {
                    pending::<()>().await;
                }
            })
        });
        select_all(changes).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;

    #[tokio::test]
    async fn a_process_is_ready_while_every_condition_holds() {
        let mut always = Readiness::default();
        assert_eq!(always.problem(), None);
        assert!(always.changed().now_or_never().is_none());

        let (started, is_started) = watch::channel(false);
        let (room, has_room) = watch::channel(true);
        let mut readiness =
            Readiness::default().and("starting", is_started).and("disk_full", has_room);
        assert_eq!(readiness.problem(), Some("starting"));
        assert!(readiness.changed().now_or_never().is_none());
        started.send_replace(true);
        readiness.changed().await;
        assert_eq!(readiness.problem(), None);
        room.send_replace(false);
        readiness.changed().await;
        assert_eq!(readiness.problem(), Some("disk_full"));
        // What nobody can change any more does not spin.
        drop(started);
        assert!(readiness.changed().now_or_never().is_none());
        room.send_replace(true);
        readiness.changed().await;
        assert_eq!(readiness.problem(), None);
    }
}
