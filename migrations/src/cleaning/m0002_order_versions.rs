//! A cleaning knows which version of its order it has heard of.

use sea_orm_migration::{prelude::*, schema::*};

/// Adds the version of the order, and when it was delivered last.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Whatever an order says next is newer than what is there.
        for column in [
            big_integer("order_version").default(0).take(),
            timestamp_with_time_zone_null("delivered_at"),
        ] {
            let added = Table::alter().table("cleanings").add_column(column).to_owned();
            manager.alter_table(added).await?;
        }
        Ok(())
    }
}
