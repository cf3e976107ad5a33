//! Quotes, orders, offers and the effects that orders owe to other services.

use sea_orm_migration::{prelude::*, schema::*};

/// Makes the tables of quotes, orders, offers and effects.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create_quotes(manager).await?;
        create_orders(manager).await?;
        create_offers(manager).await?;
        create_effects(manager).await
    }
}

async fn create_quotes(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("quotes")
        .col(uuid("id").primary_key())
        .col(uuid("customer_id"))
        .col(text("vertical"))
        .col(binary("details"))
        .col(json("terms"))
        .col(timestamp_with_time_zone("window_start"))
        .col(timestamp_with_time_zone("window_end"))
        .col(text("time_zone"))
        .col(uuid_null("provider_id"))
        .col(big_integer("total"))
        .col(text("currency"))
        .col(binary("inputs_hash"))
        .col(timestamp_with_time_zone("expires_at"))
        .col(uuid_null("order_id"))
        .col(big_integer("version"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("updated_at"))
        .to_owned();
    manager.create_table(table).await
}

/// Orders. A row that is `booking` is not visible to anybody: its saga has not got through yet. `terms` never changes
/// but for approved changes; `progress` and `payment` are what the state alone does not say.
async fn create_orders(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("orders")
        .col(uuid("id").primary_key())
        .col(uuid("customer_id"))
        .col(uuid("quote_id"))
        .col(uuid_null("request_id"))
        .col(text("vertical"))
        .col(text("state"))
        .col(boolean("disputed"))
        .col(boolean("booking"))
        .col(uuid_null("provider_id"))
        .col(uuid_null("provider_user_id"))
        .col(text("provider_name"))
        .col(timestamp_with_time_zone("window_start"))
        .col(timestamp_with_time_zone("window_end"))
        .col(text("time_zone"))
        .col(binary("details"))
        .col(json("terms"))
        .col(text("notes"))
        .col(boolean("search_if_declined"))
        .col(big_integer("total"))
        .col(text("currency"))
        .col(json("payment"))
        .col(json("progress"))
        .col(timestamp_with_time_zone("hold_expires_at"))
        .col(big_integer("version"))
        .col(big_integer("event_seq"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("updated_at"))
        .to_owned();
    manager.create_table(table).await?;
    for (name, column) in
        [("orders_customer", "customer_id"), ("orders_provider_user", "provider_user_id")]
    {
        let index = Index::create().name(name).table("orders").col(column).col("id").to_owned();
        manager.create_index(index).await?;
    }
    Ok(())
}

/// Offers to providers while an order is searched for. `round` counts the assignments before it.
async fn create_offers(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("offers")
        .col(uuid("id").primary_key())
        .col(uuid("order_id"))
        .col(uuid("provider_id"))
        .col(uuid("provider_user_id"))
        .col(text("provider_name"))
        .col(integer("round"))
        .col(integer("wave"))
        .col(text("state"))
        .col(boolean("tried"))
        .col(timestamp_with_time_zone("valid_till"))
        .col(timestamp_with_time_zone("created_at"))
        .to_owned();
    manager.create_table(table).await?;
    let by_order = Index::create()
        .name("offers_order_provider_round")
        .table("offers")
        .col("order_id")
        .col("provider_id")
        .col("round")
        .unique()
        .to_owned();
    manager.create_index(by_order).await?;
    let by_provider = Index::create()
        .name("offers_provider_user")
        .table("offers")
        .col("provider_user_id")
        .col("id")
        .to_owned();
    manager.create_index(by_provider).await
}

/// What an order owes to other services after a change that is committed: deleted once done.
async fn create_effects(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("effects")
        .col(uuid("order_id"))
        .col(big_integer("seq"))
        .col(json("effect"))
        .col(timestamp_with_time_zone("created_at"))
        .primary_key(Index::create().col("order_id").col("seq"))
        .to_owned();
    manager.create_table(table).await
}
