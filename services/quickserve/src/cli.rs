//! The command line.

use crate::seed::City;
use chrono::Duration;
use clap::{Args, Parser, Subcommand, ValueEnum};
use quickserve::service::Service;
use std::{net::SocketAddr, path::PathBuf};

/// The backend of a marketplace for services at a person's place.
#[derive(Parser)]
#[command(version, about, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// File of settings (TOML); `QS_<SECTION>__<KEY>` variables override it.
    #[arg(long, global = true, env = "QS_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Which log lines to write, for example `info` or `warn,order=debug`.
    #[arg(long, global = true, env = "QS_LOG", value_name = "FILTER")]
    pub log: Option<String>,
    /// Write log lines as JSON.
    #[arg(long, global = true, env = "QS_LOG_JSON")]
    pub log_json: bool,
}

/// What the program does.
#[derive(Subcommand)]
pub enum Command {
    /// Runs every service and the edge in this process.
    Up {
        /// Where REST, gRPC-Web and gRPC are served.
        #[arg(long, env = "QS_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDR")]
        listen: SocketAddr,
        /// Where the first service listens for gRPC, the others on the ports above; port 0 takes free ones.
        #[arg(long, env = "QS_GRPC_LISTEN", default_value = "127.0.0.1:7100", value_name = "ADDR")]
        grpc_listen: SocketAddr,
        /// Whether the network is safe.
        #[command(flatten)]
        insecure: Insecure,
        /// Where tables and keys are.
        #[command(flatten)]
        storage: Storage,
    },
    /// Runs one service, listening for gRPC.
    Run {
        /// The service that this process runs.
        service: Service,
        /// Where it listens for gRPC.
        #[arg(long, env = "QS_LISTEN", default_value = "127.0.0.1:7100", value_name = "ADDR")]
        listen: SocketAddr,
        /// Where it serves /healthz, /readyz and /metrics over HTTP, for those who run it.
        #[arg(long, env = "QS_ADMIN", default_value = "127.0.0.1:9100", value_name = "ADDR")]
        admin: SocketAddr,
        /// Where the others are.
        #[command(flatten)]
        peers: Peers,
        /// Whether the network is safe.
        #[command(flatten)]
        insecure: Insecure,
        /// The Redis that processes share, which carries events between them.
        #[command(flatten)]
        redis: Redis,
        /// Where tables and keys are.
        #[command(flatten)]
        storage: Storage,
    },
    /// Runs the edge alone, before services that run elsewhere.
    Edge {
        /// Where REST, gRPC-Web and gRPC are served.
        #[arg(long, env = "QS_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDR")]
        listen: SocketAddr,
        /// Where the services are.
        #[command(flatten)]
        peers: Peers,
        /// The Redis that it shares with services and other edges.
        #[command(flatten)]
        redis: Redis,
        /// Whether the network is safe.
        #[command(flatten)]
        insecure: Insecure,
        /// Where the keys are.
        #[arg(long, env = "QS_DATA_DIR", default_value = "data", value_name = "DIR")]
        data_dir: PathBuf,
    },
    /// Brings the tables up to date and ends.
    Migrate {
        /// The services whose tables; all without.
        services: Vec<Service>,
        /// Where the tables are.
        #[command(flatten)]
        storage: Storage,
    },
    /// Copies the data folder as it is at one moment, while the system runs on it or not.
    Backup {
        /// Where to: a folder that is not there yet. It is a data folder like the one it is made of.
        to: PathBuf,
        /// What is copied.
        #[command(flatten)]
        storage: Storage,
    },
    /// Mends what services know of each other, after data was restored that is not of one moment. Nothing else may run on
    /// the data. The exit code tells whether something is left to do.
    Reconcile {
        /// Where tables and keys are.
        #[command(flatten)]
        storage: Storage,
    },
    /// Shows and changes the signing keys, and the ring that wraps the keys of families.
    Keys {
        /// What to do with them.
        #[command(subcommand)]
        command: Keys,
        /// The keys that the command is about.
        #[arg(long, global = true, default_value = "access")]
        ring: Ring,
        /// Where the keys are.
        #[arg(
            long,
            global = true,
            env = "QS_DATA_DIR",
            default_value = "data",
            value_name = "DIR"
        )]
        data_dir: PathBuf,
    },
    /// Makes an account that runs the marketplace. The password is read from QS_OPERATOR_PASSWORD.
    CreateOperator {
        /// Its e-mail address.
        email: String,
        /// The name that the operator's account shows.
        #[arg(long, default_value = "Operator")]
        name: String,
        /// Where the tables are.
        #[command(flatten)]
        storage: Storage,
    },
    /// Fills a running system with a city of customers and providers.
    SeedDemo {
        /// Where it is reached.
        #[arg(long, env = "QS_URL", default_value = "http://127.0.0.1:8080", value_name = "URL")]
        url: String,
        /// Who lives there.
        #[command(flatten)]
        city: City,
        /// Where the tables are, to make the operator who approves the providers.
        #[command(flatten)]
        storage: Storage,
    },
    /// Asks a running system whether it is ready; the exit code tells.
    Healthcheck {
        /// Where it is reached.
        #[arg(long, env = "QS_URL", default_value = "http://127.0.0.1:8080", value_name = "URL")]
        url: String,
        /// Asks the gRPC server at this address instead, such as that of a service.
        #[arg(long, value_name = "ADDR")]
        grpc: Option<SocketAddr>,
        /// Of which gRPC service to ask there; of all without. `liveness` serves for as long as the process lives.
        #[arg(long, requires = "grpc", default_value = "", hide_default_value = true)]
        service: String,
        /// With the section [mesh]: the service that has to prove itself there; the one of the certificate without.
        #[arg(long, requires = "grpc", value_name = "SERVICE")]
        name: Option<String>,
    },
    /// Makes the authority, certificates and keys of a mesh, a folder a service, or renews what ends soon.
    Certs(Certs),
    /// Shows and changes what running services could not deliver.
    Events {
        /// What to do with which events.
        #[command(subcommand)]
        command: Events,
    },
    /// Prints the OpenAPI document of the REST interface.
    Openapi,
    /// Prints which process may call which, as the contracts say: a service and its callers a line.
    Policy {
        /// As network policies of Kubernetes.
        #[arg(long)]
        k8s: bool,
    },
    /// Puts REST before any gRPC service.
    Transcode(Box<transcode::cli::Args>),
}

