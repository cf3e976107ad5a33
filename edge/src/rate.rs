//! Rate limits: a bucket a key, in memory, with the headers of draft-ietf-httpapi-ratelimit-headers.

use governor::{
    Quota, RateLimiter,
    clock::Clock as _,
    middleware::StateInformationMiddleware,
    nanos::Nanos,
    state::{InMemoryState, NotKeyed, StateStore},
};
use hashlink::LruCache;
use kit::Clock;
use std::{
    hash::{BuildHasher as _, Hash, RandomState},
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// The window of a quota.
const WINDOW: Duration = Duration::from_secs(60);
/// Keys that are remembered. When there are more, the ones that have not come for the longest time are forgotten.
const MAX_KEYS: usize = 256 * 1024;
/// Parts of the table, each with a lock of its own.
const SHARDS: usize = 16;

/// Counts requests by key.
pub struct Limiter<K: RateKey> {
    quota: NonZeroU32,
    clock: HostClock,
    limiter: RateLimiter<K, Buckets<K>, HostClock, StateInformationMiddleware>,
}

/// What a limiter counts by.
pub trait RateKey: Hash + Eq + Clone + Send + Sync + 'static {}

impl<K: Hash + Eq + Clone + Send + Sync + 'static> RateKey for K {}

/// What a key has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimitStatus {
    /// Requests a minute.
    pub quota: u32,
    pub remaining: u32,
    /// Seconds until the whole quota is there again.
    pub reset: u64,
}

/// A request beyond the quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exceeded {
    /// What the key has left: nothing.
    pub status: RateLimitStatus,
    /// When the next request is in order.
    pub retry_after: Duration,
}

impl<K: RateKey> Limiter<K> {
    /// A limiter of `quota` requests a minute; none without a quota.
    pub fn new(quota: u32, clock: Clock) -> Option<Self> {
        Some(Self::with_buckets(NonZeroU32::new(quota)?, clock, Buckets::new(MAX_KEYS)))
    }

    fn with_buckets(quota: NonZeroU32, clock: Clock, buckets: Buckets<K>) -> Self {
        let clock = HostClock(clock);
        let limiter = RateLimiter::new(Quota::per_minute(quota), buckets, clock.clone());
        Self { quota, clock, limiter }
    }

    /// Takes a token of `key`.
    pub fn take(&self, key: K) -> Result<RateLimitStatus, Exceeded> {
        match self.limiter.check_key(&key) {
            Ok(state) => Ok(self.status(state.remaining_burst_capacity())),
            Err(refused) => {
                let retry_after = refused.wait_time_from(self.clock.now());
                Err(Exceeded { status: self.status(0), retry_after })
            }
        }
    }

    /// The status of a key that has `remaining` tokens.
    fn status(&self, remaining: u32) -> RateLimitStatus {
        let quota = self.quota.get();
        let used = u64::from(quota.saturating_sub(remaining));
        let reset = (WINDOW.as_secs() * used).div_ceil(u64::from(quota));
        RateLimitStatus { quota, remaining, reset }
    }
}

/// The buckets of all keys, as governor reads and writes them. One that is not there is full.
#[derive(Clone)]
struct Buckets<K>(Arc<Shards<K>>);

struct Shards<K> {
    hasher: RandomState,
    shards: [Mutex<LruCache<K, InMemoryState>>; SHARDS],
}

impl<K: RateKey> Buckets<K> {
    fn new(max_keys: usize) -> Self {
        let shards = std::array::from_fn(|_| Mutex::new(LruCache::new(max_keys.div_ceil(SHARDS))));
        Self(Arc::new(Shards { hasher: RandomState::new(), shards }))
    }
}

impl<K: RateKey> StateStore for Buckets<K> {
    type Key = K;

    fn measure_and_replace<T, F, E>(&self, key: &K, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let Shards { hasher, shards } = &*self.0;
        let index = usize::try_from(hasher.hash_one(key) % SHARDS as u64).unwrap_or_default();
        let mut shard = shards[index].lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = shard.get(key) {
            return bucket.measure_and_replace(&NotKeyed::NonKey, decide);
        }
        let bucket = InMemoryState::default();
        let measured = bucket.measure_and_replace(&NotKeyed::NonKey, decide);
        shard.insert(key.clone(), bucket);
        measured
    }
}

/// The host's clock, as governor reads it.
#[derive(Clone)]
struct HostClock(Clock);

impl governor::clock::Clock for HostClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.now().timestamp_micros()).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{DateTime, Duration as Span};

    fn limiter(quota: u32) -> (Limiter<u32>, Clock) {
        let clock = Clock::manual(DateTime::from_timestamp(1_800_000_000, 0).unwrap());
        (Limiter::new(quota, clock.clone()).unwrap(), clock)
    }

    #[test]
    fn a_bucket_empties_and_fills() {
        let (limiter, clock) = limiter(6);
        let left: Vec<_> = (0..6).map(|_| limiter.take(1).unwrap().remaining).collect();
        assert_eq!(left, [5, 4, 3, 2, 1, 0]);
        let exceeded = limiter.take(1).unwrap_err();
        assert_eq!(exceeded.retry_after, Duration::from_secs(10));
        assert_eq!(exceeded.status, RateLimitStatus { quota: 6, remaining: 0, reset: 60 });
        assert_eq!(limiter.take(2).unwrap().remaining, 5);
        clock.advance(Span::seconds(10));
        assert_eq!(limiter.take(1).unwrap().remaining, 0);
        assert!(limiter.take(1).is_err());
        clock.advance(Span::minutes(2));
        assert_eq!(limiter.take(1).unwrap(), RateLimitStatus { quota: 6, remaining: 5, reset: 10 });
    }

    #[test]
    fn a_full_table_forgets_the_key_that_came_least_recently() {
        let (_, clock) = limiter(1);
        let buckets = Buckets::new(100);
        let limiter = Limiter::with_buckets(NonZeroU32::MIN, clock, buckets.clone());
        limiter.take(0).unwrap();
        limiter.take(1).unwrap();
        for junk in 2..10_000 {
            let _ = limiter.take(junk);
            // A client that goes on asking stays refused, however many others there are.
            assert!(limiter.take(0).is_err(), "{junk}");
        }
        let kept = buckets.0.shards.iter().map(|shard| shard.lock().unwrap().len());
        assert!(kept.sum::<usize>() <= 7 * SHARDS);
        assert!(limiter.take(9_999).is_err(), "nor are the newest forgotten");
        assert!(limiter.take(1).is_ok(), "the oldest is");
    }

    #[test]
    fn no_quota_is_no_limit() {
        assert!(Limiter::<u32>::new(0, Clock::system()).is_none());
    }
}
