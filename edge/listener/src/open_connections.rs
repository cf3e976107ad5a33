//! The open connections of a listener: how many there may be, and which one is closed when another peer wants its place.

use crate::{application::Application, peer_limit::PeerPermit};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::task_tracker::TaskTrackerToken};

/// A connection is closed for another one only when it has been idle for this long: a shorter pause is one between two
/// requests.
const MIN_IDLE: Duration = Duration::from_secs(1);
/// How often a peer that waits for a place looks for a connection that has become idle for long enough.
const RECHECK: Duration = Duration::from_millis(50);

/// All open connections.
pub struct OpenConnections<A: Application> {
    application: A,
    places: Arc<Semaphore>,
    list: Mutex<List<A>>,
}

struct List<A: Application> {
    next_id: u64,
    open: HashMap<u64, Weak<OpenConnection<A>>>,
}

/// One connection, open until it is dropped. A connection that has become a WebSocket is open as long as that.
pub struct OpenConnection<A: Application> {
    all: Arc<OpenConnections<A>>,
    id: u64,
    /// Whether it is idle, and since when.
    pub activity: Arc<Activity>,
    /// Cancelled when the connection should end: the server stops, or another peer wants the place.
    pub closing: CancellationToken,
    place: Mutex<Option<OwnedSemaphorePermit>>,
    _of_peer: PeerPermit,
    _tracked: TaskTrackerToken,
}

impl<A: Application> OpenConnections<A> {
    /// Room for `max` connections.
    pub fn new(application: A, max: usize) -> Self {
        let places = Arc::new(Semaphore::new(max.min(Semaphore::MAX_PERMITS)));
        let list = Mutex::new(List { next_id: 0, open: HashMap::new() });
        Self { application, places, list }
    }

    /// Waits until another connection may be open. When there are as many as there may be, the one that has been idle
    /// for the longest time is closed.
    pub async fn wait_for_place(&self) -> Option<OwnedSemaphorePermit> {
        loop {
            if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
                return Some(place);
            }
            if self.evict_longest_idle(1) > 0 {
                continue;
            }
            let freed = Arc::clone(&self.places).acquire_owned();
            if let Ok(place) = tokio::time::timeout(RECHECK, freed).await {
                // Fails only on a closed semaphore, and this one is never closed.
                return place.ok();
            }
        }
    }

    /// Opens a connection at `place`.
    pub fn open(
        self: &Arc<Self>,
        place: OwnedSemaphorePermit,
        of_peer: PeerPermit,
        tracked: TaskTrackerToken,
        closing: CancellationToken,
    ) -> Arc<OpenConnection<A>> {
        self.application.connection_opened();
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        let id = list.next_id;
        list.next_id += 1;
        let connection = Arc::new(OpenConnection {
            all: Arc::clone(self),
            id,
            activity: Arc::new(Activity::new()),
            closing,
            place: Mutex::new(Some(place)),
            _of_peer: of_peer,
            _tracked: tracked,
        });
        list.open.insert(id, Arc::downgrade(&connection));
        connection
    }

    /// Tells the connections that have been idle for the longest time to end, at most `count`, and frees their places.
    /// Returns how many there were.
    pub fn evict_longest_idle(&self, count: usize) -> usize {
        // Dropped after the lock: the last reference to a connection takes the lock, too.
        let connections: Vec<_> = {
            let list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
            list.open.values().filter_map(Weak::upgrade).collect()
        };
        let open = connections.iter().filter(|it| !it.closing.is_cancelled());
        let mut idle: Vec<_> = open.filter_map(|it| Some((it.idle_time()?, it))).collect();
        idle.sort_unstable_by_key(|(time, _)| std::cmp::Reverse(*time));
        idle.truncate(count);
        for (_, connection) in &idle {
            connection.closing.cancel();
            self.application.connection_evicted();
            drop(connection.place.lock().unwrap_or_else(PoisonError::into_inner).take());
        }
        idle.len()
    }
}

impl<A: Application> OpenConnection<A> {
    /// For how long the connection has been idle; none while it is not, or only pauses.
    fn idle_time(&self) -> Option<Duration> {
        self.activity.idle_time().filter(|time| *time >= MIN_IDLE)
    }
}

impl<A: Application> Drop for OpenConnection<A> {
    fn drop(&mut self) {
        self.all.list.lock().unwrap_or_else(PoisonError::into_inner).open.remove(&self.id);
        self.all.application.connection_closed();
    }
}

/// How many requests a connection has in progress.
#[derive(Debug)]
pub struct Activity {
    opened: Instant,
    requests: AtomicUsize,
    /// When the last request ended, in milliseconds since the connection was opened.
    idle_since: AtomicU64,
}

impl Activity {
    fn new() -> Self {
        let (requests, idle_since) = (AtomicUsize::new(0), AtomicU64::new(0));
        Self { opened: Instant::now(), requests, idle_since }
    }

    /// Counts a request, until what is returned is dropped.
    pub fn begin_request(self: &Arc<Self>) -> RequestInProgress {
        self.requests.fetch_add(1, Ordering::Relaxed);
        RequestInProgress(Arc::clone(self))
    }

    /// For how long the connection has been idle; none while it is not.
    fn idle_time(&self) -> Option<Duration> {
        let since = Duration::from_millis(self.idle_since.load(Ordering::Relaxed));
        let is_idle = self.requests.load(Ordering::Relaxed) == 0;
        is_idle.then(|| self.opened.elapsed().saturating_sub(since))
    }
}

/// A request, from its head to the end of its answer.
#[derive(Debug)]
pub struct RequestInProgress(Arc<Activity>);

impl RequestInProgress {
    /// The connection has been handed over to another protocol: it is never idle again.
    pub fn never_ends(self) {
        std::mem::forget(self);
    }
}

impl Drop for RequestInProgress {
    fn drop(&mut self) {
        let now = u64::try_from(self.0.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.idle_since.store(now, Ordering::Relaxed);
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
    }
}