/// What `certs` makes.
#[derive(Args)]
pub struct Certs {
    /// Where to. Each service's folder in it has all that its process needs, and nothing of another one.
    pub folder: PathBuf,
    /// The installation, such as the namespace in Kubernetes: certificates of another one are refused.
    #[arg(long, default_value = "quickserve", value_name = "NAME")]
    pub namespace: String,
    /// For how many days a certificate is valid. One that ends within a third of that is renewed.
    #[arg(long, default_value = "30", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=90))]
    pub days: u32,
    /// Lets every user of the machine read the folders of services, for containers that run as another one.
    #[arg(long)]
    pub readable: bool,
    /// Begins to replace the authority. Run the command twice more then, when all processes have read the files.
    #[arg(long)]
    pub new_authority: bool,
}

/// Whether the network is safe.
#[derive(Args)]
pub struct Insecure {
    /// Lets calls between processes cross the network unencrypted and unproved, without the section [mesh].
    #[arg(long = "insecure", global = true, env = "QS_INSECURE")]
    pub is_insecure: bool,
}

/// Where tables and keys are.
#[derive(Args)]
pub struct Storage {
    /// The folder of files: keys, mail and, without a database URL, the tables.
    #[arg(long, env = "QS_DATA_DIR", default_value = "data", value_name = "DIR")]
    pub data_dir: PathBuf,
    /// The PostgreSQL database that holds the tables, a schema a service. `file:PATH` reads the URL from a file, such as a
    /// mounted secret.
    #[arg(long, env = "QS_DATABASE_URL", value_name = "URL", hide_env_values = true, value_parser = url_or_file)]
    pub database_url: Option<String>,
}

/// Where Redis is.
#[derive(Args)]
pub struct Redis {
    /// The Redis that processes share, for example `redis://redis:6379`; `rediss://` with TLS. `file:PATH`
    /// reads the URL from a file, such as a mounted secret.
    #[arg(long, env = "QS_REDIS_URL", value_name = "URL", hide_env_values = true, value_parser = url_or_file)]
    pub redis_url: Option<String>,
}

/// A URL as it is given, or what the file holds that `file:PATH` names: so that no password stands in an environment.
fn url_or_file(text: &str) -> Result<String, String> {
    let Some(path) = text.strip_prefix("file:") else { return Ok(text.to_owned()) };
    let url = std::fs::read_to_string(path)
        .map_err(|error| format!("the file {path} cannot be read: {error}"))?;
    match url.trim() {
        "" => Err(format!("the file {path} is empty")),
        url => Ok(url.to_owned()),
    }
}

/// Where the other services are.
#[derive(Args)]
pub struct Peers {
    /// A service and its URL, for example `order=http://order:7100`; repeatable.
    #[arg(
        long = "peer",
        global = true,
        env = "QS_PEERS",
        value_delimiter = ',',
        value_name = "NAME=URL"
    )]
    pub peers: Vec<String>,
}

