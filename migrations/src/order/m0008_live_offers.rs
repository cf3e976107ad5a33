//! Offers of a live search, and when offers end.

use sea_orm_migration::{prelude::*, schema::*};

/// Adds what a live search keeps about offers.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    /// `live` marks offers of which a provider has one open at a time; `travel_s` is how far away the provider was, in
    /// seconds; `tried_at` when the provider accepted; `ended_at` when the offer ended, unknown of those from before.
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = [
            boolean("live").default(false).to_owned(),
            big_integer("travel_s").default(0).to_owned(),
            timestamp_with_time_zone_null("tried_at"),
            timestamp_with_time_zone_null("ended_at"),
        ];
        for column in columns {
            let add = Table::alter().table("offers").add_column(column).to_owned();
            manager.alter_table(add).await?;
        }
        let one_open = Index::create()
            .name("offers_open_live")
            .table("offers")
            .col("provider_id")
            .unique()
            .cond_where(Expr::col("live").eq(true).and(Expr::col("state").eq("OPEN")))
            .to_owned();
        manager.create_index(one_open).await?;
        // Those who watch their offers hear of the new ones and of the ends since the last look.
        for (name, column) in [("offers_created_at", "created_at"), ("offers_ended_at", "ended_at")]
        {
            let index = Index::create().name(name).table("offers").col(column).to_owned();
            manager.create_index(index).await?;
        }
        Ok(())
    }
}
