//! What each command does.

use crate::{
    backup,
    cli::{Certs, Cli, Command, Events, Keys, Peers, Redis, Ring, Storage},
    events, reconcile, seed,
};
use anyhow::{Context, anyhow, bail};
use kit::{
    Clock, Host,
    envelope::{EnvelopeError, KeyStore},
    identity::keyring::Keyring,
    mesh::{Certificates, MeshFiles},
    program::config::Config,
    program::telemetry,
    rpc::caller::EDGE,
    rpc::health::ask_health_at,
    values::time::timestamp,
};
use proto::quickserve::kit::v1::RepublishEventsRequest;
use quickserve::{
    certs::{Wanted, make_certificates},
    client::Client,
    policy::{callers_of, network_policies},
    process::{OPS, Plan, Process},
    service::Service,
    trust::Trust,
};
use std::{
    collections::BTreeMap,
    io::Write,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};
use tokio::signal::unix::{SignalKind, signal};

/// The most that a server may take to say whether it serves.
const HEALTH_LIMIT: Duration = Duration::from_secs(5);

/// Does what the command line asks.
pub fn main(cli: Cli) -> anyhow::Result<ExitCode> {
    if let Command::Transcode(args) = cli.command {
        return Ok(transcode::cli::main(*args));
    }
    let config = Config::load(cli.config.as_deref())?;
    check_sections(&config)?;
    let mut observed: telemetry::TelemetryConfig = config.section("telemetry")?;
    if let Some(log) = cli.log {
        observed.log = log;
    }
    if cli.log_json {
        observed.format = telemetry::Format::Json;
    }
    let guard = telemetry::init_telemetry(&observed)?;
    transcode::serve::raise_file_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = runtime.block_on(run_command(cli.command, config));
    runtime.shutdown_timeout(Duration::from_secs(1));
    guard.shutdown();
    done
}

/// A mistyped section stops the start, as a mistyped key does.
fn check_sections(config: &Config) -> anyhow::Result<()> {
    let services = Service::ALL.iter().map(|service| service.name());
    let known: Vec<&str> =
        services.chain(["database", "edge", "events", "grpc", "mesh", "telemetry"]).collect();
    Ok(config.check_sections(&known)?)
}

/// The address of the Redis of which a process of its own has need.
fn required_redis_url(redis: Redis) -> anyhow::Result<String> {
    let url = redis.redis_url.filter(|url| !url.is_empty());
    url.context(
        "`run` needs a Redis that carries events between the services: set --redis-url or QS_REDIS_URL, \
         for example redis://127.0.0.1:6379. `up` runs every service in one process and needs none",
    )
}

async fn run_command(command: Command, config: Config) -> anyhow::Result<ExitCode> {
    match command {
        Command::Up { listen, grpc_listen, insecure, storage } => {
            let plan = Plan {
                trust: Trust::of_one_process(&config, insecure.is_insecure)?,
                edge: Some(listen),
                grpc: grpc_listen,
                services: Service::ALL.to_vec(),
                ..plan_process(storage, config)
            };
            serve_process(plan).await
        }
        Command::Run { service, listen, admin, peers, insecure, redis, storage } => {
            let redis_url = Some(required_redis_url(redis)?);
            let plan = Plan {
                trust: Trust::read(&config, insecure.is_insecure, service.name())?,
                grpc: listen,
                admin: Some(admin),
                services: vec![service],
                peers: peers_of(&peers)?,
                migrate: false,
                redis_url,
                ..plan_process(storage, config)
            };
            serve_process(plan).await
        }
        Command::Edge { listen, peers, redis, insecure, data_dir } => {
            let trust = Trust::read(&config, insecure.is_insecure, EDGE)?;
            let storage = Storage { data_dir, database_url: None };
            let plan = Plan { trust, edge: Some(listen), ..plan_process(storage, config) };
            let redis_url = redis.redis_url.filter(|url| !url.is_empty());
            serve_process(Plan { peers: peers_of(&peers)?, redis_url, ..plan }).await
        }
        Command::Migrate { services, storage } => run_migrate(services, storage, config).await,
        Command::Backup { to, storage } => backup::run(&storage, &to).await,
        Command::Reconcile { storage } => {
            events::check_keys(&storage.data_dir)?;
            let services = Service::ALL.to_vec();
            reconcile::run(Plan { services, ..plan_process(storage, config) }).await
        }
        Command::Keys { command, ring, data_dir } => run_keys(&command, ring, &data_dir, &config),
        Command::CreateOperator { email, name, storage } => {
            create_operator(&email, &name, run_offline(storage, config, Service::User)?).await
        }
        Command::SeedDemo { url, city, storage } => {
            let host = run_offline(storage, config, Service::User)?;
            seed::seed_city(&host, &url, city).await.map(|()| ExitCode::SUCCESS)
        }
        Command::Healthcheck { grpc: Some(address), service, name, .. } => {
            check_grpc_health(address, &service, name, &config).await
        }
        Command::Certs(certs) => run_certs(certs),
        Command::Healthcheck { url, .. } => check_health(&url).await,
        Command::Events { command } => run_events(command, config).await,
        Command::Openapi => print_line(&serde_json::to_string_pretty(&edge::openapi_document())?),
        Command::Policy { k8s } => print_policy(k8s),
        Command::Transcode(_) => bail!("transcode starts before the runtime"),
    }
}

