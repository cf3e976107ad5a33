//! How events reach their consumers, on both engines: nothing is lost, nothing overtakes, nothing holds up others.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use async_trait::async_trait;
use chrono::Duration;
use kit::{
    Db, Error, Event,
    messaging::bus::{Bus, Consumer, LocalBus},
    messaging::outbox,
    messaging::parked,
    messaging::relay::Relay,
    messaging::subscription::{MAX_ATTEMPTS, Subscription},
    storage::db::DbConfig,
    testing::{Backend, World, eventually},
};

use proto::quickserve::user::v1::UserEvent;
use sea_orm::{ConnectionTrait, Statement};
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use uuid::Uuid;
use yare::parameterized;

const SICK: Uuid = Uuid::from_u128(1);
const WELL: Uuid = Uuid::from_u128(2);

/// A service's database, migrated, without workers.
async fn database(world: &World, service: &'static str) -> Db {
    let host = world.host.of(service);
    host.migrate().await.unwrap();
    Db::connect(&host.database_config(), world.clock.clone()).await.unwrap()
}

async fn record(db: &Db, kind: &'static str, aggregate: Uuid, seq: i64) {
    let data = UserEvent { user_id: aggregate.to_string() };
    let tx = db.begin().await.unwrap();
    outbox::record_event(&tx, kind, aggregate, seq, &data).await.unwrap();
    tx.commit().await.unwrap();
}

async fn count(db: &Db, sql: &str) -> i64 {
    let backend = db.connection().get_database_backend();
    let query = Statement::from_string(backend, format!("SELECT count(*) AS n FROM {sql}"));
    db.connection().query_one_raw(query).await.unwrap().unwrap().try_get("", "n").unwrap()
}

/// What a consumer does with the events of an aggregate.
#[derive(Clone, Copy, PartialEq)]
enum Mood {
    Refuses,
    IsAway,
    Panics,
}

/// Notes what it takes; fails for one aggregate while told so.
#[derive(Default)]
struct Recorder {
    prefix: &'static str,
    taken: Mutex<Vec<(Uuid, i64)>>,
    tries: Mutex<usize>,
    fails: Mutex<Option<(Uuid, Mood)>>,
}

impl Recorder {
    fn of(prefix: &'static str) -> Arc<Self> {
        Arc::new(Self { prefix, ..Self::default() })
    }

    fn fail(&self, how: Option<(Uuid, Mood)>) {
        *self.fails.lock().unwrap() = how;
    }

    fn taken(&self) -> Vec<(Uuid, i64)> {
        self.taken.lock().unwrap().clone()
    }

    fn taken_of(&self, aggregate: Uuid) -> Vec<i64> {
        self.taken().into_iter().filter(|it| it.0 == aggregate).map(|it| it.1).collect()
    }
}

#[async_trait]
impl Consumer for Recorder {
    fn wants(&self, kind: &str) -> bool {
        kind.starts_with(self.prefix)
    }

    async fn consume(&self, event: &Event) -> Result<(), Error> {
        *self.tries.lock().unwrap() += 1;
        let mood = self.fails.lock().unwrap().filter(|it| it.0 == event.aggregate);
        match mood {
            Some((_, Mood::Refuses)) => return Err(Error::internal("no such thing")),
            Some((_, Mood::IsAway)) => return Err(Status::unavailable("restarting").into()),
            Some((_, Mood::Panics)) => panic!("a bug"),
            None => {}
        }
        self.taken.lock().unwrap().push((event.aggregate, event.seq));
        Ok(())
    }
}

/// A publisher and two consumers with databases of their own.
struct Scene {
    world: World,
    publisher: Db,
    relay: Relay,
    one: Arc<Recorder>,
    one_db: Db,
    one_subscription: Arc<Subscription>,
    other: Arc<Recorder>,
}

impl Scene {
    async fn new(backend: Backend) -> Self {
        let world = World::new(backend).await;
        let publisher = database(&world, "user").await;
        let (one_db, other_db) =
            (database(&world, "order").await, database(&world, "provider").await);
        let (one, other) = (Recorder::of("user."), Recorder::of("user."));
        let bus = Arc::new(LocalBus::default());
        let one_subscription =
            Arc::new(Subscription::new("order", Some(one_db.clone()), one.clone()));
        bus.subscribe(one_subscription.clone());
        bus.subscribe(Arc::new(Subscription::new("provider", Some(other_db), other.clone())));
        let relay = Relay::new("user", publisher.clone(), bus);
        Self { world, publisher, relay, one, one_db, one_subscription, other }
    }

    /// Tries what waits for the first consumer, until nothing is due.
    async fn retry(&self) {
        while self.one_subscription.retry_due().await.unwrap() > 0 {}
    }