/// What to do with the events.
#[derive(Subcommand)]
pub enum Events {
    /// Events that a service could not take, after which those of the same aggregate wait.
    Parked {
        /// What to do with them.
        #[command(subcommand)]
        command: Parked,
        /// Where the running system is.
        #[command(flatten)]
        system: System,
    },
    /// Publishes again what services have published and still keep. A consumer acts once on an event, so that only those
    /// act that have lost it.
    Replay {
        /// The service whose events are published again; all without.
        #[arg(long)]
        source: Option<Service>,
        /// Only events of the last while, for example `48h` or `3d`; all that are kept without. Services keep them for
        /// seven days.
        #[arg(long, value_name = "DURATION", value_parser = parse_while)]
        since: Option<Duration>,
        /// The only consumer to which they are delivered, a service or one of its consumers such as `payment.standing`;
        /// all without.
        #[arg(long, value_name = "NAME", value_parser = parse_consumer)]
        consumer: Option<String>,
        /// Where the running system is.
        #[command(flatten)]
        system: System,
    },
}

/// Reads a span of time up to now.
fn parse_while(text: &str) -> Result<Duration, String> {
    let how = || format!("{text} is no duration: it reads 90s, 30m, 48h or 7d");
    let unit = text.chars().last().ok_or_else(how)?;
    let number: i64 = text.trim_end_matches(unit).parse().map_err(|_| how())?;
    let span = match unit {
        's' => Duration::try_seconds(number),
        'm' => Duration::try_minutes(number),
        'h' => Duration::try_hours(number),
        'd' => Duration::try_days(number),
        _ => None,
    };
    span.filter(|span| *span > Duration::zero()).ok_or_else(how)
}

/// Reads the name of a consumer, which begins with that of its service.
fn parse_consumer(text: &str) -> Result<String, String> {
    let service = text.split('.').next().unwrap_or_default();
    match Service::ALL.iter().any(|it| it.name() == service) {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "no service is called {service}: {}",
            Service::ALL.map(Service::name).join(", ")
        )),
    }
}

/// Where a running system is, for an operator's commands.
#[derive(Args)]
pub struct System {
    /// Where the services are; those of `up` on this machine without.
    #[command(flatten)]
    pub peers: Peers,
    /// Whether the network is safe.
    #[command(flatten)]
    pub insecure: Insecure,
    /// The data folder of the running system, whose keys prove who asks where there is no section [mesh].
    #[arg(long, global = true, env = "QS_DATA_DIR", default_value = "data", value_name = "DIR")]
    pub data_dir: PathBuf,
}

/// What to do with parked events.
#[derive(Subcommand)]
pub enum Parked {
    /// Lists them, those of an aggregate in order.
    List {
        /// The service that could not take them; all without.
        #[arg(long)]
        service: Option<Service>,
    },
    /// Has them tried again, in order.
    Retry {
        /// The service that could not take them; all without.
        #[arg(long)]
        service: Option<Service>,
        /// The aggregate whose events are tried; all without.
        #[arg(long, value_name = "ID")]
        aggregate: Option<String>,
    },
    /// Drops the first parked event of an aggregate for good; those behind it are delivered.
    Drop {
        /// The service that could not take it.
        #[arg(long)]
        service: Service,
        /// The id of the event, as `list` shows it.
        event: String,
        /// Why it may be lost. The service logs it.
        #[arg(long)]
        reason: String,
    },
}

/// The keys that the command is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Ring {
    /// Those that sign access tokens.
    Access,
    /// Those that wrap the keys of families, under which what is told of children is encrypted.
    Child,
}

/// What to do with the keys.
#[derive(Subcommand)]
pub enum Keys {
    /// Lists them with their states.
    List,
    /// Takes the next key into use and makes a new next one. Running processes follow within seconds.
    Rotate,
    /// Takes a key out of the ring of child, unless it still wraps the key of a family.
    Retire {
        /// Name of the key.
        kid: String,
    },
    /// Prints the public keys as a JWK set.
    Jwks,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_read_from_a_file_and_a_file_without_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("url");
        let named = format!("file:{}", path.display());
        assert!(url_or_file(&named).unwrap_err().contains("cannot be read"));
        std::fs::write(&path, " \n").unwrap();
        assert!(url_or_file(&named).unwrap_err().ends_with("is empty"));
        std::fs::write(&path, "redis://:secret@redis:6379\n").unwrap();
        assert_eq!(url_or_file(&named).unwrap(), "redis://:secret@redis:6379");
        assert_eq!(url_or_file("redis://redis:6379").unwrap(), "redis://redis:6379");
    }
}
