//! The tables of the version before: a reservation took the time of a profile, in one row.

use crate::{
    firm::{confirm, release},
    fixture::{Provider, Shop, hold},
};
use chrono::{DateTime, Utc};
use kit::{
    Db, Role,
    testing::{Backend, World, at, somebody, window},
    values::time::timestamp,
};
use proto::quickserve::provider::v1 as pb;
use sea_orm::{
    ConnectionTrait, ExprTrait,
    sea_query::{Expr, Query},
};
use serde_json::json;
use uuid::Uuid;
use yare::parameterized;

/// The migrations of the version before.
const STEPS_BEFORE: u32 = 7;
const EXPIRES: &str = "2027-05-10T09:15:00Z";

/// A reservation as the version before inserts it: no resource, and the id that order and provider give.
async fn insert_reservation(db: &Db, order_id: Uuid, provider_id: Uuid, start: &str, state: &str) {
    let start = at(start);
    let end = start + chrono::Duration::hours(2);
    let job = json!({
        "vertical": "cleaning",
        "window": { "start": start, "end": end, "zone": "Europe/Paris" },
        "buffer_before_s": 0,
        "buffer_after_s": 0,
        "skills": ["cleaning.standard"],
        "documents": ["insurance"],
        "place": { "lat": 48.8566, "lng": 2.3522 },
    });
    let id = Uuid::new_v5(&order_id, provider_id.to_string().as_bytes());
    let (expires, now): (DateTime<Utc>, _) = (at(EXPIRES), at("2027-05-03T08:00:00Z"));
    let columns: [(&str, Expr); 12] = [
        ("id", id.into()),
        ("provider_id", provider_id.into()),
        ("order_id", order_id.into()),
        ("round", 0.into()),
        ("state", state.into()),
        ("lapsed", false.into()),
        ("starts_at", start.into()),
        ("ends_at", end.into()),
        ("hold_expires_at", expires.into()),
        ("job", job.into()),
        ("created_at", now.into()),
        ("updated_at", now.into()),
    ];
    let (names, values): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
    let insert =
        Query::insert().into_table("reservations").columns(names).values_panic(values).to_owned();
    db.connection().execute(&insert).await.unwrap();
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn time_that_the_version_before_has_taken_is_that_of_the_profile(backend: Backend) {
    let world = World::new(backend).await;
    let config = world.host.of("provider").database_config();
    migrations::migrate_first(&config.url, &config.schema, "provider", STEPS_BEFORE).await.unwrap();
    let db = Db::connect(&config, world.clock.clone()).await.unwrap();
    let provider = Uuid::new_v4();
    let (confirmed, held, released) = (Uuid::new_v4(), Uuid::new_v4(), Uuid::new_v4());
    insert_reservation(&db, confirmed, provider, "2027-05-24T08:00:00Z", "CONFIRMED").await;
    insert_reservation(&db, held, provider, "2027-05-24T10:00:00Z", "HOLD").await;
    insert_reservation(&db, released, provider, "2027-05-24T09:00:00Z", "RELEASED").await;
    db.close().await.unwrap();

    let shop = Shop::open_in(world).await;
    let mut reservations = shop.reservations();
    let order_ids = [confirmed, held, released].map(|id| id.to_string()).to_vec();
    let list = pb::ListOrderReservationsRequest { order_ids, ..Default::default() };
    let listed = reservations.list_order_reservations(list.clone()).await.unwrap().into_inner();
    let windows: Vec<_> = listed.reservations.iter().map(|it| it.window.clone().unwrap()).collect();
    assert_eq!(windows.len(), 2);
    assert!(windows.contains(&window("2027-05-24T08:00:00Z", 2)));
    // What is held can be confirmed, begun and finished, and stays in the way of another.
    let known = Provider { id: provider.to_string(), owner: somebody(&[Role::Provider]) };
    let mut hold = hold(&known, "2027-05-24T10:00:00Z", 2, EXPIRES);
    hold.order_id = held.to_string();
    reservations.confirm_reservation(confirm(&hold)).await.unwrap();
    let begin = pb::BeginReservationRequest {
        order_id: held.to_string(),
        provider_id: provider.to_string(),
        round: 3,
    };
    reservations.begin_reservation(begin).await.unwrap();
    let moved = pb::MoveReservationRequest {
        order_id: confirmed.to_string(),
        provider_id: provider.to_string(),
        window: Some(window("2027-05-24T08:00:00Z", 2)),
        hold_expires_at: Some(timestamp(at(EXPIRES))),
        round: 0,
    };
    reservations.move_reservation(moved).await.unwrap();
    let rows = shop.rows(&held.to_string()).await;
    assert_eq!(rows, [(provider, "CONFIRMED".to_owned(), false)], "it takes the profile");
    let db = Db::connect(&config, shop.world.clock.clone()).await.unwrap();
    let back = Query::update()
        .table("reservations")
        .value("state", "CONFIRMED")
        .and_where(Expr::col("order_id").eq(released))
        .to_owned();
    let error = db.connection().execute(&back).await.unwrap_err();
    assert!(error.to_string().contains("reservations_no_overlap"), "{error}");
    // While pods of both versions run, the one before goes on to insert rows without a resource.
    if matches!(backend, Backend::Postgres) {
        let order = Uuid::new_v4();
        insert_reservation(&db, order, provider, "2027-05-25T08:00:00Z", "CONFIRMED").await;
        let rows = shop.rows(&order.to_string()).await;
        assert_eq!(rows, [(provider, "CONFIRMED".to_owned(), false)]);
    }
    db.close().await.unwrap();
    reservations.release_reservation(release(&hold)).await.unwrap();
    assert!(shop.rows(&held.to_string()).await.is_empty());
}
