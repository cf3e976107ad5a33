//! What has gone wrong in the field at others, as stories over HTTP.

use super::{METRES_A_DEGREE, cancel, offer_of, offers_of, position, push};
use crate::{
    journey::{act, attempt, cents, get, noon, post, see, until_work_begins},
    mesh::Mesh,
};
use chrono::{DateTime, Duration, Utc};
use kit::testing::{Backend, eventually};
use quickserve::demo::{self, CENTRE, Person, Provider, text_at};
use serde_json::{Value, json};
use yare::parameterized;

/// How often an acceptance and a cancellation meet.
const MEETINGS: usize = 6;

async fn booked_with(customer: &Person, driver: &Provider, start: DateTime<Utc>) -> String {
    let order = demo::book(customer, demo::ride_request(&driver.provider_id, start)).await;
    let id = text_at(&order.unwrap(), "id").unwrap();
    act(&driver.person, &id, "accept", json!({})).await;
    id
}

fn moment(field: &Value) -> DateTime<Utc> {
    field.as_str().unwrap().parse().unwrap()
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_driver_who_rides_already_gets_no_offer_and_sets_out_for_no_other(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let customer = mesh.customer("alice").await;
    let driver = mesh.fleet(&operator, 1).await.remove(0);
    let soon = mesh.clock.now() + Duration::hours(4);
    let rides = [
        booked_with(&customer, &driver, soon).await,
        booked_with(&customer, &driver, soon + Duration::hours(2)).await,
    ];
    mesh.clock.advance(Duration::minutes(220));
    let (customer, driver) = (
        mesh.again(&customer).await,
        Provider { person: mesh.again(&driver.person).await, ..driver },
    );
    demo::go_online(&driver).await.unwrap();
    act(&driver.person, &rides[0], "depart", json!({})).await;
    let busy = attempt(&driver.person, &rides[1], "depart", json!({})).await;
    assert_eq!(busy, (409, "DRIVER_BUSY".to_owned()));
    assert_eq!(see(&driver.person, &rides[1]).await["state"], "ORDER_STATE_ASSIGNED");

    push(&driver.person.client, &[position(mesh.clock.now(), 300.0)]).await;
    let taxi = mesh.call_taxi(&customer).await;
    let seen = async || see(&customer, &taxi).await;
    mesh.in_time("the search ends", seen, |it| it["state"] == "ORDER_STATE_NO_PROVIDER").await;
    assert_eq!(count_offers(&mesh, &taxi).await, 0, "a driver who rides is not asked");
}

/// How many offers of an order went out.
async fn count_offers(mesh: &Mesh, order: &str) -> usize {
    let sql = "SELECT order_id FROM offers";
    let rows = crate::binary::rows(&mesh.process.host().of("order").database_config(), sql).await;
    let order: uuid::Uuid = order.parse().unwrap();
    rows.iter().filter(|row| row.try_get::<uuid::Uuid>("", "order_id").unwrap() == order).count()
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_ride_that_is_cancelled_while_a_driver_accepts_is_one_or_the_other(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let customer = mesh.customer("alice").await;
    let drivers = mesh.fleet(&operator, 1).await;
    let driver = &drivers[0];
    for _ in 0..MEETINGS {
        mesh.clock.advance(Duration::minutes(1));
        mesh.report_near(&drivers, 300.0).await;
        let order = mesh.call_taxi(&customer).await;
        let offer = text_at(&offer_of(driver).await, "id").unwrap();
        let path = format!("/v1/offers/{offer}:accept");
        let (accepted, cancelled) =
            tokio::join!(driver.person.client.post(&path, json!({})), cancel(&customer, &order));
        let accepted = accepted.unwrap();
        let state = see(&customer, &order).await["state"].clone();
        match (accepted.status.as_u16(), cancelled.0) {
            (200, 409) => {
                assert_eq!(state, "ORDER_STATE_ASSIGNED");
                // What the cancellation costs by now is shown first.
                assert_eq!(cancel(&customer, &order).await.0, 200);
            }
            // It was accepted, and cancelled a moment later.
            (200, 200) => assert_eq!(state, "ORDER_STATE_CANCELLED"),
            (409, 200) => {
                assert_eq!(accepted.reason(), "OFFER_TAKEN", "{}", accepted.body);
                assert_eq!(state, "ORDER_STATE_CANCELLED");
            }
            other => panic!("{other:?}: {} {cancelled:?}", accepted.body),
        }
        let running = async || {
            let sql = "SELECT order_id FROM reservations WHERE running";
            let provider = mesh.process.host().of("provider").database_config();
            crate::binary::rows(&provider, sql).await.len()
        };
        eventually("the driver is free", running, |running| *running == 0).await;
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_offer_lapses_with_the_search_and_is_not_accepted_after_it(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let customer = mesh.customer("alice").await;
    let drivers = mesh.fleet(&operator, 1).await;
    let begun = mesh.clock.now();
    let order = mesh.call_taxi(&customer).await;
    mesh.clock.advance(Duration::seconds(232));
    mesh.report_near(&drivers, 300.0).await;
    let offers = async || offers_of(&drivers[0]).await;
    let offers = mesh.in_time("an offer", offers, |offers| !offers.is_empty()).await;
    let ends = begun + Duration::minutes(4);
    assert_eq!(moment(&offers[0]["valid_till"]), ends, "not later than the search");
    mesh.clock.advance(ends - mesh.clock.now());
    let path = format!("/v1/offers/{}:accept", text_at(&offers[0], "id").unwrap());
    let late = drivers[0].person.client.post(&path, json!({})).await.unwrap();
    assert_eq!((late.status.as_u16(), late.reason()), (400, "OFFER_EXPIRED"), "{}", late.body);
    let seen = async || see(&customer, &order).await;
    mesh.in_time("the search ends", seen, |it| it["state"] == "ORDER_STATE_NO_PROVIDER").await;
    assert_eq!(offers_of(&drivers[0]).await, Vec::<Value>::new());
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn arrived_pressed_far_away_starts_no_clock_and_both_phones_read_the_same_one(
    backend: Backend,
) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let (customer, provider) = (mesh.customer("alice").await, mesh.driver(&operator, "bob").await);
    let start = noon(&mesh);
    let order = booked_with(&customer, &provider, start).await;
    mesh.clock.advance(start - mesh.clock.now() - Duration::minutes(10));
    let (customer, driver) = (mesh.again(&customer).await, mesh.again(&provider.person).await);
    act(&driver, &order, "depart", json!({})).await;
    let departed = mesh.clock.now();
    drop(mesh.track_opens(&customer, &order).await);

    // Four kilometres away, and 2 km when the driver presses the button.
    let north = |seconds: i64| 4_000.0 - seconds as f64 * 2_000.0 / 660.0;
    let step = |seconds: i64| position(departed + Duration::seconds(seconds), north(seconds));
    mesh.clock.advance(Duration::minutes(11));
    let (customer, driver) = (mesh.again(&customer).await, mesh.again(&driver).await);
    push(&driver.client, &(0..=66).map(|n| step(n * 10)).collect::<Vec<_>>()).await;
    let door = json!({ "position": { "lat": CENTRE.0, "lng": CENTRE.1 } });
    act(&driver, &order, "arrive", door).await;
    let path = format!("/v1/orders/{order}/ride");
    for phone in [&customer, &driver] {
        let ride = get(phone, &path).await;
        assert_eq!(ride["waiting_from"], Value::Null, "nobody waits 2 km away: {ride}");
    }
    // Eleven minutes later the car is there, within 150 m for the first time.
    mesh.clock.advance(Duration::minutes(11));
    let (customer, driver) = (mesh.again(&customer).await, mesh.again(&driver).await);
    let there: Vec<Value> = (67..=132).map(|n| step(n * 10)).collect();
    push(&driver.client, &there).await;
    let near = (67..).map(|n| n * 10).find(|seconds| north(*seconds) <= 150.0).unwrap();
    let waits = departed + Duration::seconds(near);
    for phone in [&customer, &driver] {
        let ride = get(phone, &path).await;
        assert_eq!(moment(&ride["waiting_from"]), waits, "{ride}");
        assert_eq!(
            (cents(&ride["waiting_minute"]), &ride["free_waiting_minutes"]),
            (30, &json!(3))
        );
    }
    let code = text_at(&see(&customer, &order).await, "start_code").unwrap();
    act(&driver, &order, "start", json!({ "start_code": code })).await;
    post(&driver, &format!("/v1/orders/{order}/stops/1:arrive"), json!({})).await;
    post(&driver, &format!("/v1/orders/{order}/stops/1:complete"), json!({})).await;
    let delivered = act(&driver, &order, "deliver", json!({})).await;
    assert_eq!(cents(&delivered["total"]), 1_536, "eleven minutes of it nobody waited");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_peak_goes_on_over_midnight_and_ends(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let customer = mesh.customer("alice").await;
    // From Monday, 11 o'clock in Paris: the peak is from 23 to 3 o'clock in the nights of Friday and Saturday.
    for (hours, peak) in [
        (4 * 24 + 11, false),
        (4 * 24 + 12, true),
        (4 * 24 + 14, true),
        (4 * 24 + 16, false),
        (5 * 24 + 12, true),
        (5 * 24 + 15, true),
        (6 * 24 + 12, false),
        (6 * 24 + 14, false),
    ] {
        let start = mesh.clock.now() + Duration::hours(hours);
        let quote = post(&customer, "/v1/quotes", demo::ride_request("", start)).await;
        let lines = quote["lines"].as_array().unwrap();
        let surge = lines.iter().find(|line| line["code"] == "transport.surge");
        assert_eq!(surge.is_some(), peak, "{start}: {quote}");
        // Half as much again, and the night.
        let total = if peak { 1_536 + 768 + 300 } else { 1_536 + 300 };
        assert_eq!(cents(&quote["total"]), total, "{start}");
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_stop_four_hundred_kilometres_away_is_refused_by_its_name(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let customer = mesh.customer("alice").await;
    let mut request = demo::ride_request("", noon(&mesh));
    request["details"]["stops"][0]["lat"] = json!(CENTRE.0 - 400_000.0 / METRES_A_DEGREE);
    let answer = customer.client.post("/v1/quotes", request).await.unwrap();
    assert_eq!(answer.status, 400, "{}", answer.body);
    let violation = &answer.body["violations"][0];
    assert_eq!(violation["field"], "details.stops[0].lat");
    assert!(
        violation["description"].as_str().unwrap_or_default().contains("300 km"),
        "{violation}"
    );
    let quotes = "SELECT id FROM quotes";
    let order = mesh.process.host().of("order").database_config();
    assert!(crate::binary::rows(&order, quotes).await.is_empty(), "nothing is stored");
}

/// A ride that is under way is the only one that `until_work_begins` has begun: the driver is busy until it is delivered.
#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_driver_is_free_for_the_next_ride_once_the_first_is_delivered(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let (customer, provider) = (mesh.customer("alice").await, mesh.driver(&operator, "bob").await);
    let next = booked_with(&customer, &provider, noon(&mesh) + Duration::hours(1)).await;
    let order = demo::book(&customer, demo::ride_request(&provider.provider_id, noon(&mesh))).await;
    let first = text_at(&order.unwrap(), "id").unwrap();
    let (_, driver) = until_work_begins(&mesh, &customer, &provider, &first).await;
    let busy = attempt(&driver, &next, "depart", json!({})).await;
    assert_eq!(busy, (409, "DRIVER_BUSY".to_owned()));
    post(&driver, &format!("/v1/orders/{first}/stops/1:arrive"), json!({})).await;
    post(&driver, &format!("/v1/orders/{first}/stops/1:complete"), json!({})).await;
    act(&driver, &first, "deliver", json!({})).await;
    mesh.clock.advance(Duration::minutes(30));
    let driver = mesh.again(&driver).await;
    let depart = async || attempt(&driver, &next, "depart", json!({})).await;
    eventually("the driver is free", depart, |(status, _)| *status == 200).await;
}
