//! A Redis that takes no writes, and the limits that are kept in one.

use super::super::{BUSY_MACHINE, SOON, count, time_to_success};
use kit::{
    redis::{
        Redis, Value,
        buckets::{BucketQuota, SharedBuckets},
    },
    testing::{RedisServer, eventually},
};
use std::time::Duration;

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

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_gives_what_it_has_and_fills_again() {
    let server = RedisServer::start().await;
    let redis = server.connect();
    time_to_success(&redis).await;
    let buckets = SharedBuckets::new(redis, "client");
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
}
