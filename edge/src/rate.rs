//! Rate limits: a bucket a key, in memory, with the headers of draft-ietf-httpapi-ratelimit-headers.
//!
//! Edges that share a Redis count together: each counts by itself first, and only what goes beyond half of the quota is
//! taken of the bucket in Redis as well. While Redis is away, an edge grants its part of the quota.

use governor::{
    Quota, RateLimiter,
    clock::Clock as _,
    middleware::StateInformationMiddleware,
    nanos::Nanos,
    state::{InMemoryState, NotKeyed, StateStore},
};
use hashlink::LruCache;
use kit::{
    Clock,
    redis::buckets::{BucketQuota, SharedBuckets, Withdrawal},
};
use std::{
    fmt::Display,
    hash::{BuildHasher as _, Hash, RandomState},
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// The window of a quota.
const WINDOW: Duration = Duration::from_secs(60);
/// Keys that are remembered. When there are more, the ones that have not come for the longest time are forgotten.
const MAX_KEYS: usize = 256 * 1024;
/// Keys beyond half of their quota that are remembered.
const MAX_SHARED_KEYS: usize = 16 * 1024;
/// Parts of the table, each with a lock of its own.
const SHARDS: usize = 16;

/// Counts requests by key.
pub struct Limiter<K: RateKey> {
    quota: NonZeroU32,
    clock: HostClock,
    limiter: KeyLimiter<K>,
    shared: Option<SharedLimiter<K>>,
}

type KeyLimiter<K> = RateLimiter<K, Buckets<K>, HostClock, StateInformationMiddleware>;

/// What an edge asks beyond half of a quota.
struct SharedLimiter<K: RateKey> {
    buckets: SharedBuckets,
    /// The part of the quota that the edge grants while Redis is away.
    part: KeyLimiter<K>,
    /// When Redis was last told of what a key had taken before.
    told: Mutex<LruCache<K, Duration>>,
}

/// What a limiter counts by.
pub trait RateKey: Hash + Eq + Clone + Display + Send + Sync + 'static {}

impl<K: Hash + Eq + Clone + Display + Send + Sync + 'static> RateKey for K {}

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
        Self { quota, clock, limiter, shared: None }
    }

    /// The same limiter, which counts together with those of other edges.
    #[must_use]
    pub fn shared(self, buckets: SharedBuckets, replicas: u32) -> Self {
        let part = NonZeroU32::new(self.quota.get() / replicas.max(1)).unwrap_or(NonZeroU32::MIN);
        let part = RateLimiter::new(
            Quota::per_minute(part),
            Buckets::new(MAX_SHARED_KEYS),
            self.clock.clone(),
        );
        let told = Mutex::new(LruCache::new(MAX_SHARED_KEYS));
        Self { shared: Some(SharedLimiter { buckets, part, told }), ..self }
    }

    /// Takes a token of `key`.
    pub async fn take(&self, key: K) -> Result<RateLimitStatus, Exceeded> {
        let status = self.take_here(&self.limiter, &key)?;
        match &self.shared {
            Some(shared) if status.remaining < self.quota.get() / 2 => {
                // Boxed, since every request would have room for it while it lasts.
                Box::pin(self.take_shared(shared, &key, status)).await
            }
            _ => Ok(status),
        }
    }

    /// Takes a token of the bucket that all edges share, or of this edge's part while Redis is away.
    async fn take_shared(
        &self,
        shared: &SharedLimiter<K>,
        key: &K,
        here: RateLimitStatus,
    ) -> Result<RateLimitStatus, Exceeded> {
        let tokens = shared.untold(key, self.clock.now(), self.quota.get() - here.remaining);
        let quota = BucketQuota { tokens: self.quota.get(), window: WINDOW };
        let remaining = match shared.buckets.take(&key.to_string(), quota, tokens.into()).await {
            Ok(Withdrawal { wait: Some(retry_after), .. }) => {
                return Err(Exceeded { status: self.status(0), retry_after });
            }
            Ok(Withdrawal { remaining, wait: None }) => remaining,
            Err(_) => self.take_here(&shared.part, key)?.remaining,
        };
        Ok(self.status(remaining.min(here.remaining)))
    }

    fn take_here(&self, limiter: &KeyLimiter<K>, key: &K) -> Result<RateLimitStatus, Exceeded> {
        match limiter.check_key(key) {
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

impl<K: RateKey> SharedLimiter<K> {
    /// Tokens that Redis is to be told of: all that a key has taken here when it was not told for a window, else one.
    fn untold(&self, key: &K, now: Duration, used: u32) -> u32 {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let before = told.insert(key.clone(), now);
        if before.is_some_and(|at| at + WINDOW > now) { 1 } else { used }
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
    use futures::FutureExt as _;
    use kit::testing::{RedisServer, eventually};
    use std::sync::atomic::{AtomicU32, Ordering};

    /// Takes a token where no Redis is asked, so that nothing is waited for.
    fn take(limiter: &Limiter<u32>, key: u32) -> Result<RateLimitStatus, Exceeded> {
        limiter.take(key).now_or_never().expect("no wait")
    }

    fn limiter(quota: u32) -> (Limiter<u32>, Clock) {
        let clock = Clock::manual(DateTime::from_timestamp(1_800_000_000, 0).unwrap());
        (Limiter::new(quota, clock.clone()).unwrap(), clock)
    }

    #[test]
    fn a_bucket_empties_and_fills() {
        let (limiter, clock) = limiter(6);
        let left: Vec<_> = (0..6).map(|_| take(&limiter, 1).unwrap().remaining).collect();
        assert_eq!(left, [5, 4, 3, 2, 1, 0]);
        let exceeded = take(&limiter, 1).unwrap_err();
        assert_eq!(exceeded.retry_after, Duration::from_secs(10));
        assert_eq!(exceeded.status, RateLimitStatus { quota: 6, remaining: 0, reset: 60 });
        assert_eq!(take(&limiter, 2).unwrap().remaining, 5);
        clock.advance(Span::seconds(10));
        assert_eq!(take(&limiter, 1).unwrap().remaining, 0);
        assert!(take(&limiter, 1).is_err());
        clock.advance(Span::minutes(2));
        assert_eq!(
            take(&limiter, 1).unwrap(),
            RateLimitStatus { quota: 6, remaining: 5, reset: 10 }
        );
    }

    #[test]
    fn a_full_table_forgets_the_key_that_came_least_recently() {
        let (_, clock) = limiter(1);
        let buckets = Buckets::new(100);
        let limiter = Limiter::with_buckets(NonZeroU32::MIN, clock, buckets.clone());
        take(&limiter, 0).unwrap();
        take(&limiter, 1).unwrap();
        for junk in 2..10_000 {
            let _ = take(&limiter, junk);
            // A client that goes on asking stays refused, however many others there are.
            assert!(take(&limiter, 0).is_err(), "{junk}");
        }
        let kept = buckets.0.shards.iter().map(|shard| shard.lock().unwrap().len());
        assert!(kept.sum::<usize>() <= 7 * SHARDS);
        assert!(take(&limiter, 9_999).is_err(), "nor are the newest forgotten");
        assert!(take(&limiter, 1).is_ok(), "the oldest is");
    }

    #[test]
    fn no_quota_is_no_limit() {
        assert!(Limiter::<u32>::new(0, Clock::system()).is_none());
    }

    /// Takes all that a key gets of several edges in turn.
    async fn take_all(edges: &[&Limiter<u32>], key: u32) -> usize {
        let (mut taken, mut refused) = (0, 0);
        while refused < edges.len() {
            refused = 0;
            for edge in edges {
                match edge.take(key).await {
                    Ok(_) => taken += 1,
                    Err(_) => refused += 1,
                }
            }
        }
        taken
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn edges_count_together_and_each_grants_its_part_while_redis_is_away() {
        let mut server = RedisServer::start().await;
        let edge = async |quota| {
            let redis = server.connect();
            let ping = async || redis.command::<String>("PING", "", Vec::new()).await;
            eventually("Redis answers", ping, Result::is_ok).await.unwrap();
            limiter(quota).0.shared(SharedBuckets::new(redis, "client"), 4)
        };
        let (one, other) = (edge(600).await, edge(600).await);
        // While they take, the bucket in Redis fills by ten a second.
        for key in 1..=2 {
            let taken = take_all(&[&one, &other], key).await;
            assert!((600..800).contains(&taken), "{taken}");
            server.flush().await;
        }
        server.kill();
        // Each half of the quota, for which Redis is not asked, and a fourth of it.
        assert_eq!(take_all(&[&one, &other], 3).await, 900);
        server.restart().await;
        let key = AtomicU32::new(4);
        let taken = async || take_all(&[&one, &other], key.fetch_add(1, Ordering::Relaxed)).await;
        eventually("they count together again", taken, |taken| *taken < 850).await;
    }
}
