//! Leases on the sandbox's events, so that of several processes one posts each.

use sea_orm_migration::{prelude::*, schema::*};

/// Adds the columns.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // SQLite adds one column a statement.
        for column in [uuid_null("claimed_by"), timestamp_with_time_zone_null("lease_until")] {
            let table = Table::alter().table("sandbox_events").add_column(column).to_owned();
            manager.alter_table(table).await?;
        }
        Ok(())
    }
}
