//! What a call to Redis returns, and how soon, when Redis is not there, does not answer, or has lost its memory.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod redis {
    mod kinds;
    mod shared;
}

use kit::{
    Clock,
    redis::{COMMAND_LIMIT, Redis, RedisError, Script, Value, listen_to},
    storage::position::{Circle, Position, PositionIndex},
    storage::shared_position::SharedPositions,
    testing::{RedisServer, eventually, positions::check_position_index, start},
    values::coordinates::Coordinates,
};
use std::time::{Duration, Instant};

/// What a machine that is busy with other tests may add to a bound.
const BUSY_MACHINE: Duration = Duration::from_millis(700);
const PARIS: Coordinates = Coordinates { lat: 48.86, lng: 2.34 };
/// How soon calls succeed after Redis is back.
const SOON: Duration = Duration::from_secs(2);

async fn count(redis: &Redis) -> Result<i64, RedisError> {
    redis.command("INCR", "n", vec!["n".into()]).await
}

/// Waits until a call succeeds, and returns how long that took.
async fn time_to_success(redis: &Redis) -> Duration {
    let start = Instant::now();
    let call = async || count(redis).await;
    eventually("a call succeeds", call, Result::is_ok).await.unwrap();
    start.elapsed()
}

/// Calls once, which fails within the bound.
async fn fail_soon(redis: &Redis) -> RedisError {
    let start = Instant::now();
    let error = count(redis).await.unwrap_err();
    let took = start.elapsed();
    assert!(took < COMMAND_LIMIT + BUSY_MACHINE, "{error} after {took:?}");
    error
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_connection_a_call_fails_at_once_and_never_happens() {
    let mut server = RedisServer::start().await;
    let redis = server.connect();
    time_to_success(&redis).await;
    server.kill();
    let away = async || fail_soon(&redis).await;
    let is_away = |error: &RedisError| matches!(error, RedisError::Away(_));
    eventually("the connection is gone", away, is_away).await;
    let mut waited = 0;
    for _ in 0..1_000 {
        let error = fail_soon(&redis).await;
        waited += usize::from(!is_away(&error));
    }
    // One that the client sends at the moment at which it connects again may have to wait.
    assert!(waited <= 3, "{waited} calls waited");
    server.restart().await;
    let back = time_to_success(&redis).await;
    assert!(back < SOON + BUSY_MACHINE, "{back:?}");
    let value: i64 = redis.command("GET", "n", vec!["n".into()]).await.unwrap();
    assert!(value <= 3, "{value}: what failed while Redis was away does not happen later");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_starts_before_redis_finds_it_later() {
    let mut server = RedisServer::absent(None);
    let redis = server.connect();
    for _ in 0..10 {
        assert!(matches!(fail_soon(&redis).await, RedisError::Away(_)));
    }
    server.restart().await;
    let found = time_to_success(&redis).await;
    assert!(found < SOON + BUSY_MACHINE, "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_redis_costs_three_calls_their_time_and_the_others_nothing() {
    let server = RedisServer::start().await;
    let redis = server.connect();
    time_to_success(&redis).await;
    server.freeze();
    let (start, mut timed_out, mut held_back) = (Instant::now(), 0_u32, 0_u32);
    while start.elapsed() < Duration::from_secs(5) {
        match fail_soon(&redis).await {
            RedisError::TimedOut(_) => timed_out += 1,
            RedisError::HeldBack | RedisError::Away(_) => held_back += 1,
            other => panic!("{other}"),
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    // Three, then one a second at most.
    assert!((3..=9).contains(&timed_out), "{timed_out} calls waited");
    assert!(held_back > 100, "{held_back} calls did not wait");
    server.thaw();
    let back = time_to_success(&redis).await;
    assert!(back < SOON + BUSY_MACHINE, "{back:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_calls_than_the_bound_are_refused_at_once() {
    let server = RedisServer::start().await;
    let redis = server.connect();
    time_to_success(&redis).await;
    server.freeze();
    let calls = (0..1_000).map(|_| fail_soon(&redis));
    let errors = futures::future::join_all(calls).await;
    let busy = errors.iter().filter(|error| matches!(error, RedisError::Busy)).count();
    assert_eq!(busy, 1_000 - 256);
    server.thaw();
    time_to_success(&redis).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_an_error_and_never_a_wait() {
    let server = RedisServer::start_with(Some("right-one")).await;
    let wrong = Redis::connect(&server.url().replace("right-one", "wrong-one")).unwrap();
    for _ in 0..20 {
        let error = fail_soon(&wrong).await.to_string();
        assert!(!error.contains("wrong-one"), "{error}");
    }
    time_to_success(&server.connect()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_that_the_server_has_forgotten_is_sent_again() {
    let server = RedisServer::start().await;
    let redis = server.connect();
    time_to_success(&redis).await;
    let script = Script::from_lua("return redis.call('INCRBY', KEYS[1], ARGV[1])");
    for expected in [3, 6] {
        let keys = vec!["sum".to_owned()];
        let sum: i64 = redis.run_script(&script, keys, vec![Value::from(3)]).await.unwrap();
        assert_eq!(sum, expected);
        redis.command::<String>("SCRIPT", "", vec!["FLUSH".into()]).await.unwrap();
    }
    server.flush().await;
    let refused = redis.command::<i64>("XGROUP", "s", vec!["CREATE".into(), "s".into()]).await;
    assert!(refused.unwrap_err().has_code("ERR"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_hears_again_after_a_restart() {
    let mut server = RedisServer::start().await;
    let redis = server.connect();
    let mut messages = listen_to(&redis, "news");
    for _ in 0..2 {
        let publish = async || {
            let args = vec!["news".into(), "fresh".into()];
            redis.command::<i64>("PUBLISH", "news", args).await.unwrap_or(0)
        };
        eventually("it is heard", publish, |heard| *heard == 1).await;
        let message = messages.recv().await.unwrap();
        assert_eq!(message.value.as_string().as_deref(), Some("fresh"));
        server.restart().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shared_index_behaves_as_every_position_index() {
    let server = RedisServer::start().await;
    let (redis, clock) = (server.connect(), Clock::manual(start()));
    time_to_success(&redis).await;
    check_position_index(&*SharedPositions::new(redis, clock.clone()), &clock).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_share_positions_and_each_has_its_own_while_redis_is_away() {
    let mut server = RedisServer::start().await;
    let clock = Clock::manual(start());
    let (one, other) = (server.connect(), server.connect());
    time_to_success(&one).await;
    time_to_success(&other).await;
    let (one, other) =
        (SharedPositions::new(one, clock.clone()), SharedPositions::new(other, clock.clone()));
    let position = Position { id: uuid::Uuid::new_v4(), place: PARIS, at: clock.now() };
    let circle = Circle { centre: PARIS, radius_m: 1_000.0 };
    one.put("cars", &[position]).await.unwrap();
    assert_eq!(other.near("cars", circle, clock.now(), 10).await.unwrap().len(), 1);
    server.kill();
    assert_eq!(one.near("cars", circle, clock.now(), 10).await.unwrap().len(), 1);
    assert!(other.near("cars", circle, clock.now(), 10).await.unwrap().is_empty());
}

#[test]
fn a_url_that_is_none_is_refused_without_being_repeated() {
    for url in ["", "hunter2", "postgres://somebody:hunter2@db.example"] {
        let error = Redis::connect(url).err().map(|error| error.to_string());
        let error = error.unwrap_or_else(|| panic!("{url} is taken"));
        assert!(!error.contains("hunter2"), "{error}");
    }
}
