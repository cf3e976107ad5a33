//! A database that has no room left says so, with a time to come back.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use kit::{
    Db, Error,
    rpc::error::{reason_of, status_of},
    testing::{Backend, World},
};
use sea_orm::ConnectionTrait;
use tonic::Code;
use tonic_types::StatusExt;

#[tokio::test]
async fn a_full_database_is_unavailable_for_a_while() {
    let world = World::new(Backend::Sqlite).await;
    let host = world.host.of("user");
    host.migrate().await.unwrap();
    let db = Db::connect(&host.database_config(), world.clock.clone()).await.unwrap();
    let tx = db.begin().await.unwrap();
    // No page more than there are, as on a disk that is full.
    tx.execute_unprepared("PRAGMA max_page_count = 1").await.unwrap();
    let long = "x".repeat(100_000);
    let insert = format!("INSERT INTO inbox VALUES ('test', '{long}', 'now')");
    let error = Error::from(tx.execute_unprepared(&insert).await.unwrap_err());
    let status = status_of(&error);
    assert_eq!((status.code(), reason_of(&status).as_str()), (Code::Unavailable, "DATABASE_FULL"));
    let after = status.get_details_retry_info().unwrap().retry_delay.unwrap();
    assert!(after.as_secs() > 0);
}
