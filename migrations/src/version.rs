//! Which version of its tables a service finds, for programs that do not migrate themselves.

use crate::{
    child_assistance, cleaning, moving, notification, order, payment, provider, repair, transport,
    user,
};
use sea_orm_migration::{
    MigrationTrait, MigratorTrait,
    sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement},
};
use std::collections::HashSet;

/// The migrations that this program knows of `service` and that its tables in the schema `schema` have not had, in the
/// order of their making. Tables that are newer than the program miss none.
pub async fn missing_migrations(
    connection: &impl ConnectionTrait,
    schema: &str,
    service: &str,
) -> Result<Vec<String>, DbErr> {
    let done = done_migrations(connection, schema).await?;
    let known = known_migrations(service)?;
    let names = known.iter().map(|migration| migration.name().to_owned());
    Ok(names.filter(|name| !done.contains(name)).collect())
}

async fn done_migrations(
    connection: &impl ConnectionTrait,
    schema: &str,
) -> Result<HashSet<String>, DbErr> {
    let engine = connection.get_database_backend();
    let (find, table) = match engine {
        DbBackend::Postgres => (
            Statement::from_sql_and_values(
                engine,
                "SELECT 1 FROM pg_tables WHERE schemaname = $1 AND tablename = 'seaql_migrations'",
                [schema.into()],
            ),
            format!("\"{schema}\".seaql_migrations"),
        ),
        _ => (
            Statement::from_string(
                engine,
                "SELECT 1 FROM sqlite_schema WHERE name = 'seaql_migrations'",
            ),
            "seaql_migrations".to_owned(),
        ),
    };
    if connection.query_one_raw(find).await?.is_none() {
        return Ok(HashSet::new());
    }
    let names = Statement::from_string(engine, format!("SELECT version FROM {table}"));
    let rows = connection.query_all_raw(names).await?;
    rows.iter().map(|row| row.try_get_by_index(0)).collect()
}

fn known_migrations(service: &str) -> Result<Vec<Box<dyn MigrationTrait>>, DbErr> {
    Ok(match service {
        "child_assistance" => child_assistance::Migrator::migrations(),
        "cleaning" => cleaning::Migrator::migrations(),
        "moving" => moving::Migrator::migrations(),
        "notification" => notification::Migrator::migrations(),
        "order" => order::Migrator::migrations(),
        "payment" => payment::Migrator::migrations(),
        "provider" => provider::Migrator::migrations(),
        "repair" => repair::Migrator::migrations(),
        "transport" => transport::Migrator::migrations(),
        "user" => user::Migrator::migrations(),
        other => return Err(DbErr::Migration(format!("no service is called {other}"))),
    })
}
