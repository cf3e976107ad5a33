//! Customers are reminded of what they owe. Until now no timer said so.

use sea_orm_migration::prelude::*;

/// Has every due that is open collected when it falls due.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .get_connection()
            .execute_unprepared(
                "INSERT INTO timers (kind, aggregate, due_at, attempts) \
                 SELECT 'due', id, due_at, 0 FROM dues WHERE state = 'OPEN' \
                 ON CONFLICT (kind, aggregate) DO NOTHING",
            )
            .await?;
        Ok(())
    }
}
