//! The cache of several processes, in Redis. What a process has read or written in the last second it finds in its own
//! memory. While Redis is away, that second is all there is.

use crate::{
    redis::{Redis, Value},
    storage::cache::{Cache, LocalCache},
};
use async_trait::async_trait;
use bytes::Bytes;
use std::{sync::Arc, time::Duration};

/// How long a process may go on with what another one has changed.
const FRONT: Duration = Duration::from_secs(1);

/// A cache that processes share.
pub struct SharedCache {
    redis: Redis,
    front: Arc<LocalCache>,
}

impl SharedCache {
    /// The cache in `redis`, with at most `bytes` bytes of keys and values in front of it.
    pub fn new(redis: Redis, bytes: u64) -> Arc<Self> {
        Arc::new(Self { redis, front: LocalCache::new(bytes) })
    }
}

/// The keys of the cache in Redis; those of a service begin with its name.
fn in_redis(key: &str) -> String {
    format!("qs:c:{key}")
}

#[async_trait]
impl Cache for SharedCache {
    async fn get(&self, key: &str) -> Option<Bytes> {
        if let Some(value) = self.front.get(key).await {
            return Some(value);
        }
        let shared = in_redis(key);
        // A miss is always allowed.
        let answer = self.redis.command("GET", &shared, vec![shared.clone().into()]).await.ok()?;
        let value = match answer {
            Value::Null => return None,
            found => found.into_bytes()?,
        };
        self.front.put(key, value.clone(), FRONT).await;
        Some(value)
    }

    async fn put(&self, key: &str, value: Bytes, ttl: Duration) {
        self.front.put(key, value.clone(), ttl.min(FRONT)).await;
        let shared = in_redis(key);
        let ms = i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX).max(1);
        let args = vec![shared.clone().into(), Value::Bytes(value), "PX".into(), ms.into()];
        // What is not kept is read again.
        let _ = self.redis.command::<Value>("SET", &shared, args).await;
    }

    async fn remove(&self, key: &str) {
        self.front.remove(key).await;
        let shared = in_redis(key);
        if let Err(error) =
            self.redis.command::<i64>("DEL", &shared, vec![shared.clone().into()]).await
        {
            // The key may be named after an account.
            tracing::debug!(%error, "an outdated value stays in the shared cache until its time is over");
        }
    }
}