    /// As [`Scene::retry`], so many times, each time after the longest pause.
    async fn retry_often(&self, times: i32) {
        for _ in 0..times {
            self.world.clock.advance(Duration::minutes(10));
            self.retry().await;
        }
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_failing_event_holds_back_its_aggregate_for_its_consumer_only(backend: Backend) {
    let scene = Scene::new(backend).await;
    for mood in [Mood::Refuses, Mood::IsAway, Mood::Panics] {
        let (sick, well) = (Uuid::new_v4(), Uuid::new_v4());
        scene.one.fail(Some((sick, mood)));
        for seq in 1..=3 {
            record(&scene.publisher, "user.registered", sick, seq).await;
            record(&scene.publisher, "user.registered", well, seq).await;
        }
        scene.relay.deliver_due().await.unwrap();
        assert_eq!(scene.one.taken_of(well), [1, 2, 3]);
        assert_eq!(scene.other.taken_of(sick), [1, 2, 3]);
        assert_eq!(scene.other.taken_of(well), [1, 2, 3]);
        assert_eq!(scene.one.taken_of(sick), [0; 0]);
        assert_eq!(scene.relay.backlog().await.unwrap().0, 0, "the publisher is done");
        // What comes later waits behind it, and follows in order once it is taken.
        record(&scene.publisher, "user.registered", sick, 4).await;
        scene.relay.deliver_due().await.unwrap();
        scene.one.fail(None);
        scene.retry_often(1).await;
        assert_eq!(scene.one.taken_of(sick), [1, 2, 3, 4]);
        assert_eq!(count(&scene.one_db, "parked_events").await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_consumers_of_one_name_are_refused() {
    let world = World::new(Backend::Sqlite).await;
    let host = world.host.of("order");
    host.migrate().await.unwrap();
    host.database().await.unwrap();
    host.subscribe(Recorder::of("user.")).unwrap();
    let refused = host.subscribe(Recorder::of("order.")).unwrap_err();
    assert_eq!(refused.to_string(), "two consumers are called order");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_is_away_costs_no_try(backend: Backend) {
    let scene = Scene::new(backend).await;
    scene.one.fail(Some((SICK, Mood::IsAway)));
    for seq in 1..=2 {
        record(&scene.publisher, "user.registered", SICK, seq).await;
    }
    scene.relay.deliver_due().await.unwrap();
    scene.retry_often(MAX_ATTEMPTS * 3).await;
    assert!(*scene.one.tries.lock().unwrap() > 30);
    assert!(parked::list(&scene.one_db, 10).await.unwrap().is_empty());
    scene.one.fail(None);
    scene.retry_often(1).await;
    assert_eq!(scene.one.taken_of(SICK), [1, 2]);
}

/// Parks an aggregate of three events for the first consumer.
async fn park(scene: &Scene) {
    scene.one.fail(Some((SICK, Mood::Refuses)));
    for seq in 1..=3 {
        record(&scene.publisher, "user.registered", SICK, seq).await;
    }
    scene.relay.deliver_due().await.unwrap();
    scene.retry_often(MAX_ATTEMPTS - 2).await;
    assert!(parked::list(&scene.one_db, 10).await.unwrap().is_empty(), "one try is left");
    scene.retry_often(1).await;
    let parked = parked::list(&scene.one_db, 10).await.unwrap();
    assert_eq!(parked.iter().map(|it| it.seq).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(parked[0].attempts, MAX_ATTEMPTS);
    assert_eq!(parked[0].error, "no such thing");
    assert_eq!((parked[0].consumer.as_str(), parked[0].source.as_str()), ("order", "user"));
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn poison_parks_its_aggregate_until_it_is_retried_in_order(backend: Backend) {
    let scene = Scene::new(backend).await;
    park(&scene).await;
    // Time alone changes nothing, and others go on.
    let tries = *scene.one.tries.lock().unwrap();
    scene.retry_often(30).await;
    assert_eq!(*scene.one.tries.lock().unwrap(), tries);
    record(&scene.publisher, "user.registered", WELL, 1).await;
    record(&scene.publisher, "user.registered", SICK, 4).await;
    scene.relay.deliver_due().await.unwrap();
    assert_eq!(scene.one.taken(), [(WELL, 1)]);
    assert_eq!(scene.other.taken_of(SICK), [1, 2, 3, 4]);
    // Still poison: one more try, and it is parked again.
    assert_eq!(parked::retry(&scene.one_db, None).await.unwrap(), 1);
    scene.retry_often(3).await;
    assert_eq!(*scene.one.tries.lock().unwrap(), tries + 2);
    assert_eq!(parked::list(&scene.one_db, 10).await.unwrap().len(), 4);
    // Mended: all of them, in order.
    scene.one.fail(None);
    assert_eq!(parked::retry(&scene.one_db, Some(WELL)).await.unwrap(), 0);
    assert_eq!(parked::retry(&scene.one_db, Some(SICK)).await.unwrap(), 1);
    scene.retry().await;
    assert_eq!(scene.one.taken_of(SICK), [1, 2, 3, 4]);
    assert!(parked::list(&scene.one_db, 10).await.unwrap().is_empty());
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_waits_behind_a_dropped_event_is_delivered(backend: Backend) {
    let scene = Scene::new(backend).await;
    park(&scene).await;
    let parked = parked::list(&scene.one_db, 10).await.unwrap();
    let drop = |id| parked::drop_first(&scene.one_db, id);
    assert!(!drop(parked[1].event_id).await.unwrap(), "only the first can be dropped");
    assert!(drop(parked[0].event_id).await.unwrap());
    assert!(!drop(parked[0].event_id).await.unwrap());
    scene.one.fail(None);
    scene.retry().await;
    assert_eq!(scene.one.taken_of(SICK), [2, 3]);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_a_consumer_cannot_even_keep_stays_in_the_outbox(backend: Backend) {
    let scene = Scene::new(backend).await;
    let bus = Arc::new(LocalBus::default());
    let config = scene.world.host.of("order").database_config();
    let broken = Db::connect(&config, scene.world.clock.clone()).await.unwrap();
    let subscription = |db: &Db, consumer: &Arc<Recorder>| {
        Arc::new(Subscription::new("order", Some(db.clone()), consumer.clone()))
    };
    bus.subscribe(subscription(&broken, &scene.one));
    broken.close().await.unwrap();
    record(&scene.publisher, "user.registered", WELL, 1).await;
    let relay = Relay::new("user", scene.publisher.clone(), bus);
    for _ in 0..MAX_ATTEMPTS * 2 {
        relay.deliver_due().await.unwrap();
        scene.world.clock.advance(Duration::minutes(1));
        assert_eq!(relay.backlog().await.unwrap().0, 1);
    }
    let bus = Arc::new(LocalBus::default());
    bus.subscribe(subscription(&scene.one_db, &scene.one));
    Relay::new("user", scene.publisher.clone(), bus).deliver_due().await.unwrap();
    assert_eq!(scene.one.taken(), [(WELL, 1)]);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_event_that_no_consumer_wants_is_kept_for_one_that_does(backend: Backend) {
    let scene = Scene::new(backend).await;
    let nobody = Relay::new("user", scene.publisher.clone(), Arc::new(LocalBus::default()));
    record(&scene.publisher, "user.registered", WELL, 1).await;
    nobody.deliver_due().await.unwrap();
    assert_eq!(nobody.backlog().await.unwrap().0, 0);
    assert_eq!(count(&scene.publisher, "outbox").await, 1);
    // The next process has a consumer.
    let stop = CancellationToken::new();
    let running = tokio::spawn(scene.relay.clone().run(stop.clone()));
    let taken = async || (scene.one.taken(), scene.other.taken());
    let both = (vec![(WELL, 1)], vec![(WELL, 1)]);
    eventually("the event arrives", taken, |taken| *taken == both).await;
    stop.cancel();
    running.await.unwrap();
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn published_events_are_kept_seven_days(backend: Backend) {
    let scene = Scene::new(backend).await;
    for seq in 1..=3 {
        record(&scene.publisher, "user.registered", WELL, seq).await;
    }
    scene.relay.deliver_due().await.unwrap();
    scene.world.clock.advance(Duration::days(6));
    record(&scene.publisher, "user.registered", WELL, 4).await;
    scene.relay.prune().await.unwrap();
    assert_eq!(count(&scene.publisher, "outbox").await, 4);
    scene.world.clock.advance(Duration::days(2));
    scene.relay.prune().await.unwrap();
    assert_eq!(count(&scene.publisher, "outbox").await, 1, "what waits is never pruned");
    scene.relay.deliver_due().await.unwrap();
    assert_eq!(scene.one.taken_of(WELL), [1, 2, 3, 4]);
}

// The tables as the version before left them, with an event that waits and one that was set aside.
#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn events_of_the_version_before_are_delivered(backend: Backend) {
    let scene = Scene::new(backend).await;
    record(&scene.publisher, "user.registered", SICK, 1).await;
    record(&scene.publisher, "user.registered", WELL, 1).await;
    for statement in [
        "UPDATE outbox SET state = 1, attempts = 12 WHERE seq = 1 AND id = (SELECT min(id) FROM outbox)",
        "DROP INDEX outbox_done_at",
        "ALTER TABLE outbox DROP COLUMN done_at",
        "DROP TABLE parked_events",
        "DELETE FROM seaql_migrations WHERE version = 'delivery'",
    ] {
        let statement = match backend {
            Backend::Sqlite => statement.to_owned(),
            // It has no min() of a UUID.
            Backend::Postgres => statement.replace("min(id)", "min(id::text)::uuid"),
        };
        scene.publisher.connection().execute_unprepared(&statement).await.unwrap();
    }
    scene.world.host.of("user").migrate().await.unwrap();
    // Statements that were prepared before know nothing of it.
    let config: DbConfig = scene.world.host.of("user").database_config();
    let db = Db::connect(&config, scene.world.clock.clone()).await.unwrap();
    let bus = Arc::new(LocalBus::default());
    bus.subscribe(scene.one_subscription.clone());
    Relay::new("user", db, bus).deliver_due().await.unwrap();
    let mut taken = scene.one.taken();
    taken.sort();
    assert_eq!(taken, [(SICK, 1), (WELL, 1)]);
}
