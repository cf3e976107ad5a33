//! Children, their guardians, the adults who may fetch them, what happened to them, and who has read of them.

use sea_orm_migration::{prelude::*, schema::*, sea_orm::DbBackend};

/// Makes the tables of families. What is called `secret` or `reason` is encrypted under the key of the family.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create_families(manager).await?;
        create_children(manager).await?;
        create_guardians(manager).await?;
        create_invitations(manager).await?;
        create_adults(manager).await?;
        create_incidents(manager).await?;
        create_accesses(manager).await
    }
}

/// One row for those whose values share a key. `founder_id` is the account that entered the first child; `erased_at` is set
/// once the key is to be destroyed.
async fn create_families(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("families")
        .col(uuid("id").primary_key())
        .col(uuid("founder_id"))
        .col(timestamp_with_time_zone_null("erased_at"))
        .col(timestamp_with_time_zone("created_at"))
        .to_owned();
    manager.create_table(table).await?;
    // An account founds one family at a time.
    manager
        .get_connection()
        .execute_unprepared(
            "CREATE UNIQUE INDEX families_founder_id ON families (founder_id) WHERE erased_at IS NULL",
        )
        .await?;
    Ok(())
}

/// `secret` is the profile; empty once the child is forgotten, at `forgotten_at`.
async fn create_children(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("children")
        .col(uuid("id").primary_key())
        .col(uuid("family_id"))
        .col(binary("secret"))
        .col(timestamp_with_time_zone_null("forgotten_at"))
        .col(big_integer("event_seq"))
        .col(big_integer("version"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("updated_at"))
        .to_owned();
    manager.create_table(table).await?;
    create_index(manager, "children", "family_id").await
}

/// `can_manage` tells those who change things from those who are told; `revoked_at` is set once they are no guardian.
async fn create_guardians(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("guardians")
        .col(uuid("child_id"))
        .col(uuid("user_id"))
        .col(boolean("can_manage"))
        .col(timestamp_with_time_zone_null("revoked_at"))
        .col(timestamp_with_time_zone("since"))
        .primary_key(Index::create().col("child_id").col("user_id"))
        .to_owned();
    manager.create_table(table).await?;
    create_index(manager, "guardians", "user_id").await
}

/// `token_hash` is the SHA-256 of the token, which only the inviter has seen.
async fn create_invitations(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("guardian_invitations")
        .col(uuid("id").primary_key())
        .col(binary("token_hash").unique_key())
        .col(uuid("child_id"))
        .col(boolean("can_manage"))
        .col(timestamp_with_time_zone("expires_at"))
        .col(uuid_null("accepted_by"))
        .col(timestamp_with_time_zone("created_at"))
        .to_owned();
    manager.create_table(table).await?;
    create_index(manager, "guardian_invitations", "child_id").await
}

/// `secret` is the profile. `code_hash` is the argon2id of the code under the family's pepper, and `link_hash` the SHA-256 of
/// the token with which the adult sets one; each is empty where there is none.
async fn create_adults(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("authorized_adults")
        .col(uuid("id").primary_key())
        .col(uuid("child_id"))
        .col(uuid("family_id"))
        .col(binary("secret"))
        .col(uuid_null("user_id"))
        .col(timestamp_with_time_zone("valid_from"))
        .col(timestamp_with_time_zone_null("valid_to"))
        .col(timestamp_with_time_zone_null("revoked_at"))
        .col(text("code_hash"))
        .col(binary("link_hash"))
        .col(timestamp_with_time_zone_null("link_expires_at"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("updated_at"))
        .to_owned();
    manager.create_table(table).await?;
    create_index(manager, "authorized_adults", "child_id").await
}

/// `child_id` becomes a random number once the family is erased. `key_id` is the family under whose key `secret` is: after
/// the erasure that of the archive, until `kept_until`.
async fn create_incidents(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("incidents")
        .col(uuid("id").primary_key())
        .col(uuid("order_id"))
        .col(uuid("child_id"))
        .col(uuid("key_id"))
        .col(text("kind"))
        .col(binary("secret"))
        .col(uuid("reported_by"))
        .col(text("country"))
        .col(timestamp_with_time_zone("at"))
        .col(timestamp_with_time_zone_null("kept_until"))
        .to_owned();
    manager.create_table(table).await?;
    create_index(manager, "incidents", "child_id").await?;
    create_index(manager, "incidents", "order_id").await
}

/// Who has read what of a child. Rows are added and never changed: the database refuses it.
async fn create_accesses(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("accesses")
        .col(uuid("id").primary_key())
        .col(uuid("child_id"))
        .col(uuid("reader_id"))
        .col(text("role"))
        .col(uuid_null("order_id"))
        .col(text("fields"))
        .col(binary("reason"))
        .col(timestamp_with_time_zone("at"))
        .to_owned();
    manager.create_table(table).await?;
    create_index(manager, "accesses", "child_id").await?;
    let db = manager.get_connection();
    match db.get_database_backend() {
        DbBackend::Postgres => {
            db.execute_unprepared(
                "CREATE FUNCTION accesses_stay() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN RAISE EXCEPTION 'accesses are append-only'; END $$;
                CREATE TRIGGER accesses_stay BEFORE UPDATE OR DELETE ON accesses
                FOR EACH ROW EXECUTE FUNCTION accesses_stay();
                CREATE TRIGGER accesses_stay_whole BEFORE TRUNCATE ON accesses
                FOR EACH STATEMENT EXECUTE FUNCTION accesses_stay()",
            )
            .await?;
        }
        _ => {
            for event in ["UPDATE", "DELETE"] {
                let trigger = format!(
                    "CREATE TRIGGER accesses_stay_on_{event} BEFORE {event} ON accesses \
                     BEGIN SELECT RAISE(ABORT, 'accesses are append-only'); END"
                );
                db.execute_unprepared(&trigger).await?;
            }
        }
    }
    Ok(())
}

async fn create_index(
    manager: &SchemaManager<'_>,
    table: &'static str,
    column: &'static str,
) -> Result<(), DbErr> {
    let name = format!("{table}_{column}");
    let index = Index::create().name(name).table(table).col(column).to_owned();
    manager.create_index(index).await
}
