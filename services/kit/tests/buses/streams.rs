//! What Redis brings with it: it is away, it has lost everything, several processes publish.

use super::stage::{Kind, Stage};
use kit::{
    redis::{Redis, Value},
    testing::{Backend, eventually},
};
use uuid::Uuid;
use yare::parameterized;

fn some_aggregates() -> Vec<Uuid> {
    (0..12).map(|_| Uuid::new_v4()).collect()
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn after_redis_has_lost_everything_all_that_is_kept_is_published_again(backend: Backend) {
    let stage = Stage::new(Kind::Streams, backend).await;
    let aggregates = some_aggregates();
    let early = stage.join("order").await;
    stage.publish();
    stage.record(&aggregates, 1..=5).await;
    early.has_taken(&aggregates, 5).await;
    stage.is_published().await;
    stage.redis.as_ref().unwrap().flush().await;
    // This one had no chance to see them before.
    let late = stage.join("provider").await;
    late.has_taken(&aggregates, 5).await;
    stage.record(&aggregates, 6..=7).await;
    early.has_taken(&aggregates, 7).await;
    late.has_taken(&aggregates, 7).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_redis_is_away_events_wait_in_the_outbox() {
    let mut stage = Stage::new(Kind::Streams, Backend::Postgres).await;
    let aggregates = some_aggregates();
    let consumer = stage.join("order").await;
    stage.publish();
    stage.record(&aggregates, 1..=2).await;
    consumer.has_taken(&aggregates, 2).await;
    stage.redis.as_mut().unwrap().kill();
    stage.record(&aggregates, 3..=4).await;
    assert_eq!(consumer.taken_of(aggregates[0]), [1, 2]);
    stage.redis.as_mut().unwrap().restart().await;
    consumer.has_taken(&aggregates, 4).await;
    stage.redis.as_ref().unwrap().freeze();
    stage.record(&aggregates, 5..=6).await;
    stage.redis.as_ref().unwrap().thaw();
    consumer.has_taken(&aggregates, 6).await;
    stage.is_published().await;
}

/// Publishers of one service at the same time, on an outbox that none of them can claim at once.
#[tokio::test(flavor = "multi_thread")]
async fn several_relays_of_a_service_keep_the_order() {
    let stage = Stage::new(Kind::Streams, Backend::Postgres).await;
    let aggregates: Vec<Uuid> = (0..3).map(|_| Uuid::new_v4()).collect();
    let consumer = stage.join("order").await;
    stage.record(&aggregates, 1..=150).await;
    for _ in 0..4 {
        stage.publish();
    }
    consumer.has_taken(&aggregates, 150).await;
}

/// The value of a metric of the consumer that the test has.
fn metric(name: &str) -> Option<f64> {
    let all = kit::program::metrics::encode();
    let of = format!("{name}{{consumer=\"order\",source=\"user\"}} ");
    all.lines().find_map(|line| line.strip_prefix(&of)?.parse().ok())
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_tell_how_far_a_consumer_is_behind() {
    let stage = Stage::new(Kind::Streams, Backend::Sqlite).await;
    let aggregates = some_aggregates();
    let consumer = stage.join("order").await;
    stage.publish();
    stage.record(&aggregates, 1..=1).await;
    consumer.has_taken(&aggregates, 1).await;
    let bus = stage.bus();
    let lag = async || {
        let _ = bus.maintain("user").await;
        metric("events_lag")
    };
    eventually("nothing is left", lag, |lag| *lag == Some(0.0)).await;
    assert_eq!(metric("events_oldest_age_seconds"), Some(0.0));
    // Its database is away, so that nothing takes effect.
    consumer.db().clone().close().await.unwrap();
    stage.record(&aggregates, 2..=2).await;
    eventually("all of them wait", lag, |lag| *lag == Some(12.0)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_with_another_number_of_partitions_are_left_alone() {
    let stage = Stage::new(Kind::Streams, Backend::Sqlite).await;
    let redis = stage.redis.as_ref().unwrap().connect();
    let key = "qs:{user}:facts";
    let set = async || {
        let args = vec![key.into(), "16 another".into()];
        redis.command::<String>("SET", key, args).await
    };
    eventually("the key is set", set, Result::is_ok).await.unwrap();
    let bus = stage.bus();
    let refused = async || match bus.open_round("user").await {
        Ok(round) => panic!("{round:?}"),
        Err(error) => error.to_string(),
    };
    let says_why = |error: &String| error.contains("16 partitions and this program writes 8");
    eventually("it is refused", refused, says_why).await;
}

/// Redis forgets whole nodes of so many entries.
const NODE: i64 = 100;

/// Has a consumer of the stream read `count` entries, and acknowledge them or not. The first entry is the oldest.
async fn read(
    redis: &Redis,
    stream: &str,
    group: &str,
    entries: std::ops::RangeInclusive<i64>,
    done: bool,
) {
    let count = entries.end() - entries.start() + 1;
    let args = ["GROUP", group, "reader", "COUNT"].map(Value::from).into_iter();
    let args = args.chain([count.into(), "STREAMS".into(), stream.into(), ">".into()]).collect();
    let _: Value = redis.command("XREADGROUP", stream, args).await.unwrap();
    if done {
        let ids = entries.map(|entry| Value::from(format!("{entry}-0")));
        let args = [stream.into(), group.into()].into_iter().chain(ids).collect();
        assert_eq!(redis.command::<i64>("XACK", stream, args).await.unwrap(), count);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_keeps_what_its_slowest_consumer_has_not_taken() {
    let stage = Stage::new(Kind::Streams, Backend::Sqlite).await;
    let (redis, bus) = (stage.redis.as_ref().unwrap().connect(), stage.bus());
    let stream = "qs:{user}:facts:0";
    // All of them are older than a day: what the streams keep in any case.
    for entry in 1..=5 * NODE {
        let args = vec![stream.into(), format!("{entry}-0").into(), "id".into(), "x".into()];
        let add = async || redis.command::<String>("XADD", stream, args.clone()).await;
        let is_added = |added: &Result<String, kit::redis::RedisError>| match added {
            Ok(_) => true,
            Err(error) => error.has_code("ERR"),
        };
        let _ = eventually("an entry is added", add, is_added).await;
    }
    for group in ["fast", "slow"] {
        let args = ["CREATE", stream, group, "0"].map(Value::from).to_vec();
        let _: Value = redis.command("XGROUP", stream, args).await.unwrap();
    }
    let left = async || {
        bus.maintain("user").await.unwrap();
        redis.command::<i64>("XLEN", stream, vec![stream.into()]).await.unwrap()
    };
    read(&redis, stream, "fast", 1..=5 * NODE, true).await;
    assert_eq!(left().await, 5 * NODE, "the slow one has read nothing");
    read(&redis, stream, "slow", 1..=2 * NODE, true).await;
    let after = left().await;
    assert!((3 * NODE..=4 * NODE).contains(&after), "{after}");
    read(&redis, stream, "slow", 2 * NODE + 1..=5 * NODE, false).await;
    let read_only = left().await;
    assert!(read_only >= 3 * NODE, "{read_only}: what it has read it may have to read again");
    let recent = vec![stream.into(), "*".into(), "id".into(), "x".into()];
    let _: String = redis.command("XADD", stream, recent).await.unwrap();
    let ids = (2 * NODE + 1..=5 * NODE).map(|entry| Value::from(format!("{entry}-0")));
    let args = [stream.into(), "slow".into()].into_iter().chain(ids).collect();
    let _: i64 = redis.command("XACK", stream, args).await.unwrap();
    let last = left().await;
    // The node of the last that was taken stays.
    assert!((1..=NODE + 1).contains(&last), "{last}");
}
