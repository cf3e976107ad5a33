//! Where the owners of accounts are known to come from.

use sea_orm_migration::{prelude::*, schema::*};

/// Makes the table of known clients.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut owner = ForeignKey::create()
            .from("known_clients", "user_id")
            .to("users", "id")
            .on_delete(ForeignKeyAction::Cascade)
            .to_owned();
        // `client` is a hash of the account's address and the client's network.
        let table = Table::create()
            .table("known_clients")
            .col(text("client").primary_key())
            .col(uuid("user_id"))
            .col(timestamp_with_time_zone("seen_at"))
            .foreign_key(&mut owner)
            .to_owned();
        manager.create_table(table).await?;
        for column in ["user_id", "seen_at"] {
            let index = Index::create()
                .name(format!("known_clients_{column}"))
                .table("known_clients")
                .col(column)
                .to_owned();
            manager.create_index(index).await?;
        }
        Ok(())
    }
}
