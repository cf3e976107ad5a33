//! What an order takes the time of is a resource: a profile, a member or a vehicle. A job may take several, and of
//! each resource at most one job runs at a time.

use sea_orm_migration::{prelude::*, schema::*, sea_orm::DbBackend};

/// Adds the resource of a reservation, and rebuilds the guard on it.
#[derive(DeriveMigrationName)]
pub struct Migration;

/// The guard's name, by which the service knows its refusals.
const GUARD: &str = "reservations_no_overlap";

/// The states in which time is taken.
const ACTIVE: &str = "state IN ('HOLD', 'CONFIRMED')";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        add_columns(manager).await?;
        let db = manager.get_connection();
        // What is there takes the time of its profile, in one row.
        db.execute_unprepared(
            "UPDATE reservations SET resource_id = provider_id, reservation_id = id",
        )
        .await?;
        match manager.get_database_backend() {
            DbBackend::Postgres => rebuild_exclusion(db).await?,
            _ => rebuild_triggers(db).await?,
        }
        for statement in [
            format!(
                "CREATE INDEX reservations_resource ON reservations (resource_id, ends_at, starts_at) WHERE {ACTIVE}"
            ),
            "CREATE INDEX reservations_reservation_id ON reservations (reservation_id)".to_owned(),
            "CREATE UNIQUE INDEX reservations_running ON reservations (resource_id) WHERE running"
                .to_owned(),
        ] {
            db.execute_unprepared(&statement).await?;
        }
        Ok(())
    }
}

/// A reservation has a row for each of its resources, all in one state. Its first row has the id that order, provider and
/// round give, and the others name it as their `reservation_id`. `role` is what a member does in the job. `running` is set
/// from the begin of an exclusive job to its end.
async fn add_columns(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let columns = [
        uuid_null("resource_id"),
        text("resource_kind").default("PROFILE").take(),
        uuid_null("reservation_id"),
        text("role").default("").take(),
        boolean("running").default(false).take(),
    ];
    for column in columns {
        let table = Table::alter().table("reservations").add_column(column).to_owned();
        manager.alter_table(table).await?;
    }
    Ok(())
}

/// A service of the release before inserts no resource: its rows take the time of their profile, and stand alone.
const FILL: &str = "
CREATE FUNCTION reservations_fill_resource() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    NEW.resource_id := COALESCE(NEW.resource_id, NEW.provider_id);
    NEW.reservation_id := COALESCE(NEW.reservation_id, NEW.id);
    RETURN NEW;
END $$;
CREATE TRIGGER reservations_fill_resource BEFORE INSERT ON reservations
    FOR EACH ROW EXECUTE FUNCTION reservations_fill_resource();
ALTER TABLE reservations ALTER COLUMN resource_id SET NOT NULL;
ALTER TABLE reservations ALTER COLUMN reservation_id SET NOT NULL;
";

async fn rebuild_exclusion(db: &SchemaManagerConnection<'_>) -> Result<(), DbErr> {
    db.execute_unprepared(FILL).await?;
    db.execute_unprepared(&format!("ALTER TABLE reservations DROP CONSTRAINT {GUARD}")).await?;
    let guard = format!(
        "ALTER TABLE reservations ADD CONSTRAINT {GUARD} EXCLUDE USING gist \
         (resource_id WITH =, tstzrange(starts_at, ends_at, '[)') WITH &&) WHERE ({ACTIVE})"
    );
    db.execute_unprepared(&guard).await?;
    Ok(())
}

async fn rebuild_triggers(db: &SchemaManagerConnection<'_>) -> Result<(), DbErr> {
    let events = ["INSERT", "UPDATE OF resource_id, starts_at, ends_at, state"];
    for (event, suffix) in events.into_iter().zip(["insert", "update"]) {
        db.execute_unprepared(&format!("DROP TRIGGER {GUARD}_{suffix}")).await?;
        let trigger = format!(
            "CREATE TRIGGER {GUARD}_{suffix} BEFORE {event} ON reservations \
             WHEN NEW.{ACTIVE} BEGIN \
             SELECT RAISE(ABORT, '{GUARD}') WHERE EXISTS (\
             SELECT 1 FROM reservations WHERE resource_id = NEW.resource_id AND {ACTIVE} \
             AND id <> NEW.id AND ends_at > NEW.starts_at AND starts_at < NEW.ends_at); END"
        );
        db.execute_unprepared(&trigger).await?;
    }
    Ok(())
}
