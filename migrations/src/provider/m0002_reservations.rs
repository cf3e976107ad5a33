//! Taken time. No two active reservations of one provider overlap: the database itself refuses them.

use sea_orm_migration::{prelude::*, schema::*, sea_orm::DbBackend};

/// Makes the table of reservations and its guard.
#[derive(DeriveMigrationName)]
pub struct Migration;

/// The guard's name, by which the service knows its refusals.
const GUARD: &str = "reservations_no_overlap";

/// The states in which time is taken.
const ACTIVE: &str = "state IN ('HOLD', 'CONFIRMED')";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create_table(manager).await?;
        let db = manager.get_connection();
        match manager.get_database_backend() {
            DbBackend::Postgres => create_exclusion(db).await?,
            _ => create_triggers(db).await?,
        }
        // Time that is over grows without end; what is looked for ends after the moment looked at.
        db.execute_unprepared(&format!(
            "CREATE INDEX reservations_busy ON reservations (provider_id, ends_at, starts_at) WHERE {ACTIVE}"
        ))
        .await?;
        db.execute_unprepared(
            "CREATE INDEX reservations_holds ON reservations (hold_expires_at) WHERE state = 'HOLD'",
        )
        .await?;
        let by_order = Index::create()
            .name("reservations_order_id")
            .table("reservations")
            .col("order_id")
            .to_owned();
        manager.create_index(by_order).await
    }
}

/// One row for each order and provider; its id is derived from both. `starts_at` and `ends_at` contain the buffers.
/// `lapsed` tells a hold that ran out from one that its order let go. A row of the nil provider says that its order
/// let go of every provider.
async fn create_table(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("reservations")
        .col(uuid("id").primary_key())
        .col(uuid("provider_id"))
        .col(uuid("order_id"))
        .col(text("state"))
        .col(boolean("lapsed"))
        .col(timestamp_with_time_zone("starts_at"))
        .col(timestamp_with_time_zone("ends_at"))
        .col(timestamp_with_time_zone("hold_expires_at"))
        .col(json("job"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("updated_at"))
        .check(Expr::col("ends_at").gte(Expr::col("starts_at")))
        .to_owned();
    manager.create_table(table).await
}

/// PostgreSQL knows ranges that exclude each other. Half-open ones let jobs follow back to back.
async fn create_exclusion(db: &SchemaManagerConnection<'_>) -> Result<(), DbErr> {
    // The migrator's lock is one for the whole database, so that no other service makes the extension meanwhile.
    db.execute_unprepared("CREATE EXTENSION IF NOT EXISTS btree_gist SCHEMA public").await?;
    let guard = format!(
        "ALTER TABLE reservations ADD CONSTRAINT {GUARD} EXCLUDE USING gist \
         (provider_id WITH =, tstzrange(starts_at, ends_at, '[)') WITH &&) WHERE ({ACTIVE})"
    );
    db.execute_unprepared(&guard).await?;
    Ok(())
}

/// SQLite has triggers, and one writer at a time. Its times are UTC texts that sort like the times they mean.
async fn create_triggers(db: &SchemaManagerConnection<'_>) -> Result<(), DbErr> {
    let events = ["INSERT", "UPDATE OF provider_id, starts_at, ends_at, state"];
    for (event, suffix) in events.into_iter().zip(["insert", "update"]) {
        let trigger = format!(
            "CREATE TRIGGER {GUARD}_{suffix} BEFORE {event} ON reservations \
             WHEN NEW.{ACTIVE} BEGIN \
             SELECT RAISE(ABORT, '{GUARD}') WHERE EXISTS (\
             SELECT 1 FROM reservations WHERE provider_id = NEW.provider_id AND {ACTIVE} \
             AND id <> NEW.id AND ends_at > NEW.starts_at AND starts_at < NEW.ends_at); END"
        );
        db.execute_unprepared(&trigger).await?;
    }
    Ok(())
}
