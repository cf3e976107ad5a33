//! A process that stops leaves what it has not begun to the next one, at once.

use super::stage::{Kind, SOURCE, Stage, database};
use async_trait::async_trait;
use kit::{
    Db, Error, Event,
    messaging::{bus::Consumer, inbox, subscription::Subscription},
    testing::{Backend, eventually},
};
use sea_orm::{ConnectionTrait, Statement};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};
use tokio::{sync::Semaphore, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use yare::parameterized;

/// Takes an event when a test lets it.
struct Slow {
    db: Db,
    gate: Semaphore,
    begun: AtomicUsize,
    taken: Mutex<Vec<i64>>,
}

#[async_trait]
impl Consumer for Slow {
    fn wants(&self, _: &str) -> bool {
        true
    }

    async fn consume(&self, event: &Event) -> Result<(), Error> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        self.gate.acquire().await.unwrap().forget();
        let tx = self.db.begin().await?;
        if inbox::first_time(&tx, "order", event).await? {
            self.taken.lock().unwrap().push(event.seq);
        }
        tx.commit().await
    }
}

/// A process of the consumer: it runs until the token is cancelled.
async fn start_process(stage: &Stage) -> (Arc<Slow>, CancellationToken, JoinHandle<()>) {
    let db = database(&stage.world, "order", stage.world.clock.clone()).await;
    let (gate, taken) = (Semaphore::new(0), Mutex::default());
    let slow = Arc::new(Slow { db: db.clone(), gate, begun: AtomicUsize::new(0), taken });
    let subscription = Arc::new(Subscription::new("order", Some(db), slow.clone()));
    let (bus, stop) = (stage.bus(), CancellationToken::new());
    let until = stop.clone();
    let carrying = tokio::spawn(async move { bus.carry(subscription, until).await });
    (slow, stop, carrying)
}

/// How many partitions any process holds.
async fn held_partitions(db: &Db) -> i64 {
    let backend = db.connection().get_database_backend();
    let sql = "SELECT count(*) AS held FROM consumer_partitions";
    let row = db.connection().query_one_raw(Statement::from_string(backend, sql)).await;
    row.unwrap().unwrap().try_get("", "held").unwrap()
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_process_that_stops_leaves_the_rest_to_another(backend: Backend) {
    let stage = Stage::new(Kind::Streams, backend).await;
    stage.record(&[Uuid::from_u128(7)], 1..=10).await;
    stage.publish();
    stage.is_published().await;
    let (first, stop, carrying) = start_process(&stage).await;
    let begun = async || first.begun.load(Ordering::SeqCst);
    eventually("an event is being taken", begun, |begun| *begun == 1).await;

    stop.cancel();
    first.gate.add_permits(10);
    carrying.await.unwrap();
    assert_eq!(*first.taken.lock().unwrap(), [1], "it ends what it has begun, and begins no more");
    assert_eq!(held_partitions(&first.db).await, 0, "{SOURCE}: its leases are given back");

    let (second, _, _) = start_process(&stage).await;
    second.gate.add_permits(10);
    let taken = async || second.taken.lock().unwrap().clone();
    let rest: Vec<i64> = (2..=10).collect();
    eventually("another process takes the rest", taken, |taken| *taken == rest).await;
}
