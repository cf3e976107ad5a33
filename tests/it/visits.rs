//! The price of a regular cleaning follows the visits that took place, not what the customer says.

use crate::{
    journey::{act, clean, noon, until_work_begins},
    mesh::Mesh,
};
use chrono::{DateTime, Duration, Utc};
use kit::testing::{Backend, eventually};
use quickserve::demo::{self, Person, Provider, text_at};
use serde_json::{Value, json};
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
