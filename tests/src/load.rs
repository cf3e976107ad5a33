//! A load generator: many connections, a closed or an open loop, a warm-up, percentiles.

pub use crate::sender::Protocol;
use crate::sender::Sender;
use bytes::Bytes;
use hdrhistogram::Histogram;
use http::{Request, StatusCode};
use http_body_util::Full;
use serde::Serialize;
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

/// The n-th request of a run, or none when there are no more to send.
pub type Requests = Arc<dyn Fn(u64) -> Option<Request<Full<Bytes>>> + Send + Sync>;

/// Called with the number and the body of each success.
pub type Answers = Arc<dyn Fn(u64, &[u8]) + Send + Sync>;

/// How to load a server.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// What the connections speak.
    pub protocol: Protocol,
    /// Connections, each with one request at a time.
    pub connections: usize,
    /// Requests a second in an open loop; a closed loop without: each connection sends as soon as it was answered.
    pub rate: Option<f64>,
    /// Time before anything counts.
    pub warm_up: Duration,
    /// Time that counts.
    pub duration: Duration,
}

/// What a run measured. Times are in microseconds.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Successes a second.
    pub rate: f64,
    /// Successes that counted.
    pub successes: u64,
    /// Answers other than success, by status, and lost connections as 0.
    pub failures: std::collections::BTreeMap<u16, u64>,
    /// Half of the successes took no longer.
    pub p50: u64,
    /// Nine in ten took no longer.
    pub p90: u64,
    /// 99 in 100 took no longer.
    pub p99: u64,
    pub max: u64,
}

/// What the connections of a run share.
struct Run {
    address: SocketAddr,
    load: Load,
    requests: Requests,
    answers: Answers,
    next: AtomicU64,
    begun: Instant,
}

/// What one connection measured.
struct Tally {
    times: Histogram<u64>,
    failures: std::collections::BTreeMap<u16, u64>,
}

/// Loads the server at `address`. In an open loop a request's time counts from when it was due, so that a server that
/// falls behind cannot hide it.
pub async fn run(
    address: SocketAddr,
    load: Load,
    requests: Requests,
    answers: Answers,
) -> anyhow::Result<Report> {
    let begun = Instant::now();
    let run = Arc::new(Run { address, load, requests, answers, next: AtomicU64::new(0), begun });
    let connections: Vec<_> =
        (0..load.connections).map(|_| tokio::spawn(connection(run.clone()))).collect();
    let mut times = Histogram::<u64>::new(3)?;
    let mut failures = std::collections::BTreeMap::new();
    for connection in connections {
        let tally = connection.await??;
        times.add(tally.times)?;
        for (status, count) in tally.failures {
            *failures.entry(status).or_default() += count;
        }
    }
    let counted = begun.elapsed().min(load.warm_up + load.duration).saturating_sub(load.warm_up);
    Ok(Report {
        rate: times.len() as f64 / counted.as_secs_f64().max(0.001),
        successes: times.len(),
        failures,
        p50: times.value_at_quantile(0.5),
        p90: times.value_at_quantile(0.9),
        p99: times.value_at_quantile(0.99),
        max: times.max(),
    })
}

async fn connection(run: Arc<Run>) -> anyhow::Result<Tally> {
    let mut tally = Tally { times: Histogram::new(3)?, failures: Default::default() };
    let end = run.begun + run.load.warm_up + run.load.duration;
    let mut sender = Sender::connect(run.address, run.load.protocol).await?;
    loop {
        let number = run.next.fetch_add(1, Ordering::Relaxed);
        let due = match run.load.rate {
            Some(rate) => run.begun + Duration::from_secs_f64(number as f64 / rate),
            None => Instant::now(),
        };
        if due >= end {
            return Ok(tally);
        }
        let Some(request) = (run.requests)(number) else { return Ok(tally) };
        if run.load.rate.is_some() {
            tokio::time::sleep_until(due).await;
        }
        let status = match sender.send(request).await {
            Ok((status, body)) => {
                if status.is_success() {
                    (run.answers)(number, &body);
                }
                status.as_u16()
            }
            Err(_) => {
                sender = Sender::connect(run.address, run.load.protocol).await?;
                0
            }
        };
        let now = Instant::now();
        if due < run.begun + run.load.warm_up || now > end {
            continue;
        }
        if StatusCode::from_u16(status).is_ok_and(|status| status.is_success()) {
            tally.times.record(u64::try_from((now - due).as_micros())?.max(1))?;
        } else {
            *tally.failures.entry(status).or_default() += 1;
        }
    }
}