/// Does what an operator wants done with the events of a running system.
async fn run_events(command: Events, config: Config) -> anyhow::Result<ExitCode> {
    let (Events::Parked { system, .. } | Events::Replay { system, .. }) = &command;
    let trust = Trust::read(&config, system.insecure.is_insecure, OPS)?;
    if trust.certificates().is_none() {
        events::check_keys(&system.data_dir)?;
    }
    let storage = Storage { data_dir: system.data_dir.clone(), database_url: None };
    let plan = Plan { trust: trust.clone(), ..plan_process(storage, config) };
    let host = quickserve::process::build_host(&plan)?;
    let asked = events::Asked::new(host, trust, &system.peers)?;
    match command {
        Events::Parked { command, .. } => events::run(&asked, command).await,
        Events::Replay { source, since, consumer, .. } => {
            // More than the calendar has is all that is kept.
            let since = since.and_then(|since| Clock::system().now().checked_sub_signed(since));
            let request = RepublishEventsRequest {
                since: since.map(timestamp),
                consumer: consumer.unwrap_or_default(),
            };
            events::replay(&asked, source, &request).await
        }
    }
}

/// Makes what a mesh needs, and says what it has made.
fn run_certs(certs: Certs) -> anyhow::Result<ExitCode> {
    let Certs { folder, namespace, days, readable, new_authority } = certs;
    let wanted = Wanted { folder, namespace, days, readable, new_authority };
    for line in make_certificates(&wanted, Clock::system().now())? {
        print_line(&line)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A plan that runs nothing yet.
fn plan_process(storage: Storage, config: Config) -> Plan {
    Plan {
        services: Vec::new(),
        edge: None,
        grpc: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        admin: None,
        peers: BTreeMap::new(),
        trust: Trust::ThisMachine,
        data_dir: storage.data_dir,
        database_url: storage.database_url,
        redis_url: None,
        migrate: true,
        config,
        clock: Clock::system(),
    }
}

pub fn peers_of(peers: &Peers) -> anyhow::Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for peer in peers.peers.iter().filter(|peer| !peer.is_empty()) {
        let (name, url) = peer.split_once('=').with_context(|| format!("{peer} is no NAME=URL"))?;
        found.insert(name.to_owned(), url.to_owned());
    }
    Ok(found)
}

/// Runs the process until it is told to stop; a second signal ends it at once.
async fn serve_process(plan: Plan) -> anyhow::Result<ExitCode> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let data_dir = plan.data_dir.clone();
    let mut process = tokio::select! {
        started = Process::start(plan) => started?,
        _ = interrupt.recv() => return Ok(ExitCode::from(130)),
        _ = terminate.recv() => return Ok(ExitCode::from(143)),
    };
    print_welcome(&process, &data_dir)?;
    tokio::select! {
        error = process.start_failure() => {
            process.stop().await;
            return Err(error);
        }
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    eprintln!("stopping; once more to stop at once");
    tokio::select! {
        () = process.stop() => Ok(ExitCode::SUCCESS),
        _ = interrupt.recv() => Ok(ExitCode::from(130)),
        _ = terminate.recv() => Ok(ExitCode::from(143)),
    }
}

/// Prints where to go next.
fn print_welcome(process: &Process, data_dir: &Path) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if let Some(address) = process.edge() {
        writeln!(out, "QuickServe is ready at http://{address}")?;
        writeln!(out, "  documentation  http://{address}/docs")?;
        writeln!(
            out,
            "  health         http://{address}/readyz   metrics http://{address}/metrics"
        )?;
    }
    for (service, address) in process.grpc() {
        writeln!(out, "  gRPC           {address}  {service}")?;
    }
    if let Some(address) = process.admin() {
        writeln!(
            out,
            "  admin          http://{address}/readyz   metrics http://{address}/metrics"
        )?;
    }
    let folder = std::fs::canonicalize(data_dir).unwrap_or_else(|_| PathBuf::from(data_dir));
    writeln!(out, "  data           {}", folder.display())?;
    Ok(out.flush()?)
}

/// A host for a command that works on a service's tables without serving it.
fn run_offline(storage: Storage, config: Config, service: Service) -> anyhow::Result<Host> {
    Ok(quickserve::process::build_host(&plan_process(storage, config))?.of(service.name()))
}

