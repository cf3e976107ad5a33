//! The cache: what is read often and changes rarely. It is never the truth, and a miss is always allowed.

use async_trait::async_trait;
use bytes::Bytes;
use std::{sync::Arc, time::Duration};

/// Keeps bytes by key for a while.
#[async_trait]
pub trait Cache: Send + Sync {
    /// The value of `key`, if it is still there.
    async fn get(&self, key: &str) -> Option<Bytes>;

    /// Keeps `value` under `key` for at most `ttl`.
    async fn put(&self, key: &str, value: Bytes, ttl: Duration);

    /// Forgets the value of `key`, if there is one.
    async fn remove(&self, key: &str);
}

/// A cache within the process, bounded in bytes.
pub struct LocalCache {
    entries: moka::future::Cache<String, (Bytes, Duration)>,
}

/// Each entry lives as long as it was put for.
struct OwnTtl;

impl moka::Expiry<String, (Bytes, Duration)> for OwnTtl {
    fn expire_after_create(
        &self,
        _: &String,
        (_, ttl): &(Bytes, Duration),
        _: std::time::Instant,
    ) -> Option<Duration> {
        Some(*ttl)
    }

    fn expire_after_update(
        &self,
        _: &String,
        (_, ttl): &(Bytes, Duration),
        _: std::time::Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(*ttl)
    }
}

impl LocalCache {
    /// A cache that keeps about `bytes` bytes of keys and values.
    pub fn new(bytes: u64) -> Arc<Self> {
        let entries = moka::future::Cache::builder()
            .max_capacity(bytes)
            .weigher(|key: &String, (value, _): &(Bytes, Duration)| {
                u32::try_from(key.len() + value.len()).unwrap_or(u32::MAX)
            })
            .expire_after(OwnTtl)
            .build();
        Arc::new(Self { entries })
    }
}

#[async_trait]
impl Cache for LocalCache {
    async fn get(&self, key: &str) -> Option<Bytes> {
        self.entries.get(key).await.map(|(value, _)| value)
    }

    async fn put(&self, key: &str, value: Bytes, ttl: Duration) {
        self.entries.insert(key.to_owned(), (value, ttl)).await;
    }

    async fn remove(&self, key: &str) {
        self.entries.invalidate(key).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::caches::check_cache;

    #[tokio::test]
    async fn the_cache_of_a_process_behaves_as_every_cache() {
        check_cache(&*LocalCache::new(1 << 20)).await;
    }
}
