//! Rides and parcels, as people live them over HTTP.

use crate::{
    journey::{act, attempt, cents, get, is_told, noon, post, see, until_work_begins},
    mesh::Mesh,
    secrets::race,
};
use chrono::{DateTime, Duration, Utc};
use kit::{
    program::config::Config,
    testing::{Backend, eventually},
};
use quickserve::{
    client::Answer,
    demo::{self, CENTRE, Person, Provider, text_at},
};
use serde_json::{Value, json};
use yare::parameterized;

/// Metres of a degree of latitude.
const METRES_A_DEGREE: f64 = 111_195.08;

/// A stop to which the way from the centre is so many metres, north of it.
fn stop(metres: f64) -> Value {
    json!({ "lat": CENTRE.0 + metres / 1.3 / METRES_A_DEGREE, "lng": CENTRE.1 })
}

/// A request for the price of a ride to these stops, which takes so many minutes.
fn request_to(stops: &[f64], start: DateTime<Utc>, minutes: i64) -> Value {
    let mut request = demo::ride_request("", start);
    request["details"]["stops"] = stops.iter().map(|metres| stop(*metres)).collect();
    request["window"]["end"] = (start + Duration::minutes(minutes)).to_rfc3339().into();
    request
}

/// A request for the price of a parcel's way of 1.5 kilometres, for a driver.
fn parcel_request(provider: &Provider, start: DateTime<Utc>) -> Value {
    let mut request = request_to(&[1_500.0], start, 12);
    request["provider_id"] = provider.provider_id.clone().into();
    request["details"] = json!({
        "kind": "parcel", "stops": [stop(1_500.0)],
        "parcel": { "kg": 2.5, "longest_cm": 40, "undeliverable": "return" },
    });
    request
}

async fn ride(person: &Person, order: &str) -> Value {
    get(person, &format!("/v1/orders/{order}/ride")).await
}

/// The driver reports something of a stop.
async fn at_stop(driver: &Person, order: &str, n: i32, act: &str) -> Value {
    post(driver, &format!("/v1/orders/{order}/stops/{n}:{act}"), json!({})).await
}

async fn prove(driver: &Person, order: &str, kind: &str) {
    let proof = json!({ "kind": kind, "sha256": "0".repeat(64) });
    post(driver, &format!("/v1/orders/{order}/proofs"), proof).await;
}

