//! A provider who lost one round of an order's search can be asked in a later one.

use sea_orm_migration::{prelude::*, schema::*};

/// Adds the round of a reservation.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // One row for each order, provider and round from now on. What is there keeps its id, which is that of round 0.
        let round =
            Table::alter().table("reservations").add_column(integer("round").default(0)).to_owned();
        manager.alter_table(round).await
    }
}
