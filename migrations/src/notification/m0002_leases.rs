//! Leases on mail, apart from the time at which it is due.

use sea_orm_migration::{prelude::*, schema::*};

/// Adds the column.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    /// `due_at` of a mail that was being handed over used to be the end of its claim, ten minutes later. From now on it
    /// stays the time from which on the mail may go, and `lease_until` is the end of the claim.
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let column = timestamp_with_time_zone_null("lease_until");
        let table = Table::alter().table("messages").add_column(column).to_owned();
        manager.alter_table(table).await?;
        let in_flight = "UPDATE messages SET due_at = created_at, claimed_by = NULL
                         WHERE state = 'SENT' AND due_at IS NOT NULL";
        manager.get_connection().execute_unprepared(in_flight).await?;
        Ok(())
    }
}
