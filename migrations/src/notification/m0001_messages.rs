//! Messages and how people want to be told.

use sea_orm_migration::{prelude::*, schema::*};

/// Makes the tables.
#[derive(DeriveMigrationName)]
pub struct Migration;

/// A message without a due time is done with.
const OPEN: &str = "due_at IS NOT NULL";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create_messages(manager).await?;
        create_indexes(manager).await?;
        create_settings(manager).await
    }
}

/// Messages, one for each fact, addressee and channel. No text is kept, only the template's name and what it is filled
/// in with. `user_id` is nil for the operators' mailbox. `due_at` says when the worker must look at the message next:
/// the end of quiet hours, the next attempt, or the end of a claim. It is null once the message is done with.
async fn create_messages(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("messages")
        .col(uuid("id").primary_key())
        .col(uuid("event_id"))
        .col(text("addressee"))
        .col(text("channel"))
        .col(uuid("user_id"))
        .col(text("template"))
        .col(text("importance"))
        .col(json("particulars"))
        .col(uuid_null("order_id"))
        .col(big_integer("order_seq"))
        .col(boolean("fades"))
        .col(boolean("stale"))
        .col(text("state"))
        .col(integer("attempts"))
        .col(text("failure"))
        .col(timestamp_with_time_zone_null("due_at"))
        .col(uuid_null("claimed_by"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone_null("read_at"))
        .to_owned();
    manager.create_table(table).await
}

async fn create_indexes(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let once = Index::create()
        .name("messages_once")
        .table("messages")
        .col("event_id")
        .col("addressee")
        .col("channel")
        .unique()
        .to_owned();
    manager.create_index(once).await?;
    let reader = Index::create()
        .name("messages_reader")
        .table("messages")
        .col("user_id")
        .col("channel")
        .col("id")
        .to_owned();
    manager.create_index(reader).await?;
    // Most messages are done with: only the few others are looked for by time or order.
    let db = manager.get_connection();
    let due = format!("CREATE INDEX messages_due ON messages (due_at) WHERE {OPEN}");
    db.execute_unprepared(&due).await?;
    let order = format!("CREATE INDEX messages_order ON messages (order_id) WHERE {OPEN}");
    db.execute_unprepared(&order).await?;
    Ok(())
}

/// How an account wants to be told. Local times are minutes after midnight.
async fn create_settings(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("settings")
        .col(uuid("user_id").primary_key())
        .col(boolean("email"))
        .col(text("locale"))
        .col(big_integer("preferences_version"))
        .col(boolean("quiet"))
        .col(small_integer("quiet_from"))
        .col(small_integer("quiet_to"))
        .col(text("time_zone"))
        .col(big_integer("quiet_version"))
        .to_owned();
    manager.create_table(table).await
}
