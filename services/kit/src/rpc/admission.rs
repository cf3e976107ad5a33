//! How many calls are worked on at a time, so that those which are accepted are answered soon: past the point where
//! everything waits, a call is refused at once instead.
//!
//! What waits is limited, and so is how long it waits: a call that finds no place within [`MAX_WAIT`] is refused, and of
//! those that wait the newest goes first, as its caller has the most time left. A part of the places is kept for what must
//! go on, which the contract marks as `critical`. No RPC takes more than half of the places, and one whose calls take too
//! long takes fewer: they wait for each other.

use super::error;
use proto::rpc::{IdempotencyLevel, Rpc};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::oneshot,
    time::{Instant, timeout},
};

/// How long a call may wait for a place.
pub const MAX_WAIT: Duration = Duration::from_millis(10);
/// Calls that may wait at a time. Beyond them a call is refused without a wait.
const MAX_WAITING: usize = 64;
/// One place of so many is kept for critical calls.
const RESERVED_PART: usize = 5;
/// Places that an RPC always has, however long its calls take.
const MIN_PLACES: usize = 32;
/// How long calls that only read may take on average before their RPC gets fewer places.
const SLOW_READ: Duration = Duration::from_millis(100);
/// How long calls that change something may take on average.
const SLOW_CHANGE: Duration = Duration::from_millis(500);
/// How often the places of an RPC are counted anew.
const WINDOW: Duration = Duration::from_millis(100);

/// The places of a service, or of the edge; clones share them.
#[derive(Clone, Debug)]
pub struct Places(Arc<Mutex<State>>);

/// Who is refused first when there are fewer places than calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// A call that leaves the reserve to others.
    Ordinary,
    /// A call from outside that must go on.
    Critical,
    /// A call by a service, for work that was accepted before: only when there is no place at all it is refused.
    Accepted,
}

impl Priority {
    /// The priority of an RPC that is called from outside the mesh.
    pub const fn of(rpc: &Rpc) -> Self {
        if rpc.critical { Self::Critical } else { Self::Ordinary }
    }
}

#[derive(Debug)]
struct State {
    max: usize,
    in_flight: usize,
    /// By the address of the RPC in the table of all RPCs, which is quicker to find than its path.
    rpcs: HashMap<usize, Share>,
    /// The newest last.
    waiting: Vec<Waiting>,
}

/// The places of one RPC.
#[derive(Debug)]
struct Share {
    in_flight: usize,
    limit: usize,
    max: usize,
    /// How long its calls may take on average.
    slow: Duration,
    window: Window,
}

/// What became of the calls of one RPC for a while.
#[derive(Debug)]
struct Window {
    ends_at: Instant,
    calls: u32,
    total: Duration,
    /// The most calls that were in flight at a time.
    peak: usize,
}

/// A call that waits for a place.
#[derive(Debug)]
struct Waiting {
    rpc: &'static Rpc,
    priority: Priority,
    place: oneshot::Sender<Permit>,
}

/// A place for one call, until it is dropped.
#[derive(Debug)]
pub struct Permit {
    places: Places,
    rpc: &'static Rpc,
    since: Instant,
}

impl Places {
    /// Admits `max` calls at a time.
    pub fn new(max: usize) -> Self {
        let state = State { max, in_flight: 0, rpcs: HashMap::new(), waiting: Vec::new() };
        Self(Arc::new(Mutex::new(state)))
    }

    /// Whether a call may come: there is a place, or others do not yet wait for one. Asked before a call costs anything.
    ///
    /// # Errors
    /// When it may not.
    pub fn check(&self, rpc: &'static Rpc, priority: Priority) -> Result<(), Overloaded> {
        let mut state = self.lock();
        let may_come = state.has_place(rpc, priority) || state.may_wait();
        if may_come { Ok(()) } else { Err(Overloaded) }
    }

