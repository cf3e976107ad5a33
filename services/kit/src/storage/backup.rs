//! A copy of the SQLite files of a data folder as they are at one moment, while services may write to them.

use crate::{
    program::clock::Clock,
    rpc::error::Error,
    storage::db::{Db, DbConfig, Tx},
    storage::files::{self, DatabaseFile, FileError},
};
use chrono::{DateTime, Utc};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, DbErr, Statement,
};
use std::{
    fs, io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Why the databases cannot be copied.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The folder has none.
    #[error("{0} has no databases: name the data folder of the system with --data-dir")]
    Nothing(String),
    /// One is missing or cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A database cannot be opened, locked or copied.
    #[error("{path} cannot be copied: {source}")]
    Database {
        /// The file that cannot be copied.
        path: String,
        /// Why SQLite refused.
        source: Error,
    },
    /// A copy is not sound.
    #[error("the copy {path} is damaged: {problem}")]
    Damaged {
        /// The file that is there already.
        path: String,
        /// What SQLite says of it.
        problem: String,
    },
    /// A copy cannot be written.
    #[error("{path} cannot be written: {source}")]
    Io {
        /// The file that cannot be written.
        path: String,
        /// Why the system refused.
        source: io::Error,
    },
}

/// The databases of a folder at one moment.
#[derive(Debug)]
pub struct Copied {
    /// The moment whose state every copy shows.
    pub at: DateTime<Utc>,
    /// How long services could not write, at most.
    pub writers_waited: Duration,
    /// The copies that were made, one for each database.
    pub databases: Vec<CopiedDatabase>,
}

/// A copy of one database.
#[derive(Debug)]
pub struct CopiedDatabase {
    /// The service whose tables it has.
    pub service: String,
    /// The file that holds the copy.
    pub path: PathBuf,
    /// How large the copy is, in bytes.
    pub bytes: u64,
    /// The last migration of its tables.
    pub schema: String,
}

/// Copies every database of `folder` into the folder `into`, which has none of them. All are locked before the first one
/// is copied, so that no service writes to any of them meanwhile: writers wait, readers do not.
pub async fn copy_databases(
    folder: &Path,
    into: &Path,
    clock: &Clock,
) -> Result<Copied, BackupError> {
    let services = files::list_services(folder)?;
    if services.is_empty() {
        return Err(BackupError::Nothing(folder.display().to_string()));
    }
    let mut sources = Vec::with_capacity(services.len());
    for service in services {
        sources.push(Source::open(folder, into, service, clock).await?);
    }
    // In the order of their names. No service holds one while it waits for another, so that this cannot block for ever.
    let mut locks = Vec::with_capacity(sources.len());
    let began = Instant::now();
    for source in &sources {
        locks.push(source.lock().await?);
    }
    let at = clock.now();
    let mut result = Ok(());
    for source in &sources {
        result = source.copy().await;
        if result.is_err() {
            break;
        }
    }
    // Nothing was written under the locks.
    drop(locks);
    let writers_waited = began.elapsed();
    result?;
    let mut databases = Vec::with_capacity(sources.len());
    for source in sources {
        databases.push(source.finish().await?);
    }
    Ok(Copied { at, writers_waited, databases })
}

/// A database to copy.
struct Source {
    service: String,
    db: Db,
    path: PathBuf,
    copy: PathBuf,
}

impl Source {
    async fn open(
        folder: &Path,
        into: &Path,
        service: String,
        clock: &Clock,
    ) -> Result<Self, BackupError> {
        DatabaseFile::new(folder, &service).check_tables().await?;
        let (path, copy) = (files::file(folder, &service), files::file(into, &service));
        let opened = Db::connect(&DbConfig::sqlite(folder, &service), clock.clone()).await;
        let db = opened.map_err(|source| failed(&path, source.into()))?;
        Ok(Self { service, db, path, copy })
    }

    async fn lock(&self) -> Result<Tx, BackupError> {
        self.db.begin().await.map_err(|source| failed(&self.path, source))
    }

    /// Copies what was committed, over a connection of its own beside the one that holds the lock.
    async fn copy(&self) -> Result<(), BackupError> {
        // SQLite fills an empty file and leaves its mode as it is.
        let mut private = fs::OpenOptions::new();
        private.write(true).create_new(true).mode(files::PRIVATE);
        private.open(&self.copy).map_err(|source| unwritable(&self.copy, source))?;
        let copy = self.copy.display().to_string();
        let copied =
            Statement::from_sql_and_values(DbBackend::Sqlite, "VACUUM INTO ?", [copy.into()]);
        let copied = self.db.connection().execute_raw(copied).await;
        copied.map_err(|source| failed(&self.path, source.into()))?;
        Ok(())
    }

    /// Checks the copy and has the disk keep it.
    async fn finish(self) -> Result<CopiedDatabase, BackupError> {
        let Self { service, db, path, copy } = self;
        db.close().await.map_err(|source| failed(&path, source.into()))?;
        let checked = check_copy(&copy).await;
        let schema = checked.map_err(|source| failed(&copy, source.into()))?;
        let schema = schema.map_err(|problem| BackupError::Damaged {
            path: copy.display().to_string(),
            problem,
        })?;
        let written = fs::File::open(&copy).and_then(|file| {
            file.sync_all()?;
            Ok(file.metadata()?.len())
        });
        let bytes = written.map_err(|source| unwritable(&copy, source))?;
        Ok(CopiedDatabase { service, path: copy, bytes, schema })
    }
}

/// The last migration of a copy, or what is wrong with it.
async fn check_copy(copy: &Path) -> Result<Result<String, String>, DbErr> {
    let mut options = ConnectOptions::new(format!("sqlite://{}?mode=ro", copy.display()));
    options.max_connections(1).sqlx_logging(false);
    let connection = Database::connect(options).await?;
    let found = read_text(&connection, "PRAGMA integrity_check").await?;
    let last = "SELECT max(version) FROM seaql_migrations";
    let schema = read_text(&connection, last).await?;
    connection.close().await?;
    Ok(if found == "ok" { Ok(schema) } else { Err(found) })
}

async fn read_text(connection: &DatabaseConnection, query: &str) -> Result<String, DbErr> {
    let row = connection.query_one_raw(Statement::from_string(DbBackend::Sqlite, query)).await?;
    row.map_or_else(|| Ok(String::new()), |row| row.try_get_by_index(0))
}

fn failed(path: &Path, source: Error) -> BackupError {
    BackupError::Database { path: path.display().to_string(), source }
}

fn unwritable(path: &Path, source: io::Error) -> BackupError {
    BackupError::Io { path: path.display().to_string(), source }
}
