//! Accounts with their credentials, sessions, codes, addresses and consents.

use sea_orm_migration::{prelude::*, schema::*};

/// Makes the tables.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create_users(manager).await?;
        create_credentials(manager).await?;
        create_sessions(manager).await?;
        refresh_tokens(manager).await?;
        create_revocations(manager).await?;
        contact_codes(manager).await?;
        create_addresses(manager).await?;
        create_consents(manager).await
    }
}

/// Accounts. `email` is null once erased, and on the placeholder of a repeated registration: null is never unique.
async fn create_users(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("users")
        .col(uuid("id").primary_key())
        .col(text_null("email"))
        .col(text("name"))
        .col(text("phone"))
        .col(text("status"))
        .col(text("suspension_reason"))
        .col(text("role"))
        .col(small_integer("roles"))
        .col(text("locale"))
        .col(text("time_zone"))
        .col(timestamp_with_time_zone_null("email_verified_at"))
        .col(timestamp_with_time_zone_null("repetition_noticed_at"))
        .col(big_integer("token_version"))
        .col(big_integer("event_seq"))
        .col(big_integer("version"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("updated_at"))
        .to_owned();
    manager.create_table(table).await?;
    let email = Index::create().name("users_email").table("users").col("email").unique().to_owned();
    manager.create_index(email).await?;
    create_index(manager, "users_status", "users", &["status", "created_at"]).await
}

/// Password hashes, apart from the accounts so that no read of an account carries one.
async fn create_credentials(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("credentials")
        .col(uuid("user_id").primary_key())
        .col(text("password_hash"))
        .col(timestamp_with_time_zone("changed_at"))
        .foreign_key(&mut of_user("credentials"))
        .to_owned();
    manager.create_table(table).await
}

/// Sessions: families of refresh tokens.
async fn create_sessions(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("sessions")
        .col(uuid("id").primary_key())
        .col(uuid("user_id"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("expires_at"))
        .col(timestamp_with_time_zone_null("revoked_at"))
        .foreign_key(&mut of_user("sessions"))
        .to_owned();
    manager.create_table(table).await?;
    create_index(manager, "sessions_user_id", "sessions", &["user_id"]).await?;
    create_index(manager, "sessions_expires_at", "sessions", &["expires_at"]).await
}

/// Refresh tokens by hash. `successor` is the next token, readable only with the one that was rotated.
async fn refresh_tokens(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut session = ForeignKey::create()
        .from("refresh_tokens", "session_id")
        .to("sessions", "id")
        .on_delete(ForeignKeyAction::Cascade)
        .to_owned();
    let table = Table::create()
        .table("refresh_tokens")
        .col(text("hash").primary_key())
        .col(uuid("session_id"))
        .col(timestamp_with_time_zone("expires_at"))
        .col(timestamp_with_time_zone_null("rotated_at"))
        .col(binary_null("successor"))
        .foreign_key(&mut session)
        .to_owned();
    manager.create_table(table).await?;
    create_index(manager, "refresh_tokens_session_id", "refresh_tokens", &["session_id"]).await?;
    create_index(manager, "refresh_tokens_expires_at", "refresh_tokens", &["expires_at"]).await
}

/// Access tokens that became void before they expired.
async fn create_revocations(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("revocations")
        .col(uuid("id").primary_key())
        .col(uuid("user_id"))
        .col(uuid_null("session_id"))
        .col(big_integer("token_version"))
        .col(timestamp_with_time_zone("revoked_at"))
        .to_owned();
    manager.create_table(table).await?;
    create_index(manager, "revocations_revoked_at", "revocations", &["revoked_at"]).await
}

/// Codes that were mailed or are about to be, at most one of a purpose for each account.
async fn contact_codes(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("contact_codes")
        .col(uuid("user_id"))
        .col(text("purpose"))
        .col(timestamp_with_time_zone("requested_at"))
        .col(text_null("selector"))
        .col(text("code_hash"))
        .col(timestamp_with_time_zone("expires_at"))
        .col(integer("attempts"))
        .primary_key(Index::create().col("user_id").col("purpose"))
        .foreign_key(&mut of_user("contact_codes"))
        .to_owned();
    manager.create_table(table).await?;
    let selector = Index::create()
        .name("contact_codes_selector")
        .table("contact_codes")
        .col("selector")
        .unique()
        .to_owned();
    manager.create_index(selector).await?;
    create_index(manager, "contact_codes_expires_at", "contact_codes", &["expires_at"]).await
}

/// Addresses that accounts keep. The address itself is one value, never queried by its parts.
async fn create_addresses(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("addresses")
        .col(uuid("id").primary_key())
        .col(uuid("user_id"))
        .col(text("label"))
        .col(json("address"))
        .col(big_integer("version"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("updated_at"))
        .foreign_key(&mut of_user("addresses"))
        .to_owned();
    manager.create_table(table).await?;
    create_index(manager, "addresses_user_id", "addresses", &["user_id", "id"]).await
}

/// Answers to questions of consent; rows are only ever added.
async fn create_consents(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("consents")
        .col(uuid("id").primary_key())
        .col(uuid("user_id"))
        .col(text("kind"))
        .col(text("text_version"))
        .col(boolean("granted"))
        .col(timestamp_with_time_zone("answered_at"))
        .foreign_key(&mut of_user("consents"))
        .to_owned();
    manager.create_table(table).await?;
    create_index(manager, "consents_user_id", "consents", &["user_id", "id"]).await
}

/// What hangs on an account goes with it.
fn of_user(table: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .from(table, "user_id")
        .to("users", "id")
        .on_delete(ForeignKeyAction::Cascade)
        .to_owned()
}

async fn create_index(
    manager: &SchemaManager<'_>,
    name: &'static str,
    table: &'static str,
    columns: &[&'static str],
) -> Result<(), DbErr> {
    let mut index = Index::create();
    index.name(name).table(table);
    for column in columns {
        index.col(*column);
    }
    manager.create_index(index.to_owned()).await
}
