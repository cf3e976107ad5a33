//! The edge's own cost: the generic mode on one processor, before a gRPC service that costs next to nothing, beside
//! Envoy doing the same, the service without an edge, and a bare handler. `tests/bench-edge.sh` calls this.

mod contract;
mod serve;
mod side;
mod table;

use anyhow::{Context, ensure};
use bytes::Bytes;
use clap::{Parser, Subcommand};
use contract::Case;
use http::{Request, header};
use http_body_util::Full;
use serde::Serialize;
use side::Side;
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tests::load::{self, Load, Protocol, Report, Requests};
use tokio::net::TcpListener;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Loads the generic mode and what it is compared with.
#[derive(Parser)]
struct Options {
    #[command(subcommand)]
    serve: Option<Serve>,
    /// The program whose generic mode is measured.
    #[arg(long, default_value = "quickserve")]
    server: PathBuf,
    /// A program with the generic mode's command line, to compare with.
    #[arg(long)]
    envoy: Option<PathBuf>,
    /// The processor that is measured.
    #[arg(long, default_value_t = 0)]
    processor: usize,
    /// Connections, each with one request at a time.
    #[arg(long, default_value_t = 32)]
    connections: usize,
    /// Seconds that count, for each row.
    #[arg(long, default_value_t = 8)]
    seconds: u64,
    /// Only this payload: small, page or blob.
    #[arg(long)]
    payload: Option<String>,
    /// Only sides whose name begins so.
    #[arg(long)]
    side: Option<String>,
    /// The rate of the open loop, as a share of the slowest edge's rate.
    #[arg(long, default_value_t = 0.7)]
    open: f64,
    /// Where to write everything as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// What this program is when it is the other end.
#[derive(Clone, Copy, Subcommand)]
enum Serve {
    /// The gRPC service.
    Grpc { address: SocketAddr },
    /// The bare handler.
    Json { address: SocketAddr },
}

/// One payload on one side.
#[derive(Serialize)]
struct Row {
    side: &'static str,
    payload: &'static str,
    loop_kind: &'static str,
    #[serde(flatten)]
    report: Report,
    /// Processor time of the side for each success, in microseconds.
    cpu_us: f64,
    /// The share of its processor that it took.
    busy: f64,
    /// The most memory it has had in use.
    most_mib: f64,
}

/// A side that can be started.
struct Candidate {
    name: &'static str,
    command: Vec<String>,
    protocol: Protocol,
    /// Whether it is an edge, whose rate the open loop follows.
    is_edge: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    match options.serve {
        Some(Serve::Grpc { address }) => serve::grpc(TcpListener::bind(address).await?).await,
        Some(Serve::Json { address }) => serve::json(TcpListener::bind(address).await?).await,
        None => compare(&options).await,
    }
}

async fn compare(options: &Options) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let descriptors = folder.path().join("echo.pb");
    std::fs::write(&descriptors, contract::descriptors()?)?;
    let itself = std::env::current_exe()?.display().to_string();
    let words = |kind: &str| [&itself, kind, "{}"].map(str::to_owned).to_vec();
    // The service behind the edges is part of this program, so that the load's processor switches no processes.
    let upstream = TcpListener::bind("127.0.0.1:0").await?;
    let candidates = candidates(options, &descriptors, upstream.local_addr()?, words);
    tokio::spawn(serve::grpc(upstream));
    let mut rows = Vec::new();
    let wanted = |case: &Case| options.payload.as_ref().is_none_or(|it| it == case.name);
    for case in contract::cases()?.iter().filter(|case| wanted(case)) {
        eprintln!("{}: {} bytes of JSON, {} of gRPC", case.name, case.json.len(), case.frame.len());
        rows.extend(measure(options, &candidates, case).await?);
    }
    table::print(&rows);
    if let Some(path) = &options.json {
        std::fs::write(path, serde_json::to_vec_pretty(&rows)?)?;
    }
    Ok(())
}

