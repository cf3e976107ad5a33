//! Providers whom customers like to have again, and further visits to work that is under way.

use sea_orm_migration::{prelude::*, schema::*};

/// Makes the tables of favourites and visits.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let favourites = Table::create()
            .table("favourites")
            .col(uuid("customer_id"))
            .col(uuid("provider_id"))
            .col(timestamp_with_time_zone("created_at"))
            .primary_key(Index::create().col("customer_id").col("provider_id"))
            .to_owned();
        manager.create_table(favourites).await?;
        // `id` is also the order under which provider knows the time; `booked` is false while that is being held.
        let visits = Table::create()
            .table("visits")
            .col(uuid("id").primary_key())
            .col(uuid("order_id"))
            .col(uuid("provider_id"))
            .col(timestamp_with_time_zone("starts_at"))
            .col(timestamp_with_time_zone("ends_at"))
            .col(boolean("booked"))
            .col(timestamp_with_time_zone("created_at"))
            .to_owned();
        manager.create_table(visits).await
    }
}
