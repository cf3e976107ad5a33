//! Crews and vehicles: what members can do, what belongs to one of them, what a provider drives, and who is online.

use sea_orm_migration::{prelude::*, schema::*};

/// Makes the tables of vehicles and of presence, and lets members be booked one by one.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, column) in [
            ("members", json("skills").default("[]").take()),
            ("members", uuid_null("user_id")),
            ("members", boolean("active").default(true).take()),
            ("documents", uuid_null("member_id")),
            ("time_off", uuid_null("member_id")),
        ] {
            let table = Table::alter().table(table).add_column(column).to_owned();
            manager.alter_table(table).await?;
        }
        create_assets(manager).await?;
        create_presences(manager).await
    }
}

/// Vehicles. `plate` is personal data.
async fn create_assets(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("assets")
        .col(uuid("id").primary_key())
        .col(uuid("provider_id"))
        .col(text("kind"))
        .col(integer("seats"))
        .col(integer("volume_l"))
        .col(integer("payload_kg"))
        .col(text("plate"))
        .col(boolean("active"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("updated_at"))
        .foreign_key(&mut of_provider("assets"))
        .to_owned();
    manager.create_table(table).await?;
    let by_provider =
        Index::create().name("assets_provider_id").table("assets").col("provider_id").to_owned();
    manager.create_index(by_provider).await
}

/// Who is online with which vehicle, one row a provider. `idle_since` is when the last job ended, or when the provider went
/// online; `seen_at` is when the last position came.
async fn create_presences(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("presences")
        .col(uuid("provider_id").primary_key())
        .col(boolean("online"))
        .col(uuid_null("asset_id"))
        .col(timestamp_with_time_zone("idle_since"))
        .col(timestamp_with_time_zone("seen_at"))
        .col(timestamp_with_time_zone("updated_at"))
        .foreign_key(&mut of_provider("presences"))
        .to_owned();
    manager.create_table(table).await
}

fn of_provider(table: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .name(format!("{table}_provider"))
        .from(table, "provider_id")
        .to("providers", "id")
        .to_owned()
}
