//! Buckets of tokens that several processes take from together. A bucket fills again over its window.

use super::client::{Redis, RedisError};
use fred::types::{Value, scripts::Script};
use std::{sync::LazyLock, time::Duration};

/// Takes tokens of a bucket, which is kept as the moment at which it is full again. `KEYS`: the bucket. `ARGV`: the window in
/// microseconds, how many tokens the bucket has, how many are taken; fewer than none gives some back. Answers what is
/// left, and how long to wait when it was not enough. Of several that were asked for, what there is is taken.
static TAKE: LazyLock<Script> = LazyLock::new(|| {
    Script::from_lua(
        "local time = redis.call('TIME')
         local now = time[1] * 1000000 + time[2]
         local window, each, asked = tonumber(ARGV[1]), ARGV[1] / ARGV[2], tonumber(ARGV[3])
         local full_at = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now)
         local next_at, wait = math.max(full_at + asked * each, now), 0
         if next_at > now + window then
           if asked > 1 then full_at = now + window end
           next_at = full_at
           wait = math.max(full_at + each - now - window, 1)
         end
         if next_at > now then
           local ms = math.ceil((next_at - now) / 1000)
           redis.call('SET', KEYS[1], string.format('%.0f', next_at), 'PX', ms)
         else
           redis.call('DEL', KEYS[1])
         end
         return { math.floor((now + window - next_at) / each + 0.001), math.ceil(wait) }",
    )
});

/// How many tokens a bucket has, and how long it takes to fill.
#[derive(Clone, Copy, Debug)]
pub struct BucketQuota {
    /// Tokens of a full bucket, at least one.
    pub tokens: u32,
    /// The time in which an empty one is full again.
    pub window: Duration,
}

/// What a bucket answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Withdrawal {
    /// Tokens that are left.
    pub remaining: u32,
    /// How long until there is one again; none when there was enough.
    pub wait: Option<Duration>,
}

/// Buckets of one subject, by key.
#[derive(Clone)]
pub struct SharedBuckets {
    redis: Redis,
    subject: String,
}

impl SharedBuckets {
    /// The buckets of `subject` in `redis`.
    pub fn new(redis: Redis, subject: &str) -> Self {
        Self { redis, subject: subject.to_owned() }
    }

    /// Takes tokens of the bucket of `key`; fewer than none gives some back.
    pub async fn take(
        &self,
        key: &str,
        quota: BucketQuota,
        tokens: i64,
    ) -> Result<Withdrawal, RedisError> {
        let window = i64::try_from(quota.window.as_micros()).unwrap_or(i64::MAX);
        let args: Vec<Value> =
            vec![window.into(), i64::from(quota.tokens.max(1)).into(), tokens.into()];
        let answer: Vec<i64> =
            self.redis.run_short_script(&TAKE, vec![self.name(key)], args).await?;
        let [remaining, wait] = answer[..] else {
            return Err(RedisError::Refused("the answer of a bucket is none".to_owned()));
        };
        let wait = u64::try_from(wait).ok().filter(|wait| *wait > 0).map(Duration::from_micros);
        Ok(Withdrawal { remaining: u32::try_from(remaining).unwrap_or_default(), wait })
    }

    /// Fills the bucket of `key`.
    pub async fn fill(&self, key: &str) -> Result<(), RedisError> {
        let name = self.name(key);
        self.redis.command("DEL", &name, vec![name.clone().into()]).await
    }

    fn name(&self, key: &str) -> String {
        format!("qs:limit:{}:{key}", self.subject)
    }
}
