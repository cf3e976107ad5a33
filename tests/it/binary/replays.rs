//! `quickserve events replay`: services publish again what they have published, for consumers that have lost it.

use super::program::{Home, Program};
use chrono::Duration;
use kit::{
    Clock, Db,
    messaging::outbox,
    testing::{Backend, eventually},
};
use proto::quickserve::user::v1::UserEvent;
use sea_orm::ConnectionTrait;
use uuid::Uuid;
use yare::parameterized;

/// Leaves an event in the outbox of the user service that happened some hours ago.
async fn leave_event(home: &Home, hours: i64) {
    let clock = Clock::manual(Clock::system().now() - Duration::hours(hours));
    let db = Db::connect(&home.database("user"), clock).await.unwrap();
    let aggregate = Uuid::new_v4();
    let tx = db.begin().await.unwrap();
    let data = UserEvent { user_id: aggregate.to_string() };
    outbox::record_event(&tx, "user.erased", aggregate, 1, &data).await.unwrap();
    tx.commit().await.unwrap();
    db.close().await.unwrap();
}

/// Waits until both consumers of the event have taken so many, and nothing is left to publish.
async fn have_taken(home: &Home, notification: usize, provider: usize) {
    let counts = async || {
        let waiting = home.rows("user", "SELECT id FROM outbox WHERE state = 0").await.len();
        let taken = "SELECT event_id FROM inbox";
        let taken = (
            home.rows("notification", taken).await.len(),
            home.rows("provider", taken).await.len(),
        );
        (waiting, taken.0, taken.1)
    };
    let expected = (0, notification, provider);
    eventually("the consumers take their events", counts, |counts| *counts == expected).await;
}

/// Has both consumers lose what they know of events.
async fn forget(home: &Home) {
    for service in ["notification", "provider"] {
        let db = Db::connect(&home.database(service), Clock::system()).await.unwrap();
        db.connection().execute_unprepared("DELETE FROM inbox").await.unwrap();
        db.close().await.unwrap();
    }
}

async fn replay(home: &Home, program: &Program, options: &[&str]) -> String {
    let peer = format!("user=http://{}", program.grpc["user"]);
    let args = [&["events", "replay", "--source", "user", "--peer", &peer], options].concat();
    home.run(&args).await.ok()
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn events_of_the_last_while_are_published_again_for_one_consumer(backend: Backend) {
    let home = Home::new(backend).await;
    home.run(&["migrate"]).await.ok();
    leave_event(&home, 72).await;
    leave_event(&home, 1).await;
    let program = home.start().await;
    have_taken(&home, 2, 2).await;
    forget(&home).await;
    let options = ["--since", "48h", "--consumer", "notification"];
    let answer = replay(&home, &program, &options).await;
    assert_eq!(answer, "user publishes 1 events again\n");
    have_taken(&home, 1, 0).await;
    assert_eq!(replay(&home, &program, &[]).await, "user publishes 2 events again\n");
    have_taken(&home, 2, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_that_cannot_be_meant_is_refused() {
    let home = Home::new(Backend::Sqlite).await;
    for (option, value, why) in [
        ("--since", "soon", "soon is no duration"),
        ("--since", "0h", "0h is no duration"),
        ("--consumer", "nobody", "no service is called nobody"),
    ] {
        let ended = home.run(&["events", "replay", option, value]).await;
        assert_eq!(ended.status.code(), Some(2));
        assert!(ended.stderr.contains(why), "{}", ended.stderr);
    }
}
