//! When and where the work happens: facts of a place follow from its position, and a move keeps to the rules of a booking.

use crate::{
    journey::{act, noon, see},
    mesh::Mesh,
};
use chrono::{DateTime, Duration, SecondsFormat, Utc};
use kit::testing::{Backend, eventually};
use quickserve::{
    client::Answer,
    demo::{self, Person, text_at},
};
use serde_json::{Value, json};
use yare::parameterized;

/// The fields that an answer refuses, and what it says of each.
fn refused(answer: &Answer) -> Vec<(String, String)> {
    assert_eq!(answer.status, 400, "{}", answer.body);
    let violations = answer.body["violations"].as_array().cloned().unwrap_or_default();
    let text = |it: &Value, key: &str| it[key].as_str().unwrap_or_default().to_owned();
    violations.iter().map(|it| (text(it, "field"), text(it, "description"))).collect()
}

fn at(request: &mut Value, lat: f64, lng: f64) {
    request["address"]["lat"] = json!(lat);
    request["address"]["lng"] = json!(lng);
}

pub fn moment(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// What a request has otherwise than the sample.
type Edit = fn(&mut Value);

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn facts_of_a_place_follow_from_its_position(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let (customer, provider) = (mesh.customer("alice").await, mesh.cleaner(&operator, "bob").await);
    let ask = async |change: fn(&mut Value)| {
        let mut request = demo::quote_request(&provider.provider_id, noon(&mesh));
        change(&mut request);
        customer.client.post("/v1/quotes", request).await.unwrap()
    };
    let refusals: [(Edit, &str, &str); 7] = [
        (
            |it| it["window"]["time_zone"] = json!("America/Los_Angeles"),
            "window.time_zone",
            "Europe/Paris",
        ),
        (|it| it["window"]["time_zone"] = json!("UTC"), "window.time_zone", "Europe/Paris"),
        (|it| it["address"]["country"] = json!("GB"), "address.country", "FR"),
        (|it| at(it, 51.5072, -0.1276), "address.country", "GB"),
        (|it| at(it, 0.0, 0.0), "address.country", "no country"),
        (
            |it| drop(it["address"].as_object_mut().unwrap().remove("lat")),
            "address.lat",
            "required",
        ),
        (
            |it| drop(it["address"].as_object_mut().unwrap().remove("lng")),
            "address.lng",
            "required",
        ),
    ];
    for (change, field, says) in refusals {
        let refused = refused(&ask(change).await);
        assert!(refused.len() == 1 && refused[0].0 == field, "{field}: {refused:?}");
        assert!(refused[0].1.contains(says), "{field}: {refused:?}");
    }
    let zones: [fn(&mut Value); 3] = [
        |_| {},
        |it| drop(it["window"].as_object_mut().unwrap().remove("time_zone")),
        |it| it["window"]["time_zone"] = json!("Europe/Brussels"),
    ];
    for zone in zones {
        let quote = ask(zone).await.ok().unwrap();
        assert_eq!(quote["window"]["time_zone"], "Europe/Paris");
    }
    the_clock_of_the_place_is_shown(&mesh, &customer, &provider.person, &provider.provider_id)
        .await;
}

/// In slots, orders and messages, whatever the zone of the provider's hours is.
async fn the_clock_of_the_place_is_shown(
    mesh: &Mesh,
    customer: &Person,
    provider: &Person,
    provider_id: &str,
) {
    let path = format!("/v1/providers/{provider_id}");
    let hours = json!({ "time_zone": "America/Los_Angeles" });
    provider.client.send(http::Method::PATCH, &path, Some(hours), &[]).await.unwrap().ok().unwrap();
    let (from, to) = (moment(noon(mesh)), moment(noon(mesh) + Duration::hours(4)));
    let (lat, lng) = demo::CENTRE;
    let path = format!(
        "/v1/slots?vertical=cleaning&from={from}&to={to}&duration=7200s&lat={lat}&lng={lng}"
    );
    let slots = customer.client.get(&path).await.unwrap().ok().unwrap();
    assert_eq!(slots["slots"][0]["window"]["time_zone"], "Europe/Paris", "{slots}");

    let mut request = demo::quote_request(provider_id, noon(mesh));
    request["window"]["time_zone"] = json!("");
    let quote = customer.client.post("/v1/quotes", request).await.unwrap().ok().unwrap();
    let order = json!({ "quote_id": text_at(&quote, "id").unwrap() });
    let order = customer.client.post("/v1/orders", order).await.unwrap().ok().unwrap();
    assert_eq!(order["window"]["time_zone"], "Europe/Paris");
    // 12:00 UTC on a day of May.
    let inbox = async || customer.client.get("/v1/inbox").await.unwrap().ok().unwrap().to_string();
    eventually("a message in the time of Paris", inbox, |inbox| {
        inbox.contains("order.created.customer") && inbox.contains("à 14 h 00")
    })
    .await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn addresses_and_areas_fit_their_country(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let (customer, provider) = (mesh.customer("alice").await, mesh.cleaner(&operator, "bob").await);
    let saved = |country: &str, lat: f64, lng: f64| {
        let address = json!({
            "lines": ["1 rue de la Paix"], "postcode": "75002", "city": "Paris", "country": country,
            "lat": lat, "lng": lng,
        });
        json!({ "label": "home", "address": address })
    };
    let keep = async |body| customer.client.post("/v1/me/addresses", body).await.unwrap();
    let (lat, lng) = demo::CENTRE;
    assert_eq!(refused(&keep(saved("GB", lat, lng)).await)[0].0, "address.country");
    let kept = keep(saved("FR", lat, lng)).await.ok().unwrap();
    let path = format!("/v1/me/addresses/{}", text_at(&kept, "id").unwrap());
    let patch = Some(saved("FR", 51.5072, -0.1276));
    let moved = customer.client.send(http::Method::PATCH, &path, patch, &[]).await.unwrap();
    assert_eq!(refused(&moved)[0].0, "address.country");

    let path = format!("/v1/providers/{}/offerings", provider.provider_id);
    let offer = async |area: Value| {
        let body = json!({ "vertical": "repair", "skills": ["repair.any"], "area": area });
        provider.person.client.post(&path, body).await.unwrap()
    };
    let abroad = offer(json!({ "lat": 51.5072, "lng": -0.1276, "radius_km": 10 })).await;
    assert_eq!(
        refused(&abroad)[0],
        ("area".to_owned(), "must have its centre in FR, the country of the profile".to_owned())
    );
    assert_eq!(refused(&offer(json!({ "lng": 2.35, "radius_km": 10 })).await)[0].0, "area.lat");
    offer(json!({ "lat": lat, "lng": lng, "radius_km": 10 })).await.ok().unwrap();
}

/// A customer's order tomorrow, which the provider has accepted.
pub async fn accepted(mesh: &Mesh, customer: &Person, provider: &demo::Provider) -> String {
    let order = demo::book_cleaning(customer, provider, noon(mesh)).await.unwrap();
    let id = text_at(&order, "id").unwrap();
    act(&provider.person, &id, "accept", json!({})).await;
    id
}

async fn try_to_move(
    person: &Person,
    order: &str,
    start: DateTime<Utc>,
    total: Option<i64>,
) -> Answer {
    let mut body = json!({
        "window": { "start": moment(start), "end": moment(start + Duration::hours(2)) },
    });
    if let Some(total) = total {
        body["accepted_total"] = json!({ "currency": "EUR", "minor_units": total.to_string() });
    }
    person.client.post(&format!("/v1/orders/{order}:reschedule"), body).await.unwrap()
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_move_keeps_to_the_rules_of_a_booking(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let (customer, provider) = (mesh.customer("alice").await, mesh.cleaner(&operator, "bob").await);
    let id = accepted(&mesh, &customer, &provider).await;
    let now = mesh.clock.now();
    for ahead in [Duration::minutes(1), Duration::days(700), Duration::days(3650)] {
        let answer = try_to_move(&customer, &id, now + ahead, None).await;
        assert_eq!(refused(&answer)[0].0, "window.start");
    }
    // Too far ahead for the card to keep the money: it goes back, and the card stays on file.
    let moved =
        try_to_move(&customer, &id, noon(&mesh) + Duration::days(20), None).await.ok().unwrap();
    assert_eq!(moved["state"], "ORDER_STATE_REQUESTED", "the provider is asked again");
    assert_eq!(moved["payment"]["state"], "PAYMENT_STATE_METHOD_SAVED");
    let payment = format!("/v1/payments/{}", moved["payment"]["payment_id"].as_str().unwrap());
    let paid = async || customer.client.get(&payment).await.unwrap().ok().unwrap();
    eventually("the authorisation is given back", paid, |paid| {
        paid["state"] == "PAYMENT_STATE_METHOD_SAVED" && paid["authorized"]["minor_units"] == "0"
    })
    .await;
    act(&provider.person, &id, "accept", json!({})).await;
    for day in [2, 3] {
        try_to_move(&customer, &id, noon(&mesh) + Duration::days(day), None).await.ok().unwrap();
    }
    let fourth = try_to_move(&customer, &id, noon(&mesh) + Duration::days(4), None).await;
    assert_eq!(fourth.reason(), "RESCHEDULE_LIMIT", "{}", fourth.body);
    assert!(!see(&customer, &id).await["allowed_actions"].to_string().contains("reschedule"));

    // The provider cannot come then: neither time nor money is kept.
    act(&provider.person, &id, "decline", json!({})).await;
    eventually("the payment is closed", paid, |paid| paid["state"] == "PAYMENT_STATE_CLOSED").await;
    let (from, to) = (moment(now), moment(now + Duration::days(60)));
    let path = format!("/v1/providers/{}/reservations?from={from}&to={to}", provider.provider_id);
    let reserved = async || provider.person.client.get(&path).await.unwrap().ok().unwrap();
    eventually("no time is taken", reserved, |it| it["reservations"] == json!([])).await;
}

/// The starts of the slots of a two-hour cleaning with a provider, between two moments.
async fn slots(person: &Person, provider: &str, from: &str, to: &str) -> Vec<String> {
    let (lat, lng) = demo::CENTRE;
    let path = format!(
        "/v1/slots?vertical=cleaning&provider_id={provider}&from={from}&to={to}&duration=7200s&lat={lat}&lng={lng}"
    );
    let slots = person.client.get(&path).await.unwrap().ok().unwrap();
    let slots = slots["slots"].as_array().unwrap().iter();
    slots.map(|slot| text_at(&slot["window"], "start").unwrap()).collect()
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_is_offered_can_be_booked_and_the_other_way_round(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let (customer, provider) = (mesh.customer("alice").await, mesh.cleaner(&operator, "bob").await);
    insure_until(&operator, &provider, "2027-05-20").await;
    let (from, to) = ("2027-05-20T12:00:00Z", "2027-05-24T00:00:00Z");
    let offered = slots(&customer, &provider.provider_id, from, to).await;
    // The last day of the insurance ends at 22:00 UTC in Paris.
    assert_eq!(offered.last().map(String::as_str), Some("2027-05-20T20:00:00Z"));
    let everyone = slots(&customer, "", from, to).await;
    assert_eq!(everyone, offered);
    let book = async |start: &str| {
        let request = demo::quote_request(&provider.provider_id, start.parse().unwrap());
        let quote = customer.client.post("/v1/quotes", request).await.unwrap().ok().unwrap();
        let order = json!({ "quote_id": text_at(&quote, "id").unwrap() });
        customer.client.post("/v1/orders", order).await.unwrap()
    };
    assert_eq!(book("2027-05-20T20:30:00Z").await.reason(), "PROVIDER_NOT_ELIGIBLE");
    book("2027-05-20T20:00:00Z").await.ok().unwrap();
    let left = slots(&customer, &provider.provider_id, from, to).await;
    assert_eq!(
        left.last().map(String::as_str),
        Some("2027-05-20T17:30:00Z"),
        "clear of what is booked"
    );

    let unknown = format!("/v1/slots?vertical=gardening&from={from}&to={to}&duration=7200s");
    assert_eq!(refused(&customer.client.get(&unknown).await.unwrap())[0].0, "vertical");
    let deep = format!(
        "/v1/slots?vertical=cleaning&skills=cleaning.windows&from={from}&to={to}&duration=7200s"
    );
    let none = customer.client.get(&deep).await.unwrap().ok().unwrap();
    assert_eq!(none["slots"], json!([]), "who lacks a skill is not offered");
}

/// An operator replaces the insurance of a provider by one that ends on a date.
async fn insure_until(operator: &Person, provider: &demo::Provider, expires: &str) {
    let path = format!("/v1/providers/{}/documents", provider.provider_id);
    let listed = provider.person.client.get(&path).await.unwrap().ok().unwrap();
    for document in listed["documents"].as_array().unwrap() {
        if document["kind"] == "insurance" {
            let revoke = format!("{path}/{}:revoke", text_at(document, "id").unwrap());
            let reason = json!({ "reason": "replaced by another" });
            operator.client.post(&revoke, reason).await.unwrap().ok().unwrap();
        }
    }
    let document = json!({
        "kind": "insurance", "number": "DEMO-2", "issued_on": "2027-01-01", "expires_on": expires,
    });
    let submitted = provider.person.client.post(&path, document).await.unwrap().ok().unwrap();
    let verify = format!("{path}/{}:verify", text_at(&submitted, "id").unwrap());
    operator.client.post(&verify, json!({})).await.unwrap().ok().unwrap();
}
