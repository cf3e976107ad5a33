//! A publisher and consumers with databases of their own, and the bus between them.

use async_trait::async_trait;
use kit::{
    Clock, Db, Error, Event,
    messaging::{
        bus::{Bus, Consumer, LocalBus},
        inbox, outbox,
        relay::Relay,
        streams::{StreamBus, StreamSettings},
        subscription::Subscription,
    },
    testing::{Backend, RedisServer, World, eventually},
};
use proto::quickserve::user::v1::UserEvent;
use sea_orm::ConnectionTrait;
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The service that publishes.
pub const SOURCE: &str = "user";

/// A kind of bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Local,
    Streams,
}

/// Leases that end soon after a process is gone.
pub const SOON: StreamSettings = StreamSettings { lease_ms: 1_000 };

pub async fn database(world: &World, service: &'static str, clock: Clock) -> Db {
    let host = world.host.of(service);
    host.migrate().await.unwrap();
    Db::connect(&host.database_config(), clock).await.unwrap()
}

/// Leaves an event in the outbox.
pub async fn record(db: &Db, aggregate: Uuid, seq: i64) {
    let data = UserEvent { user_id: aggregate.to_string() };
    let tx = db.begin().await.unwrap();
    outbox::record_event(&tx, "user.registered", aggregate, seq, &data).await.unwrap();
    tx.commit().await.unwrap();
}

/// Notes what takes effect, once each; refuses one aggregate while told so.
pub struct Recorder {
    name: &'static str,
    db: Db,
    taken: Mutex<Vec<(Uuid, i64)>>,
    refuses: Mutex<Option<Uuid>>,
}

impl Recorder {
    pub fn refuse(&self, aggregate: Option<Uuid>) {
        *self.refuses.lock().unwrap() = aggregate;
    }

    pub fn taken_of(&self, aggregate: Uuid) -> Vec<i64> {
        let taken = self.taken.lock().unwrap();
        taken.iter().filter(|it| it.0 == aggregate).map(|it| it.1).collect()
    }

    /// Loses what it has noted, as after a restore of its database.
    pub async fn forget(&self) {
        self.db.connection().execute_unprepared("DELETE FROM inbox").await.unwrap();
        self.taken.lock().unwrap().clear();
    }

    pub const fn db(&self) -> &Db {
        &self.db
    }

    /// Waits until the events of these aggregates have taken effect up to `last`, each once and in order.
    pub async fn has_taken(&self, aggregates: &[Uuid], last: i64) {
        let expected: Vec<i64> = (1..=last).collect();
        for aggregate in aggregates {
            let taken = async || self.taken_of(*aggregate);
            eventually("the events arrive", taken, |taken| taken.len() >= expected.len()).await;
            assert_eq!(self.taken_of(*aggregate), expected, "{} {aggregate}", self.name);
        }
    }
}

#[async_trait]
impl Consumer for Recorder {
    fn wants(&self, kind: &str) -> bool {
        kind.starts_with("user.")
    }

    async fn consume(&self, event: &Event) -> Result<(), Error> {
        if *self.refuses.lock().unwrap() == Some(event.aggregate) {
            return Err(Error::internal("no such thing"));
        }
        let tx = self.db.begin().await?;
        if inbox::first_time(&tx, self.name, event).await? {
            self.taken.lock().unwrap().push((event.aggregate, event.seq));
        }
        tx.commit().await
    }
}

/// A bus with a publisher. Each consumer that joins has the bus of a process of its own, where the kind allows that.
pub struct Stage {
    pub world: World,
    pub publisher: Db,
    pub redis: Option<RedisServer>,
    local: Arc<LocalBus>,
    stop: CancellationToken,
}

impl Stage {
    pub async fn new(kind: Kind, backend: Backend) -> Self {
        let world = World::new(backend).await;
        let publisher = database(&world, SOURCE, world.clock.clone()).await;
        let redis = match kind {
            Kind::Local => None,
            Kind::Streams => Some(RedisServer::start().await),
        };
        let (local, stop) = (Arc::new(LocalBus::default()), CancellationToken::new());
        Self { world, publisher, redis, local, stop }
    }

    /// The bus of a process.
    pub fn bus(&self) -> Arc<dyn Bus> {
        match &self.redis {
            None => self.local.clone(),
            Some(server) => {
                Arc::new(StreamBus::new(server.connect(), vec![SOURCE.to_owned()], SOON))
            }
        }
    }

    /// A consumer joins, in the service of this name.
    pub async fn join(&self, service: &'static str) -> Arc<Recorder> {
        let db = database(&self.world, service, self.world.clock.clone()).await;
        let recorder = Arc::new(Recorder {
            name: service,
            db: db.clone(),
            taken: Mutex::default(),
            refuses: Mutex::default(),
        });
        let subscription = Arc::new(Subscription::new(service, Some(db), recorder.clone()));
        let bus = self.bus();
        bus.subscribe(subscription.clone());
        tokio::spawn(subscription.clone().run(self.stop.clone()));
        let stop = self.stop.clone();
        tokio::spawn(async move { bus.carry(subscription, stop).await });
        recorder
    }

    /// The publisher's relay, which runs until the token is cancelled.
    pub fn publish(&self) -> CancellationToken {
        let stop = self.stop.child_token();
        let relay = Relay::new(SOURCE, self.publisher.clone(), self.bus());
        tokio::spawn(relay.run(stop.clone()));
        stop
    }

    pub async fn record(&self, aggregates: &[Uuid], seqs: std::ops::RangeInclusive<i64>) {
        for seq in seqs {
            for aggregate in aggregates {
                record(&self.publisher, *aggregate, seq).await;
            }
        }
    }

    /// Waits until the outbox has nothing to publish.
    pub async fn is_published(&self) {
        let relay = Relay::new(SOURCE, self.publisher.clone(), self.local.clone());
        let waiting = async || relay.backlog().await.unwrap().0;
        eventually("the outbox is published", waiting, |waiting| *waiting == 0).await;
    }

    /// Has the outbox publish again what it has published, for one consumer.
    pub async fn publish_again_for(&self, consumer: &str) {
        let again = format!("UPDATE outbox SET state = 0, done_at = NULL, only_for = '{consumer}'");
        self.publisher.connection().execute_unprepared(&again).await.unwrap();
    }

    /// Has the outbox publish again what it has published.
    pub async fn publish_again(&self) {
        let again = "UPDATE outbox SET state = 0, done_at = NULL";
        self.publisher.connection().execute_unprepared(again).await.unwrap();
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
