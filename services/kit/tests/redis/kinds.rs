//! A Redis that takes no writes, and one that is a cluster.

use super::super::{BUSY_MACHINE, SOON, count, time_to_success};
use kit::{
    messaging::wake_ups::WakeUps,
    redis::{
        Redis, Value,
        buckets::{BucketQuota, SharedBuckets},
    },
    storage::shared_cache::SharedCache,
    testing::{RedisServer, caches::check_cache, eventually},
};
use std::time::Duration;
use uuid::Uuid;

/// Has the server follow a primary that is not there, or none.
async fn replicate(redis: &Redis, primary: [&str; 2]) {
    let args = primary.map(Value::from).to_vec();
    let told = async || redis.command::<String>("REPLICAOF", "", args.clone()).await;
    eventually("the server is told", told, Result::is_ok).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_has_become_a_replica_is_an_error_until_it_takes_writes_again() {
    let server = RedisServer::start().await;
    let (redis, operator) = (server.connect(), server.connect());
    time_to_success(&redis).await;
    replicate(&operator, ["127.0.0.1", "1"]).await;
    let refused = async || count(&redis).await.unwrap_err();
    eventually("a write is refused", refused, |error| error.has_code("READONLY")).await;
    replicate(&operator, ["NO", "ONE"]).await;
    let back = time_to_success(&redis).await;
    assert!(back < SOON + BUSY_MACHINE, "{back:?}");
}

/// Everything that is kept in Redis has keys of one slot at a time.
#[tokio::test(flavor = "multi_thread")]
async fn what_processes_share_works_on_a_cluster() {
    let server = RedisServer::start_cluster().await;
    let redis = server.connect();
    time_to_success(&redis).await;
    check_cache(&*SharedCache::new(redis.clone(), 1 << 20)).await;
    let buckets = SharedBuckets::new(redis.clone(), "client");
    let quota = BucketQuota { tokens: 2, window: Duration::from_secs(3_600) };
    for remaining in [1, 0] {
        let taken = buckets.take("ana", quota, 1).await.unwrap();
        assert_eq!((taken.remaining, taken.wait), (remaining, None));
    }
    assert!(buckets.take("ana", quota, 1).await.unwrap().wait.is_some());
    assert_eq!(buckets.take("bob", quota, 1).await.unwrap().remaining, 1);
    buckets.take("ana", quota, -1).await.unwrap();
    assert_eq!(buckets.take("ana", quota, 1).await.unwrap().wait, None);
    buckets.fill("ana").await.unwrap();
    assert_eq!(buckets.take("ana", quota, 1).await.unwrap().remaining, 1);
    // Of more than there is, all is taken.
    assert!(buckets.take("ana", quota, 5).await.unwrap().wait.is_some());
    assert!(buckets.take("ana", quota, 1).await.unwrap().wait.is_some());
    let one = WakeUps::shared(&redis, "inbox");
    let other = WakeUps::shared(&server.connect(), "inbox");
    let (id, mut woken) = (Uuid::new_v4(), other.subscribe());
    let mut heard = false;
    while !heard {
        one.wake([id]);
        heard = tokio::time::timeout(Duration::from_millis(200), woken.recv()).await.is_ok();
    }
}
