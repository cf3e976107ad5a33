//! Rides whose way was measured, from the phone's positions to the money.

use super::{Drive, push};
use crate::{
    journey::{act, cents, get, noon, post, until_work_begins},
    mesh::Mesh,
};
use chrono::Duration;
use kit::testing::Backend;
use quickserve::demo::{self, text_at};
use serde_json::{Value, json};
use yare::parameterized;

/// Metres from the pick-up to the stop of the demo's ride, as the crow flies: 8.2 km by road.
const TO_STOP: f64 = 8_200.0 / 1.3;
/// Positions of a batch.
const BATCH: usize = 60;

/// What a ride comes to whose phone sends positions up to a share of its time: the ride and the delivered order.
async fn drive(backend: Backend, metres: f64, minutes: i64, sent_percent: i64) -> (Value, Value) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let (customer, provider) = (mesh.customer("alice").await, mesh.driver(&operator, "bob").await);
    let request = demo::ride_request(&provider.provider_id, noon(&mesh));
    let order = demo::book(&customer, request).await.unwrap();
    let id = text_at(&order, "id").unwrap();
    let (customer, mut driver) = until_work_begins(&mesh, &customer, &provider, &id).await;
    drop(mesh.track_opens(&customer, &id).await);

    let (begins, seconds) = (mesh.clock.now(), minutes * 60);
    let drive = Drive { begins, seconds, metres, north: TO_STOP };
    for batch in drive.positions(seconds * sent_percent / 100).chunks(BATCH) {
        mesh.clock.advance(Duration::seconds(Drive::EVERY * batch.len() as i64));
        driver = mesh.again(&driver).await;
        let pushed = push(&driver.client, batch).await;
        assert_eq!(pushed["dropped"], json!({}), "{pushed}");
    }
    // The clock stands where the ride ends.
    mesh.clock
        .advance((begins + Duration::seconds(seconds) - mesh.clock.now()).max(Duration::zero()));
    driver = mesh.again(&driver).await;
    post(&driver, &format!("/v1/orders/{id}/stops/1:arrive"), json!({})).await;
    post(&driver, &format!("/v1/orders/{id}/stops/1:complete"), json!({})).await;
    let ride = get(&driver, &format!("/v1/orders/{id}/ride")).await;
    (ride, act(&driver, &id, "deliver", json!({})).await)
}

/// The amount of a line, 0 where there is none.
fn line(order: &Value, code: &str) -> i64 {
    let lines = order["lines"].as_array().unwrap();
    let found = lines.iter().find(|line| line["code"] == code);
    found.map_or(0, |line| cents(&line["total"]))
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_ride_measured_at_8_6_km_and_22_minutes_pays_what_was_quoted(backend: Backend) {
    let (ride, delivered) = drive(backend, 8_600.0, 22, 100).await;
    assert_eq!(ride["measure"]["metered"], true, "{ride}");
    assert_eq!(line(&delivered, "transport.metered"), 0, "within five per cent");
    assert_eq!(cents(&delivered["total"]), 1_536, "{delivered}");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_ride_measured_at_9_4_km_and_27_minutes_pays_the_difference(backend: Backend) {
    let (ride, delivered) = drive(backend, 9_400.0, 27, 100).await;
    assert_eq!(ride["measure"]["metered"], true, "{ride}");
    assert_eq!(line(&delivered, "transport.metered"), 276, "{delivered}");
    assert_eq!(cents(&delivered["total"]), 1_536 + 276);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_ride_measured_at_12_km_and_40_minutes_pays_the_cap(backend: Backend) {
    let (ride, delivered) = drive(backend, 12_000.0, 40, 100).await;
    assert_eq!(ride["measure"]["metered"], true, "{ride}");
    assert_eq!(line(&delivered, "transport.metered"), 307, "{delivered}");
    assert_eq!(cents(&delivered["total"]), 1_843, "the cap");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_ride_of_which_too_little_was_measured_pays_what_was_quoted_and_says_so(
    backend: Backend,
) {
    let (ride, delivered) = drive(backend, 12_000.0, 40, 75).await;
    let measure = &ride["measure"];
    assert_eq!((&measure["metered"], &measure["covered_percent"]), (&json!(false), &json!(75)));
    assert_eq!(line(&delivered, "transport.metered"), 0, "{delivered}");
    assert_eq!(cents(&delivered["total"]), 1_536, "{delivered}");
}