fn candidates(
    options: &Options,
    descriptors: &Path,
    upstream: SocketAddr,
    words: impl Fn(&str) -> Vec<String>,
) -> Vec<Candidate> {
    let edge = |name, program: &[String]| Candidate {
        name,
        command: side::transcoder(program, descriptors, upstream),
        protocol: Protocol::Http,
        is_edge: true,
    };
    let bare =
        |name, kind, protocol| Candidate { name, command: words(kind), protocol, is_edge: false };
    let ours = [options.server.display().to_string(), "transcode".to_owned()];
    let mut found = vec![edge("quickserve", &ours)];
    if let Some(envoy) = &options.envoy {
        found.push(edge("envoy", &[envoy.display().to_string()]));
    }
    found.push(bare("grpc direct", "grpc", Protocol::Grpc));
    found.push(bare("bare axum", "json", Protocol::Http));
    let wanted = options.side.as_deref().unwrap_or_default();
    found.retain(|candidate| candidate.name.starts_with(wanted));
    found
}

/// All sides in a closed loop, then all in an open one at the same rate.
async fn measure(
    options: &Options,
    candidates: &[Candidate],
    case: &Case,
) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for candidate in candidates {
        rows.push(row(options, candidate, case, None).await?);
    }
    let edges = candidates.iter().zip(&rows).filter(|(candidate, _)| candidate.is_edge);
    let slowest = edges.map(|(_, row)| row.report.rate).reduce(f64::min);
    if let Some(rate) = slowest.map(|rate| rate * options.open).filter(|rate| *rate > 0.0) {
        for candidate in candidates {
            rows.push(row(options, candidate, case, Some(rate)).await?);
        }
    }
    Ok(rows)
}

async fn row(
    options: &Options,
    candidate: &Candidate,
    case: &Case,
    rate: Option<f64>,
) -> anyhow::Result<Row> {
    let side = Side::start(&candidate.command, options.processor).await?;
    let requests = requests(candidate.protocol, side.address, case)?;
    check(&side, candidate, case, &requests).await?;
    let load = Load {
        protocol: candidate.protocol,
        connections: options.connections,
        rate,
        warm_up: Duration::from_secs(2),
        duration: Duration::from_secs(options.seconds),
    };
    let before = side.cpu()?;
    let report = load::run(side.address, load, requests, Arc::new(|_, _| {})).await?;
    let spent = (side.cpu()? - before).as_secs_f64();
    let total = (load.duration + load.warm_up).as_secs_f64();
    // What the warm-up spent belongs to the requests of the warm-up.
    let cpu_us = spent * 1e6 * load.duration.as_secs_f64() / total / report.successes.max(1) as f64;
    let most_mib = side.most_resident_mib()?;
    side.stop().await?;
    let loop_kind = if rate.is_some() { "open" } else { "closed" };
    let (side, payload, busy) = (candidate.name, case.name, spent / total);
    Ok(Row { side, payload, loop_kind, report, cpu_us, busy, most_mib })
}

/// One request, to see that the side does what it is measured for.
async fn check(
    side: &Side,
    candidate: &Candidate,
    case: &Case,
    requests: &Requests,
) -> anyhow::Result<()> {
    let load = Load {
        protocol: candidate.protocol,
        connections: 1,
        rate: None,
        warm_up: Duration::ZERO,
        duration: Duration::from_secs(10),
    };
    let one: Requests = {
        let requests = requests.clone();
        Arc::new(move |number| (number == 0).then(|| requests(number)).flatten())
    };
    let (json, frame) = (case.json.clone(), case.frame.clone());
    let (tell, told) = std::sync::mpsc::channel();
    let grpc = candidate.protocol == Protocol::Grpc;
    let answers: load::Answers = Arc::new(move |_, body| {
        let read = |text: &[u8]| serde_json::from_slice::<serde_json::Value>(text).ok();
        let same = if grpc { body == frame } else { read(body) == read(&json) };
        // The receiver outlives the run.
        let _ = tell.send(same);
    });
    let report = load::run(side.address, load, one, answers).await?;
    ensure!(report.failures.is_empty(), "{} answers {:?}", candidate.name, report.failures);
    ensure!(told.try_recv().unwrap_or(false), "{} answers something else", candidate.name);
    Ok(())
}

fn requests(protocol: Protocol, address: SocketAddr, case: &Case) -> anyhow::Result<Requests> {
    let request = match protocol {
        Protocol::Http => Request::post(format!("/v1/{}", case.name))
            .header(header::HOST, "bench")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::from(case.json.clone())),
        Protocol::Grpc => Request::post(format!("http://{address}{}", case.rpc))
            .header(header::CONTENT_TYPE, "application/grpc")
            .header(header::TE, "trailers")
            .body(Full::from(case.frame.clone())),
    };
    let request: Request<Full<Bytes>> = request.context("request")?;
    Ok(Arc::new(move |_| Some(request.clone())))
}
