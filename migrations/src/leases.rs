//! Which process of a service takes the events of which part of the streams, for each consumer of the service.

use sea_orm_migration::{prelude::*, schema::*};

/// Makes the tables of those who share a consumer's work, and of what each of them holds.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let members = Table::create()
            .table("consumer_members")
            .col(text("consumer"))
            .col(uuid("owner"))
            .col(timestamp_with_time_zone("lease_until"))
            .primary_key(Index::create().col("consumer").col("owner"))
            .to_owned();
        manager.create_table(members).await?;
        let partitions = Table::create()
            .table("consumer_partitions")
            .col(text("consumer"))
            .col(small_integer("partition"))
            .col(uuid("owner"))
            .col(timestamp_with_time_zone("lease_until"))
            .primary_key(Index::create().col("consumer").col("partition"))
            .to_owned();
        manager.create_table(partitions).await
    }
}
