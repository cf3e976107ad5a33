//! The database side of the runtime, on both engines: transactions, keys, facts, timers.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use async_trait::async_trait;
use kit::{
    Db, Error, Event,
    messaging::bus::{Bus, Consumer, LocalBus},
    messaging::inbox,
    messaging::outbox,
    messaging::relay::Relay,
    messaging::subscription::Subscription,
    messaging::timers::{self, Timer, TimerHandler, TimerWorker},
    rpc::error::reason_of,
    storage::{
        db::{self, DbConfig},
        idempotency::{self, Begun, Key, Running},
    },
    testing::{Backend, World, eventually},
};
use proto::quickserve::user::v1::UserEvent;
use sea_orm::{ConnectOptions, ConnectionTrait, Database, Statement};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};
use std::time::Duration;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;
use uuid::Uuid;
use yare::parameterized;

/// A database with the runtime's own tables, and no workers.
async fn database(world: &World) -> Db {
    let host = world.host.of("cleaning");
    host.migrate().await.unwrap();
    Db::connect(&host.database_config(), world.clock.clone()).await.unwrap()
}

fn fact(n: usize) -> UserEvent {
    UserEvent { user_id: n.to_string() }
}

async fn record(db: &Db, aggregate: Uuid, seq: i64) {
    let tx = db.begin().await.unwrap();
    outbox::record_event(&tx, "user.registered", aggregate, seq, &fact(1)).await.unwrap();
    tx.commit().await.unwrap();
}

/// Remembers what it was handed; refuses facts while told so.
#[derive(Default)]
struct Ear {
    heard: Mutex<Vec<(Uuid, i64)>>,
    refuse: Mutex<Option<Uuid>>,
}

#[async_trait]
impl Consumer for Ear {
    fn wants(&self, kind: &str) -> bool {
        kind.starts_with("user.")
    }

