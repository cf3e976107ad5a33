//! The tables that the runtime keeps in every service's database.

use sea_orm_migration::{prelude::*, schema::*};

/// Makes the outbox, the inbox, the timers and the idempotency keys.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create_outbox(manager).await?;
        create_inbox(manager).await?;
        create_timers(manager).await?;
        idempotency_keys(manager).await
    }
}

/// Facts to deliver. `state`: 0 waits, 1 set aside after too many tries; a delivered fact is deleted.
async fn create_outbox(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("outbox")
        .col(uuid("id").primary_key())
        .col(text("kind"))
        .col(uuid("aggregate"))
        .col(big_integer("seq"))
        .col(timestamp_with_time_zone("occurred_at"))
        .col(text("actor"))
        .col(text("traceparent"))
        .col(binary("data"))
        .col(uuid_null("claimed_by"))
        .col(timestamp_with_time_zone_null("lease_until"))
        .col(integer("attempts"))
        .col(timestamp_with_time_zone("next_at"))
        .col(small_integer("state"))
        .to_owned();
    manager.create_table(table).await?;
    // One fact of an aggregate for each number: a lost update cannot publish two.
    let index = Index::create()
        .name("outbox_aggregate_seq")
        .table("outbox")
        .col("aggregate")
        .col("seq")
        .unique()
        .to_owned();
    manager.create_index(index).await?;
    let due =
        Index::create().name("outbox_due").table("outbox").col("state").col("next_at").to_owned();
    manager.create_index(due).await
}

/// Facts a consumer has acted on.
async fn create_inbox(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("inbox")
        .col(text("consumer"))
        .col(uuid("event_id"))
        .col(timestamp_with_time_zone("seen_at"))
        .primary_key(Index::create().col("consumer").col("event_id"))
        .to_owned();
    manager.create_table(table).await?;
    let age = Index::create().name("inbox_seen_at").table("inbox").col("seen_at").to_owned();
    manager.create_index(age).await
}

/// What falls due, at most one timer of a kind for each aggregate.
async fn create_timers(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("timers")
        .col(text("kind"))
        .col(uuid("aggregate"))
        .col(timestamp_with_time_zone("due_at"))
        .col(uuid_null("claimed_by"))
        .col(timestamp_with_time_zone_null("lease_until"))
        .col(integer("attempts"))
        .primary_key(Index::create().col("kind").col("aggregate"))
        .to_owned();
    manager.create_table(table).await?;
    let due = Index::create().name("timers_due_at").table("timers").col("due_at").to_owned();
    manager.create_index(due).await
}

/// Answers by idempotency key. A null `response` belongs to a call that still runs, until `lease_until`.
async fn idempotency_keys(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("idempotency_keys")
        .col(text("scope"))
        .col(text("key"))
        .col(binary("fingerprint"))
        .col(binary_null("response"))
        .col(timestamp_with_time_zone("lease_until"))
        .col(timestamp_with_time_zone("expires_at"))
        .primary_key(Index::create().col("scope").col("key"))
        .to_owned();
    manager.create_table(table).await?;
    let age = Index::create()
        .name("idempotency_keys_expires_at")
        .table("idempotency_keys")
        .col("expires_at")
        .to_owned();
    manager.create_index(age).await
}
