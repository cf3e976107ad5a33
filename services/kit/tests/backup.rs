//! The databases of a data folder are copied as they are at one moment, while services write to them.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use kit::{
    Clock, Db,
    storage::{backup::copy_databases, db::DbConfig},
    testing::{Backend, World, eventually},
};
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use std::{path::Path, time::Duration};
use tokio::task::JoinHandle;

/// Those that are copied first and last.
const FIRST: &str = "cleaning";
const LAST: &str = "user";

async fn open(folder: &Path, service: &str) -> Db {
    Db::connect(&DbConfig::sqlite(folder, service), Clock::system()).await.unwrap()
}

async fn count(db: &Db) -> i64 {
    let count = Statement::from_string(DbBackend::Sqlite, "SELECT count(*) FROM inbox");
    let row = db.connection().query_one_raw(count).await.unwrap().unwrap();
    row.try_get_by_index(0).unwrap()
}

/// Writes a row to the one, then a row to the other, and so on.
fn write_in_turn(first: Db, last: Db) -> JoinHandle<()> {
    tokio::spawn(async move {
        for number in 0.. {
            for db in [&first, &last] {
                let insert = format!("INSERT INTO inbox VALUES ('test', 'event {number}', 'now')");
                db.connection().execute_unprepared(&insert).await.unwrap();
            }
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn all_files_are_of_one_moment() {
    let world = World::new(Backend::Sqlite).await;
    for service in ["cleaning", "notification", "order", "payment", "provider", "user"] {
        world.host.of(service).migrate().await.unwrap();
    }
    let folder = world.host.data_dir();
    let (first, last) = (open(folder, FIRST).await, open(folder, LAST).await);
    let writing = write_in_turn(first.clone(), last.clone());
    let mut seen = 0;
    for _ in 0..6 {
        eventually("rows are written", async || count(&last).await, |rows| *rows > seen + 3).await;
        let place = tempfile::tempdir().unwrap();
        let copied = copy_databases(folder, place.path(), &world.clock).await.unwrap();
        assert_eq!(copied.databases.len(), 6);
        assert!(copied.writers_waited < Duration::from_secs(5), "{:?}", copied.writers_waited);
        let (ahead, behind) = (open(place.path(), FIRST).await, open(place.path(), LAST).await);
        let (ahead, behind) = (count(&ahead).await, count(&behind).await);
        assert!([behind, behind + 1].contains(&ahead), "{ahead} rows, then {behind}");
        seen = behind;
    }
    assert!(!writing.is_finished(), "a writer was refused");
    writing.abort();
}
