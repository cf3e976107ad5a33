//! A process: which services it runs, where it listens, how it stops.

use crate::{service::Service, trust::Trust};
use anyhow::{Context, bail};
use edge::Edge;
use kit::{
    Clock, Host,
    identity::identify::Identity,
    identity::keyring::{Keyring, SharedKeyring},
    identity::published_keys::fetch_from_users,
    identity::revocation,
    identity::token::{ISSUER, Verifier},
    messaging::bus::{Bus, LocalBus},
    messaging::streams::StreamBus,
    program::admin::serve_admin,
    program::config::Config,
    program::host::{Settings, Storage},
    program::readiness::Readiness,
    redis::Redis,
    rpc::caller::EDGE,
    rpc::client::{Channel, Peer},
    rpc::listener::{self as serve, Options},
    rpc::starting::answer_once_started,
    storage::cache::{Cache, LocalCache},
    storage::position::{LocalPositions, PositionIndex},
    storage::shared_cache::SharedCache,
    storage::shared_position::SharedPositions,
};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    time::Duration,
};
use tokio::{
    net::TcpListener,
    sync::watch,
    task::{JoinHandle, JoinSet},
};
use tokio_util::sync::CancellationToken;

/// The name under which an operator's commands call services.
pub const OPS: &str = "ops";
/// Bytes that hot reads may take in memory.
const CACHE_BYTES: u64 = 16 << 20;
/// How long a process whose calls have ended waits for its workers.
const WORKER_LIMIT: Duration = Duration::from_secs(10);

/// What a process runs.
pub struct Plan {
    pub services: Vec<Service>,
    /// Where the edge listens; none when this process has no edge.
    pub edge: Option<SocketAddr>,
    /// Where each service listens for gRPC: the first at this port, the next one above, all free ones when it is 0.
    pub grpc: SocketAddr,
    /// Where the process tells those who run it how it is; nowhere when there is none.
    pub admin: Option<SocketAddr>,
    /// Services that run elsewhere, by name, with their URLs.
    pub peers: BTreeMap<String, String>,
    /// How it trusts the processes that it calls, and those that call it.
    pub trust: Trust,
    /// The folder of files.
    pub data_dir: PathBuf,
    /// The PostgreSQL database; SQLite files in the folder without.
    pub database_url: Option<String>,
    /// The Redis that this process shares with others; without it events stay in this one.
    pub redis_url: Option<String>,
    /// Whether the tables are brought up to date first. A process that does not do so waits until another one has.
    pub migrate: bool,
    /// The configuration's sections.
    pub config: Config,
    pub clock: Clock,
}

/// A process that runs.
pub struct Process {
    host: Host,
    stop: CancellationToken,
    edge: Option<(SocketAddr, JoinHandle<()>)>,
    grpc: BTreeMap<&'static str, SocketAddr>,
    servers: Vec<JoinHandle<()>>,
    admin: Option<(SocketAddr, JoinHandle<()>)>,
    /// Services that wait for their database.
    starting: JoinSet<anyhow::Result<()>>,
    /// Whether everything that the process needs is there.
    ready: Readiness,
    /// False once the process stops.
    goes_on: watch::Sender<bool>,
    /// Ends what goes on until everything else has ended.
    ended: CancellationToken,
}

impl Process {
    /// Starts what `plan` says. With [`Plan::migrate`] it is ready when this returns; without, its services answer for
    /// their health, and serve once their database is there. When it fails, what had started is stopped.
    pub async fn start(plan: Plan) -> anyhow::Result<Self> {
        let host = build_host(&plan)?;
        let goes_on = watch::Sender::new(true);
        let ready = Readiness::default()
            .and("stopping", goes_on.subscribe())
            .and("disk_full", host.has_room());
        let mut process = Self {
            stop: host.stop_token(),
            host,
            edge: None,
            grpc: BTreeMap::new(),
            servers: Vec::new(),
            admin: None,
            starting: JoinSet::new(),
            ready,
            goes_on,
            ended: CancellationToken::new(),
        };
        match process.start_all(&plan).await {
            Ok(()) => Ok(process),
            Err(error) => {
                process.stop().await;
                Err(error)
            }
        }
    }

    async fn start_all(&mut self, plan: &Plan) -> anyhow::Result<()> {
        self.host.watch_disk()?;
        plan.trust.follow_files(&self.host);
        for (name, url) in &plan.peers {
            self.host.locate(name, Peer::Remote(plan.trust.connect(name, url)?));
        }
        for (index, service) in plan.services.iter().enumerate() {
            let started = self.start_service(*service, plan, index).await;
            started.with_context(|| format!("the {} service did not start", service.name()))?;
        }
        self.start_relays(plan);
        if let Some(address) = plan.admin {
            let socket = bind_port(address).context("the admin port did not start")?;
            let address = socket.local_addr()?;
            let serving = serve_admin(socket, self.ready.clone(), self.ended.clone());
            self.admin = Some((address, tokio::spawn(serving)));
        }
        match plan.edge {
            Some(address) => self.start_edge(address).await.context("the edge did not start"),
            // The edge would do this. A service's own port is met by the same tokens.
            None => {
                let asks = plan.services.first().map_or(EDGE, |service| service.name());
                self.host.spawn(revocation::follow(self.host.of(asks)));
                Ok(())
            }
        }
    }

