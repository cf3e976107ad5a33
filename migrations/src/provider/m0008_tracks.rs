//! Where the providers of orders go.

use sea_orm_migration::{prelude::*, schema::*};

/// Makes the tables of tracks and their points.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create_tracks(manager).await?;
        create_points(manager).await?;
        let db = manager.get_connection();
        db.execute_unprepared(
            "CREATE INDEX tracks_provider_id ON tracks (provider_id) WHERE is_open",
        )
        .await?;
        db.execute_unprepared(
            "CREATE INDEX tracks_purge_at ON tracks (purge_at) WHERE purge_at IS NOT NULL",
        )
        .await?;
        Ok(())
    }
}

/// One row an order. `leg` counts the providers who were assigned to it; `order_seq` is the last fact of the order that
/// counted, and `event_seq` counts the facts of the track. `last_at_ms` is the time of the newest point of this leg, 0 while
/// there is none. The place is the address of the order. `metres`, `seconds`, `gaps` and `covered_percent` are what stays
/// when the points are deleted.
async fn create_tracks(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("tracks")
        .col(uuid("order_id").primary_key())
        .col(uuid("customer_id"))
        .col(uuid_null("provider_id"))
        .col(uuid_null("provider_user_id"))
        .col(integer("leg"))
        .col(text("state"))
        .col(boolean("is_open"))
        .col(double_null("lat"))
        .col(double_null("lng"))
        .col(big_integer("last_at_ms"))
        .col(boolean("arriving_told"))
        .col(boolean("stale_told"))
        .col(big_integer("order_seq"))
        .col(big_integer("event_seq"))
        .col(timestamp_with_time_zone_null("departed_at"))
        .col(timestamp_with_time_zone_null("ended_at"))
        .col(timestamp_with_time_zone_null("purge_at"))
        .col(big_integer_null("metres"))
        .col(big_integer_null("seconds"))
        .col(integer_null("gaps"))
        .col(integer_null("covered_percent"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("updated_at"))
        .to_owned();
    manager.create_table(table).await
}

/// Points by the order and the millisecond at which they were measured. `gap` marks one that is not connected with the
/// point before it.
async fn create_points(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("track_points")
        .col(uuid("order_id"))
        .col(big_integer("at_ms"))
        .col(integer("leg"))
        .col(double("lat"))
        .col(double("lng"))
        .col(double("accuracy_m"))
        .col(double_null("heading"))
        .col(integer_null("eta_s"))
        .col(boolean("gap"))
        .primary_key(Index::create().col("order_id").col("at_ms"))
        .to_owned();
    manager.create_table(table).await
}
