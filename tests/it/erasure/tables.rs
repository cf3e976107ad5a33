//! All tables of all services, and the files that hold them.

use super::Mark;
use crate::mesh::Mesh;
use kit::Db;
use quickserve::service::Service;
use sea_orm::{ConnectionTrait, DbBackend, Statement};

/// A mark that is somewhere.
#[derive(Debug)]
pub struct Found {
    #[expect(dead_code, reason = "a failed test prints it")]
    field: &'static str,
    pub text: String,
    pub table: String,
}

/// The databases of all services.
pub struct Tables {
    databases: Vec<(&'static str, Db)>,
}

impl Tables {
    /// Those of a running system.
    pub async fn of(mesh: &Mesh) -> Self {
        let mut databases = Vec::new();
        for service in Service::ALL {
            let host = mesh.process.host().of(service.name());
            let db = Db::connect(&host.database_config(), host.clock().clone()).await.unwrap();
            databases.push((service.name(), db));
        }
        Self { databases }
    }

    /// Which of the marks stand in any column of any table, and where.
    pub async fn find(&self, marks: &[Mark]) -> Vec<Found> {
        let mut found = Vec::new();
        for (service, db) in &self.databases {
            for table in names(db, service).await {
                let rows = rows(db, service, &table).await;
                for mark in marks.iter().filter(|mark| holds(&rows, &mark.text)) {
                    let (field, text) = (mark.field, mark.text.clone());
                    found.push(Found { field, text, table: format!("{service}.{table}") });
                }
            }
        }
        found
    }

    /// Checks that no mark is in the files of SQLite either, where rows that were deleted could still be read.
    pub async fn have_no_trace_in_files(&self, mesh: &Mesh, marks: impl Iterator<Item = &Mark>) {
        let marks: Vec<_> = marks.collect();
        for (service, db) in &self.databases {
            if db.connection().get_database_backend() != DbBackend::Sqlite {
                continue;
            }
            db.empty_log().await.unwrap();
            let file = kit::storage::files::file(mesh.process.host().data_dir(), service);
            for name in [file.clone(), file.with_extension("db-wal")] {
                let Ok(bytes) = std::fs::read(&name) else { continue };
                let content = String::from_utf8_lossy(&bytes);
                for Mark { field, text } in &marks {
                    assert!(!content.contains(text), "{field}: {text} is in {}", name.display());
                }
            }
        }
    }
}

async fn texts(db: &Db, sql: &str) -> Vec<String> {
    let backend = db.connection().get_database_backend();
    let rows = db.connection().query_all_raw(Statement::from_string(backend, sql)).await.unwrap();
    rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
}

async fn names(db: &Db, schema: &str) -> Vec<String> {
    let sql = match db.connection().get_database_backend() {
        DbBackend::Sqlite => "SELECT name FROM sqlite_schema WHERE type = 'table'".to_owned(),
        _ => format!(
            "SELECT table_name::text FROM information_schema.tables WHERE table_schema = '{schema}'"
        ),
    };
    texts(db, &sql).await
}

/// The rows of a table as texts, bytes in hexadecimal.
async fn rows(db: &Db, schema: &str, table: &str) -> Vec<String> {
    if db.connection().get_database_backend() != DbBackend::Sqlite {
        return texts(db, &format!(r#"SELECT t::text FROM "{schema}"."{table}" t"#)).await;
    }
    let columns = texts(db, &format!("SELECT name FROM pragma_table_info('{table}')")).await;
    let columns: Vec<_> = columns
        .iter()
        .map(|column| format!(r#"coalesce(lower(hex(CAST("{column}" AS BLOB))), '')"#))
        .collect();
    texts(db, &format!(r#"SELECT {} FROM "{table}""#, columns.join(" || ',' || "))).await
}

fn holds(rows: &[String], text: &str) -> bool {
    let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    rows.iter().any(|row| row.contains(text) || row.contains(&hex))
}
