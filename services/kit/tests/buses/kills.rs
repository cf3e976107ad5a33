//! Processes of one consumer are killed at random moments: every event takes effect once, and none before an earlier one
//! of its aggregate.

use super::stage::{SOON, SOURCE, database, record};
use async_trait::async_trait;
use kit::{
    Clock, Db, Error, Event,
    messaging::{
        bus::{Bus, Consumer},
        inbox,
        relay::Relay,
        streams::StreamBus,
        subscription::Subscription,
    },
    storage::db::DbConfig,
    testing::{Backend, RedisServer, World},
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Processes that share the consumer's work.
const PROCESSES: usize = 3;
const AGGREGATES: usize = 40;
/// How long all of it may take for each kill and each thousand events.
const PATIENCE: Duration = Duration::from_secs(60);

/// Writes each effect down in the transaction in which the event is noted as taken.
struct Writer(Db);

#[async_trait]
impl Consumer for Writer {
    fn wants(&self, _: &str) -> bool {
        true
    }

    async fn consume(&self, event: &Event) -> Result<(), Error> {
        let tx = self.0.begin().await?;
        if inbox::first_time(&tx, "order", event).await? {
            let effect = "INSERT INTO taken_events (aggregate, seq) VALUES ($1, $2)";
            let values = [event.aggregate.into(), event.seq.into()];
            tx.execute_raw(Statement::from_sql_and_values(DbBackend::Postgres, effect, values))
                .await?;
        }
        tx.commit().await
    }
}

/// A process of the consumer: a runtime of its own, which ends wherever it is, as a process that is killed does.
struct Victim(Option<Runtime>);

impl Victim {
    fn start(redis_url: &str, database: &DbConfig) -> Self {
        let runtime = Runtime::new().unwrap();
        let (redis_url, database) = (redis_url.to_owned(), database.clone());
        runtime.spawn(async move {
            let db = Db::connect(&database, Clock::system()).await.unwrap();
            let redis = kit::redis::Redis::connect(&redis_url).unwrap();
            let bus = StreamBus::new(redis, vec![SOURCE.to_owned()], SOON);
            let writer = Arc::new(Writer(db.clone()));
            let subscription = Arc::new(Subscription::new("order", Some(db), writer));
            tokio::spawn(subscription.clone().run(CancellationToken::new()));
            bus.carry(subscription, CancellationToken::new()).await;
        });
        Self(Some(runtime))
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

fn number_from<T: std::str::FromStr>(variable: &str, usual: T) -> T {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

async fn effects(db: &Db) -> Vec<(Uuid, i64)> {
    let all = Statement::from_string(
        DbBackend::Postgres,
        "SELECT aggregate, seq FROM taken_events ORDER BY n",
    );
    let rows = db.connection().query_all_raw(all).await.unwrap();
    rows.iter()
        .map(|row| (row.try_get_by_index(0).unwrap(), row.try_get_by_index(1).unwrap()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn events_take_effect_once_and_in_order_however_processes_are_killed() {
    let kills: usize = number_from("QS_TEST_STREAM_KILLS", 8);
    let events: usize = number_from("QS_TEST_STREAM_EVENTS", 800);
    let seed = number_from("QS_TEST_SEED", 1);
    println!("{kills} kills, {events} events, seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let world = World::new(Backend::Postgres).await;
    let publisher = database(&world, SOURCE, Clock::system()).await;
    let consumer = database(&world, "order", Clock::system()).await;
    let table = "CREATE TABLE taken_events (n bigserial PRIMARY KEY, aggregate uuid, seq bigint)";
    consumer.connection().execute_unprepared(table).await.unwrap();
    let config = world.host.of("order").database_config();
    let server = RedisServer::start().await;
    let stop = CancellationToken::new();
    for _ in 0..2 {
        let bus = StreamBus::new(server.connect(), Vec::new(), SOON);
        tokio::spawn(Relay::new(SOURCE, publisher.clone(), Arc::new(bus)).run(stop.clone()));
    }
    let recording = tokio::spawn(async move {
        let aggregates: Vec<Uuid> = (0..AGGREGATES).map(|_| Uuid::new_v4()).collect();
        for number in 0..events {
            let seq = i64::try_from(number / AGGREGATES).unwrap() + 1;
            record(&publisher, aggregates[number % AGGREGATES], seq).await;
        }
    });
    let start = || Victim::start(&server.url(), &config);
    let mut processes: Vec<Victim> = (0..PROCESSES).map(|_| start()).collect();
    for _ in 0..kills {
        // This waits for nothing: it is the moment of the kill.
        tokio::time::sleep(Duration::from_millis(random.random_range(20..900))).await;
        let victim = random.random_range(0..PROCESSES);
        processes[victim] = start();
    }
    recording.await.unwrap();
    let patience = PATIENCE * u32::try_from(1 + kills / 10 + events / 1_000).unwrap();
    let limit = Instant::now() + patience;
    while effects(&consumer).await.len() < events {
        assert!(Instant::now() < limit, "{} of {events}", effects(&consumer).await.len());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    stop.cancel();
    let mut last: HashMap<Uuid, i64> = HashMap::new();
    for (aggregate, seq) in effects(&consumer).await {
        let before = last.insert(aggregate, seq).unwrap_or_default();
        assert_eq!(seq, before + 1, "{aggregate}: {seq} comes after {before}");
    }
}
