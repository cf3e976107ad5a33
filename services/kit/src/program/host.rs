//! What a service receives when it starts: everything from outside comes in through here, nothing is global.

use crate::{
    identity::identify::Identity,
    identity::keyring::SharedKeyring,
    messaging::bus::{Bus, Consumer},
    messaging::inbox,
    messaging::maintenance,
    messaging::relay::Relay,
    messaging::subscription::Subscription,
    messaging::timers::{TimerHandler, TimerWorker},
    messaging::wake_ups::{Subjects, WakeUps},
    program::clock::Clock,
    program::config::{Config, ConfigError},
    program::disk::{self, Disk},
    program::periodic,
    redis::Redis,
    rpc::client::{Channel, Peer, Stack},
    rpc::error::Error,
    rpc::guard::{self, Routes},
    storage::cache::Cache,
    storage::db::{Db, DbConfig, DbSettings},
    storage::files::{DatabaseFile, FileError},
    storage::idempotency,
    storage::position::PositionIndex,
    storage::waiting,
};
use sea_orm::DbErr;
use serde::de::DeserializeOwned;
use std::{
    collections::{HashMap, HashSet},
    future::Future,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How often workers forget what is past its time.
const PRUNE_EVERY: chrono::Duration = chrono::Duration::hours(1);
/// How often the bus forgets what every consumer has taken, and says how far they are behind.
const MAINTAIN_EVERY: chrono::Duration = chrono::Duration::seconds(15);

/// What the process gives its services.
pub struct Settings {
    /// The configuration's sections.
    pub config: Config,
    /// What tells the time; tests set it themselves.
    pub clock: Clock,
    /// Carries what the outboxes of the services publish.
    pub bus: Arc<dyn Bus>,
    /// Keeps hot reads.
    pub cache: Arc<dyn Cache>,
    /// Knows where those who move are.
    pub positions: Arc<dyn PositionIndex>,
    /// The Redis that this process shares with others; none when it shares nothing.
    pub redis: Option<Redis>,
    /// Where the services keep their tables.
    pub storage: Storage,
    /// Whether a service waits until its database is there and its tables are new enough, instead of failing at once.
    pub waits_for_database: bool,
    /// The folder of files: keys, mail, SQLite.
    pub data_dir: PathBuf,
    /// The names of the services that are verticals, in this process or in another one.
    pub verticals: Vec<String>,
    /// Proves this process's services and recognises callers.
    pub identity: Arc<Identity>,
    /// Signs the access tokens of accounts; only a process that runs the user service has it.
    pub access_keys: Option<SharedKeyring>,
}

/// Where the services of a process keep their tables.
#[derive(Clone, Debug)]
pub enum Storage {
    /// A SQLite file a service in this folder.
    Sqlite(PathBuf),
    /// A schema a service in the PostgreSQL database at this URL.
    Postgres(String),
}

/// The runtime as one service sees it.
#[derive(Clone)]
pub struct Host {
    service: &'static str,
    shared: Arc<Shared>,
}

struct Shared {
    settings: Settings,
    peers: Mutex<HashMap<String, Arc<OnceLock<Peer>>>>,
    /// The open databases, by service.
    databases: Mutex<HashMap<&'static str, Db>>,
    /// The names of consumers with a database.
    consumers: Mutex<HashSet<String>>,
    relays: Mutex<Relays>,
    wake_ups: Subjects,
    /// Whether the disk of the data folder has room.
    has_room: watch::Sender<bool>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// The relays of the process. They wait until every consumer is known.
#[derive(Default)]
struct Relays {
    run: bool,
    waiting: Vec<Relay>,
}

impl Host {
    /// The runtime of the process; `stop` ends its workers.
    pub fn new(settings: Settings, stop: CancellationToken) -> Self {
        let shared = Shared {
            settings,
            peers: Mutex::default(),
            databases: Mutex::default(),
            consumers: Mutex::default(),
            relays: Mutex::default(),
            wake_ups: Subjects::default(),
            has_room: watch::Sender::new(true),
            stop,
            tasks: TaskTracker::new(),
        };
        Self { service: "quickserve", shared: Arc::new(shared) }
    }

    /// The same runtime as `service` sees it.
    #[must_use]
    pub fn of(&self, service: &'static str) -> Self {
        Self { service, shared: self.shared.clone() }
    }

    /// The service's name.
    pub const fn service(&self) -> &'static str {
        self.service
    }

    /// The service's own section of the configuration.
    pub fn config<T: DeserializeOwned + Default>(&self) -> Result<T, ConfigError> {
        self.shared.settings.config.section(self.service)
    }

    /// What tells the time: services ask it and never the system, so that tests can set it.
    pub fn clock(&self) -> &Clock {
        &self.shared.settings.clock
    }

    /// The cache of hot reads.
    pub fn cache(&self) -> &Arc<dyn Cache> {
        &self.shared.settings.cache
    }

    /// The index of where those who move are.
    pub fn positions(&self) -> &Arc<dyn PositionIndex> {
        &self.shared.settings.positions
    }

    /// The Redis that this process shares with others; none when it shares nothing.
    pub fn redis(&self) -> Option<&Redis> {
        self.shared.settings.redis.as_ref()
    }

    /// Wakes those who wait on a subject of this service, in this process and in those with which it shares Redis.
    pub fn wake_ups(&self, subject: &str) -> WakeUps {
        self.shared.wake_ups.get(self.redis(), format!("{}:{subject}", self.service))
    }

    /// Proves this process's services and recognises callers.
    pub fn identity(&self) -> &Arc<Identity> {
        &self.shared.settings.identity
    }

    /// Signs the access tokens of accounts; only a process that runs the user service has it.
    pub fn access_keys(&self) -> Option<&SharedKeyring> {
        self.shared.settings.access_keys.as_ref()
    }

    /// The folder of files.
    pub fn data_dir(&self) -> &Path {
        &self.shared.settings.data_dir
    }

    /// Where the service keeps its tables.
    pub fn database_config(&self) -> DbConfig {
        match &self.shared.settings.storage {
            Storage::Sqlite(folder) => DbConfig::sqlite(folder, self.service),
            Storage::Postgres(url) => DbConfig::postgres(url, self.service),
        }
    }

    /// The names of the services that are verticals, in this process or in another one.
    pub fn verticals(&self) -> &[String] {
        &self.shared.settings.verticals
    }

    /// Brings the service's tables up to date.
    pub async fn migrate(&self) -> Result<(), DbErr> {
        let config = self.database_config();
        let file = self.database_file();
        if let Some(file) = &file {
            file.prepare().await.map_err(unusable)?;
        }
        migrations::migrate_service(&config.url, &config.schema, self.service).await?;
        file.map_or(Ok(()), |file| file.note_made().map_err(unusable))
    }

    /// The file of the service's tables, when they are in one.
    fn database_file(&self) -> Option<DatabaseFile<'_>> {
        match &self.shared.settings.storage {
            Storage::Sqlite(folder) => Some(DatabaseFile::new(folder, self.service)),
            Storage::Postgres(_) => None,
        }
    }

    /// Opens the service's database and starts the workers that forget old keys and events. Its events are published
    /// once [`Host::start_relays`] says that every consumer is known.
    pub async fn database(&self) -> Result<Db, DbErr> {
        let settings = self.shared.settings.config.section::<DbSettings>("database");
        let settings = settings.map_err(|error| DbErr::Custom(error.to_string()))?;
        let mut config = self.database_config();
        if let Storage::Postgres(_) = self.shared.settings.storage {
            config.connections = settings.connections.max(1);
        }
        if let Some(file) = self.database_file() {
            file.prepare().await.map_err(unusable)?;
        }
        let db = self.open_database(&config).await?;
        locked(&self.shared.databases).insert(self.service, db.clone());
        let relay = Relay::new(self.service, db.clone(), self.shared.settings.bus.clone());
        self.spawn(relay.clone().observe(self.stop_token()));
        let (bus, service) = (self.shared.settings.bus.clone(), self.service);
        self.every("maintain published events", MAINTAIN_EVERY, move || {
            let bus = bus.clone();
            async move { bus.maintain(service).await }
        });
        let (pruned, pruning) = (db.clone(), relay.clone());
        self.every("forget old keys and events", PRUNE_EVERY, move || {
            prune_expired(pruned.clone(), pruning.clone())
        });
        let mut relays = locked(&self.shared.relays);
        if relays.run {
            self.spawn(relay.run(self.stop_token()));
        } else {
            relays.waiting.push(relay);
        }
        drop(relays);
        Ok(db)
    }

    async fn open_database(&self, config: &DbConfig) -> Result<Db, DbErr> {
        if self.shared.settings.waits_for_database {
            let opening = waiting::open_when_ready(config, self.clock(), self.service);
            let opened = self.shared.stop.run_until_cancelled(opening).await;
            return opened.unwrap_or_else(|| Err(DbErr::Custom("the process stops".to_owned())));
        }
        let db = Db::connect(config, self.clock().clone()).await?;
        migrations::refuse_lost_tables(db.connection(), &config.schema, self.service).await?;
        Ok(db)
    }

    /// Starts to publish events. Call it once every service of the process has started: an event that is published
    /// before a consumer has subscribed does not reach it. A process whose bus does not reach all consumers must not
    /// call it; its events then stay in the outbox.
    pub fn start_relays(&self) {
        let mut relays = locked(&self.shared.relays);
        relays.run = true;
        for relay in relays.waiting.drain(..) {
            self.spawn(relay.run(self.stop_token()));
        }
    }

    /// Looks at the disk of the data folder from now on.
    pub fn watch_disk(&self) -> Result<(), ConfigError> {
        let settings: DbSettings = self.shared.settings.config.section("database")?;
        let disk = Arc::new(Disk {
            folder: self.data_dir().to_owned(),
            min_free_bytes: settings.min_free_mib.saturating_mul(1 << 20),
            has_room: self.shared.has_room.clone(),
        });
        self.every("look at the disk", disk::LOOK_EVERY, move || {
            let disk = disk.clone();
            async move { disk.look().await }
        });
        Ok(())
    }

    /// Whether the disk of the data folder has room, as far as [`Host::watch_disk`] knows.
    pub fn has_room(&self) -> watch::Receiver<bool> {
        self.shared.has_room.subscribe()
    }

    /// Does `work` at once and then after each `period`, until the process stops. A round that fails is logged under
    /// `name`, and the next one tries again.
    pub fn every<W, F, E>(&self, name: &'static str, period: chrono::Duration, work: W)
    where
        W: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: std::fmt::Display + Send + 'static,
    {
        self.spawn(periodic::run(name, period, self.clock().clone(), self.stop_token(), work));
    }

    /// Fires the service's timers with `handler`.
    pub fn timers(&self, db: &Db, handler: Arc<dyn TimerHandler>) {
        let worker = TimerWorker::new(self.service, db.clone(), handler);
        self.spawn(worker.run(self.stop_token()));
    }

    /// Has `consumer` act on events, under the name of its service and its own. What it cannot take waits in the
    /// service's database, which must be open before. Two consumers of one name are refused: each would be handed what
    /// waits for the other.
    pub fn subscribe(&self, consumer: Arc<dyn Consumer>) -> Result<(), Error> {
        let db = locked(&self.shared.databases).get(self.service).cloned();
        let name = match consumer.name() {
            "" => self.service.to_owned(),
            own => format!("{}.{own}", self.service),
        };
        if db.is_some() && !locked(&self.shared.consumers).insert(name.clone()) {
            return Err(Error::internal(format!("two consumers are called {name}")));
        }
        let subscription = Arc::new(Subscription::new(&name, db, consumer));
        self.spawn(subscription.clone().run(self.stop_token()));
        let bus = self.shared.settings.bus.clone();
        bus.subscribe(subscription.clone());
        let stop = self.stop_token();
        self.spawn(async move { bus.carry(subscription, stop).await });
        Ok(())
    }

    /// The channel to another service, for its generated client. The other may start later.
    pub fn channel(&self, target: &str) -> Channel {
        let mint = self.identity().mint(self.service);
        Channel::new(self.service, target, self.peer(target), mint)
    }

    /// The channel to another service for what everybody may ask it.
    pub fn anonymous_channel(&self, target: &str) -> Channel {
        Channel::anonymous(target, self.peer(target))
    }

    /// Says where `target` is found. The first answer stays.
    pub fn locate(&self, target: &str, peer: Peer) {
        let _ = self.peer(target).set(peer);
    }

    /// Puts the guard round the service's routes and makes them callable from the other services of this process.
    pub fn install(&self, routes: Routes) -> Stack {
        let db = locked(&self.shared.databases).get(self.service).cloned();
        let routes = match db {
            Some(db) => maintenance::mount(routes, self.service, db),
            None => routes,
        };
        let stack = guard::guard_service(self.service, routes, self.identity().clone());
        self.locate(self.service, Peer::Local(stack.clone()));
        stack
    }

    /// Runs a worker until it ends; the process waits for it when it stops.
    pub fn spawn<F>(&self, work: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.shared.tasks.spawn(work);
    }

    /// Tells workers to end.
    pub fn stop_token(&self) -> CancellationToken {
        self.shared.stop.clone()
    }

    /// Waits for the workers to end, at most `limit`. True when all did.
    pub async fn drained(&self, limit: Duration) -> bool {
        self.shared.tasks.close();
        tokio::time::timeout(limit, self.shared.tasks.wait()).await.is_ok()
    }

    fn peer(&self, target: &str) -> Arc<OnceLock<Peer>> {
        locked(&self.shared.peers).entry(target.to_owned()).or_default().clone()
    }
}

fn unusable(error: FileError) -> DbErr {
    DbErr::Custom(error.to_string())
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn prune_expired(db: Db, relay: Relay) -> Result<(), Error> {
    let tx = db.begin().await?;
    idempotency::prune_keys(&tx).await?;
    inbox::prune_inbox(&tx).await?;
    tx.commit().await?;
    relay.prune().await?;
    db.empty_log().await
}
