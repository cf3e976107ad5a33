//! The cleanings of orders.

use sea_orm_migration::{prelude::*, schema::*};

/// Makes the table of cleanings.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // One row an order. `details` is the protobuf message that the order was priced on; `visit_on` the local date
        // of the visit; `state` the number of the order's state; `visited` whether the work was done.
        let table = Table::create()
            .table("cleanings")
            .col(uuid("order_id").primary_key())
            .col(uuid("customer_id"))
            .col(uuid_null("provider_user_id"))
            .col(integer("state"))
            .col(binary("details"))
            .col(timestamp_with_time_zone("starts_at"))
            .col(timestamp_with_time_zone("ends_at"))
            .col(text("time_zone"))
            .col(date("visit_on"))
            .col(boolean("visited"))
            .col(json("checklist"))
            .col(integer("recleans"))
            .col(timestamp_with_time_zone_null("access_failed_at"))
            .col(json("contact_attempts"))
            .col(big_integer("version"))
            .col(big_integer("event_seq"))
            .col(timestamp_with_time_zone("created_at"))
            .col(timestamp_with_time_zone("updated_at"))
            .to_owned();
        manager.create_table(table).await?;
        // Finds the visit before, for the gap that a frequency is priced by.
        let visits = Index::create()
            .name("cleanings_customer_id_visit_on")
            .table("cleanings")
            .col("customer_id")
            .col("visit_on")
            .to_owned();
        manager.create_index(visits).await
    }
}
