//! What the sandbox remembers. It stands in for a payment provider, so that these tables are no part of payment's own
//! state: payment reads them through the `Psp` trait only, and never in a transaction of its own.

use sea_orm_migration::{prelude::*, schema::*};

/// Makes the tables.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create_charges(manager).await?;
        create_operations(manager).await?;
        create_events(manager).await
    }
}

/// Charges by the caller's reference. `settles_at` is when a late one gets its answer.
async fn create_charges(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("sandbox_charges")
        .col(uuid("reference").primary_key())
        .col(text("token"))
        .col(text("currency"))
        .col(big_integer("amount"))
        .col(big_integer("captured"))
        .col(big_integer("refunded"))
        .col(text("state"))
        .col(text("reason"))
        .col(timestamp_with_time_zone_null("settles_at"))
        .check(Expr::cust("captured <= amount AND refunded <= captured"))
        .to_owned();
    manager.create_table(table).await?;
    manager
        .get_connection()
        .execute_unprepared(
            "CREATE INDEX sandbox_charges_settles ON sandbox_charges (settles_at)
             WHERE settles_at IS NOT NULL",
        )
        .await?;
    Ok(())
}

/// What was done to charges, and transfers to providers, by the caller's reference.
async fn create_operations(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("sandbox_operations")
        .col(uuid("reference").primary_key())
        .col(text("kind"))
        .col(uuid_null("payee"))
        .col(text("currency"))
        .col(big_integer("amount"))
        .col(text("state"))
        .col(text("reason"))
        .to_owned();
    manager.create_table(table).await
}

/// Events to post to the webhook.
async fn create_events(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("sandbox_events")
        .col(text("id").primary_key())
        .col(text("body"))
        .col(timestamp_with_time_zone("next_at"))
        .col(integer("tries"))
        .to_owned();
    manager.create_table(table).await?;
    let due = Index::create()
        .name("sandbox_events_next_at")
        .table("sandbox_events")
        .col("next_at")
        .to_owned();
    manager.create_index(due).await
}
