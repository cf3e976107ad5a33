//! What processes share through Redis, and what each of them does by itself while Redis is away.

use super::super::{BUSY_MACHINE, time_to_success};
use bytes::Bytes;
use kit::{
    messaging::wake_ups::WakeUps,
    redis::COMMAND_LIMIT,
    storage::{cache::Cache, shared_cache::SharedCache},
    testing::{RedisServer, caches::check_cache, eventually},
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::broadcast::{Receiver, error::TryRecvError};
use uuid::Uuid;

const LONG: Duration = Duration::from_secs(60);
const KEY: &str = "user:1";

async fn cache(server: &RedisServer) -> Arc<SharedCache> {
    let redis = server.connect();
    time_to_success(&redis).await;
    SharedCache::new(redis, 1 << 20)
}

async fn sees(cache: &SharedCache, expected: Option<&'static str>) {
    let value = async || cache.get(KEY).await;
    let is_expected = |value: &Option<Bytes>| value.as_deref() == expected.map(str::as_bytes);
    eventually("the cache has it", value, is_expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shared_cache_behaves_as_every_cache() {
    let server = RedisServer::start().await;
    check_cache(&*cache(&server).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_share_what_they_keep_and_what_they_remove() {
    let mut server = RedisServer::start().await;
    let (one, other) = (cache(&server).await, cache(&server).await);
    one.put(KEY, Bytes::from_static(b"old"), LONG).await;
    sees(&other, Some("old")).await;
    one.put(KEY, Bytes::from_static(b"new"), LONG).await;
    sees(&other, Some("new")).await;
    one.remove(KEY).await;
    sees(&other, None).await;
    one.put(KEY, Bytes::from_static(b"lost"), LONG).await;
    server.restart().await;
    // A miss is always allowed, and the next one who reads keeps it again.
    sees(&one, None).await;
    let again = async || {
        one.put(KEY, Bytes::from_static(b"again"), LONG).await;
        other.get(KEY).await
    };
    eventually("they share again", again, Option::is_some).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_without_an_answer_is_a_miss_and_soon() {
    let mut server = RedisServer::start().await;
    let (one, other) = (cache(&server).await, cache(&server).await);
    one.put(KEY, Bytes::from_static(b"x"), LONG).await;
    server.freeze();
    let begun = Instant::now();
    for n in 0..1_000 {
        assert_eq!(other.get(&format!("user:{n}")).await, None);
    }
    let most = COMMAND_LIMIT * 6 + BUSY_MACHINE * 2;
    assert!(begun.elapsed() < most, "{:?}", begun.elapsed());
    server.thaw();
    server.kill();
    sees(&other, None).await;
    // What a process has just kept it finds by itself.
    one.put(KEY, Bytes::from_static(b"own"), LONG).await;
    assert_eq!(one.get(KEY).await.as_deref(), Some(b"own".as_slice()));
}

/// The ids of a subject in a process of its own.
async fn wake_ups(server: &RedisServer) -> (WakeUps, Receiver<Arc<[Uuid]>>) {
    let redis = server.connect();
    time_to_success(&redis).await;
    let wake_ups = WakeUps::shared(&redis, "notification:inbox");
    let woken = wake_ups.subscribe();
    (wake_ups, woken)
}

/// Wakes until a reader hears of this id: a wake-up may be lost.
async fn reaches(wake_ups: &WakeUps, id: Uuid, reader: &mut Receiver<Arc<[Uuid]>>) {
    let mut readers = [reader];
    let heard = async || {
        wake_ups.wake([id]);
        tokio::time::timeout(Duration::from_millis(200), readers[0].recv()).await.ok()
    };
    let is_heard =
        |heard: &Option<Result<Arc<[Uuid]>, _>>| matches!(heard, Some(Ok(ids)) if ids[..] == [id]);
    eventually("a wake-up is heard", heard, is_heard).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wake_ups_reach_every_process_and_their_own_once() {
    let mut server = RedisServer::start().await;
    let (one, mut at_one) = wake_ups(&server).await;
    let (_other, mut at_other) = wake_ups(&server).await;
    let id = Uuid::new_v4();
    reaches(&one, id, &mut at_other).await;
    server.restart().await;
    reaches(&one, id, &mut at_other).await;
    // While Redis is away, those of the same process are woken.
    server.kill();
    while at_one.try_recv().is_ok() {}
    one.wake([id]);
    assert_eq!(at_one.try_recv().unwrap()[..], [id]);
    assert!(matches!(at_one.try_recv(), Err(TryRecvError::Empty)));
}

#[tokio::test]
async fn wake_ups_of_a_process_wake_those_who_wait_there() {
    let wake_ups = WakeUps::local();
    let mut woken = wake_ups.subscribe();
    let ids = [Uuid::new_v4(), Uuid::new_v4()];
    wake_ups.wake(ids);
    wake_ups.wake([]);
    assert_eq!(woken.try_recv().unwrap()[..], ids);
    assert!(matches!(woken.try_recv(), Err(TryRecvError::Empty)));
}
