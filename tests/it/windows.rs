//! The window of a booking fits the work, in every vertical: the quote says how long that takes.

use crate::{journey::noon, mesh::Mesh};
use chrono::{DateTime, Duration, Utc};
use kit::testing::Backend;
use quickserve::{
    client::Answer,
    demo::{self, Person, Provider, text_at},
};
use serde_json::{Value, json};
use yare::parameterized;

/// Asks for the price of a job within `window`.
async fn quote(
    customer: &Person,
    provider: &Provider,
    details: Value,
    window: [DateTime<Utc>; 2],
) -> Answer {
    let mut request = demo::quote_request(&provider.provider_id, window[0]);
    request["details"] = details;
    request["window"]["end"] = window[1].to_rfc3339().into();
    customer.client.post("/v1/quotes", request).await.unwrap()
}

/// A window that does not fit is refused by name, with both bounds.
fn refuses(answer: &Answer, bounds: &str) {
    assert_eq!(answer.status, 400, "{}", answer.body);
    let violation = &answer.body["violations"][0];
    assert_eq!(violation["field"], "window.end", "{}", answer.body);
    let problem = violation["description"].as_str().unwrap_or_default();
    assert!(problem.contains(bounds), "{}", answer.body);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn the_window_fits_the_work(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let (customer, provider) = (mesh.customer("alice").await, mesh.cleaner(&operator, "bob").await);
    let start = noon(&mesh);
    let flat = json!({ "rooms": 2, "bathrooms": 1 });
    let until = async |details: &Value, length: Duration| {
        quote(&customer, &provider, details.clone(), [start, start + length]).await
    };
    // A flat takes two hours.
    for length in [
        Duration::microseconds(1),
        Duration::minutes(15),
        Duration::minutes(119),
        Duration::minutes(181),
        Duration::days(7),
        Duration::days(700),
    ] {
        refuses(&until(&flat, length).await, "120 to 180 minutes after window.start");
    }
    for length in [Duration::minutes(120), Duration::minutes(150), Duration::minutes(180)] {
        let body = until(&flat, length).await.ok().unwrap();
        assert_eq!(body["duration"], "7200s", "{body}");
        let path = format!("/v1/quotes/{}", text_at(&body, "id").unwrap());
        let read = customer.client.get(&path).await.unwrap().ok().unwrap();
        assert_eq!(read["duration"], "7200s", "{read}");
    }
    // A house takes more than eleven hours.
    let house = json!({ "type": "deep", "area_m2": 220 });
    for length in [Duration::minutes(15), Duration::minutes(674), Duration::minutes(1013)] {
        refuses(&until(&house, length).await, "675 to 1012 minutes after window.start");
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_slot_as_long_as_the_work_can_be_booked(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let (customer, provider) = (mesh.customer("alice").await, mesh.cleaner(&operator, "bob").await);
    let start = noon(&mesh);
    for (details, duration) in [
        (json!({ "rooms": 2, "bathrooms": 1 }), "7200s"),
        (json!({ "type": "deep", "rooms": 6, "bathrooms": 4 }), "31500s"),
    ] {
        let path = format!(
            "/v1/slots?provider_id={}&from={}&to={}&duration={duration}",
            provider.provider_id,
            start.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
            (start + Duration::days(3)).to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        );
        let body = customer.client.get(&path).await.unwrap().ok().unwrap();
        let slots = body["slots"].as_array().unwrap();
        let slot = slots.first().unwrap();
        let moment = |field: &str| -> DateTime<Utc> {
            slot["window"][field].as_str().unwrap().parse().unwrap()
        };
        let window = [moment("start"), moment("end")];
        let priced = quote(&customer, &provider, details, window).await.ok().unwrap();
        assert_eq!(priced["duration"], duration, "{priced}");
        let order = json!({ "quote_id": text_at(&priced, "id").unwrap() });
        customer.client.post("/v1/orders", order).await.unwrap().ok().unwrap();
    }
}