async fn check_health(url: &str) -> anyhow::Result<ExitCode> {
    let ready = Client::new(url).get("/readyz").await?;
    print_line(&format!("{url} answers {}", ready.status))?;
    Ok(if ready.status.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Asks a service, or any other gRPC server, whether `service` serves there. In a mesh, `name` is the service that has to
/// prove itself, the one of our own certificate without.
async fn check_grpc_health(
    address: SocketAddr,
    service: &str,
    name: Option<String>,
    config: &Config,
) -> anyhow::Result<ExitCode> {
    let mesh = match MeshFiles::from_config(config)? {
        None => None,
        Some(files) => {
            let certificates = Certificates::load(files)?;
            let name = name.as_deref().unwrap_or(certificates.service());
            Some(certificates.client(name)?)
        }
    };
    let serves = ask_health_at(address, service, HEALTH_LIMIT, mesh).await;
    let serves = serves.map_err(|status| {
        anyhow!("{address} does not say whether it serves: {}", status.message())
    })?;
    let answer = if serves { "SERVING" } else { "NOT_SERVING" };
    print_line(&format!("{address} answers {answer}"))?;
    Ok(if serves { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn create_operator(email: &str, name: &str, host: Host) -> anyhow::Result<ExitCode> {
    let password = std::env::var("QS_OPERATOR_PASSWORD")
        .context("QS_OPERATOR_PASSWORD must hold the operator's password")?;
    host.migrate().await?;
    let id = user::create_operator(&host, email, name, &password).await?;
    print_line(&format!("operator {id} can sign in as {email}"))
}

async fn run_migrate(
    services: Vec<Service>,
    storage: Storage,
    config: Config,
) -> anyhow::Result<ExitCode> {
    let services = if services.is_empty() { Service::ALL.to_vec() } else { services };
    let host = quickserve::process::build_host(&plan_process(storage, config))?;
    for service in services {
        host.of(service.name())
            .migrate()
            .await
            .with_context(|| format!("the tables of {} stay as they were", service.name()))?;
        print_line(&format!("{} is up to date", service.name()))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn run_keys(
    command: &Keys,
    ring: Ring,
    data_dir: &Path,
    config: &Config,
) -> anyhow::Result<ExitCode> {
    if ring == Ring::Child {
        return run_child_keys(command, data_dir, config);
    }
    let folder = data_dir.join("keys").join("access");
    let mut keyring = Keyring::load(&folder)?;
    match command {
        Keys::List => {}
        Keys::Rotate => keyring.rotate(Clock::system().now())?,
        Keys::Retire { .. } => bail!("signing keys retire by themselves: rotate them"),
        Keys::Jwks => return print_line(&keyring.jwks().to_string()),
    }
    for key in keyring.keys() {
        print_line(&format!("{}  {:?}", key.kid(), key.state()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Shows and changes the ring that wraps the keys of families. Where the configuration names a folder for it, the first
/// rotation makes the ring.
fn run_child_keys(command: &Keys, data_dir: &Path, config: &Config) -> anyhow::Result<ExitCode> {
    let tables: child_assistance::Config = config.section("child_assistance")?;
    let folder = child_assistance::keys_folder(&tables, data_dir);
    let now = Clock::system().now();
    let found = KeyStore::open(&folder);
    let keys = match (found, command) {
        (Err(EnvelopeError::NoRing { .. }), Keys::Rotate) if tables.keys_folder.is_some() => {
            KeyStore::open_or_create(&folder, now)?
        }
        (Ok(keys), Keys::Rotate) => {
            keys.rotate(now)?;
            keys
        }
        (found, _) => found?,
    };
    match command {
        Keys::List | Keys::Rotate => {}
        Keys::Retire { kid } => keys.retire(kid)?,
        Keys::Jwks => bail!("keys of families are never shown"),
    }
    let ring = keys.ring();
    let active = ring.active()?.kid();
    for key in ring.keys() {
        let state = if key.kid() == active { "Active" } else { "Retiring" };
        print_line(&format!("{}  {state}  {}", key.kid(), key.created_at().to_rfc3339()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints each service with who may call it, as lines or as network policies.
fn print_policy(k8s: bool) -> anyhow::Result<ExitCode> {
    if k8s {
        write!(std::io::stdout().lock(), "{}", network_policies())?;
        return Ok(ExitCode::SUCCESS);
    }
    for service in Service::ALL {
        let callers = Vec::from_iter(callers_of(service)).join(" ");
        print_line(&format!("{}: {callers}", service.name()))?;
    }
    Ok(ExitCode::SUCCESS)
}

pub fn print_line(line: &str) -> anyhow::Result<ExitCode> {
    writeln!(std::io::stdout().lock(), "{line}")?;
    Ok(ExitCode::SUCCESS)
}
