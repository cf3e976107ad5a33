//! Indexes for what is looked for across families.

use sea_orm_migration::prelude::*;

/// Adds the indexes for adults by their account, and for incidents past their time.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        for index in [
            "CREATE INDEX authorized_adults_user_id ON authorized_adults (user_id) \
             WHERE user_id IS NOT NULL",
            "CREATE INDEX incidents_kept_until ON incidents (kept_until) \
             WHERE kept_until IS NOT NULL",
        ] {
            db.execute_unprepared(index).await?;
        }
        Ok(())
    }
}
