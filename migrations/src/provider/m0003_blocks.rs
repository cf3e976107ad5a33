//! Several reasons can hold a profile at a time.

use sea_orm_migration::{prelude::*, schema::*, sea_orm::DbBackend};

/// Replaces the one block of a profile by a list of blocks.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let blocks =
            Table::alter().table("providers").add_column(json("blocks").default("[]")).to_owned();
        manager.alter_table(blocks).await?;
        // When a block began was not kept: the profile has not changed since it did, or changed later.
        let (array, object) = match manager.get_database_backend() {
            DbBackend::Postgres => ("json_build_array", "json_build_object"),
            _ => ("json_array", "json_object"),
        };
        let copy = format!(
            "UPDATE providers SET blocks = {array}({object}('reason', blocked_reason, \
             'until', blocked_until, 'since', updated_at)) WHERE blocked_reason IS NOT NULL"
        );
        manager.get_connection().execute_unprepared(&copy).await?;
        for column in ["blocked_reason", "blocked_until"] {
            let former = Table::alter().table("providers").drop_column(column).to_owned();
            manager.alter_table(former).await?;
        }
        Ok(())
    }
}
