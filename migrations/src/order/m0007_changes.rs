//! Change orders keep the lines that the vertical priced, and who proposed them.

use sea_orm_migration::{prelude::*, schema::*};

/// Adds the columns.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns =
            [json_null("price_lines"), text("proposed_by").default("provider").to_owned()];
        for column in columns {
            let table = Table::alter().table("change_orders").add_column(column).to_owned();
            manager.alter_table(table).await?;
        }
        Ok(())
    }
}
