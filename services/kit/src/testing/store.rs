//! Where a test keeps its data: a folder and, on PostgreSQL, a database. Both go when the test ends.

use crate::program::host::Storage;
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DbErr};
use std::path::Path;
use tempfile::TempDir;
use uuid::Uuid;

/// The variable that names the PostgreSQL server to test on; the test command sets it.
pub const POSTGRES_URL: &str = "QS_TEST_POSTGRES_URL";

/// A database engine to test on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// A file in a folder of the test's own.
    Sqlite,
    /// A database of the test's own.
    Postgres,
}

impl Backend {
    /// Both engines: whatever touches a table is tested on each.
    pub const ALL: [Self; 2] = [Self::Sqlite, Self::Postgres];

    /// An empty store of that engine.
    pub async fn store(self) -> TestStore {
        let folder = tempfile::tempdir().expect("a folder");
        let database = match self {
            Self::Sqlite => None,
            Self::Postgres => Some(TestDatabase::create().await),
        };
        TestStore { database, folder }
    }
}

/// An empty folder and, on PostgreSQL, an empty database. Dropping it removes both, whoever is still connected.
pub struct TestStore {
    database: Option<TestDatabase>,
    folder: TempDir,
}

impl TestStore {
    /// The folder: SQLite's files are in it, and keys.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The database on the test server; none on SQLite.
    pub fn database_url(&self) -> Option<String> {
        self.database.as_ref().map(|database| format!("{}/{}", database.server, database.name))
    }

    /// Where services keep their tables.
    pub fn storage(&self) -> Storage {
        match self.database_url() {
            Some(url) => Storage::Postgres(url),
            None => Storage::Sqlite(self.folder().to_owned()),
        }
    }
}

/// A database on the test server. A thousand tests that left theirs behind would fill the disk.
struct TestDatabase {
    server: String,
    name: String,
}

impl TestDatabase {
    async fn create() -> Self {
        let server = std::env::var(POSTGRES_URL)
            .expect("QS_TEST_POSTGRES_URL names no server: use the README's test command");
        let name = format!("test_{}", Uuid::new_v4().simple());
        execute(&server, &format!("CREATE DATABASE {name}")).await.expect("a database of its own");
        Self { server, name }
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        // The test's own runtime may be ending, and cannot be waited for from here.
        let removal = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let statement = format!("DROP DATABASE IF EXISTS {name} (FORCE)");
            runtime.block_on(execute(&server, &statement)).map_err(std::io::Error::other)
        });
        match removal.join() {
            Ok(Ok(())) => {}
            Ok(Err(error)) => eprintln!("the database {} stays: {error}", self.name),
            Err(_) => eprintln!("the database {} stays: its removal panicked", self.name),
        }
    }
}

/// Runs one statement on the test server, outside of any test's database.
async fn execute(server: &str, statement: &str) -> Result<(), DbErr> {
    let mut options = ConnectOptions::new(format!("{server}/postgres"));
    options.max_connections(1).sqlx_logging(false);
    let connection = Database::connect(options).await?;
    connection.execute_unprepared(statement).await?;
    connection.close().await
}