    async fn consume(&self, event: &Event) -> Result<(), Error> {
        if *self.refuse.lock().unwrap() == Some(event.aggregate) {
            return Err(Error::internal("not now"));
        }
        self.heard.lock().unwrap().push((event.aggregate, event.seq));
        Ok(())
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_transaction_that_is_not_committed_leaves_nothing(backend: Backend) {
    let world = World::new(backend).await;
    let db = database(&world).await;
    let aggregate = Uuid::new_v4();
    let tx = db.begin().await.unwrap();
    outbox::record_event(&tx, "user.registered", aggregate, 1, &fact(1)).await.unwrap();
    drop(tx);
    // The number is free: nothing was kept.
    record(&db, aggregate, 1).await;
}

/// PostgreSQL ends a session, as it does when it restarts: what was asked is right and may be asked again.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_the_database_ends_is_unavailable_and_the_next_one_works() {
    let world = World::new(Backend::Postgres).await;
    let host = world.host.of("cleaning");
    host.migrate().await.unwrap();
    let config = host.database_config();
    // A second connection, which rests only for a moment, would be trusted.
    let single = DbConfig { connections: 1, ..config.clone() };
    let db = Db::connect(&single, world.clock.clone()).await.unwrap();
    let tx = db.begin().await.unwrap();
    let admin = Db::connect(&config, world.clock.clone()).await.unwrap();
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    admin.connection().execute_unprepared(end).await.unwrap();
    let ended = outbox::record_event(&tx, "user.registered", Uuid::new_v4(), 1, &fact(1)).await;
    let status = Status::from(ended.unwrap_err());
    assert_eq!((status.code(), reason_of(&status).as_str()), (Code::Unavailable, "DATABASE_BUSY"));
    assert!(status.get_details_retry_info().is_some(), "{status:?}");
    drop(tx);
    record(&db, Uuid::from_u128(7), 1).await;
}

/// A disk without room, as SQLite meets it: what was asked is right and may be asked again.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_database_is_unavailable_until_there_is_room() {
    let world = World::new(Backend::Sqlite).await;
    let host = world.host.of("cleaning");
    host.migrate().await.unwrap();
    let config = DbConfig { connections: 1, ..host.database_config() };
    let db = Db::connect(&config, world.clock.clone()).await.unwrap();
    let limit_pages = async |pages: u32| {
        let limit = format!("PRAGMA max_page_count = {pages}");
        db.connection().execute_unprepared(&limit).await.unwrap();
    };
    let write = async || {
        let tx = db.begin().await?;
        let aggregate = Uuid::new_v4();
        outbox::record_event(&tx, "user.registered", aggregate, 1, &fact(1)).await?;
        tx.commit().await
    };
    // No more than it has.
    limit_pages(1).await;
    let refused = loop {
        if let Err(error) = write().await {
            break Status::from(error);
        }
    };
    assert_eq!(
        (refused.code(), reason_of(&refused).as_str()),
        (Code::Unavailable, "DATABASE_FULL")
    );
    assert!(refused.get_details_retry_info().is_some(), "{refused:?}");
    limit_pages(1_000_000).await;
    write().await.unwrap();
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn reading_first_and_writing_then_never_fails_for_want_of_a_lock(backend: Backend) {
    let world = World::new(backend).await;
    let db = database(&world).await;
    let aggregate = Uuid::new_v4();
    let tasks = (0..100).map(|n| {
        let db = db.clone();
        async move {
            let key = key(&format!("key-{n}"), n);
            let tx = db.begin().await?;
            idempotency::begin_key(&tx, &key).await?;
            timers::schedule_timer(&tx, "late", aggregate, tx.now()).await?;
            idempotency::finish_key(&tx, &key, &fact(n)).await?;
            tx.commit().await
        }
    });
    for done in futures::future::join_all(tasks).await {
        done.unwrap();
    }
}

fn key(key: &str, body: usize) -> Key {
    let mut request = Request::new(fact(body));
    request.metadata_mut().insert("idempotency-key", key.parse().unwrap());
    Key::of(&request).unwrap()
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_key_answers_once_and_only_for_its_own_request(backend: Backend) {
    let world = World::new(backend).await;
    let db = database(&world).await;
    let calls = Arc::new(AtomicUsize::new(0));
    let call = |body: usize| {
        let (db, calls) = (db.clone(), calls.clone());
        async move {
            match db.begin_call(Some(key("k", body))).await? {
                db::Begun::Answered(answer) => Ok(answer),
                db::Begun::New(tx) => {
                    let answer = tx.commit_answer(fact(calls.fetch_add(1, Ordering::SeqCst)));
                    Ok::<_, Error>(answer.await?.into_inner())
                }
            }
        }
    };
    let answers = futures::future::join_all((0..20).map(|_| call(1))).await;
    for answer in answers {
        assert_eq!(answer.unwrap(), fact(0));
    }
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    assert!(matches!(call(2).await, Err(Error::KeyReused)));
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_unfinished_call_is_gone_on_with_at_once(backend: Backend) {
    let world = World::new(backend).await;
    let db = database(&world).await;
    let begin = || {
        let key = key("saga", 1);
        let db = &db;
        async move {
            let tx = db.begin().await?;
            let begun = idempotency::begin_key(&tx, &key).await?;
            tx.commit().await?;
            Ok::<_, Error>(begun)
        }
    };
    assert_eq!(begin().await.unwrap(), Begun::New);
    assert_eq!(begin().await.unwrap(), Begun::Unfinished);
    let tx = db.begin().await.unwrap();
    idempotency::finish_key(&tx, &key("saga", 1), &fact(1)).await.unwrap();
    tx.commit().await.unwrap();
    assert!(matches!(begin().await.unwrap(), Begun::Replay(_)));
}

#[tokio::test]
async fn a_call_waits_for_the_same_call_of_its_process_and_for_no_other() {
    let running = Running::default();
    let (soon, never) = (Duration::from_millis(1), Duration::from_secs(3_600));
    let first = running.take_turn(&key("one", 1), never).await.unwrap();
    let refused = running.take_turn(&key("one", 1), soon).await.err().unwrap();
    let status = Status::from(refused);
    assert_eq!((status.code(), reason_of(&status).as_str()), (Code::Aborted, "IN_PROGRESS"));
    assert!(status.get_details_retry_info().is_some_and(|info| info.retry_delay.is_some()));
    running.take_turn(&key("another", 1), never).await.unwrap();
    let second = key("one", 1);
    let (second, ()) = tokio::join!(running.take_turn(&second, never), async { drop(first) });
    drop(second.unwrap());
    running.take_turn(&key("one", 1), soon).await.unwrap();
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn facts_arrive_in_order_for_each_aggregate(backend: Backend) {
    let world = World::new(backend).await;
    let db = database(&world).await;
    let bus = Arc::new(LocalBus::default());
    let ear = Arc::new(Ear::default());
    bus.subscribe(Arc::new(Subscription::new("ear", None, ear.clone())));
    let relay = Relay::new("cleaning", db.clone(), bus);
    let (stuck, free) = (Uuid::from_u128(1), Uuid::from_u128(2));
    *ear.refuse.lock().unwrap() = Some(stuck);
    for seq in 1..=3 {
        record(&db, stuck, seq).await;
        record(&db, free, seq).await;
    }
    relay.deliver_due().await.unwrap();
    assert_eq!(*ear.heard.lock().unwrap(), [(free, 1), (free, 2), (free, 3)]);
    // Held up until the first one's next try; then all of them, in order.
    *ear.refuse.lock().unwrap() = None;
    assert_eq!(relay.deliver_due().await.unwrap(), 0);
    world.clock.advance(chrono::Duration::seconds(2));
    relay.deliver_due().await.unwrap();
    assert_eq!(ear.heard.lock().unwrap()[3..], [(stuck, 1), (stuck, 2), (stuck, 3)]);
    assert_eq!(relay.deliver_due().await.unwrap(), 0);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn the_inbox_lets_a_fact_through_once(backend: Backend) {
    let world = World::new(backend).await;
    let db = database(&world).await;
    let event = Event {
        id: Uuid::new_v4(),
        source: "user".into(),
        kind: "user.registered".into(),
        aggregate: Uuid::new_v4(),
        seq: 1,
        occurred_at: world.clock.now(),
        actor: String::new(),
        traceparent: String::new(),
        data: Vec::new(),
        only_for: None,
    };
    let first = || {
        let (db, event) = (&db, &event);
        async move {
            let tx = db.begin().await?;
            let first = inbox::first_time(&tx, "notification", event).await?;
            tx.commit().await?;
            Ok::<_, Error>(first)
        }
    };
    let firsts = futures::future::join_all((0..10).map(|_| first())).await;
    assert_eq!(firsts.into_iter().filter(|first| *first.as_ref().unwrap()).count(), 1);
}

/// Counts; fails the first time; one kind sets itself anew.
struct Bell {
    db: Db,
    fired: AtomicUsize,
}

#[async_trait]
impl TimerHandler for Bell {
    async fn fire(&self, timer: &Timer) -> Result<(), Error> {
        let fired = self.fired.fetch_add(1, Ordering::SeqCst);
        if timer.kind == "fails" && fired == 0 {
            return Err(Error::internal("not yet"));
        }
        if timer.kind == "repeats" && fired < 2 {
            let (aggregate, at) = (timer.aggregate, timer.due_at + chrono::Duration::hours(1));
            let tx = self.db.begin().await?;
            timers::schedule_timer(&tx, "repeats", aggregate, at).await?;
            tx.commit().await?;
        }
        Ok(())
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_timer_fires_once_whatever_the_replicas(backend: Backend) {
    let world = World::new(backend).await;
    let db = database(&world).await;
    let bell = Arc::new(Bell { db: db.clone(), fired: AtomicUsize::new(0) });
    let due = world.clock.now() + chrono::Duration::hours(1);
    let tx = db.begin().await.unwrap();
    for n in 0..40 {
        timers::schedule_timer(&tx, "once", Uuid::from_u128(n), due).await.unwrap();
    }
    timers::cancel_timer(&tx, "once", Uuid::from_u128(39)).await.unwrap();
    tx.commit().await.unwrap();
    let replicas: Vec<_> =
        (0..4).map(|_| TimerWorker::new("cleaning", db.clone(), bell.clone())).collect();
    let ring = || futures::future::join_all(replicas.iter().map(TimerWorker::fire_due));
    assert!(ring().await.into_iter().all(|count| count.unwrap() == 0), "not due yet");
    world.clock.advance(chrono::Duration::hours(1));
    for _ in 0..3 {
        assert!(ring().await.iter().all(Result::is_ok));
    }
    assert_eq!(bell.fired.load(Ordering::SeqCst), 39);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_timer_that_fails_or_sets_itself_anew_fires_again(backend: Backend) {
    for kind in ["fails", "repeats"] {
        let world = World::new(backend).await;
        let db = database(&world).await;
        let bell = Arc::new(Bell { db: db.clone(), fired: AtomicUsize::new(0) });
        let now = world.clock.now();
        let tx = db.begin().await.unwrap();
        timers::schedule_timer(&tx, kind, Uuid::nil(), now).await.unwrap();
        tx.commit().await.unwrap();
        let worker = TimerWorker::new("cleaning", db, bell.clone());
        for _ in 0..5 {
            worker.fire_due().await.unwrap();
            world.clock.advance(chrono::Duration::hours(1));
        }
        let expected = if kind == "fails" { 2 } else { 3 };
        assert_eq!(bell.fired.load(Ordering::SeqCst), expected, "{kind}");
    }
}

/// Holds every timer of a kind until it is let go; counts how many it holds.
struct Gate {
    open: tokio::sync::Semaphore,
    held: AtomicUsize,
    fired: AtomicUsize,
}

#[async_trait]
impl TimerHandler for Gate {
    async fn fire(&self, timer: &Timer) -> Result<(), Error> {
        if timer.kind == "slow" {
            self.held.fetch_add(1, Ordering::SeqCst);
            self.open.acquire().await.unwrap().forget();
        }
        self.fired.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn slow_timers_hold_up_no_others_and_keep_their_lease(backend: Backend) {
    let world = World::new(backend).await;
    let db = database(&world).await;
    let open = tokio::sync::Semaphore::new(0);
    let gate = Arc::new(Gate { open, held: AtomicUsize::new(0), fired: AtomicUsize::new(0) });
    let now = world.clock.now();
    let tx = db.begin().await.unwrap();
    for n in 0..40 {
        let kind = if n < 15 { "slow" } else { "quick" };
        timers::schedule_timer(&tx, kind, Uuid::from_u128(n), now).await.unwrap();
    }
    tx.commit().await.unwrap();
    let worker = || TimerWorker::new("cleaning", db.clone(), gate.clone());
    let first = worker();
    let firing = tokio::spawn(async move { first.fire_due().await });
    let counts = async || (gate.held.load(Ordering::SeqCst), gate.fired.load(Ordering::SeqCst));
    let all = "the quick ones fire beside fifteen slow ones";
    eventually(all, counts, |counts| *counts == (15, 25)).await;
    // Far longer than a lease, in steps in which it is renewed.
    let lease_ends = async || {
        let sql = "SELECT min(lease_until) AS first FROM timers WHERE kind = 'slow'";
        let query = Statement::from_string(db.connection().get_database_backend(), sql);
        let row = db.connection().query_one_raw(query).await.unwrap().unwrap();
        row.try_get::<chrono::DateTime<chrono::Utc>>("", "first").unwrap()
    };
    for _ in 0..8 {
        let before = lease_ends().await;
        world.clock.advance(chrono::Duration::seconds(6));
        eventually("the lease is renewed", lease_ends, |end| *end > before).await;
    }
    assert_eq!(worker().fire_due().await.unwrap(), 0, "another replica took a timer over");
    gate.open.add_permits(15);
    firing.await.unwrap().unwrap();
    assert_eq!(gate.fired.load(Ordering::SeqCst), 40);
    assert_eq!(worker().fire_due().await.unwrap(), 0);
}

/// Fails always.
struct Broken(AtomicUsize);

#[async_trait]
impl TimerHandler for Broken {
    async fn fire(&self, timer: &Timer) -> Result<(), Error> {
        self.0.fetch_add(1, Ordering::SeqCst);
        if timer.attempts == 3 { panic!("a bug") } else { Err(Error::internal("no")) }
    }

    fn longest_pause(&self, kind: &str) -> chrono::Duration {
        chrono::Duration::seconds(if kind == "urgent" { 8 } else { 600 })
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_timer_that_keeps_failing_rests_no_longer_than_its_kind_says(backend: Backend) {
    for (kind, expected) in [("urgent", 20..=24), ("patient", 11..=13)] {
        let world = World::new(backend).await;
        let db = database(&world).await;
        let now = world.clock.now();
        let tx = db.begin().await.unwrap();
        timers::schedule_timer(&tx, kind, Uuid::nil(), now).await.unwrap();
        tx.commit().await.unwrap();
        let broken = Arc::new(Broken(AtomicUsize::new(0)));
        let worker = TimerWorker::new("cleaning", db, broken.clone());
        // Twenty minutes, and three that doubling from a second to eight takes at most.
        let steps = if kind == "urgent" { 20 } else { 160 };
        for _ in 0..steps {
            worker.fire_due().await.unwrap();
            world.clock.advance(chrono::Duration::seconds(8));
        }
        let fired = broken.0.load(Ordering::SeqCst);
        assert!(expected.contains(&fired), "{kind}: {fired}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_waits_for_one_that_has_begun_on_the_same_file() {
    let world = World::new(Backend::Sqlite).await;
    let host = world.host.of("cleaning");
    // Another process has the file, whose journal is still as SQLite makes it.
    let mut options = ConnectOptions::new(&host.database_config().url);
    options.max_connections(1);
    let other = Database::connect(options).await.unwrap();
    other.execute_unprepared("BEGIN IMMEDIATE").await.unwrap();
    other.execute_unprepared("CREATE TABLE another (id INTEGER)").await.unwrap();
    let mut migrating = tokio::spawn(async move { host.migrate().await });
    let early = tokio::time::timeout(Duration::from_millis(500), &mut migrating).await;
    assert!(early.is_err(), "it did not wait: {early:?}");
    other.execute_unprepared("COMMIT").await.unwrap();
    migrating.await.unwrap().unwrap();
}