/// The customer accepts what was delivered, both say how it was, and the money follows.
async fn close(customer: &Person, driver: &Person, order: &str, total: i64) {
    act(customer, order, "acceptDelivery", json!({})).await;
    act(customer, order, "review", json!({ "stars": 5, "text": "Prompt." })).await;
    act(driver, order, "review", json!({ "stars": 5, "text": "Friendly." })).await;
    let own = async || see(customer, order).await;
    let captured = eventually("the money is captured", own, |order| {
        order["payment"]["state"] == "PAYMENT_STATE_CAPTURED"
    });
    assert_eq!(cents(&captured.await["payment"]["captured"]), total);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_ride_from_booking_to_review(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let (customer, provider) = (mesh.customer("alice").await, mesh.driver(&operator, "bob").await);
    let request = demo::ride_request(&provider.provider_id, noon(&mesh));
    let order = demo::book(&customer, request).await.unwrap();
    assert_eq!((cents(&order["total"]), cents(&order["cap"])), (1_536, 1_843));
    let id = text_at(&order, "id").unwrap();
    let (customer, driver) = until_work_begins(&mesh, &customer, &provider, &id).await;

    assert_eq!(attempt(&driver, &id, "deliver", json!({})).await.0, 400, "the gate is closed");
    let here = at_stop(&driver, &id, 1, "arrive").await;
    assert_eq!((here["state"].as_str(), &here["leg"]), (Some("RIDE_STATE_STOP"), &json!(1)));
    mesh.clock.advance(Duration::minutes(5));
    let waiting = ride(&customer, &id).await;
    assert_eq!(waiting["waiting_from"], here["stops"][0]["reached_at"]);
    assert_eq!(cents(&waiting["waiting_minute"]), 30);
    let over = at_stop(&driver, &id, 1, "complete").await;
    assert_eq!(over["state"], "RIDE_STATE_DROPPED");
    // Three minutes beyond the two that are free.
    let delivered = act(&driver, &id, "deliver", json!({})).await;
    assert_eq!(cents(&delivered["total"]), 1_626, "{delivered}");
    close(&customer, &driver, &id, 1_626).await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_undeliverable_parcel_from_booking_to_review(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let (customer, provider) = (mesh.customer("alice").await, mesh.driver(&operator, "bob").await);
    let order = demo::book(&customer, parcel_request(&provider, noon(&mesh))).await.unwrap();
    assert_eq!((cents(&order["total"]), cents(&order["cap"])), (700, 840));
    let id = text_at(&order, "id").unwrap();
    let (customer, driver) = until_work_begins(&mesh, &customer, &provider, &id).await;

    at_stop(&driver, &id, 1, "arrive").await;
    let back = at_stop(&driver, &id, 1, "undeliverable").await;
    assert_eq!(back["state"], "RIDE_STATE_RETURNING");
    let told = async || is_told(&customer, "transport.returning.customer").await;
    eventually("the customer is told", told, |told| *told).await;
    assert_eq!(attempt(&driver, &id, "deliver", json!({})).await.0, 400);
    let returned = act(&driver, &id, "returned", json!({})).await;
    assert_eq!(returned["state"], "RIDE_STATE_RETURNED");
    assert_eq!(attempt(&driver, &id, "deliver", json!({})).await.0, 400, "no proof yet");
    prove(&driver, &id, "return.photo").await;
    let delivered = act(&driver, &id, "deliver", json!({})).await;
    assert_eq!(cents(&delivered["total"]), 840, "the way back, up to the cap: {delivered}");
    close(&customer, &driver, &id, 840).await;
}

/// The prices that were worked by hand, of the ways and times for which they hold.
#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn the_worked_prices_come_out(backend: Backend) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("quickserve.toml");
    let tunnel = format!(
        "[[transport.road.toll_gates]]\nname = \"A tunnel\"\nlat = {}\nlng = {}\nradius_m = 100\nminor_units = 480\n",
        stop(20_000.0)["lat"],
        CENTRE.1
    );
    // Tuesday afternoon, Saturday night and Tuesday evening in Paris.
    for (speed, hours, stops, minutes, total, cap) in [
        ("24.0", 27.0, &[8_200.0][..], 30, 1_536, 1_843),
        ("15.2", 132.5, &[1_430.0], 12, 1_350, 1_620),
        ("39.5", 30.5, &[10_000.0, 20_000.0, 34_000.0], 70, 6_844, 8_212),
    ] {
        let gates = if stops.len() > 1 { tunnel.as_str() } else { "" };
        std::fs::write(&file, format!("[transport.road]\nspeed_kmh = {speed}\n{gates}")).unwrap();
        let config = Config::load(Some(&file)).unwrap();
        let mesh = Mesh::with_config(backend, config).await;
        let customer = mesh.customer("alice").await;
        let start = mesh.clock.now() + Duration::seconds((hours * 3_600.0) as i64);
        let quote = post(&customer, "/v1/quotes", request_to(stops, start, minutes)).await;
        assert_eq!(cents(&quote["total"]), total, "{quote}");
        assert_eq!(cents(&quote["cap"]), cap, "{quote}");
    }
}

/// Asks for the price of a ride of which one thing is wrong.
async fn refused_quote(
    customer: &Person,
    start: DateTime<Utc>,
    field: &str,
    value: Value,
) -> Answer {
    let mut request = demo::ride_request("", start);
    *request["details"].pointer_mut(field).unwrap() = value;
    customer.client.post("/v1/quotes", request).await.unwrap()
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn each_wrong_field_of_the_details_is_named(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let customer = mesh.customer("alice").await;
    let start = noon(&mesh);
    for (field, value, named) in [
        ("/kind", json!("walk"), "details.kind"),
        ("/kind", json!("parcel"), "details.parcel"),
        ("/stops", json!([]), "details.stops"),
        ("/stops", json!(vec![stop(1_000.0); 7]), "details.stops"),
        ("/stops", json!([stop(1_000.0), stop(400_000.0 * 1.3)]), "details.stops[1].lat"),
        ("/stops/0/lat", json!(91), "details.stops[0].lat"),
        ("/stops/0", json!({ "lat": 48.9 }), "details.stops[0].lng"),
        (
            "/stops/0",
            json!({ "lat": 48.9, "lng": 2.3, "contact_phone": "06" }),
            "details.stops[0].contact_phone",
        ),
        ("/passengers", json!(9), "details.passengers"),
        ("/passengers", json!("two"), "details.passengers"),
        ("/passengers", json!(5), "details.passengers"),
    ] {
        let answer = refused_quote(&customer, start, field, value).await;
        assert_eq!(answer.status, 400, "{named}: {}", answer.body);
        assert_eq!(answer.body["violations"][0]["field"], named, "{}", answer.body);
    }
    let quotes = customer.client.get("/v1/orders").await.unwrap().ok().unwrap();
    assert_eq!(quotes["orders"], json!([]), "nothing was stored");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn of_three_who_accept_one_ride_one_drives(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let customer = mesh.customer("alice").await;
    let drivers = [
        mesh.driver(&operator, "bob").await,
        mesh.driver(&operator, "carol").await,
        mesh.driver(&operator, "dave").await,
    ];
    let order = demo::book(&customer, demo::ride_request("", noon(&mesh))).await.unwrap();
    let id = text_at(&order, "id").unwrap();
    let (winner, losers) = race(&drivers.each_ref(), &id).await;
    assert_eq!(ride(&winner.person, &id).await["state"], "RIDE_STATE_BOOKED");
    for loser in losers {
        let read = loser.person.client.get(&format!("/v1/orders/{id}/ride")).await.unwrap();
        assert_eq!(read.status, 404, "{}", read.body);
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_customer_who_moves_the_destination_pays_the_difference(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let (customer, provider) = (mesh.customer("alice").await, mesh.driver(&operator, "bob").await);
    let request = demo::ride_request(&provider.provider_id, noon(&mesh));
    let order = demo::book(&customer, request).await.unwrap();
    let id = text_at(&order, "id").unwrap();
    let (customer, driver) = until_work_begins(&mesh, &customer, &provider, &id).await;

    let path = format!("/v1/orders/{id}/changeOrders");
    let other = |stops: &[f64]| {
        let stops: Vec<Value> = stops.iter().map(|metres| stop(*metres)).collect();
        json!({ "reason": "the meeting is elsewhere", "details": { "stops": stops } })
    };
    let far = customer.client.post(&path, other(&[120_000.0])).await.unwrap();
    assert_eq!(far.status, 400, "{}", far.body);
    assert!(far.body.to_string().contains("TOO_FAR"), "{}", far.body);
    let off_the_map = customer.client.post(&path, other(&[400_000.0 * 1.3])).await.unwrap();
    let field = &off_the_map.body["violations"][0]["field"];
    assert_eq!(field, "details.stops[0].lat", "{}", off_the_map.body);
    post(&customer, &path, other(&[8_200.0, 12_000.0])).await;
    // 3.8 km and 9 minutes more, and a stop.
    let changed = see(&customer, &id).await;
    assert_eq!(cents(&changed["total"]), 1_536 + 454 + 180 + 200, "{changed}");
    let longer = ride(&driver, &id).await;
    assert_eq!(
        (longer["stops"].as_array().unwrap().len(), &longer["metres"]),
        (2, &json!("12000"))
    );
    for n in 1..=2 {
        at_stop(&driver, &id, n, "arrive").await;
        at_stop(&driver, &id, n, "complete").await;
    }
    let delivered = act(&driver, &id, "deliver", json!({})).await;
    assert_eq!(cents(&delivered["total"]), 2_370);
}
