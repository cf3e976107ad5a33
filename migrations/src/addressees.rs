//! For which consumer an event is published again, when it is for one only.

use sea_orm_migration::{prelude::*, schema::*};

/// Adds to the outbox the name of the only consumer that an event is published again for; null for all.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::alter().table("outbox").add_column(text_null("only_for")).to_owned();
        manager.alter_table(table).await
    }
}
