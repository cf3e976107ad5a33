//! Waiting for what happens after a commit, by what can be seen of it.

use crate::{
    messaging::{outbox, parked, timers},
    program::host::Host,
    storage::db::Db,
};
use chrono::{DateTime, Utc};
use std::{fmt::Debug, time::Duration};
use tokio::time::Instant;

/// When a test gives up. No test that passes waits so long.
const PATIENCE: Duration = Duration::from_secs(30);
/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(10);
/// Jumps of the clock after which a test gives up.
const MAX_JUMPS: usize = 300;

/// Reads a value until it satisfies `holds`, and returns it. `what` names what is waited for; a test that gives up says
/// what it saw last.
pub async fn eventually<T: Debug>(
    what: &str,
    mut read: impl AsyncFnMut() -> T,
    holds: impl Fn(&T) -> bool,
) -> T {
    let limit = Instant::now() + PATIENCE;
    loop {
        let seen = read().await;
        if holds(&seen) {
            return seen;
        }
        assert!(Instant::now() < limit, "{what}: not seen in {PATIENCE:?}; last seen: {seen:?}");
        tokio::time::sleep(PAUSE).await;
    }
}

/// As [`eventually`], for what takes time on the manual clock: whenever the services of `hosts` have done all that is due,
/// the clock moves to when the next of their timers and events falls due. How far it moves depends on them alone, and
/// not on the machine.
pub async fn eventually_in_time<T: Debug>(
    what: &str,
    hosts: &[Host],
    mut read: impl AsyncFnMut() -> T,
    holds: impl Fn(&T) -> bool,
) -> T {
    let databases = open(hosts).await;
    let clock = hosts[0].clock();
    for _ in 0..MAX_JUMPS {
        let due = async || first_due(&databases).await;
        let is_idle = |due: &Option<DateTime<Utc>>| due.is_none_or(|due| due > clock.now());
        let next = eventually("all that is due is done", due, is_idle).await;
        let seen = read().await;
        if holds(&seen) {
            return seen;
        }
        let Some(next) = next else { break };
        clock.advance(next - clock.now());
    }
    // Nothing falls due any more; what has been done may still have to show.
    eventually(what, read, holds).await
}

async fn open(hosts: &[Host]) -> Vec<Db> {
    let mut databases = Vec::new();
    for host in hosts {
        let db = Db::connect(&host.database_config(), host.clock().clone()).await;
        databases.push(db.unwrap());
    }
    databases
}

/// When the first timer or event of any of the services falls due, or fell due and is being worked on.
async fn first_due(databases: &[Db]) -> Option<DateTime<Utc>> {
    let mut first = Vec::new();
    for db in databases {
        first.extend(timers::first_due(db).await.unwrap());
        first.extend(outbox::first_due(db).await.unwrap());
        first.extend(parked::first_due(db).await.unwrap());
    }
    first.into_iter().min()
}
