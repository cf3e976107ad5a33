//! The replicas of one service: who they are, who of them serves, and which one gets the next call.

use super::{
    replica::{Rank, Replica},
    resolver::Resolver,
};
use crate::mesh::MeshClient;
use http::Uri;
use hyper_util::rt::TokioIo;
use std::{
    io,
    net::SocketAddr,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard},
    time::Duration,
};
use tokio::{
    sync::{Notify, watch},
    time::{sleep, timeout},
};
use tokio_util::task::AbortOnDropHandle;
use tonic::{
    Status,
    transport::{Channel, Endpoint},
};

/// Time to connect to a replica, and with TLS on top.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const TLS_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Time between pings that find out whether a silent replica is still there.
const KEEPALIVE: Duration = Duration::from_secs(10);
/// Time for the answer to a ping.
const KEEPALIVE_ANSWER: Duration = Duration::from_secs(5);
/// Bytes in flight towards us on one call, and on the connection.
const STREAM_WINDOW: u32 = 512 * 1024;
const CONNECTION_WINDOW: u32 = 2 * 1024 * 1024;

/// How fast changes are noticed.
#[derive(Clone, Copy, Debug)]
pub struct FollowPace {
    /// The time between two lookups of the name, give or take a tenth.
    pub lookup: Duration,
    /// The least time between two lookups, also when replicas cannot be reached; and the most that one may take.
    pub least_lookup: Duration,
    /// The time between two questions for the health of a replica.
    pub health: Duration,
    /// The most that an answer to one may take.
    pub health_limit: Duration,
    /// For how long a replica gets no calls after the first failures.
    pub first_pause: Duration,
}

impl Default for FollowPace {
    fn default() -> Self {
        Self {
            lookup: Duration::from_secs(5),
            least_lookup: Duration::from_secs(1),
            health: Duration::from_secs(1),
            health_limit: Duration::from_millis(500),
            first_pause: Duration::from_secs(2),
        }
    }
}

/// The replicas of a service.
pub struct Replicas {
    /// The URL of the service. Calls name it as their authority, whichever replica they go to.
    origin: Uri,
    pace: FollowPace,
    /// What connects to replicas that have to prove themselves; they are spoken to in the clear without.
    mesh: Option<MeshClient>,
    known: RwLock<KnownReplicas>,
    /// Tells those who wait for a replica that something has changed.
    news: watch::Sender<()>,
    /// Asks for a lookup.
    lookup_wanted: Notify,
}

#[derive(Default)]
struct KnownReplicas {
    entries: Vec<Entry>,
    /// Whether the last lookup failed.
    lookup_failed: bool,
}

struct Entry {
    replica: Arc<Replica>,
    /// Asks for its health until the entry is dropped.
    _watch: AbortOnDropHandle<()>,
}

impl Replicas {
    /// None is known before [`Replicas::follow`] runs.
    pub fn new(origin: Uri, pace: FollowPace, mesh: Option<MeshClient>) -> Self {
        let (known, news) = (RwLock::default(), watch::Sender::new(()));
        Self { origin, pace, mesh, known, news, lookup_wanted: Notify::new() }
    }

    /// The URL of the service.
    pub fn origin(&self) -> &Uri {
        &self.origin
    }

