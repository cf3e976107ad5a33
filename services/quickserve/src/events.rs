//! `quickserve events`: asks running services about the events that they could not take, and has them publish again what
//! they have published.

use crate::{
    cli::{Parked, Peers},
    commands::{peers_of, print_line},
};
use anyhow::{Context, bail};
use kit::{Host, rpc::client::Channel, rpc::client::Peer};
use proto::quickserve::kit::v1::{
    DropParkedEventRequest, ListParkedEventsRequest, ParkedEvent, RepublishEventsRequest,
    RetryParkedEventsRequest, maintenance_service_client::MaintenanceServiceClient,
};
use quickserve::{process::OPS, service::Service, trust::Trust};
use std::{collections::BTreeMap, path::Path, process::ExitCode};

/// The first port on which `up` serves gRPC.
const FIRST_PORT: u16 = 7100;
/// Events listed of each service.
const MAX_LISTED: i32 = 1_000;

type Client = MaintenanceServiceClient<Channel>;

/// The running system whose services are asked.
pub struct Asked {
    host: Host,
    trust: Trust,
    urls: BTreeMap<String, String>,
}

impl Asked {
    /// The services at `peers`; without any, those of `up` on this machine.
    pub fn new(host: Host, trust: Trust, peers: &Peers) -> anyhow::Result<Self> {
        let urls = addresses(peers, &trust)?;
        Ok(Self { host, trust, urls })
    }

    fn client(&self, name: &str, url: &str) -> anyhow::Result<Client> {
        let ops = self.host.of(OPS);
        ops.locate(name, Peer::Remote(self.trust.connect(name, url)?));
        Ok(Client::new(ops.channel(name)))
    }

    fn chosen(&self, service: Option<Service>) -> anyhow::Result<BTreeMap<String, String>> {
        let Some(service) = service else { return Ok(self.urls.clone()) };
        let name = service.name();
        let url = self.urls.get(name).with_context(|| format!("--peer says nothing of {name}"))?;
        Ok(BTreeMap::from([(name.to_owned(), url.clone())]))
    }
}

/// Does with parked events what the command says.
pub async fn run(asked: &Asked, command: Parked) -> anyhow::Result<ExitCode> {
    match command {
        Parked::List { service } => list(asked, &asked.chosen(service)?).await,
        Parked::Retry { service, aggregate } => {
            retry(asked, &asked.chosen(service)?, aggregate).await
        }
        Parked::Drop { service, event, reason } => {
            let urls = asked.chosen(Some(service))?;
            for (name, url) in &urls {
                let request =
                    DropParkedEventRequest { event_id: event.clone(), reason: reason.clone() };
                let dropped = asked.client(name, url)?.drop_parked_event(request).await;
                dropped.map_err(|status| refusal(name, url, status.message()))?;
                print_line(&format!(
                    "{name} has dropped {event}; what waits behind it is delivered"
                ))?;
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Has all services publish their events again, or one of them, as `request` says.
pub async fn replay(
    asked: &Asked,
    source: Option<Service>,
    request: &RepublishEventsRequest,
) -> anyhow::Result<ExitCode> {
    for (name, url) in &asked.chosen(source)? {
        let again = asked.client(name, url)?.republish_events(request.clone()).await;
        let events =
            again.map_err(|status| refusal(name, url, status.message()))?.into_inner().events;
        print_line(&format!("{name} publishes {events} events again"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Refuses a folder without the keys of the system: new ones would be made there, and would open nothing.
pub fn check_keys(data_dir: &Path) -> anyhow::Result<()> {
    let keys = data_dir.join("keys").join("mesh");
    if !keys.is_dir() {
        bail!(
            "{} has no keys: --data-dir must name the data folder of the system",
            data_dir.display()
        );
    }
    Ok(())
}

async fn list(asked: &Asked, urls: &BTreeMap<String, String>) -> anyhow::Result<ExitCode> {
    for (name, url) in urls {
        let request = ListParkedEventsRequest { page_size: MAX_LISTED };
        let listed = asked.client(name, url)?.list_parked_events(request).await;
        let events =
            listed.map_err(|status| refusal(name, url, status.message()))?.into_inner().events;
        for event in &events {
            print_line(&line(event))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn retry(
    asked: &Asked,
    urls: &BTreeMap<String, String>,
    aggregate: Option<String>,
) -> anyhow::Result<ExitCode> {
    let aggregate_id = aggregate.unwrap_or_default();
    for (name, url) in urls {
        let request = RetryParkedEventsRequest { aggregate_id: aggregate_id.clone() };
        let retried = asked.client(name, url)?.retry_parked_events(request).await;
        let count =
            retried.map_err(|status| refusal(name, url, status.message()))?.into_inner().aggregates;
        print_line(&format!("{name} tries the events of {count} aggregates again"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What an operator needs to decide on one event.
fn line(event: &ParkedEvent) -> String {
    let held_at = event
        .held_at
        .as_ref()
        .and_then(|at| chrono::DateTime::from_timestamp(at.seconds, 0).map(|at| at.to_rfc3339()));
    let why = match event.error.as_str() {
        "" => "waits behind the one before".to_owned(),
        error => format!("{} tries: {error}", event.attempts),
    };
    format!(
        "{}  {}  {}  aggregate {} no. {}  since {}  {why}",
        event.consumer,
        event.event_id,
        event.kind,
        event.aggregate_id,
        event.sequence,
        held_at.unwrap_or_default(),
    )
}

fn addresses(peers: &Peers, trust: &Trust) -> anyhow::Result<BTreeMap<String, String>> {
    let named = peers_of(peers)?;
    if !named.is_empty() {
        return Ok(named);
    }
    let ports = FIRST_PORT..;
    let services = Service::ALL.iter().zip(ports);
    Ok(services
        .map(|(service, port)| {
            let url = format!("{}://127.0.0.1:{port}", trust.scheme());
            (service.name().to_owned(), url)
        })
        .collect())
}

fn refusal(name: &str, url: &str, message: &str) -> anyhow::Error {
    anyhow::anyhow!("{name} at {url} answers: {message}")
}
