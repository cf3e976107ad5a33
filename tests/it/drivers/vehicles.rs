//! A driver's cars, and the rides that count on them.

use crate::{
    journey::{act, get, is_told, noon, see},
    mesh::Mesh,
};
use kit::testing::{Backend, eventually};
use quickserve::demo::{self, Provider, text_at};
use serde_json::{Value, json};
use yare::parameterized;

/// Takes a car out of the driver's hands.
async fn sell(driver: &Provider, car: &str) {
    let path = format!("/v1/providers/{}/assets/{car}", driver.provider_id);
    let gone = driver.person.client.send(http::Method::DELETE, &path, None, &[]).await;
    gone.unwrap().ok().unwrap();
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_ride_goes_on_with_another_car_and_without_one_to_another_driver(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let (customer, driver) = (mesh.customer("alice").await, mesh.driver(&operator, "bob").await);
    let cars = format!("/v1/providers/{}/assets", driver.provider_id);
    let first = get(&driver.person, &cars).await["assets"][0].clone();
    let request = demo::ride_request(&driver.provider_id, noon(&mesh));
    let order = text_at(&demo::book(&customer, request).await.unwrap(), "id").unwrap();
    act(&driver.person, &order, "accept", json!({})).await;
    let van = json!({ "kind": "van", "seats": 6, "volume_l": 900, "payload_kg": 900, "plate": "AB-123-CD" });
    let van = driver.person.client.post(&cars, van).await.unwrap().ok().unwrap();

    sell(&driver, &text_at(&first, "id").unwrap()).await;
    let told = async || is_told(&customer, "order.crew_replaced.customer").await;
    eventually("the customer is told of another car", told, |told| *told).await;
    assert!(is_told(&driver.person, "order.crew_replaced.provider").await);
    let full = get(&customer, &format!("/v1/orders/{order}?view=full")).await;
    assert_eq!(full["state"], "ORDER_STATE_ASSIGNED");
    assert_eq!(full["vehicles"][0]["plate"], "AB-123-CD", "{full}");

    let rival = mesh.driver(&operator, "carol").await;
    sell(&driver, &text_at(&van, "id").unwrap()).await;
    let told = async || is_told(&customer, "order.reassigned.customer").await;
    eventually("the customer is told of another driver", told, |told| *told).await;
    let offers = async || get(&rival.person, "/v1/offers").await;
    let of_order = |listed: &Value| listed["offers"][0]["order_id"] == order.as_str();
    let offers = eventually("another driver is asked", offers, of_order).await;
    let offer = text_at(&offers["offers"][0], "id").unwrap();
    let taken = rival.person.client.post(&format!("/v1/offers/{offer}:accept"), json!({})).await;
    taken.unwrap().ok().unwrap();
    assert_eq!(see(&customer, &order).await["provider_id"], rival.provider_id.as_str());
}
