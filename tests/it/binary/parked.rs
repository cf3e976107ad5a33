//! `quickserve events parked`: an operator looks at the events that a service could not take, and decides on them.

use super::program::{Home, Program};
use chrono::Duration;
use kit::{
    Clock, Db, Error, Event,
    messaging::bus::Consumer,
    messaging::subscription::{MAX_ATTEMPTS, Subscription},
    testing::{Backend, eventually},
};
use prost::Message;
use proto::quickserve::user::v1::UserEvent;
use std::sync::Arc;
use uuid::Uuid;
use yare::parameterized;

const BROKEN: Uuid = Uuid::from_u128(1);
const MENDED: Uuid = Uuid::from_u128(2);

/// A consumer with a fault that the running program does not have.
struct Faulty;

#[tonic::async_trait]
impl Consumer for Faulty {
    fn wants(&self, _: &str) -> bool {
        true
    }

    async fn consume(&self, _: &Event) -> Result<(), Error> {
        Err(Error::internal("a fault"))
    }
}

fn event(aggregate: Uuid, seq: i64, data: Vec<u8>) -> Event {
    Event {
        id: Uuid::new_v4(),
        source: "user".to_owned(),
        kind: "user.erased".to_owned(),
        aggregate,
        seq,
        occurred_at: Clock::system().now(),
        actor: String::new(),
        traceparent: String::new(),
        data,
        only_for: None,
    }
}

/// Parks events for notification, before the program runs. Of the broken aggregate the first can never be read.
async fn park(home: &Home) -> Vec<Event> {
    home.run(&["migrate"]).await.ok();
    let clock = Clock::manual(Clock::system().now());
    let db = Db::connect(&home.database("notification"), clock.clone()).await.unwrap();
    let readable = |id: Uuid| UserEvent { user_id: id.to_string() }.encode_to_vec();
    let events = vec![
        event(BROKEN, 1, vec![0xFF]),
        event(BROKEN, 2, readable(BROKEN)),
        event(MENDED, 1, readable(MENDED)),
    ];
    let subscription = Subscription::new("notification", Some(db), Arc::new(Faulty));
    for event in &events {
        subscription.take(event).await.unwrap();
    }
    for _ in 1..MAX_ATTEMPTS {
        clock.advance(Duration::minutes(10));
        subscription.retry_due().await.unwrap();
    }
    events
}

/// Runs a command of `events parked` for notification.
async fn parked(home: &Home, program: &Program, args: &[&str]) -> Result<String, String> {
    let peer = format!("notification=http://{}", program.grpc["notification"]);
    let args = [&["events", "parked"], args, &["--peer", &peer]].concat();
    let ended = home.run(&args).await;
    if ended.status.success() { Ok(ended.stdout) } else { Err(ended.stderr) }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn parked_events_are_listed_tried_again_and_dropped(backend: Backend) {
    let home = Home::new(backend).await;
    let events = park(&home).await;
    let program = home.start().await;
    let list = async || parked(&home, &program, &["list"]).await.unwrap();
    let listed = list().await;
    let lines: Vec<&str> = listed.lines().collect();
    assert_eq!(lines.len(), 3, "{listed}");
    for (line, event) in lines.iter().zip(&events) {
        assert!(line.contains(&event.id.to_string()), "{listed}");
    }
    assert!(lines[0].contains("12 tries: a fault"), "{listed}");
    assert!(lines[1].contains("waits behind the one before"), "{listed}");

    // The program can take the one that only the faulty consumer could not.
    let mended = MENDED.to_string();
    let retried = parked(&home, &program, &["retry", "--aggregate", &mended]).await.unwrap();
    assert!(retried.contains("1 aggregates"), "{retried}");
    eventually("it is taken", list, |listed| !listed.contains(&mended)).await;

    // The other one is parked again.
    parked(&home, &program, &["retry"]).await.unwrap();
    eventually("it is tried", list, |listed| listed.contains("13 tries")).await;

    let (first, second) = (events[0].id.to_string(), events[1].id.to_string());
    let drop = async |id: &str| {
        let reason = ["--reason", "it was never written right"];
        let args = [&["drop", "--service", "notification", id][..], &reason].concat();
        parked(&home, &program, &args).await
    };
    let refused = drop(&second).await.unwrap_err();
    assert!(refused.contains("drop the first of its aggregate"), "{refused}");
    drop(&first).await.unwrap();
    eventually("what waited behind it is taken", list, String::is_empty).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_keys_of_the_running_system_the_command_says_so() {
    let home = Home::new(Backend::Sqlite).await;
    let ended = home.run(&["events", "parked", "list"]).await;
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.stderr.contains("--data-dir must name the data folder"), "{}", ended.stderr);
}
