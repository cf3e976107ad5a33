//! A driver's cars, and the rides that count on them.

use super::{offer_of, offers_of};
use crate::{
    journey::{act, get, is_told, noon, see},
    mesh::Mesh,
};
use chrono::Duration;
use kit::testing::{Backend, eventually};
use quickserve::{
    client::Answer,
    demo::{self, Provider, text_at},
};
use serde_json::{Value, json};
use yare::parameterized;

/// The driver sells a car.
async fn try_to_sell(driver: &Provider, car: &str) -> Answer {
    let path = format!("/v1/providers/{}/assets/{car}", driver.provider_id);
    driver.person.client.send(http::Method::DELETE, &path, None, &[]).await.unwrap()
}

async fn sell(driver: &Provider, car: &str) {
    try_to_sell(driver, car).await.ok().unwrap();
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

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_car_stays_while_it_drives_and_takes_its_driver_offline_when_it_goes(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let customer = mesh.customer("alice").await;
    let [driver, rival, other] = mesh.fleet(&operator, 3).await.try_into().ok().unwrap();
    let cars = format!("/v1/providers/{}/assets", driver.provider_id);
    let car = text_at(&get(&driver.person, &cars).await["assets"][0], "id").unwrap();
    mesh.report_near(std::slice::from_ref(&driver), 300.0).await;
    let order = mesh.call_taxi(&customer).await;
    let offer = text_at(&offer_of(&driver).await, "id").unwrap();
    let taken = driver.person.client.post(&format!("/v1/offers/{offer}:accept"), json!({})).await;
    taken.unwrap().ok().unwrap();

    let refused = try_to_sell(&driver, &car).await;
    assert_eq!((refused.status.as_u16(), refused.reason()), (400, "RUNNING_ORDER"));
    assert_eq!(get(&driver.person, &cars).await["assets"][0]["id"], car.as_str());
    // It breaks down: the ride is another's, and the car may go.
    mesh.report_near(std::slice::from_ref(&rival), 400.0).await;
    act(&driver.person, &order, "reassign", json!({ "reason": "BREAKDOWN" })).await;
    let offer = text_at(&offer_of(&rival).await, "id").unwrap();
    let taken = rival.person.client.post(&format!("/v1/offers/{offer}:accept"), json!({})).await;
    taken.unwrap().ok().unwrap();
    let sold = async || try_to_sell(&driver, &car).await.status.as_u16();
    eventually("the job has ended", sold, |status| *status == 200).await;

    // Without a car the driver is offline: the next ride is offered to those who are online.
    mesh.clock.advance(Duration::seconds(10));
    mesh.report_near(&[driver.clone(), other.clone()], 200.0).await;
    let next = mesh.call_taxi(&customer).await;
    assert_eq!(offer_of(&other).await["order_id"], next.as_str());
    assert_eq!(offers_of(&driver).await, Vec::<Value>::new());
}
