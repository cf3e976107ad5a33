//! What verticals tell order has names that are the same for all of them.

use sea_orm_migration::prelude::*;

/// Renames the events that order could not take yet.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let renamed = Query::update()
            .table("parked_events")
            .value("kind", "fulfilment.access_failed")
            .and_where(Expr::col("kind").eq("cleaning.access_failed"))
            .to_owned();
        manager.execute(renamed).await
    }
}