    /// Keeps the replicas those that `resolver` names, for ever.
    pub async fn follow(self: Arc<Self>, resolver: Arc<dyn Resolver>) {
        let FollowPace { lookup, least_lookup, .. } = self.pace;
        loop {
            let answer = timeout(lookup, resolver.resolve()).await;
            self.take_answer(answer.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())));
            sleep(least_lookup).await;
            if self.known().lookup_failed {
                continue;
            }
            let pause = lookup.mul_f64(rand::random_range(0.9..=1.1)).saturating_sub(least_lookup);
            tokio::select! {
                () = sleep(pause) => {}
                () = self.lookup_wanted.notified() => {}
            }
        }
    }

    /// Takes new addresses in and lets those go that are not named any more. An error or an empty answer changes nothing.
    fn take_answer(self: &Arc<Self>, answer: io::Result<Vec<SocketAddr>>) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let had_failed = known.lookup_failed;
        let addresses = match answer {
            Ok(addresses) if !addresses.is_empty() => addresses,
            failed => {
                known.lookup_failed = true;
                if !had_failed {
                    let problem = failed.err().map_or("no address".to_owned(), |e| e.to_string());
                    let kept = known.entries.len();
                    tracing::warn!(
                        origin = %self.origin, problem, kept,
                        "the name of a service cannot be resolved, the replicas stay those known before"
                    );
                }
                drop(known);
                self.news.send_replace(());
                return;
            }
        };
        known.lookup_failed = false;
        known.entries.retain(|entry| addresses.contains(&entry.replica.address));
        for address in addresses {
            if known.entries.iter().all(|entry| entry.replica.address != address) {
                known.entries.extend(self.connect(address));
            }
        }
        drop(known);
        self.news.send_replace(());
    }

    /// A replica at `address`, whose health is asked for from now on. It connects at the first question.
    fn connect(self: &Arc<Self>, address: SocketAddr) -> Option<Entry> {
        let channel = match open_channel(address, &self.origin, self.mesh.clone()) {
            Ok(channel) => channel,
            Err(error) => {
                tracing::error!(%address, %error, "a replica has an address that cannot be used");
                return None;
            }
        };
        let peer = self.origin.authority().map_or("", |authority| authority.as_str()).into();
        let replica = Arc::new(Replica::new(peer, address, channel, self.pace.first_pause));
        let (watched, pace, news) = (replica.clone(), self.pace, self.news.clone());
        let watch = tokio::spawn(async move {
            loop {
                let serves = watched.ask_health(pace.health_limit).await;
                if watched.note_health(serves) {
                    news.send_replace(());
                }
                sleep(pace.health).await;
            }
        });
        Some(Entry { replica, _watch: AbortOnDropHandle::new(watch) })
    }

    /// The replica for the next try of a call: one that is not in `tried` before one that is, and of two of the best
    /// rank the one with fewer calls. Waits while nothing is known yet.
    pub async fn pick(&self, tried: &[SocketAddr]) -> Result<Arc<Replica>, Status> {
        let mut news = self.news.subscribe();
        loop {
            if let Some(replica) = self.try_pick(tried) {
                return Ok(replica);
            }
            {
                let known = self.known();
                if known.entries.is_empty() && known.lookup_failed {
                    return Err(Status::unavailable("the called service has no address"));
                }
            }
            // The sender lives as long as `self`.
            let _ = news.changed().await;
        }
    }

    fn try_pick(&self, tried: &[SocketAddr]) -> Option<Arc<Replica>> {
        let known = self.known();
        let ranked: Vec<((Rank, bool), &Arc<Replica>)> = known
            .entries
            .iter()
            .filter_map(|Entry { replica, .. }| {
                Some(((replica.rank()?, tried.contains(&replica.address)), replica))
            })
            .collect();
        let best = ranked.iter().map(|(rank, _)| *rank).min()?;
        let best: Vec<_> = ranked.into_iter().filter(|(rank, _)| *rank == best).collect();
        let first = rand::random_range(0..best.len());
        // Another one than the first, if there is one.
        let second = match best.len() {
            1 => first,
            count => (first + rand::random_range(1..count)) % count,
        };
        let (first, second) = (best.get(first)?.1, best.get(second)?.1);
        Some(Arc::clone(if second.in_flight() < first.in_flight() { second } else { first }))
    }

    /// Whether a replica that is not in `tried` could take a call now.
    pub fn has_other(&self, tried: &[SocketAddr]) -> bool {
        self.known().entries.iter().any(|Entry { replica, .. }| {
            replica.rank() == Some(Rank::Usable) && !tried.contains(&replica.address)
        })
    }

    /// Notes that no connection to `replica` can be had: it is out until it answers for its health, and the name may
    /// stand for another address by now.
    pub fn note_unreachable(&self, replica: &Replica) {
        replica.note_health(false);
        self.lookup_wanted.notify_one();
    }

    fn known(&self) -> RwLockReadGuard<'_, KnownReplicas> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }
}

fn open_channel(
    address: SocketAddr,
    origin: &Uri,
    mesh: Option<MeshClient>,
) -> Result<Channel, tonic::transport::Error> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))?
        .origin(origin.clone())
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE_ANSWER)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW);
    let Some(mesh) = mesh else { return Ok(endpoint.connect_lazy()) };
    let connector = tower::service_fn(move |_: Uri| {
        let connecting = mesh.clone().connect(address);
        async move { connecting.await.map(TokioIo::new) }
    });
    let endpoint = endpoint.connect_timeout(TLS_CONNECT_TIMEOUT);
    Ok(endpoint.connect_with_connector_lazy(connector))
}
