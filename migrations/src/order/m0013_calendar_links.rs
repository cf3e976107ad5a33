//! Secret links to the calendars of accounts.

use sea_orm_migration::{prelude::*, schema::*};

/// Makes the table of calendar links.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    /// Of the secret only its SHA-256 is kept: who reads the table reads no calendar.
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("calendar_links")
            .col(uuid("account_id").primary_key())
            .col(binary("secret_sha256"))
            .col(timestamp_with_time_zone("created_at"))
            .to_owned();
        manager.create_table(table).await?;
        let by_secret = Index::create()
            .name("calendar_links_secret")
            .table("calendar_links")
            .col("secret_sha256")
            .unique()
            .to_owned();
        manager.create_index(by_secret).await
    }
}
