//! The price of a regular cleaning follows the visits that took place, not what the customer says. A further visit to work
//! that is under way needs those who are planned for it.

use crate::{
    binary::rows,
    journey::{act, clean, get, is_told, noon, post, see, until_work_begins},
    mesh::Mesh,
};
use chrono::{DateTime, Duration, Utc};
use kit::testing::{Backend, eventually};
use quickserve::demo::{self, Person, Provider, text_at};
use sea_orm::QueryResult;
use serde_json::{Value, json};
use uuid::Uuid;
use yare::parameterized;

/// The price, in cents, of a weekly cleaning whose customer says that the last one was `days` days before. A first one
/// takes longer than two hours.
async fn price(
    customer: &Person,
    provider: &Provider,
    start: DateTime<Utc>,
    days: i64,
    north: f64,
) -> String {
    let mut request = demo::quote_request(&provider.provider_id, start);
    request["details"]["frequency"] = "weekly".into();
    request["details"]["days_since_last_visit"] = days.into();
    request["address"]["lat"] = (demo::CENTRE.0 + north).into();
    request["window"]["end"] = (start + Duration::minutes(170)).to_rfc3339().into();
    let quote = customer.client.post("/v1/quotes", request).await.unwrap().ok().unwrap();
    text_at(&quote["total"], "minor_units").unwrap()
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn only_a_visit_that_took_place_makes_the_next_one_cheaper(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let (customer, provider) = (mesh.customer("alice").await, mesh.cleaner(&operator, "bob").await);
    let (first, next) = (noon(&mesh), noon(&mesh) + Duration::days(7));
    let new = price(&customer, &provider, first, 7, 0.0).await;
    assert_eq!(new, "8100", "a new customer has had no visit, whatever they say");

    let order: Value = demo::book_cleaning(&customer, &provider, first).await.unwrap();
    let id = text_at(&order, "id").unwrap();
    let booked = price(&customer, &provider, next, 7, 0.0).await;
    assert_eq!(booked, "8100", "what is booked has not taken place");
    let (customer, cleaner) = until_work_begins(&mesh, &customer, &provider, &id).await;
    clean(&cleaner, &id).await;
    act(&cleaner, &id, "deliver", json!({})).await;
    act(&customer, &id, "acceptDelivery", json!({})).await;

    let regular = async || price(&customer, &provider, next, 7, 0.0).await;
    eventually("the visit counts", regular, |price| price == "4480").await;
    assert_eq!(price(&customer, &provider, next, 0, 0.0).await, "4480", "and not a later one");
    assert_eq!(
        price(&customer, &provider, next, 70, 0.0).await,
        "8100",
        "the customer knows better"
    );
    let late = next + Duration::days(60);
    assert_eq!(price(&customer, &provider, late, 7, 0.0).await, "8100", "the visit is long ago");
    assert_eq!(price(&customer, &provider, next, 7, 0.01).await, "8100", "another home");
    let stranger = mesh.customer("eve").await;
    assert_eq!(price(&stranger, &provider, next, 7, 0.0).await, "8100", "another customer");
}

impl Mesh {
    /// The members and vehicles whose time a further visit takes, as the tables of provider say.
    async fn staff_of_visit(&self, visit: &str) -> Vec<Uuid> {
        let taken = "SELECT order_id, resource_id FROM reservations WHERE state = 'CONFIRMED'";
        let taken = rows(&self.process.host().of("provider").database_config(), taken).await;
        let visit: Uuid = visit.parse().unwrap();
        let column = |row: &QueryResult, name| row.try_get::<Uuid>("", name).unwrap();
        let of_visit = taken.iter().filter(|row| column(row, "order_id") == visit);
        of_visit.map(|row| column(row, "resource_id")).collect()
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_visit_is_made_by_who_is_left_of_the_firm_or_not_at_all(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let (customer, firm) = (mesh.customer("alice").await, mesh.movers(&operator, "firm").await);
    let request = demo::move_request(&firm.provider_id, noon(&mesh));
    let order = text_at(&demo::book(&customer, request).await.unwrap(), "id").unwrap();
    let (customer, movers) = until_work_begins(&mesh, &customer, &firm, &order).await;
    let start = mesh.clock.now() + Duration::days(2);
    let window = json!({
        "start": start.to_rfc3339(), "end": (start + Duration::hours(3)).to_rfc3339(),
        "time_zone": demo::ZONE,
    });
    let path = format!("/v1/orders/{order}/visits");
    let visit = post(&movers, &path, json!({ "window": window })).await;
    let visit = text_at(&visit, "id").unwrap();
    assert_eq!(mesh.staff_of_visit(&visit).await.len(), 4, "three people and a truck");
    let members = format!("/v1/providers/{}/members", firm.provider_id);
    let listed = get(&movers, &members).await;
    let carriers: Vec<String> = ["Karim", "Léa"]
        .iter()
        .map(|name| {
            let all = listed["members"].as_array().unwrap().iter();
            text_at(all.clone().find(|it| it["name"] == *name).unwrap(), "id").unwrap()
        })
        .collect();
    let leaves = async |member: &str| {
        let path = format!("{members}/{member}");
        movers.client.send(http::Method::DELETE, &path, None, &[]).await.unwrap().ok().unwrap();
    };

    // The fourth of them makes the visit in the place of the one who leaves, whichever three were planned.
    leaves(&carriers[0]).await;
    let gone: Uuid = carriers[0].parse().unwrap();
    let staff = async || mesh.staff_of_visit(&visit).await;
    let replaced = |staff: &Vec<Uuid>| staff.len() == 4 && !staff.contains(&gone);
    eventually("another one comes", staff, replaced).await;
    assert_eq!(see(&customer, &order).await["visits"][0]["id"], visit.as_str());

    leaves(&carriers[1]).await;
    let told = async || is_told(&customer, "order.visit_lost.customer").await;
    eventually("the customer is told", told, |told| *told).await;
    let told = async || is_told(&movers, "order.visit_lost.provider").await;
    eventually("the firm is told", told, |told| *told).await;
    let seen = see(&customer, &order).await;
    assert_eq!(seen["state"], "ORDER_STATE_IN_PROGRESS", "the work goes on");
    assert!(seen["visits"].as_array().is_none_or(Vec::is_empty), "{seen}");
    eventually("the time is free", staff, Vec::is_empty).await;
}
