//! Drivers who are online, the rides that look for them, and what their phones send.

mod field;
mod kills;
mod meter;
mod positions;
mod races;
mod vehicles;

pub use races::patient_mesh;

use crate::{journey::get, mesh::Mesh, tracking::Events};
use chrono::{DateTime, Duration, SecondsFormat, Utc};
use kit::testing::eventually;
use quickserve::{
    client::Client,
    demo::{self, CENTRE, Person, Provider, text_at},
};
use serde_json::{Value, json};

/// Metres of a degree of latitude.
const METRES_A_DEGREE: f64 = 111_195.08;

/// Where a phone is: so many metres north of the pick-up.
fn position(at: DateTime<Utc>, north: f64) -> Value {
    json!({
        "seq": at.timestamp().to_string(),
        "at": at.to_rfc3339_opts(SecondsFormat::Millis, true),
        "lat": CENTRE.0 + north / METRES_A_DEGREE,
        "lng": CENTRE.1,
        "accuracy_m": 5,
    })
}

/// Sends a batch of positions, and returns the answer to it.
async fn push(phone: &Client, positions: &[Value]) -> Value {
    let batch = json!({ "positions": positions });
    phone.post("/v1/me/positions", batch).await.unwrap().ok().unwrap()
}

impl Mesh {
    /// So many vetted drivers, each online with a car.
    async fn fleet(&self, operator: &Person, count: usize) -> Vec<Provider> {
        let mut drivers = Vec::new();
        for number in 0..count {
            let driver = self.driver(operator, &format!("driver{number}")).await;
            demo::go_online(&driver).await.unwrap();
            drivers.push(driver);
        }
        drivers
    }

    /// Every driver's phone says that it is so many metres north of the pick-up.
    async fn report_near(&self, drivers: &[Provider], north: f64) {
        for driver in drivers {
            let pushed = push(&driver.person.client, &[position(self.clock.now(), north)]).await;
            assert_eq!(pushed["accepted"], 1, "{pushed}");
        }
    }

    /// Books a ride as soon as possible, and returns the order.
    async fn call_taxi(&self, customer: &Person) -> String {
        let order = demo::book(customer, demo::taxi_request()).await.unwrap();
        text_at(&order, "id").unwrap()
    }

    /// The track of an order, once provider has heard that its driver is on the way.
    async fn track_opens(&self, reader: &Person, order: &str) -> Events {
        let path = format!("/v1/orders/{order}/track");
        let open = async || Events::open(self, reader, &path, "").await;
        eventually("the track opens", open, Option::is_some).await.unwrap()
    }
}

/// The open offers that a driver has.
async fn offers_of(driver: &Provider) -> Vec<Value> {
    let listed = get(&driver.person, "/v1/offers").await;
    listed["offers"].as_array().cloned().unwrap_or_default()
}

/// The one offer that a driver has, once there is one.
async fn offer_of(driver: &Provider) -> Value {
    let offers = async || offers_of(driver).await;
    eventually("an offer", offers, |offers| !offers.is_empty()).await.remove(0)
}

/// Cancels an order for its customer, and returns the status and the reason of a refusal.
async fn cancel(customer: &Person, order: &str) -> (u16, String) {
    let path = format!("/v1/orders/{order}:previewCancel");
    let preview = customer.client.post(&path, json!({})).await.unwrap().ok().unwrap();
    let body = json!({ "cancel_token": preview["cancel_token"], "reason": "plans changed" });
    crate::journey::attempt(customer, order, "cancel", body).await
}

/// What of an order the people of others must not read.
const READS: [&str; 7] =
    ["", "/ride", "/messages", "/proofs", "/timeline", "/changeOrders", "/track"];

/// The paths of an order that somebody reads who must not.
async fn leaks(reader: &Person, order: &str) -> Vec<String> {
    let paths = READS.map(|part| format!("/v1/orders/{order}{part}"));
    let reads = paths.iter().map(|path| reader.client.get(path));
    let answers = futures::future::join_all(reads).await;
    let mut leaks = Vec::new();
    for (path, answer) in paths.iter().zip(answers) {
        let answer = answer.unwrap();
        if answer.status != 404 {
            leaks.push(format!("{path}: {} {}", answer.status, answer.body));
        }
    }
    leaks
}

/// A drive to the north, which begins with a detour to the south.
struct Drive {
    begins: DateTime<Utc>,
    seconds: i64,
    metres: f64,
    /// Metres from the pick-up to the place where it ends.
    north: f64,
}

impl Drive {
    /// How often the phone measures where it is, in seconds.
    const EVERY: i64 = 10;

    /// Metres north of the pick-up after so many seconds. The turn is at one of the phone's positions.
    fn north_after(&self, seconds: i64) -> f64 {
        let step = self.metres * Self::EVERY as f64 / self.seconds as f64;
        let back = ((self.metres - self.north) / 2.0 / step).round() * step;
        let gone = self.metres * seconds as f64 / self.seconds as f64;
        if gone <= back { -gone } else { gone - 2.0 * back }
    }

    /// The positions up to so many seconds after the beginning.
    fn positions(&self, seconds: i64) -> Vec<Value> {
        let steps = 0..=seconds / Self::EVERY;
        steps
            .map(|step| {
                let after = step * Self::EVERY;
                position(self.begins + Duration::seconds(after), self.north_after(after))
            })
            .collect()
    }
}
