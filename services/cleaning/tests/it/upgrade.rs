//! A database of the version before opens without loss.

use crate::fixture::{Shop, flat};
use chrono::{NaiveDate, Utc};
use kit::{
    Db, Role,
    testing::{ActingAs, Backend, EventRecorder, World, at, eventually, somebody},
};
use prost::Message;
use proto::quickserve::{
    cleaning::v1 as pb,
    fulfilment::v1::{OrderState, Signal},
};
use sea_orm::{
    ConnectionTrait,
    sea_query::{Expr, Query},
};
use serde_json::json;
use uuid::Uuid;
use yare::parameterized;

/// The migrations of the version before: the tables of the runtime, the cleanings, and how events reach consumers.
const STEPS_BEFORE: u32 = 4;

/// A cleaning that was reworked and is accepted.
async fn insert_cleaning(db: &Db, order_id: Uuid, customer: Uuid, provider: Uuid) {
    let details = pb::CleaningDetails {
        rooms: Some(2),
        bathrooms: Some(1),
        access: "key box 4711".to_owned(),
        ..pb::CleaningDetails::default()
    };
    let checklist = json!([
        { "code": "all.bins", "done_at": "2027-05-03T09:00:00Z", "note": "no bags", "reopened": 1 },
    ]);
    let attempts = json!([{ "channel": "call", "at": "2027-05-03T07:55:00Z" }]);
    let (start, end) = (at("2027-05-03T08:00:00Z"), at("2027-05-03T10:00:00Z"));
    let columns: [(&str, Expr); 20] = [
        ("order_id", order_id.into()),
        ("customer_id", customer.into()),
        ("provider_user_id", provider.into()),
        ("order_version", 12_i64.into()),
        ("delivered_at", end.into()),
        ("state", i32::from(OrderState::Completed).into()),
        ("details", details.encode_to_vec().into()),
        ("starts_at", start.into()),
        ("ends_at", end.into()),
        ("time_zone", "Europe/Paris".into()),
        ("visit_on", NaiveDate::from_ymd_opt(2027, 5, 3).into()),
        ("visited", true.into()),
        ("checklist", checklist.into()),
        ("recleans", 1.into()),
        ("access_failed_at", Option::<chrono::DateTime<Utc>>::None.into()),
        ("contact_attempts", attempts.into()),
        ("version", 7_i64.into()),
        ("event_seq", 1_i64.into()),
        ("created_at", start.into()),
        ("updated_at", end.into()),
    ];
    insert(db, "cleanings", columns.into()).await;
}

/// A fact that cleaning has not delivered yet.
async fn insert_fact(db: &Db, order_id: Uuid, signal: &Signal) {
    let now = at("2027-05-03T08:00:00Z");
    let columns: [(&str, Expr); 13] = [
        ("id", Uuid::new_v4().into()),
        ("kind", "cleaning.access_failed".into()),
        ("aggregate", order_id.into()),
        ("seq", 1_i64.into()),
        ("occurred_at", now.into()),
        ("actor", "".into()),
        ("traceparent", "".into()),
        ("data", signal.encode_to_vec().into()),
        ("claimed_by", Option::<Uuid>::None.into()),
        ("lease_until", Option::<chrono::DateTime<Utc>>::None.into()),
        ("attempts", 0.into()),
        ("next_at", now.into()),
        ("state", 0_i16.into()),
    ];
    insert(db, "outbox", columns.into()).await;
}

async fn insert(db: &Db, table: &'static str, columns: Vec<(&'static str, Expr)>) {
    let (names, values): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
    let insert = Query::insert().into_table(table).columns(names).values_panic(values).to_owned();
    db.connection().execute(&insert).await.unwrap();
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn cleanings_and_facts_of_the_version_before_are_there(backend: Backend) {
    let world = World::new(backend).await;
    let events = EventRecorder::subscribed(&world.host, &["fulfilment."]);
    let config = world.host.of("cleaning").database_config();
    migrations::migrate_first(&config.url, &config.schema, "cleaning", STEPS_BEFORE).await.unwrap();
    let (customer, provider) = (somebody(&[Role::Customer]), somebody(&[Role::Provider]));
    let order_id = Uuid::new_v4();
    let signal = Signal {
        order_id: order_id.to_string(),
        reported_by: provider.user_id.to_string(),
        ..Signal::default()
    };
    let db = Db::connect(&config, world.clock.clone()).await.unwrap();
    insert_cleaning(&db, order_id, customer.user_id, provider.user_id).await;
    insert_fact(&db, order_id, &signal).await;
    db.close().await.unwrap();

    let shop = Shop::open_in(world).await;
    let request = pb::GetCleaningRequest { order_id: order_id.to_string() };
    let read = shop.people().get_cleaning(request).by(customer).await.unwrap();
    let read = read.into_inner().cleaning.unwrap();
    assert_eq!((read.state(), read.recleans, read.version), (OrderState::Completed, 1, 7));
    assert_eq!(read.provider_user_id, provider.user_id.to_string());
    assert_eq!(read.details.unwrap().access, "key box 4711");
    assert_eq!(read.contact_attempts[0].channel, "call");
    let request = pb::GetChecklistRequest { order_id: order_id.to_string() };
    let read = shop.people().get_checklist(request).by(customer).await.unwrap();
    let item = read.into_inner().checklist.unwrap().items.remove(0);
    assert_eq!((item.code.as_str(), item.done, item.reopened), ("all.bins", true, 1));
    assert_eq!(item.note, "no bags");
    // The visit counts: three weeks before the one that is asked for.
    let mut weekly = flat();
    weekly["frequency"] = "weekly".into();
    let price = shop.quote(&weekly, customer).await.unwrap();
    assert!(price.lines.iter().all(|line| line.code != "cleaning.first_clean"), "{price:?}");
    let told = async || events.messages::<Signal>("fulfilment.access_failed");
    assert_eq!(eventually("the fact", told, |told| !told.is_empty()).await, [signal]);
}
