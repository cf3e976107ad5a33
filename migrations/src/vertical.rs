//! The table that every vertical has.

use sea_orm_migration::{prelude::*, schema::*};

/// Makes the table of orders as a vertical knows them.
///
/// One row an order. `order_version` is the version of the order that the vertical has heard of; `state` the number of its
/// state; `delivered_at` its last delivery, and `delivered` whether there ever was one; `details` the protobuf message that
/// it was priced on; `lat` and `lng` the place, unknown of orders that are older than these columns; `own` what the vertical keeps of its own, as JSON; `version` counts the changes of the row.
pub async fn create_order_records(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("order_records")
        .col(uuid("order_id").primary_key())
        .col(uuid("customer_id"))
        .col(uuid_null("provider_user_id"))
        .col(big_integer("order_version"))
        .col(integer("state"))
        .col(timestamp_with_time_zone_null("delivered_at"))
        .col(boolean("delivered"))
        .col(binary("details"))
        .col(timestamp_with_time_zone("starts_at"))
        .col(timestamp_with_time_zone("ends_at"))
        .col(text("time_zone"))
        .col(double_null("lat"))
        .col(double_null("lng"))
        .col(integer("reworks"))
        .col(timestamp_with_time_zone_null("access_failed_at"))
        .col(json("contact_attempts"))
        .col(json("own"))
        .col(big_integer("version"))
        .col(big_integer("event_seq"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("updated_at"))
        .to_owned();
    manager.create_table(table).await?;
    // Finds what was done for a customer before.
    let earlier = Index::create()
        .name("order_records_customer_id_starts_at")
        .table("order_records")
        .col("customer_id")
        .col("starts_at")
        .to_owned();
    manager.create_index(earlier).await
}

/// Adds what an order says of itself beside its state, as JSON, and until when its delivery may be written.
pub async fn add_order_facts(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    for column in [
        json("facts").not_null().default("{}").to_owned(),
        timestamp_with_time_zone_null("locked_until").to_owned(),
    ] {
        let table = Table::alter().table("order_records").add_column(column).to_owned();
        manager.alter_table(table).await?;
    }
    Ok(())
}
