//! A host for tests: a manual clock, a database of the test's own, the real guard and the real bus.

use crate::{
    identity::identify::Identity,
    identity::keyring::{Keyring, SharedKeyring},
    identity::token::{ISSUER, Verifier},
    messaging::bus::LocalBus,
    program::clock::Clock,
    program::config::Config,
    program::host::{Host, Settings, Storage},
    rpc::caller::{EDGE, Role, Roles, Subject},
    rpc::client::Channel,
    rpc::context::Context,
    storage::cache::LocalCache,
};
use chrono::{DateTime, Utc};
use sea_orm::{ConnectOptions, ConnectionTrait, Database};
use std::{future::Future, sync::Arc};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The variable that names the PostgreSQL server to test on; the test command sets it.
pub const POSTGRES_URL: &str = "QS_TEST_POSTGRES_URL";

/// A database engine to test on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// A file in a folder of the test's own.
    Sqlite,
    /// A database of the test's own.
    Postgres,
}

impl Backend {
    /// Both engines: whatever touches a table is tested on each.
    pub const ALL: [Self; 2] = [Self::Sqlite, Self::Postgres];

    /// An empty store of that engine in `folder` or on the test server.
    #[expect(clippy::expect_used, reason = "a test cannot go on without its database")]
    pub async fn storage(self, folder: &std::path::Path) -> Storage {
        match self {
            Self::Sqlite => Storage::Sqlite(folder.to_owned()),
            Self::Postgres => {
                let server = std::env::var(POSTGRES_URL)
                    .expect("QS_TEST_POSTGRES_URL names no server: use the README's test command");
                let name = format!("test_{}", Uuid::new_v4().simple());
                let mut options = ConnectOptions::new(format!("{server}/postgres"));
                options.max_connections(1).sqlx_logging(false);
                let admin = Database::connect(options).await.expect("the test server answers");
                admin
                    .execute_unprepared(&format!("CREATE DATABASE {name}"))
                    .await
                    .expect("a database of its own");
                admin.close().await.expect("closes");
                Storage::Postgres(format!("{server}/{name}"))
            }
        }
    }
}

/// A process in small: start services in it and call them.
pub struct World {
    /// The runtime.
    pub host: Host,
    /// The time; move it with [`Clock::advance`].
    pub clock: Clock,
    stop: CancellationToken,
    _folder: tempfile::TempDir,
}

impl World {
    /// An empty world on `backend`, at 9 o'clock UTC on a Monday in May 2027.
    pub async fn new(backend: Backend) -> Self {
        Self::with(backend, Config::defaults()).await
    }

    /// As [`World::new`], with this configuration.
    #[expect(clippy::expect_used, reason = "a test cannot go on without its folder")]
    pub async fn with(backend: Backend, config: Config) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let clock = Clock::manual(start());
        let stop = CancellationToken::new();
        let keys = Keyring::ephemeral(clock.now()).expect("keys");
        let keys = SharedKeyring::new(keys, clock.clone());
        let access = Verifier::from_keyring(ISSUER, keys.clone(), clock.clone());
        let identity = Identity::new(ISSUER, keys.clone(), access, clock.clone());
        let settings = Settings {
            config,
            clock: clock.clone(),
            bus: Arc::new(LocalBus::default()),
            cache: LocalCache::new(1 << 20),
            storage: backend.storage(folder.path()).await,
            data_dir: folder.path().to_owned(),
            identity: Arc::new(identity),
            access_keys: Some(keys),
        };
        Self { host: Host::new(settings, stop.clone()), clock, stop, _folder: folder }
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

/// Somebody with these roles.
pub fn somebody(roles: &[Role]) -> Subject {
    Subject {
        user_id: Uuid::new_v4(),
        session_id: Uuid::new_v4(),
        roles: roles.iter().copied().collect::<Roles>(),
    }
}

/// Makes the calls of `work` on behalf of `subject`.
pub async fn acting_as<F: Future>(subject: Subject, work: F) -> F::Output {
    Context { subject: Some(subject), ..Context::default() }.scope(work).await
}

/// Waits until `check` gives a value, for what happens after a commit. Fails after ten seconds.
#[expect(clippy::panic, reason = "the test has failed")]
pub async fn eventually<T, F, Fut>(what: &str, mut check: F) -> T
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    let limit = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
    while tokio::time::Instant::now() < limit {
        if let Some(value) = check().await {
            return value;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("{what} did not happen");
}
