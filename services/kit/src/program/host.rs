//! What a service receives when it starts: everything from outside comes in through here, nothing is global.

use crate::{
    identity::identify::Identity,
    identity::keyring::SharedKeyring,
    messaging::bus::{Bus, Consumer},
    messaging::inbox,
    messaging::outbox::Relay,
    messaging::timers::{Alarm, OnTimer},
    program::clock::Clock,
    program::config::{Config, ConfigError},
    rpc::client::{Channel, Peer, Stack},
    rpc::error::Error,
    rpc::guard::{self, Routes},
    storage::cache::Cache,
    storage::db::{Db, DbConfig, DbSettings},
    storage::idempotency,
};
use sea_orm::DbErr;
use serde::de::DeserializeOwned;
use std::{
    collections::HashMap,
    future::Future,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How often workers forget what is past its time.
const PRUNE_EVERY: chrono::Duration = chrono::Duration::hours(1);

/// What the process gives its services.
pub struct Settings {
    /// The configuration's sections.
    pub config: Config,
    /// The time.
    pub clock: Clock,
    /// Carries facts.
    pub bus: Arc<dyn Bus>,
    /// Keeps hot reads.
    pub cache: Arc<dyn Cache>,
    /// Where the services keep their tables.
    pub storage: Storage,
    /// The folder of files: keys, mail, SQLite.
    pub data_dir: PathBuf,
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
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Host {
    /// The runtime of the process; `stop` ends its workers.
    pub fn new(settings: Settings, stop: CancellationToken) -> Self {
        let shared = Shared { settings, peers: Mutex::default(), stop, tasks: TaskTracker::new() };
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

    /// The time.
    pub fn clock(&self) -> &Clock {
        &self.shared.settings.clock
    }

    /// The cache of hot reads.
    pub fn cache(&self) -> &Arc<dyn Cache> {
        &self.shared.settings.cache
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

    /// Brings the service's tables up to date.
    pub async fn migrate(&self) -> Result<(), DbErr> {
        let config = self.database_config();
        migrations::migrate(&config.url, &config.schema, self.service).await
    }

    /// Opens the service's database and starts the workers that empty its outbox and forget old keys.
    pub async fn database(&self) -> Result<Db, DbErr> {
        let settings = self.shared.settings.config.section::<DbSettings>("database");
        let settings = settings.map_err(|error| DbErr::Custom(error.to_string()))?;
        let mut config = self.database_config();
        if let Storage::Postgres(_) = self.shared.settings.storage {
            config.connections = settings.connections.max(1);
        }
        let db = Db::connect(&config, self.clock().clone()).await?;
        let relay = Relay::new(self.service, db.clone(), self.shared.settings.bus.clone());
        self.spawn(relay.clone().run(self.stop_token()));
        self.spawn(relay.observe(self.stop_token()));
        self.spawn(prune(db.clone(), self.stop_token()));
        Ok(db)
    }

    /// Fires the service's timers with `handler`.
    pub fn timers(&self, db: &Db, handler: Arc<dyn OnTimer>) {
        let alarm = Alarm::new(db.clone(), handler);
        self.spawn(alarm.run(self.service, self.stop_token()));
    }

    /// Has `consumer` act on facts.
    pub fn subscribe(&self, consumer: Arc<dyn Consumer>) {
        self.shared.settings.bus.subscribe(consumer);
    }

    /// The channel to another service, for its generated client. The other may start later.
    pub fn channel(&self, target: &str) -> Channel {
        let mint = self.identity().mint(self.service);
        Channel::new(self.service, target, self.peer(target), mint)
    }

    /// Says where `target` is found. The first answer stays.
    pub fn locate(&self, target: &str, peer: Peer) {
        let _ = self.peer(target).set(peer);
    }

    /// Puts the guard round the service's routes and makes them callable from the other services of this process.
    pub fn install(&self, routes: Routes) -> Stack {
        let stack = guard::guard(self.service, routes, self.identity().clone());
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
        let mut peers = self.shared.peers.lock().unwrap_or_else(PoisonError::into_inner);
        peers.entry(target.to_owned()).or_default().clone()
    }
}

async fn prune_once(db: &Db) -> Result<(), Error> {
    let tx = db.begin().await?;
    idempotency::prune(&tx).await?;
    inbox::prune(&tx).await?;
    tx.commit().await
}

async fn prune(db: Db, stop: CancellationToken) {
    loop {
        if let Err(error) = prune_once(&db).await {
            tracing::warn!(%error, "cannot delete old keys, will try again");
        }
        tokio::select! {
            () = db.clock().sleep(PRUNE_EVERY) => {}
            () = stop.cancelled() => return,
        }
    }
}
