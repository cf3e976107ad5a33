//! A call that joins a booking says so in a column of its own.

use sea_orm_migration::{prelude::*, schema::*};

/// Adds the mark of a joined booking.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let joined =
            Table::alter().table("orders").add_column(boolean("joined").default(false)).to_owned();
        manager.alter_table(joined).await
    }
}
