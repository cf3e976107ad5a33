//! What is authorised for a customer's own change before the change is written.

use sea_orm_migration::{prelude::*, schema::*};

/// Makes the table.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    /// A row is there from before payment is asked until the change is written, or what was authorised is given back.
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("change_raises")
            .col(uuid("change_id").primary_key())
            .col(uuid("order_id"))
            .col(timestamp_with_time_zone("created_at"))
            .to_owned();
        manager.create_table(table).await
    }
}
