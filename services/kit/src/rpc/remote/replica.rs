//! One replica of a service: its connection, whether it answers, and how many calls it has.

use crate::{mesh::client::tls_problem, program::metrics, rpc::health};
use http_body::{Body as HttpBody, Frame, SizeHint};
use std::{
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::Instant;
use tonic::{Status, body::Body, transport::Channel};

/// Calls in a row that the transport failed, after which a replica gets none for a while.
const FAILURES: u32 = 3;
/// How often the pause of a replica doubles.
const DOUBLINGS: u32 = 4;

/// A replica. Whoever holds it holds its connection: a replica that left the name ends its calls and then closes.
pub struct Replica {
    /// The host and port by which its service is called, for metrics.
    peer: Arc<str>,
    pub address: SocketAddr,
    pub channel: Channel,
    /// The pause after the first failures; it doubles up to sixteen times as long.
    first_pause: Duration,
    in_flight: AtomicUsize,
    standing: Mutex<ReplicaStanding>,
}

#[derive(Default)]
struct ReplicaStanding {
    /// What its health said last; none before the first answer.
    serves: Option<bool>,
    /// Calls in a row that the transport failed.
    failures: u32,
    /// Pauses since the last answer to a call.
    pauses: u32,
    paused_until: Option<Instant>,
    /// Why TLS with it failed last.
    tls_problem: Option<String>,
}

/// How good a choice a replica is, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// It says that it serves, and calls arrive.
    Usable,
    /// It says that it serves, and calls did not arrive.
    Paused,
    /// It does not answer, or says that it does not serve.
    Out,
}

impl Replica {
    /// A replica of which nothing is known yet.
    pub fn new(
        peer: Arc<str>,
        address: SocketAddr,
        channel: Channel,
        first_pause: Duration,
    ) -> Self {
        let (in_flight, standing) = (AtomicUsize::new(0), Mutex::default());
        Self { peer, address, channel, first_pause, in_flight, standing }
    }

    /// How good a choice it is; none before its health is known.
    pub fn rank(&self) -> Option<Rank> {
        let standing = self.standing();
        let is_paused = standing.paused_until.is_some_and(|until| Instant::now() < until);
        Some(match (standing.serves?, is_paused) {
            (true, false) => Rank::Usable,
            (true, true) => Rank::Paused,
            (false, _) => Rank::Out,
        })
    }

    /// Calls that have begun and not ended.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Counts a call until what is returned is dropped.
    pub fn begin_call(self: &Arc<Self>) -> CallInFlight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        CallInFlight(Arc::clone(self))
    }

    /// Notes that it answered a call, whatever the answer.
    pub fn note_answer(&self) {
        let mut standing = self.standing();
        (standing.failures, standing.pauses, standing.paused_until) = (0, 0, None);
    }

    /// Notes that the transport failed a call. So many in a row, and it gets none for a while.
    pub fn note_failure(&self) {
        let mut standing = self.standing();
        let now = Instant::now();
        if standing.paused_until.is_some_and(|until| now < until) {
            // Calls that began before the pause tell nothing new.
            return;
        }
        standing.failures += 1;
        if standing.failures < FAILURES {
            return;
        }
        let pause = self.first_pause * (1 << standing.pauses.min(DOUBLINGS));
        standing.failures = 0;
        standing.pauses += 1;
        standing.paused_until = Some(now + pause);
        metrics::replica_ejected(&self.peer, "failures");
        tracing::warn!(replica = %self.address, ?pause, "calls do not arrive, the replica gets none for a while");
    }

    /// Notes whether it serves. Whether that is news.
    pub fn note_health(&self, serves: bool) -> bool {
        let known = self.standing().serves.replace(serves);
        match (known, serves) {
            (Some(true), false) => {
                metrics::replica_ejected(&self.peer, "health");
                tracing::warn!(replica = %self.address, "the replica does not serve, others take its calls");
            }
            (Some(false), true) => {
                tracing::info!(replica = %self.address, "the replica serves again")
            }
            _ => {}
        }
        known != Some(serves)
    }

    /// Asks it whether it serves; one that does not answer within `limit` does not.
    pub async fn ask_health(&self, limit: Duration) -> bool {
        // The empty name stands for the whole server.
        match health::ask_health(self.channel.clone(), "", limit).await {
            Ok(serves) => {
                self.note_tls(None);
                serves
            }
            Err(status) => {
                if let Some(problem) = tls_problem(&status) {
                    self.note_tls(Some(problem));
                }
                false
            }
        }
    }

    /// Notes why TLS with it fails, or that it does not. Each reason is logged once.
    fn note_tls(&self, problem: Option<String>) {
        let mut standing = self.standing();
        if standing.tls_problem == problem {
            return;
        }
        if let Some(problem) = &problem {
            tracing::warn!(
                replica = %self.address, problem,
                "TLS with a replica fails, it gets no calls until its certificate and ours are right"
            );
        }
        standing.tls_problem = problem;
    }

    fn standing(&self) -> MutexGuard<'_, ReplicaStanding> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call that a replica has, until its answer is whole.
pub struct CallInFlight(Arc<Replica>);

impl Drop for CallInFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The body of an answer, whose replica has the call until it ends.
pub struct CountedBody {
    pub body: Body,
    pub _call: CallInFlight,
}

impl HttpBody for CountedBody {
    type Data = bytes::Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<bytes::Bytes>, Status>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replica() -> Replica {
        let endpoint = tonic::transport::Endpoint::from_static("http://127.0.0.2:1");
        let address = SocketAddr::from(([127, 0, 0, 2], 1));
        Replica::new("ejected:1".into(), address, endpoint.connect_lazy(), Duration::from_secs(2))
    }

    #[tokio::test(start_paused = true)]
    async fn three_failures_in_a_row_pause_a_replica_for_longer_each_time() {
        let replica = replica();
        assert_eq!(replica.rank(), None, "nothing is known of it");
        assert!(replica.note_health(true));
        assert!(!replica.note_health(true));
        for seconds in [2, 4, 8, 16, 32, 32] {
            for _ in 0..3 {
                assert_eq!(replica.rank(), Some(Rank::Usable));
                replica.note_failure();
            }
            // Those that were on their way do not make the pause longer.
            replica.note_failure();
            tokio::time::advance(Duration::from_millis(seconds * 1000 - 1)).await;
            assert_eq!(replica.rank(), Some(Rank::Paused), "{seconds}");
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        replica.note_failure();
        replica.note_failure();
        replica.note_answer();
        replica.note_failure();
        replica.note_failure();
        assert_eq!(replica.rank(), Some(Rank::Usable), "an answer begins a new count");
        replica.note_failure();
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(replica.rank(), Some(Rank::Usable), "and the first pause again");
        replica.note_health(false);
        assert_eq!(replica.rank(), Some(Rank::Out));
        let counted = metrics::encode();
        for (reason, count) in [("failures", 7), ("health", 1)] {
            let line =
                format!("mesh_ejections_total{{peer=\"ejected:1\",reason=\"{reason}\"}} {count}");
            assert!(counted.contains(&line), "{line}: {counted}");
        }
    }

    #[tokio::test]
    async fn a_call_counts_until_its_answer_is_whole() {
        use http_body_util::BodyExt as _;
        let replica = Arc::new(replica());
        let call = replica.begin_call();
        let body = CountedBody { body: Body::empty(), _call: call };
        assert_eq!(replica.in_flight(), 1);
        body.collect().await.unwrap();
        assert_eq!(replica.in_flight(), 0);
    }
}
