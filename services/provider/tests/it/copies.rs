//! Many copies of one provider.

use kit::Db;
use sea_orm::{ConnectionTrait, DatabaseBackend};

/// Makes so many copies of the provider `id`, whose name is Ana, with all that decides about it and with all the time that is
/// taken from it. Those of one who is online are online, too, each with a vehicle of its own.
pub async fn copy_provider(db: &Db, id: &str, count: usize) {
    let connection = db.connection();
    let (random_id, source) = match connection.get_database_backend() {
        DatabaseBackend::Postgres => ("gen_random_uuid()", format!("'{id}'::uuid")),
        _ => ("randomblob(16)", format!("X'{}'", id.replace('-', ""))),
    };
    let of_provider = "kind, name, bio, city, city_key, country, time_zone, state, before_block, blocks, \
        background_check, weekly, exceptions, stars_sum, reviews, accepted, declined, cancelled, arrivals, \
        on_time, completed, score, standing, version, event_seq, created_at, updated_at";
    let of_offering = "vertical, skills, rate_card, lat, lng, radius_km, lat_min, lat_max, lng_min, lng_max, \
        created_at, updated_at";
    let of_document = "kind, number, issued_on, expires_on, file_sha256, state, reason, reviewed_by, version, \
        created_at, updated_at";
    let of_reservation = "round, reservation_id, resource_kind, role, running, state, lapsed, starts_at, ends_at, hold_expires_at, job, created_at, updated_at";
    let named = |columns: &str| {
        columns.split(", ").map(|it| format!("it.{}", it.trim())).collect::<Vec<_>>().join(", ")
    };
    let people = named(of_provider);
    let mut statements = vec![format!(
        "INSERT INTO providers (id, user_id, {of_provider}) \
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) \
         SELECT {random_id}, {random_id}, {people} FROM providers it, n WHERE it.id = {source}"
    )];
    for (table, columns, further) in [
        ("offerings", of_offering, ""),
        ("documents", of_document, ""),
        ("reservations", of_reservation, "resource_id, order_id, "),
    ] {
        let values = named(columns);
        let further_value =
            if further.is_empty() { String::new() } else { format!("copy.id, {random_id}, ") };
        statements.push(format!(
            "INSERT INTO {table} (id, provider_id, {further}{columns}) \
             SELECT {random_id}, copy.id, {further_value}{values} FROM {table} it, providers copy \
             WHERE it.provider_id = {source} AND copy.name = 'Ana' AND copy.id <> {source}"
        ));
    }
    // A vehicle is a resource of its own: with the id of its driver, a job could not take the time of both.
    let of_asset = "kind, seats, volume_l, payload_kg, plate, active, created_at, updated_at";
    let of_presence = "online, idle_since, seen_at, updated_at";
    let (vehicles, presences) = (named(of_asset), named(of_presence));
    let vehicle = "SELECT own.id FROM assets own \
                   WHERE own.provider_id = copy.id AND it.asset_id IS NOT NULL LIMIT 1";
    for (table, columns, values) in [
        (
            "assets",
            format!("id, provider_id, {of_asset}"),
            format!("{random_id}, copy.id, {vehicles}"),
        ),
        (
            "presences",
            format!("provider_id, asset_id, {of_presence}"),
            format!("copy.id, ({vehicle}), {presences}"),
        ),
    ] {
        statements.push(format!(
            "INSERT INTO {table} ({columns}) SELECT {values} FROM {table} it, providers copy \
             WHERE it.provider_id = {source} AND copy.name = 'Ana' AND copy.id <> {source}"
        ));
    }
    // Each of them is better scored than any other provider.
    statements.push("UPDATE providers SET score = score + 1 WHERE name = 'Ana'".to_owned());
    for statement in statements {
        connection.execute_unprepared(&statement).await.unwrap();
    }
}
