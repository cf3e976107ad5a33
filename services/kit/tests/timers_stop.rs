//! A worker of timers that stops leaves those that it has not begun to another replica, at once.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use async_trait::async_trait;
use kit::{
    Db, Error,
    messaging::timers::{self, Timer, TimerHandler, TimerWorker},
    testing::{Backend, World, eventually},
};
use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use yare::parameterized;

/// Timers of one claim.
const TIMERS: u128 = 40;

/// Fires a timer when a test lets it.
#[derive(Default)]
struct Gate {
    open: Option<Semaphore>,
    begun: AtomicUsize,
    fired: Mutex<Vec<(Uuid, String)>>,
}

#[async_trait]
impl TimerHandler for Gate {
    async fn fire(&self, timer: &Timer) -> Result<(), Error> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        if let Some(open) = &self.open {
            open.acquire().await.unwrap().forget();
        }
        self.fired.lock().unwrap().push((timer.aggregate, timer.kind.clone()));
        Ok(())
    }
}

async fn schedule_timers(db: &Db) {
    let tx = db.begin().await.unwrap();
    let now = tx.now();
    for n in 0..TIMERS / 2 {
        // Two of each aggregate, which fire one after the other.
        for kind in ["first", "second"] {
            timers::schedule_timer(&tx, kind, Uuid::from_u128(n), now).await.unwrap();
        }
    }
    tx.commit().await.unwrap();
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn timers_that_have_not_begun_go_to_another_replica_at_a_stop(backend: Backend) {
    let world = World::new(backend).await;
    let host = world.host.of("cleaning");
    host.migrate().await.unwrap();
    let db = Db::connect(&host.database_config(), world.clock.clone()).await.unwrap();
    schedule_timers(&db).await;
    let slow = Arc::new(Gate { open: Some(Semaphore::new(0)), ..Gate::default() });
    let stop = CancellationToken::new();
    let stopping = TimerWorker::new("cleaning", db.clone(), slow.clone());
    let stopping = tokio::spawn(stopping.run(stop.clone()));
    let begun = async || slow.begun.load(Ordering::SeqCst);
    eventually("as many as may fire at a time", begun, |begun| *begun == 16).await;

    // The clock stands still: no lease runs out.
    stop.cancel();
    let quick = Arc::new(Gate::default());
    let other = TimerWorker::new("cleaning", db.clone(), quick.clone());
    let fired = async || {
        other.fire_due().await.unwrap();
        quick.fired.lock().unwrap().len()
    };
    eventually("the others are given back", fired, |fired| *fired == 8).await;

    // What has begun ends where it began, and what comes behind it does not begin there.
    slow.open.as_ref().unwrap().add_permits(100);
    stopping.await.unwrap();
    assert_eq!(slow.fired.lock().unwrap().len(), 16);
    other.fire_due().await.unwrap();
    let all: Vec<_> =
        [&slow, &quick].iter().flat_map(|it| it.fired.lock().unwrap().clone()).collect();
    assert_eq!(all.len(), 40, "each once");
    assert_eq!(all.into_iter().collect::<BTreeSet<_>>().len(), 40);
}
