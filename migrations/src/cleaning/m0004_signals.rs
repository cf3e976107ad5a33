//! What cleaning tells order has a name that is the same in every vertical, and the same shape as before.

use sea_orm_migration::prelude::*;

/// Renames the events that wait in the outbox.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let renamed = Query::update()
            .table("outbox")
            .value("kind", "fulfilment.access_failed")
            .and_where(Expr::col("kind").eq("cleaning.access_failed"))
            .to_owned();
        manager.execute(renamed).await
    }
}