    /// Starts to publish events, when every consumer is in this process or reached by Redis. Otherwise they stay in the
    /// outbox until a process takes over its tables of which that is true.
    fn start_relays(&self, plan: &Plan) {
        let has_all = Service::ALL.iter().all(|service| plan.services.contains(service));
        if has_all || plan.redis_url.is_some() {
            self.host.start_relays();
        } else if !plan.services.is_empty() {
            tracing::warn!(
                "this process does not run every service and has no Redis to reach the others: \
                 its events stay in the outbox until `up` runs on the same tables, or `run` with --redis-url"
            );
        }
    }

    async fn start_service(
        &mut self,
        service: Service,
        plan: &Plan,
        index: usize,
    ) -> anyhow::Result<()> {
        let host = self.host.of(service.name());
        let mut address = plan.grpc;
        if address.port() != 0 {
            address.set_port(address.port() + u16::try_from(index)?);
        }
        plan.trust.check_listening(address)?;
        let listener = bind_port(address)?;
        self.grpc.insert(service.name(), listener.local_addr()?);
        let (started, is_started) = watch::channel(false);
        self.ready = self.ready.clone().and("starting", is_started.clone());
        let ready =
            Readiness::default().and("starting", is_started).and("disk_full", host.has_room());
        let certificates = plan.trust.certificates().cloned();
        let options = Options { ready, certificates, ..serve_options(service) };
        let options = options.with_stop(plan.config.section("grpc")?);
        let stack = Arc::new(OnceLock::new());
        let (late, stop) = (answer_once_started(stack.clone()), self.stop.clone());
        let serving = async move {
            if let Err(error) = serve::serve_routes(listener, late, stop, options).await {
                tracing::error!(%error, service = service.name(), "the gRPC server ended");
            }
        };
        let migrate = plan.migrate;
        let starting = async move {
            if migrate {
                host.migrate().await.context("its tables cannot be brought up to date")?;
            }
            let _ = stack.set(host.install(service.start(&host).await?));
            started.send_replace(true);
            anyhow::Ok(())
        };
        if migrate {
            starting.await?;
        } else {
            let name = service.name();
            self.starting.spawn(async move {
                starting.await.with_context(|| format!("the {name} service did not start"))
            });
        }
        self.servers.push(tokio::spawn(serving));
        Ok(())
    }

    async fn start_edge(&mut self, address: SocketAddr) -> anyhow::Result<()> {
        let host = self.host.of(EDGE);
        let edge = Edge::new(&host, host.config()?)?;
        let listener = bind_port(address)?;
        self.edge = Some((listener.local_addr()?, tokio::spawn(edge.serve(listener))));
        Ok(())
    }

    /// Where the edge listens.
    pub fn edge(&self) -> Option<SocketAddr> {
        self.edge.as_ref().map(|(address, _)| *address)
    }

    /// Where each service listens for gRPC.
    pub const fn grpc(&self) -> &BTreeMap<&'static str, SocketAddr> {
        &self.grpc
    }

    /// Where the process tells those who run it how it is.
    pub fn admin(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(|(address, _)| *address)
    }

    /// Waits for the failure of a service that starts once its database is there, for ever when none fails.
    pub async fn start_failure(&mut self) -> anyhow::Error {
        while let Some(started) = self.starting.join_next().await {
            match started {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return error,
                Err(panic) => return panic.into(),
            }
        }
        std::future::pending().await
    }

    /// The runtime of the process.
    pub const fn host(&self) -> &Host {
        &self.host
    }

    /// Stops taking requests, waits for those under way and for the workers, each for a bounded time.
    pub async fn stop(mut self) {
        self.goes_on.send_replace(false);
        self.stop.cancel();
        self.starting.shutdown().await;
        // Each of them ends by itself: the edge after its notice and its drain, a server after its drain.
        if let Some((_, serving)) = self.edge {
            let _ = serving.await;
        }
        for server in self.servers {
            let _ = server.await;
        }
        if !self.host.drained(WORKER_LIMIT).await {
            tracing::warn!("some workers did not end in time");
        }
        self.ended.cancel();
        if let Some((_, serving)) = self.admin {
            let _ = tokio::time::timeout(WORKER_LIMIT, serving).await;
        }
    }
}

