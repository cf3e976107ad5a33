//! Profiles and what hangs on them: offerings, documents, time off, members.

use sea_orm_migration::{prelude::*, schema::*};

/// Makes the tables of profiles.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create_providers(manager).await?;
        create_offerings(manager).await?;
        create_documents(manager).await?;
        time_off(manager).await?;
        create_members(manager).await
    }
}

/// Profiles, one an account. `standing` counts the changes that decide who may be booked when; `event_seq`
/// the facts published; `city_key` is the town in lower case.
async fn create_providers(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("providers")
        .col(uuid("id").primary_key())
        .col(uuid("user_id"))
        .col(text("kind"))
        .col(text("name"))
        .col(text("bio"))
        .col(text("city"))
        .col(text("city_key"))
        .col(text("country"))
        .col(text("time_zone"))
        .col(text("state"))
        .col(text_null("before_block"))
        .col(text_null("blocked_reason"))
        .col(timestamp_with_time_zone_null("blocked_until"))
        .col(text("background_check"))
        .col(json("weekly"))
        .col(json("exceptions"))
        .col(integer("stars_sum"))
        .col(integer("reviews"))
        .col(integer("accepted"))
        .col(integer("declined"))
        .col(integer("cancelled"))
        .col(integer("arrivals"))
        .col(integer("on_time"))
        .col(integer("completed"))
        .col(integer("score"))
        .col(big_integer("standing"))
        .col(big_integer("version"))
        .col(big_integer("event_seq"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("updated_at"))
        .to_owned();
    manager.create_table(table).await?;
    let one_an_account = Index::create()
        .name("providers_user_id")
        .table("providers")
        .col("user_id")
        .unique()
        .to_owned();
    manager.create_index(one_an_account).await?;
    let city =
        Index::create().name("providers_city_key").table("providers").col("city_key").to_owned();
    manager.create_index(city).await
}

/// What a provider does, one row a vertical. The box round the area finds candidates before the distance is computed.
async fn create_offerings(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("offerings")
        .col(uuid("id").primary_key())
        .col(uuid("provider_id"))
        .col(text("vertical"))
        .col(json("skills"))
        .col(json("rate_card"))
        .col(double("lat"))
        .col(double("lng"))
        .col(double("radius_km"))
        .col(double("lat_min"))
        .col(double("lat_max"))
        .col(double("lng_min"))
        .col(double("lng_max"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("updated_at"))
        .foreign_key(&mut of_provider("offerings"))
        .to_owned();
    manager.create_table(table).await?;
    let one_a_vertical = Index::create()
        .name("offerings_provider_id_vertical")
        .table("offerings")
        .col("provider_id")
        .col("vertical")
        .unique()
        .to_owned();
    manager.create_index(one_a_vertical).await?;
    let search = Index::create()
        .name("offerings_vertical_lat")
        .table("offerings")
        .col("vertical")
        .col("lat_min")
        .to_owned();
    manager.create_index(search).await
}

/// Documents to vet. `number` is personal data.
async fn create_documents(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("documents")
        .col(uuid("id").primary_key())
        .col(uuid("provider_id"))
        .col(text("kind"))
        .col(text("number"))
        .col(date("issued_on"))
        .col(date_null("expires_on"))
        .col(text("file_sha256"))
        .col(text("state"))
        .col(text("reason"))
        .col(uuid_null("reviewed_by"))
        .col(big_integer("version"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("updated_at"))
        .foreign_key(&mut of_provider("documents"))
        .to_owned();
    manager.create_table(table).await?;
    by_provider(manager, "documents").await
}

/// Stretches without work, in local time of the profile's zone.
async fn time_off(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("time_off")
        .col(uuid("id").primary_key())
        .col(uuid("provider_id"))
        .col(timestamp("start_local"))
        .col(timestamp("end_local"))
        .col(text("note"))
        .col(timestamp_with_time_zone("created_at"))
        .foreign_key(&mut of_provider("time_off"))
        .to_owned();
    manager.create_table(table).await?;
    by_provider(manager, "time_off").await
}

/// Who works for a provider.
async fn create_members(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("members")
        .col(uuid("id").primary_key())
        .col(uuid("provider_id"))
        .col(text("name"))
        .col(text("role"))
        .col(timestamp_with_time_zone("created_at"))
        .foreign_key(&mut of_provider("members"))
        .to_owned();
    manager.create_table(table).await?;
    by_provider(manager, "members").await
}

fn of_provider(table: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .name(format!("{table}_provider"))
        .from(table, "provider_id")
        .to("providers", "id")
        .to_owned()
}

async fn by_provider(manager: &SchemaManager<'_>, table: &'static str) -> Result<(), DbErr> {
    let index = Index::create()
        .name(format!("{table}_provider_id"))
        .table(table)
        .col("provider_id")
        .to_owned();
    manager.create_index(index).await
}
