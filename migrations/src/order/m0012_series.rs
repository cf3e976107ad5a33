//! Series: jobs that recur, their rules and their dates.

use sea_orm_migration::{prelude::*, schema::*};

/// Makes the tables of series, their revisions and their occurrences.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create_series(manager).await?;
        create_revisions(manager).await?;
        create_occurrences(manager).await
    }
}

/// Series. `paused_from` is the first date of a pause and `paused_until` the first one after it, if it has an end;
/// `ended_on` is the first date without visits. `standing_since` is when the named provider took every visit.
async fn create_series(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("series")
        .col(uuid("id").primary_key())
        .col(uuid("customer_id"))
        .col(text("vertical"))
        .col(json("place"))
        .col(text("time_zone"))
        .col(uuid_null("provider_id"))
        .col(uuid_null("provider_user_id"))
        .col(text("mode"))
        .col(uuid_null("method_id"))
        .col(text("notes"))
        .col(text("state"))
        .col(date_null("paused_from"))
        .col(date_null("paused_until"))
        .col(date_null("ended_on"))
        .col(timestamp_with_time_zone_null("standing_since"))
        .col(big_integer("version"))
        .col(big_integer("event_seq"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("updated_at"))
        .to_owned();
    manager.create_table(table).await?;
    for (name, column) in
        [("series_customer", "customer_id"), ("series_provider_user", "provider_user_id")]
    {
        let index = Index::create().name(name).table("series").col(column).col("id").to_owned();
        manager.create_index(index).await?;
    }
    Ok(())
}

/// Revisions. Each holds from its first date, which is the anchor of its rule, until the next one begins. `start_minute` is
/// the minute of the day at which visits begin.
async fn create_revisions(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("series_revisions")
        .col(uuid("series_id"))
        .col(date("from_on"))
        .col(text("rrule"))
        .col(integer("start_minute"))
        .col(integer("minutes"))
        .col(binary("details"))
        .col(timestamp_with_time_zone("created_at"))
        .primary_key(Index::create().col("series_id").col("from_on"))
        .to_owned();
    manager.create_table(table).await
}

/// Occurrences, one for each date that the rule gives and that has come near or was changed. `moved_to` is another local
/// start; `minutes` and `details` are those of this visit alone. `round` counts how often it is booked anew: the quote
/// and the order of a round are found by it.
async fn create_occurrences(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("series_occurrences")
        .col(uuid("series_id"))
        .col(date("on_date"))
        .col(text("state"))
        .col(text("reason"))
        .col(date_time_null("moved_to"))
        .col(integer_null("minutes"))
        .col(binary_null("details"))
        .col(integer("round"))
        .col(uuid_null("order_id"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("updated_at"))
        .primary_key(Index::create().col("series_id").col("on_date"))
        .to_owned();
    manager.create_table(table).await?;
    let one_of_an_order = Index::create()
        .name("series_occurrences_order")
        .table("series_occurrences")
        .col("order_id")
        .unique()
        .to_owned();
    manager.create_index(one_of_an_order).await
}
