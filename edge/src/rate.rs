//! Rate limits: a token bucket a key, in memory, with the headers of draft-ietf-httpapi-ratelimit-headers.

use kit::Clock;
use std::{
    collections::{HashMap, hash_map::RandomState},
    hash::{BuildHasher as _, Hash},
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// The window of a quota, in microseconds.
const WINDOW: i64 = 60_000_000;
/// Keys are spread over this many locks.
const SHARDS: usize = 16;
/// From this many keys on, a shard forgets those that are at rest.
const CROWDED: usize = 1024;
/// The most keys of a shard. When more are busy at once it forgets all: nobody is refused for our want of memory.
const MOST: usize = 16 * 1024;

/// Counts requests by key.
pub struct Limiter<K> {
    quota: u32,
    clock: Clock,
    hasher: RandomState,
    shards: [Mutex<Shard<K>>; SHARDS],
}

struct Shard<K> {
    /// When each key's bucket is full again, in microseconds since 1970. One that is full needs no entry.
    full_at: HashMap<K, i64>,
    crowded: usize,
}

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

impl<K: Hash + Eq> Limiter<K> {
    /// A limiter of `quota` requests a minute; none without a quota.
    pub fn new(quota: u32, clock: Clock) -> Option<Self> {
        let shard = || Mutex::new(Shard { full_at: HashMap::new(), crowded: CROWDED });
        let shards = std::array::from_fn(|_| shard());
        (quota > 0).then(|| Self { quota, clock, hasher: RandomState::new(), shards })
    }

    /// Takes a token of `key`.
    pub fn take(&self, key: K) -> Result<RateLimitStatus, Exceeded> {
        let now = self.clock.now().timestamp_micros();
        let cost = (WINDOW / i64::from(self.quota)).max(1);
        let place = self.hasher.hash_one(&key) as usize % SHARDS;
        let Some(shard) = self.shards.get(place) else { return Ok(self.status(0)) };
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        shard.make_room(now);
        let full_at = shard.full_at.entry(key).or_insert(now);
        let next = (*full_at).max(now) + cost;
        let over = next - now - WINDOW;
        if over > 0 {
            let status = RateLimitStatus { remaining: 0, ..self.status(*full_at - now) };
            let retry_after = Duration::from_micros(over.unsigned_abs());
            return Err(Exceeded { status, retry_after });
        }
        *full_at = next;
        Ok(self.status(next - now))
    }

    /// The status of a bucket that lacks `lack` microseconds of tokens.
    fn status(&self, lack: i64) -> RateLimitStatus {
        let left = i64::from(self.quota) * (WINDOW - lack).max(0) / WINDOW;
        RateLimitStatus {
            quota: self.quota,
            remaining: u32::try_from(left).unwrap_or(0),
            reset: lack.max(0).unsigned_abs().div_ceil(1_000_000),
        }
    }
}

impl<K: Hash + Eq> Shard<K> {
    fn make_room(&mut self, now: i64) {
        if self.full_at.len() < self.crowded {
            return;
        }
        self.full_at.retain(|_, full_at| *full_at > now);
        if self.full_at.len() >= MOST {
            self.full_at.clear();
        }
        self.crowded = (self.full_at.len() * 2).clamp(CROWDED, MOST);
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
    fn keys_at_rest_are_forgotten() {
        let (limiter, clock) = limiter(60);
        let kept = || limiter.shards.iter().map(|s| s.lock().unwrap().full_at.len()).sum::<usize>();
        for round in 0..8_u32 {
            for key in 0..10_000 {
                limiter.take(round * 10_000 + key).unwrap();
            }
            clock.advance(Span::minutes(2));
        }
        assert!(kept() <= SHARDS * CROWDED * 2, "{}", kept());
    }

    #[test]
    fn no_quota_is_no_limit() {
        assert!(Limiter::<u32>::new(0, Clock::system()).is_none());
    }
}
