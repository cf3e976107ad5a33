//! What every cache does, in one process or in several.

use super::eventually;
use crate::storage::cache::Cache;
use bytes::Bytes;
use std::time::Duration;

/// How long entries of the checks live that are to stay.
const LONG: Duration = Duration::from_secs(60);

/// Checks that a cache behaves like every other one.
pub async fn check_cache(cache: &dyn Cache) {
    assert_eq!(cache.get("user:1").await, None);
    cache.put("user:1", Bytes::from_static(b"\x00one"), LONG).await;
    cache.put("user:2", Bytes::from_static(b"two"), LONG).await;
    assert_eq!(cache.get("user:1").await.as_deref(), Some(b"\x00one".as_slice()));
    cache.put("user:1", Bytes::new(), LONG).await;
    assert_eq!(cache.get("user:1").await.as_deref(), Some(b"".as_slice()));
    cache.remove("user:1").await;
    cache.remove("user:1").await;
    assert_eq!(cache.get("user:1").await, None);
    assert_eq!(cache.get("user:2").await.as_deref(), Some(b"two".as_slice()));
    cache.put("user:3", Bytes::from_static(b"three"), Duration::from_millis(20)).await;
    let left = async || cache.get("user:3").await;
    eventually("an entry is forgotten when its time is over", left, Option::is_none).await;
}