/// The gRPC services of `service`, whose health its server answers.
fn serve_options(service: Service) -> Options {
    let package = format!("quickserve.{}.v1.", service.name());
    let of_service = proto::all_rpcs().iter().filter(|rpc| rpc.service.starts_with(&package));
    let mut services: Vec<String> = of_service.map(|rpc| rpc.service.to_owned()).collect();
    services.dedup();
    Options { services, ..Options::default() }
}

fn bind_port(address: SocketAddr) -> anyhow::Result<TcpListener> {
    kit::rpc::listener::bind_listener(address)
        .with_context(|| format!("{address} cannot be listened on; is something else there?"))
}

/// The runtime of a process with this plan, before anything starts in it.
pub fn build_host(plan: &Plan) -> anyhow::Result<Host> {
    let users = Arc::new(OnceLock::new());
    let host = Host::new(read_settings(plan, users.clone())?, CancellationToken::new());
    let _ = users.set(host.anonymous_channel(Service::User.name()));
    Ok(host)
}

/// The settings of a process with this plan. `users` will hold the channel to the user service.
fn read_settings(plan: &Plan, users: Arc<OnceLock<Channel>>) -> anyhow::Result<Settings> {
    // Said here, because others would repeat the URL and a password in it.
    if let Some(url) = &plan.database_url
        && !["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme))
    {
        bail!("the database URL does not start with postgres://");
    }
    std::fs::create_dir_all(&plan.data_dir)
        .with_context(|| format!("the folder {} cannot be made", plan.data_dir.display()))?;
    let keys = plan.data_dir.join("keys");
    // Who holds these keys can sign in as anybody: only the user service does.
    let access_keys = match plan.services.contains(&Service::User) {
        true => Some(open_keyring(&keys.join("access"), &plan.clock)?),
        false => None,
    };
    let clock = plan.clock.clone();
    let access = match &access_keys {
        Some(keys) => Verifier::from_keyring(ISSUER, keys.clone(), clock),
        None => Verifier::from_issuer(ISSUER, fetch_from_users(users), clock),
    };
    let identity = match plan.trust.certificates() {
        Some(certificates) => {
            let own = certificates.open_keys(plan.clock.clone())?;
            Identity::in_mesh(ISSUER, &own, access, plan.clock.clone())
        }
        None => {
            let shared = open_keyring(&keys.join("mesh"), &plan.clock)?;
            Identity::new(ISSUER, shared, access, plan.clock.clone())
        }
    };
    let common = Common::of(plan)?;
    Ok(Settings {
        config: plan.config.clone(),
        clock: plan.clock.clone(),
        bus: common.bus,
        cache: common.cache,
        positions: common.positions,
        redis: common.redis,
        storage: match &plan.database_url {
            Some(url) => Storage::Postgres(url.clone()),
            None => Storage::Sqlite(plan.data_dir.clone()),
        },
        waits_for_database: !plan.migrate,
        data_dir: plan.data_dir.clone(),
        identity: Arc::new(identity),
        verticals: Service::VERTICALS.map(|vertical| vertical.name().to_owned()).to_vec(),
        access_keys,
    })
}

/// What the services of a process share with those of others, or only with each other.
struct Common {
    bus: Arc<dyn Bus>,
    cache: Arc<dyn Cache>,
    positions: Arc<dyn PositionIndex>,
    redis: Option<Redis>,
}

impl Common {
    fn of(plan: &Plan) -> anyhow::Result<Self> {
        let clock = plan.clock.clone();
        let Some(url) = &plan.redis_url else {
            return Ok(Self {
                bus: Arc::new(LocalBus::default()),
                cache: LocalCache::new(CACHE_BYTES),
                positions: LocalPositions::new(clock),
                redis: None,
            });
        };
        let redis = Redis::connect(url)?;
        let bus: Arc<dyn Bus> = match plan.services.is_empty() {
            // An edge neither publishes nor consumes.
            true => Arc::new(LocalBus::default()),
            false => {
                let sources = Service::ALL.map(|service| service.name().to_owned()).to_vec();
                let settings = plan.config.section("events")?;
                Arc::new(StreamBus::new(redis.clone(), sources, settings))
            }
        };
        Ok(Self {
            bus,
            cache: SharedCache::new(redis.clone(), CACHE_BYTES),
            positions: SharedPositions::new(redis.clone(), clock),
            redis: Some(redis),
        })
    }
}

/// The keys in `folder`, made at the first start. `keys/access` signs accounts' tokens, `keys/mesh` those of services.
fn open_keyring(folder: &Path, clock: &Clock) -> anyhow::Result<SharedKeyring> {
    let keyring = Keyring::load_or_create(folder, clock.now())
        .with_context(|| format!("the keys in {} cannot be used", folder.display()))?;
    Ok(SharedKeyring::new(keyring, clock.clone()))
}
