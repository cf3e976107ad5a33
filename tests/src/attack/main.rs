//! The edge under attack: what a neighbour notices, what the attack makes the program hold, when the attacker is sent
//! away. `tests/bench-attack.sh` calls this; `edge/tests/attack` asserts the same, smaller.

mod content;
mod flood;
mod slow;
mod table;

use anyhow::Context;
use bytes::Bytes;
use clap::Parser;
use http::{Request, header};
use http_body_util::Full;
use quickserve::{client::Client, demo};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::PathBuf,
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant},
};
use tests::{
    load::{self, Load, Protocol, Report, Requests},
    server::Server,
};
use tokio::process::Command;

/// What a neighbour does before and during the attack. Timers tick every millisecond: at a rate whose requests do not fall
/// onto ticks, no run is slower than another by where it fell between them.
const NEIGHBOUR: Load = Load {
    protocol: Protocol::Http,
    connections: 8,
    rate: Some(190.0),
    warm_up: Duration::from_secs(1),
    duration: Duration::from_secs(9),
};
/// How long floods last.
const WATCH: Duration = Duration::from_secs(11);
/// How long memory is watched: slow clients are there for longer than floods.
const SAMPLED: Duration = Duration::from_secs(14);
/// How long after the attack memory is looked at again.
const AFTER: Duration = Duration::from_secs(10);
/// The environment variable with a valid access token for the attacker.
const TOKEN: &str = "ATTACK_TOKEN";

/// Attacks a QuickServe of its own and prints what came of it.
#[derive(Parser)]
struct Options {
    /// The program to start.
    #[arg(long, default_value = "quickserve")]
    server: PathBuf,
    /// The processor it is pinned to.
    #[arg(long)]
    pin: Option<usize>,
    /// Only attacks whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
    /// Where to write everything as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Make this attack on this address, and say what came of it: how the program calls itself.
    #[arg(long, num_args = 2, value_names = ["NAME", "ADDRESS"], hide = true)]
    attack: Option<Vec<String>>,
}

/// What came of an attack, as the attacker saw it.
#[derive(Default, Serialize, Deserialize)]
struct Outcome {
    /// Connections, requests or frames: what the attack is made of.
    sent: u64,
    /// Connections that were opened.
    connections: u64,
    /// Those that the edge closed.
    closed: u64,
    /// The longest that one of them lasted, in milliseconds.
    longest_ms: u64,
    /// The answers, by status.
    answers: BTreeMap<u16, u64>,
    /// The slowest answer, in milliseconds.
    slowest_ms: u64,
}

#[derive(Serialize)]
struct Row {
    attack: &'static str,
    #[serde(flatten)]
    outcome: Outcome,
    /// What a neighbour got before the attack.
    before: Report,
    /// What a neighbour got meanwhile.
    meanwhile: Report,
    /// Memory that the program took beyond what it had before, in MiB.
    grown_mib: f64,
    /// Memory that is still taken when it is over, in MiB.
    kept_mib: f64,
}

const ATTACKS: [&str; 13] = [
    "slow heads",
    "slow contents",
    "half a preface",
    "slow readers",
    "bombs",
    "deep JSON",
    "wrong JSON",
    "rapid reset",
    "made you reset",
    "continuations",
    "empty DATA",
    "pings",
    "settings",
];

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    if let Some([name, address]) = options.attack.as_deref() {
        let outcome = attack(name, address.parse()?).await?;
        serde_json::to_writer(std::io::stdout(), &outcome)?;
        return Ok(());
    }
    let mut rows = Vec::new();
    for name in ATTACKS.into_iter().filter(|name| name.contains(&options.only)) {
        eprintln!("{name} …");
        rows.push(measure(&options, name).await.context(name)?);
    }
    table::print(&rows);
    if let Some(path) = &options.json {
        std::fs::write(path, serde_json::to_vec_pretty(&rows)?)?;
    }
    Ok(())
}

async fn attack(name: &str, address: SocketAddr) -> anyhow::Result<Outcome> {
    match name {
        "slow heads" | "slow contents" | "half a preface" | "slow readers" => {
            slow::attack(name, address).await
        }
        "bombs" | "deep JSON" | "wrong JSON" => content::attack(name, address, WATCH).await,
        _ => flood::attack(name, address, WATCH).await,
    }
}

impl Outcome {
    /// Adds what another connection of the same attack saw.
    fn add(&mut self, other: Self) {
        self.sent += other.sent;
        self.connections += other.connections;
        self.closed += other.closed;
        self.longest_ms = self.longest_ms.max(other.longest_ms);
        self.slowest_ms = self.slowest_ms.max(other.slowest_ms);
        for (status, count) in other.answers {
            *self.answers.entry(status).or_default() += count;
        }
    }
}

/// One attack on a program of its own.
async fn measure(options: &Options, name: &'static str) -> anyhow::Result<Row> {
    let server = Server::start(&options.server, options.pin, None).await?;
    let client = Client::new(&format!("http://{}", server.address));
    let customer =
        demo::make_customer(&client, "Dominique Bench", "customer@bench.example").await?;
    let token = customer.client.token().context("signed in")?;
    let request: Request<Full<Bytes>> = Request::get(format!("/v1/users/{}", customer.user_id))
        .header(header::HOST, "bench")
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .body(Full::default())?;
    let read: Requests = Arc::new(move |_| Some(request.clone()));
    let watch = || load::run(server.address, NEIGHBOUR, read.clone(), Arc::new(|_, _| {}));
    let before = watch().await?;
    let held = server.resident_mib()?;
    let attacker = Command::new("nice")
        .args(["-n", "19"])
        .arg(std::env::current_exe()?)
        .args(["--attack", name, &server.address.to_string()])
        .env(TOKEN, token)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let (output, meanwhile, most) =
        tokio::join!(attacker.wait_with_output(), watch(), most_resident(&server, SAMPLED));
    let output = said(output?)?;
    let outcome = serde_json::from_slice(&output).context("the attacker's own words")?;
    tokio::time::sleep(AFTER).await;
    let (grown_mib, kept_mib) = (most? - held, server.resident_mib()? - held);
    server.stop().await?;
    Ok(Row { attack: name, outcome, before, meanwhile: meanwhile?, grown_mib, kept_mib })
}

/// What the attacker said when it had ended well.
fn said(output: std::process::Output) -> anyhow::Result<Vec<u8>> {
    anyhow::ensure!(output.status.success(), "the attacker ended with {}", output.status);
    Ok(output.stdout)
}

/// The most memory that the server has during `time`, in MiB.
async fn most_resident(server: &Server, time: Duration) -> anyhow::Result<f64> {
    let (begun, mut most) = (Instant::now(), 0.0_f64);
    while begun.elapsed() < time {
        most = most.max(server.resident_mib()?);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(most)
}
