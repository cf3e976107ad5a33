//! `quickserve events`: asks running services about the events that they could not take, and has them publish again what
//! they have published.

use crate::{
    cli::{Parked, Peers},
    commands::{peers_of, print_line},
};
use anyhow::{Context, bail};
use kit::{Host, rpc::client::Channel, rpc::client::Peer, rpc::remote::RemoteChannel};
use proto::quickserve::kit::v1::{
    DropParkedEventRequest, ListParkedEventsRequest, ParkedEvent, RepublishEventsRequest,
    RetryParkedEventsRequest, maintenance_service_client::MaintenanceServiceClient,
};
use quickserve::{process::OPS, service::Service};
use std::{collections::BTreeMap, path::Path, process::ExitCode};

/// The first port on which `up` serves gRPC.
const FIRST_PORT: u16 = 7100;
/// Events listed of each service.
const MAX_LISTED: i32 = 1_000;

type Client = MaintenanceServiceClient<Channel>;

/// Does what the command asks of the services at `peers`; without any, of those of `up` on this machine.
pub async fn run(host: &Host, command: Parked, peers: &Peers) -> anyhow::Result<ExitCode> {
    let urls = addresses(peers)?;
    match command {
        Parked::List { service } => list(host, &chosen(&urls, service)?).await,
        Parked::Retry { service, aggregate } => {
            retry(host, &chosen(&urls, service)?, aggregate).await
        }
        Parked::Drop { service, event, reason } => {
            let urls = chosen(&urls, Some(service))?;
            for (name, url) in &urls {
                let request =
                    DropParkedEventRequest { event_id: event.clone(), reason: reason.clone() };
                let dropped = client(host, name, url)?.drop_parked_event(request).await;
                dropped.map_err(|status| refusal(name, url, status.message()))?;
                print_line(&format!(
                    "{name} has dropped {event}; what waits behind it is delivered"
                ))?;
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Has the services at `peers` publish their events again, or one of them, as `request` says.
pub async fn replay(
    host: &Host,
    source: Option<Service>,
    request: &RepublishEventsRequest,
    peers: &Peers,
) -> anyhow::Result<ExitCode> {
    for (name, url) in &chosen(&addresses(peers)?, source)? {
        let again = client(host, name, url)?.republish_events(request.clone()).await;
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

async fn list(host: &Host, urls: &BTreeMap<String, String>) -> anyhow::Result<ExitCode> {
    for (name, url) in urls {
        let request = ListParkedEventsRequest { page_size: MAX_LISTED };
        let listed = client(host, name, url)?.list_parked_events(request).await;
        let events =
            listed.map_err(|status| refusal(name, url, status.message()))?.into_inner().events;
        for event in &events {
            print_line(&line(event))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn retry(
    host: &Host,
    urls: &BTreeMap<String, String>,
    aggregate: Option<String>,
) -> anyhow::Result<ExitCode> {
    let aggregate_id = aggregate.unwrap_or_default();
    for (name, url) in urls {
        let request = RetryParkedEventsRequest { aggregate_id: aggregate_id.clone() };
        let retried = client(host, name, url)?.retry_parked_events(request).await;
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

fn addresses(peers: &Peers) -> anyhow::Result<BTreeMap<String, String>> {
    let named = peers_of(peers)?;
    if !named.is_empty() {
        return Ok(named);
    }
    let ports = FIRST_PORT..;
    let services = Service::ALL.iter().zip(ports);
    Ok(services
        .map(|(service, port)| (service.name().to_owned(), format!("http://127.0.0.1:{port}")))
        .collect())
}

fn chosen(
    urls: &BTreeMap<String, String>,
    service: Option<Service>,
) -> anyhow::Result<BTreeMap<String, String>> {
    let Some(service) = service else { return Ok(urls.clone()) };
    let name = service.name();
    let url = urls.get(name).with_context(|| format!("--peer says nothing of {name}"))?;
    Ok(BTreeMap::from([(name.to_owned(), url.clone())]))
}

fn client(host: &Host, name: &str, url: &str) -> anyhow::Result<Client> {
    let remote =
        RemoteChannel::connect(url).with_context(|| format!("{url} is no address of {name}"))?;
    let ops = host.of(OPS);
    ops.locate(name, Peer::Remote(remote));
    Ok(Client::new(ops.channel(name)))
}

fn refusal(name: &str, url: &str, message: &str) -> anyhow::Error {
    anyhow::anyhow!("{name} at {url} answers: {message}")
}
