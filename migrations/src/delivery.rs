//! How events reach their consumers: an outbox that keeps what it has published, and a place where events wait that a
//! consumer could not take.

use sea_orm_migration::{prelude::*, schema::*};

/// Changes the outbox and makes the table of waiting events.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        outbox(manager).await?;
        parked_events(manager).await
    }
}

/// `state`: 0 waits, 1 every consumer has taken it, 2 no consumer wanted it. `done_at` says when that was found; some
/// days later the row is deleted. What used to be set aside for all consumers after too many tries (1 until now) waits
/// again: each consumer decides for itself.
async fn outbox(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let column = timestamp_with_time_zone_null("done_at");
    let table = Table::alter().table("outbox").add_column(column).to_owned();
    manager.alter_table(table).await?;
    let connection = manager.get_connection();
    for statement in [
        "UPDATE outbox SET state = 0, attempts = 0 WHERE state = 1",
        "CREATE INDEX outbox_done_at ON outbox (done_at) WHERE done_at IS NOT NULL",
    ] {
        connection.execute_unprepared(statement).await?;
    }
    Ok(())
}

/// Events that wait for a consumer of this service, in the order of `seq` for each aggregate of a source. `next_at` of the first
/// says when it is tried again; null, once it is given up. `attempts` counts the tries at which the event itself was at
/// fault, `failures` all in a row.
async fn parked_events(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("parked_events")
        .col(text("consumer"))
        .col(uuid("event_id"))
        .col(text("source"))
        .col(text("kind"))
        .col(uuid("aggregate"))
        .col(big_integer("seq"))
        .col(timestamp_with_time_zone("occurred_at"))
        .col(text("actor"))
        .col(text("traceparent"))
        .col(binary("data"))
        .col(text("error"))
        .col(integer("attempts"))
        .col(integer("failures"))
        .col(timestamp_with_time_zone("held_at"))
        .col(timestamp_with_time_zone_null("next_at"))
        .col(uuid_null("claimed_by"))
        .col(timestamp_with_time_zone_null("lease_until"))
        .primary_key(Index::create().col("consumer").col("event_id"))
        .to_owned();
    manager.create_table(table).await?;
    let order = Index::create()
        .name("parked_events_order")
        .table("parked_events")
        .col("consumer")
        .col("source")
        .col("aggregate")
        .col("seq")
        .to_owned();
    manager.create_index(order).await
}
