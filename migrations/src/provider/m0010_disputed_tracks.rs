//! Tracks of orders over which a dispute lies.

use sea_orm_migration::{prelude::*, schema::*};

/// Adds whether a dispute keeps the points of a track.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let column = boolean("disputed").default(false).to_owned();
        let table = Table::alter().table("tracks").add_column(column).to_owned();
        manager.alter_table(table).await?;
        // Until now a dispute only took away the time at which the points are deleted.
        manager
            .get_connection()
            .execute_unprepared(
                "UPDATE tracks SET disputed = TRUE WHERE NOT is_open AND ended_at IS NOT NULL
                 AND purge_at IS NULL AND metres IS NULL",
            )
            .await?;
        Ok(())
    }
}