    /// Waits for a place, but not long.
    ///
    /// # Errors
    /// When there is none in time.
    pub async fn wait_for_one(
        &self,
        rpc: &'static Rpc,
        priority: Priority,
    ) -> Result<Permit, Overloaded> {
        let place = {
            let mut state = self.lock();
            if state.has_place(rpc, priority) {
                return Ok(self.take(&mut state, rpc));
            }
            if !state.may_wait() {
                return Err(Overloaded);
            }
            let (sender, place) = oneshot::channel();
            state.waiting.push(Waiting { rpc, priority, place: sender });
            place
        };
        match timeout(MAX_WAIT, place).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) | Err(_) => Err(Overloaded),
        }
    }

    fn take(&self, state: &mut State, rpc: &'static Rpc) -> Permit {
        state.in_flight += 1;
        state.share(rpc).begin_call();
        Permit { places: self.clone(), rpc, since: Instant::now() }
    }

    /// Gives a place back, and to those that wait what they can have now.
    fn give_back(&self, rpc: &'static Rpc, since: Instant) {
        let mut admitted = Vec::new();
        {
            let mut state = self.lock();
            state.in_flight -= 1;
            state.share(rpc).end_call(since);
            while let Some(next) = state.next_waiting() {
                let place = self.take(&mut state, next.rpc);
                admitted.push((next.place, place));
            }
        }
        for (sender, place) in admitted {
            // One who has left since gives the place back by dropping it.
            let _ = sender.send(place);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.places.give_back(self.rpc, self.since);
    }
}

impl State {
    fn share(&mut self, rpc: &'static Rpc) -> &mut Share {
        let max = (self.max / 2).max(1);
        self.rpcs.entry(std::ptr::from_ref(rpc).addr()).or_insert_with(|| Share::new(rpc, max))
    }

    fn has_place(&mut self, rpc: &'static Rpc, priority: Priority) -> bool {
        let max = match priority {
            Priority::Ordinary => self.max - self.max / RESERVED_PART,
            Priority::Critical | Priority::Accepted => self.max,
        };
        let share = self.share(rpc);
        let has_share = share.in_flight < share.limit || priority == Priority::Accepted;
        has_share && self.in_flight < max
    }

    /// Whether one more call may wait; those that have given up are forgotten.
    fn may_wait(&mut self) -> bool {
        if self.waiting.len() >= MAX_WAITING {
            self.waiting.retain(|waiting| !waiting.place.is_closed());
        }
        self.waiting.len() < MAX_WAITING
    }

    /// The newest of those that wait for what there is.
    fn next_waiting(&mut self) -> Option<Waiting> {
        self.waiting.retain(|waiting| !waiting.place.is_closed());
        let waiting = std::mem::take(&mut self.waiting);
        let newest = waiting.iter().rposition(|it| self.has_place(it.rpc, it.priority));
        self.waiting = waiting;
        newest.map(|index| self.waiting.remove(index))
    }
}

impl Share {
    fn new(rpc: &Rpc, max: usize) -> Self {
        let reads = rpc.idempotency_level == IdempotencyLevel::NoSideEffects;
        let slow = if reads { SLOW_READ } else { SLOW_CHANGE };
        Self { in_flight: 0, limit: max, max, slow, window: Window::new() }
    }

    fn begin_call(&mut self) {
        self.in_flight += 1;
        self.window.peak = self.window.peak.max(self.in_flight);
    }

    fn end_call(&mut self, since: Instant) {
        self.in_flight -= 1;
        self.window.calls += 1;
        self.window.total += since.elapsed();
        if Instant::now() < self.window.ends_at {
            return;
        }
        let Window { calls, total, peak, .. } = std::mem::replace(&mut self.window, Window::new());
        self.window.peak = self.in_flight;
        if total / calls > self.slow {
            self.limit = (self.limit.min(peak) * 3 / 4).max(MIN_PLACES.min(self.max));
        } else if peak >= self.limit {
            self.limit = (self.limit + self.limit / 4 + 1).min(self.max);
        }
    }
}

impl Window {
    fn new() -> Self {
        Self { ends_at: Instant::now() + WINDOW, calls: 0, total: Duration::ZERO, peak: 0 }
    }
}

/// There is more to do than can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the service is overloaded")]
pub struct Overloaded;

impl error::Fault for Overloaded {
    fn kind(&self) -> error::Kind {
        error::Kind::Exhausted { reason: "OVERLOADED", retry_after: Duration::from_secs(1) }
    }
}

#[cfg(test)]
mod tests;
