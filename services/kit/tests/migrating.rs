//! Migrations of several processes at a time, on both engines.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use kit::testing::{Backend, World};
use sea_orm::{ConnectOptions, ConnectionTrait, Database};
use std::time::Duration;
use yare::parameterized;

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn processes_that_start_together_migrate_once(backend: Backend) {
    let world = World::new(backend).await;
    let host = world.host.of("cleaning");
    let boots = futures::future::join_all((0..8).map(|_| host.migrate())).await;
    boots.into_iter().for_each(|boot| boot.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_waits_for_one_that_has_begun_on_the_same_file() {
    let world = World::new(Backend::Sqlite).await;
    let host = world.host.of("cleaning");
    // Another process has the file, whose journal is still as SQLite makes it.
    let mut options = ConnectOptions::new(&host.database_config().url);
    options.max_connections(1);
    let other = Database::connect(options).await.unwrap();
    other.execute_unprepared("BEGIN IMMEDIATE").await.unwrap();
    other.execute_unprepared("CREATE TABLE another (id INTEGER)").await.unwrap();
    let mut migrating = tokio::spawn(async move { host.migrate().await });
    let early = tokio::time::timeout(Duration::from_millis(500), &mut migrating).await;
    assert!(early.is_err(), "it did not wait: {early:?}");
    other.execute_unprepared("COMMIT").await.unwrap();
    migrating.await.unwrap().unwrap();
}
