//! The record of a PostgreSQL database: which services have made their tables in it. Tables that are gone must not be
//! made anew without a word: their service would start without accounts or money, beside others that know of them. A
//! data folder has a list of its SQLite files for the same purpose.

use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement, Value};

/// The services of databases that are older than the record. Each has its tables in the schema of its name.
const BEFORE_THE_RECORD: &str =
    "ARRAY['cleaning', 'notification', 'order', 'payment', 'provider', 'user']";

/// Makes the record if the database has none. In a database with the tables of some services those of the others must
/// have been, too. The caller holds the lock of migrations.
pub async fn prepare_record(connection: &impl ConnectionTrait) -> Result<(), DbErr> {
    if !is_postgres(connection) || has_record(connection).await? {
        return Ok(());
    }
    connection.execute_unprepared("CREATE SCHEMA IF NOT EXISTS quickserve").await?;
    connection
        .execute_unprepared("CREATE TABLE quickserve.services (name text PRIMARY KEY)")
        .await?;
    // Services may have roles of their own. Only an administrator takes a name out.
    connection.execute_unprepared("GRANT USAGE ON SCHEMA quickserve TO PUBLIC").await?;
    connection.execute_unprepared("GRANT SELECT, INSERT ON quickserve.services TO PUBLIC").await?;
    let adopt = format!(
        "INSERT INTO quickserve.services SELECT unnest({BEFORE_THE_RECORD}) WHERE EXISTS (SELECT FROM pg_tables \
         WHERE tablename = 'seaql_migrations' AND schemaname = ANY ({BEFORE_THE_RECORD}))"
    );
    connection.execute_unprepared(&adopt).await?;
    Ok(())
}

/// Notes that `service` has tables, so that they are missed from now on when they are gone.
pub async fn note_tables(connection: &impl ConnectionTrait, service: &str) -> Result<(), DbErr> {
    if is_postgres(connection) {
        let note = "INSERT INTO quickserve.services VALUES ($1) ON CONFLICT DO NOTHING";
        connection.execute_raw(statement(note, [service])).await?;
    }
    Ok(())
}

/// Refuses to go on when `service` had tables in the schema `schema` of this PostgreSQL database and has none now. With
/// SQLite there is nothing to refuse here.
///
/// # Errors
/// When the tables are lost, with the ways out, or when the database cannot be asked.
pub async fn refuse_lost_tables(
    connection: &impl ConnectionTrait,
    schema: &str,
    service: &str,
) -> Result<(), DbErr> {
    if !is_postgres(connection) || !has_record(connection).await? {
        return Ok(());
    }
    let lost = "SELECT 1 FROM quickserve.services WHERE name = $1 AND NOT EXISTS \
                (SELECT FROM pg_tables WHERE schemaname = $2 AND tablename = 'seaql_migrations')";
    if connection.query_one_raw(statement(lost, [service, schema])).await?.is_none() {
        return Ok(());
    }
    Err(DbErr::Custom(format!(
        "the schema \"{schema}\" of the database is missing or empty, though the tables of {service} were in it: put \
         it back, together with the others of the same backup; to begin without its data instead, execute DELETE FROM \
         quickserve.services WHERE name = '{service}'"
    )))
}

async fn has_record(connection: &impl ConnectionTrait) -> Result<bool, DbErr> {
    let find = "SELECT 1 WHERE to_regclass('quickserve.services') IS NOT NULL";
    Ok(connection.query_one_raw(statement(find, [])).await?.is_some())
}

fn is_postgres(connection: &impl ConnectionTrait) -> bool {
    connection.get_database_backend() == DbBackend::Postgres
}

fn statement<const N: usize>(sql: &str, values: [&str; N]) -> Statement {
    Statement::from_sql_and_values(DbBackend::Postgres, sql, values.map(Value::from))
}
