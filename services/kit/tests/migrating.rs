//! Databases as processes find them: migrations of several processes at a time, on both engines, and what is refused.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use kit::{
    Db,
    testing::{Backend, World},
};
use sea_orm::{ConnectOptions, ConnectionTrait, Database};
use std::time::Duration;
use uuid::Uuid;
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

#[tokio::test]
async fn a_database_with_another_encoding_than_utf_8_is_refused() {
    let world = World::new(Backend::Postgres).await;
    let mut config = world.host.of("cleaning").database_config();
    let known = Database::connect(&config.url).await.unwrap();
    let name = format!("ascii_{}", Uuid::new_v4().simple());
    let make = format!(
        "CREATE DATABASE {name} TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'"
    );
    known.execute_unprepared(&make).await.unwrap();
    let server = config.url.rsplit_once('/').unwrap().0.to_owned();
    config.url = format!("{server}/{name}");
    let Err(refused) = Db::connect(&config, world.clock.clone()).await else {
        panic!("a database in SQL_ASCII was opened");
    };
    assert!(refused.to_string().contains("SQL_ASCII; make it anew with"), "{refused}");
    known.execute_unprepared(&format!("DROP DATABASE {name} (FORCE)")).await.unwrap();
}
