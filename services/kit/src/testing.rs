//! What tests of services share: a host with a manual clock, a database of the test's own, the real guard and the real
//! bus; callers, samples, a recorder of events, and ways to wait.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

pub mod caches;
mod calls;
pub mod positions;
mod recorder;
mod redis;
mod samples;
mod store;
mod waiting;

pub use calls::{ActingAs, acting_as, refusal, refused_field, set_off_after, somebody};
pub use recorder::EventRecorder;
pub use redis::{REDIS_SERVER, RedisServer};
pub use samples::{at, paris, window};
pub use store::{Backend, POSTGRES_URL, TestStore};
pub use waiting::{eventually, eventually_in_time};

use crate::{
    identity::identify::Identity,
    identity::keyring::{Keyring, SharedKeyring},
    identity::token::{ISSUER, Verifier},
    messaging::bus::LocalBus,
    program::clock::Clock,
    program::config::Config,
    program::host::{Host, Settings},
    rpc::caller::EDGE,
    rpc::client::Channel,
    storage::cache::LocalCache,
    storage::position::LocalPositions,
};
use chrono::{DateTime, Utc};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// A process in small: start services in it and call them.
pub struct World {
    /// The runtime that the service under test starts on.
    pub host: Host,
    /// The time; move it with [`Clock::advance`].
    pub clock: Clock,
    /// Carries the events of the process.
    pub bus: Arc<LocalBus>,
    /// Stops the process, as a signal does.
    pub stop: CancellationToken,
    store: TestStore,
}

/// Another process on the database of a [`World`], with its clock and keys, and a bus of its own. It dies when it is
/// dropped.
pub struct Process {
    /// The runtime that the service under test starts on.
    pub host: Host,
    /// Carries its events, to no other process.
    pub bus: Arc<LocalBus>,
    stop: CancellationToken,
}

impl Process {
    /// Stops the workers of the process.
    pub fn stop(&self) {
        self.stop.cancel();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop();
    }
}

impl World {
    /// An empty world on `backend`, at 9 o'clock UTC on a Monday in May 2027.
    pub async fn new(backend: Backend) -> Self {
        Self::with(backend, Config::defaults()).await
    }

    /// As [`World::new`], with this configuration.
    pub async fn with(backend: Backend, config: Config) -> Self {
        Self::with_verticals(backend, config, &["cleaning"]).await
    }

    /// As [`World::with`], in a program that has these verticals.
    pub async fn with_verticals(backend: Backend, config: Config, verticals: &[&str]) -> Self {
        let store = backend.store().await;
        let clock = Clock::manual(start());
        let stop = CancellationToken::new();
        let keys = Keyring::ephemeral(clock.now()).expect("keys");
        let keys = SharedKeyring::new(keys, clock.clone());
        let access = Verifier::from_keyring(ISSUER, keys.clone(), clock.clone());
        let identity = Identity::new(ISSUER, keys.clone(), access, clock.clone());
        let bus = Arc::new(LocalBus::default());
        let settings = Settings {
            config,
            clock: clock.clone(),
            bus: bus.clone(),
            cache: LocalCache::new(1 << 20),
            positions: LocalPositions::new(clock.clone()),
            redis: None,
            storage: store.storage(),
            waits_for_database: false,
            data_dir: store.folder().to_owned(),
            verticals: verticals.iter().map(|key| (*key).to_owned()).collect(),
            identity: Arc::new(identity),
            access_keys: Some(keys),
        };
        let host = Host::new(settings, stop.clone());
        // A test subscribes before it acts.
        host.start_relays();
        Self { host, clock, bus, stop, store }
    }

    /// Starts another process on the same database.
    pub fn another_process(&self) -> Process {
        let stop = CancellationToken::new();
        let bus = Arc::new(LocalBus::default());
        let settings = Settings {
            config: Config::defaults(),
            clock: self.clock.clone(),
            bus: bus.clone(),
            cache: LocalCache::new(1 << 20),
            positions: LocalPositions::new(self.clock.clone()),
            redis: None,
            storage: self.store.storage(),
            waits_for_database: false,
            data_dir: self.host.data_dir().to_owned(),
            verticals: self.host.verticals().to_vec(),
            identity: self.host.identity().clone(),
            access_keys: self.host.access_keys().cloned(),
        };
        let host = Host::new(settings, stop.clone());
        host.start_relays();
        Process { host, bus, stop }
    }

    /// The channel by which the outside reaches `service`.
    pub fn outside(&self, service: &str) -> Channel {
        self.host.of(EDGE).channel(service)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// When tests begin.
pub fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_809_939_600, 0).unwrap_or_default()
}
