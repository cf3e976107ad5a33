//! The benchmark: loads a QuickServe of its own through the edge, and a peer beside it in the same run.
//!
//! `tests/bench` builds everything, pins both sides to the same processor and calls this.

mod peer;
mod table;
mod world;

use anyhow::Context;
use bytes::Bytes;
use clap::Parser;
use http::{Method, Request, header};
use http_body_util::Full;
use serde::Serialize;
use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};
use tests::{
    load::{self, Load, Protocol, Report, Requests},
    server::Server,
};

/// Loads QuickServe and prints what it does.
#[derive(Parser)]
struct Options {
    /// The program to start.
    #[arg(long, default_value = "quickserve")]
    server: PathBuf,
    /// The processor it is pinned to.
    #[arg(long)]
    pin: Option<usize>,
    /// PostgreSQL to run on; SQLite without.
    #[arg(long)]
    database_url: Option<String>,
    /// A peer with the seed's routes, such as http://127.0.0.1:9000.
    #[arg(long)]
    peer: Option<String>,
    /// Connections of the closed loop.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Seconds that count, for each scenario.
    #[arg(long, default_value_t = 8)]
    seconds: u64,
    /// Cleaners to book; each has some fifty slots within six days.
    #[arg(long, default_value_t = 150)]
    providers: u32,
    /// Also load in an open loop, at this share of the closed loop's rate.
    #[arg(long, default_value_t = 0.5)]
    open: f64,
    /// Where to write everything as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// One scenario on one side.
#[derive(Serialize)]
struct Row {
    side: &'static str,
    scenario: &'static str,
    loop_kind: &'static str,
    #[serde(flatten)]
    report: Report,
    /// Processor time of the server for each success, in microseconds.
    cpu_us: Option<f64>,
}

/// Everything a run measured.
#[derive(Serialize)]
struct Results {
    database: &'static str,
    start_up_ms: u128,
    idle_mib: f64,
    loaded_mib: f64,
    rows: Vec<Row>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let database_url = options.database_url.as_deref();
    let server = Server::start(&options.server, options.pin, database_url).await;
    let server = server.context("starting the server")?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let idle_mib = server.resident_mib()?;
    eprintln!("making {} cleaners to book …", options.providers);
    let world = world::build(&server, options.providers).await.context("people to load with")?;
    let mut rows = Vec::new();
    for scenario in world.scenarios()? {
        rows.extend(measure(&options, &server, scenario).await?);
    }
    if let Some(url) = &options.peer {
        for (scenario, requests) in peer::scenarios(url).await? {
            let report = load::run(address(url)?, closed(&options), requests, ignore()).await?;
            rows.push(Row { side: "peer", scenario, loop_kind: "closed", report, cpu_us: None });
        }
    }
    let results = Results {
        database: if options.database_url.is_some() { "PostgreSQL" } else { "SQLite" },
        start_up_ms: server.start_up.as_millis(),
        idle_mib,
        loaded_mib: server.resident_mib()?,
        rows,
    };
    table::print(&results);
    if let Some(path) = &options.json {
        std::fs::write(path, serde_json::to_vec_pretty(&results)?)?;
    }
    server.stop().await
}

/// One scenario in a closed loop, and in an open one where its requests can be sent again.
async fn measure(
    options: &Options,
    server: &Server,
    scenario: world::Scenario,
) -> anyhow::Result<Vec<Row>> {
    let world::Scenario { name, requests, answers, repeatable } = scenario;
    let mut rows = Vec::new();
    let mut loads = vec![("closed", closed(options))];
    while let Some((loop_kind, load)) = loads.pop() {
        let before = server.cpu()?;
        let (requests, answers) = (requests.clone(), answers.clone());
        let report = load::run(server.address, load, requests, answers).await?;
        let spent = (server.cpu()? - before).as_micros() as f64;
        // What the warm-up spent belongs to the requests of the warm-up.
        let total = load.duration + load.warm_up;
        let counted = spent * load.duration.as_secs_f64() / total.as_secs_f64();
        if loop_kind == "closed" && repeatable {
            loads.push(("open", Load { rate: Some(report.rate * options.open), ..load }));
        }
        let cpu_us = Some(counted / report.successes.max(1) as f64);
        rows.push(Row { side: "quickserve", scenario: name, loop_kind, report, cpu_us });
    }
    Ok(rows)
}

fn closed(options: &Options) -> Load {
    Load {
        protocol: Protocol::Http,
        connections: options.connections,
        rate: None,
        warm_up: Duration::from_secs(2),
        duration: Duration::from_secs(options.seconds),
    }
}

fn ignore() -> load::Answers {
    Arc::new(|_, _| {})
}

fn address(url: &str) -> anyhow::Result<SocketAddr> {
    let host = url.trim_start_matches("http://").trim_end_matches('/');
    host.parse().with_context(|| format!("{url} is no http://ADDRESS:PORT"))
}

/// A request with a JSON body, or none.
fn request(
    method: Method,
    path: &str,
    token: Option<&str>,
    body: Option<String>,
) -> Option<Request<Full<Bytes>>> {
    let mut request = Request::builder().method(method).uri(path).header(header::HOST, "bench");
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    if body.is_some() {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    request.body(Full::from(body.unwrap_or_default())).ok()
}

/// The same request again and again.
fn repeated(request: Request<Full<Bytes>>) -> Requests {
    Arc::new(move |_| Some(request.clone()))
}
