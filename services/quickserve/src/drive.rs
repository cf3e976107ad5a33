//! A car that comes: what `seed-demo --drive` shows of a ride, with positions as a driver's phone sends them.

use anyhow::{Context, bail};
use indicatif::ProgressBar;
use quickserve::{
    client::Client,
    demo::{self, CENTRE, Person, Provider, text_at},
};
use serde_json::{Value, json};
use std::time::Duration;

/// How far north of the pick-up the car begins, in degrees: about a kilometre and a half.
const BEGINS_NORTH: f64 = 0.0135;
/// How often a driver looks for an offer, and the pause in between.
const LOOKS: u32 = 120;
const PAUSE: Duration = Duration::from_millis(500);
/// Seconds of driving whose positions make a batch: a phone sends at most 30 batches a minute.
const BATCH_SECONDS: u32 = 3;

/// A customer books a ride as soon as possible, and `driver` takes it and sets out. Returns the order.
pub async fn call_car(customer: &Person, driver: &Provider) -> anyhow::Result<String> {
    let phone = &driver.person.client;
    demo::go_online(driver).await?;
    send_positions(phone, &[position(0, BEGINS_NORTH)]).await?;
    let order = demo::book(customer, demo::taxi_request()).await?;
    let id = text_at(&order, "id")?;
    let offer = wait_for_offer(phone, &id).await?;
    phone
        .post(&format!("/v1/offers/{offer}:accept"), json!({}))
        .await?
        .ok()
        .context("accepting")?;
    phone.post(&format!("/v1/orders/{id}:depart"), json!({})).await?.ok().context("departing")?;
    Ok(id)
}

/// The car of `driver` comes to the pick-up within so many seconds. `bar` has as many steps.
pub async fn drive_to_pick_up(
    driver: &Provider,
    order: &str,
    seconds: u32,
    bar: &ProgressBar,
) -> anyhow::Result<()> {
    let phone = &driver.person.client;
    let mut batch = Vec::new();
    for second in 1..=seconds {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let left = f64::from(seconds - second) / f64::from(seconds);
        batch.push(position(second, BEGINS_NORTH * left));
        if second % BATCH_SECONDS == 0 || second == seconds {
            send_positions(phone, &batch).await?;
            batch.clear();
        }
        bar.inc(1);
    }
    let door = json!({ "position": { "lat": CENTRE.0, "lng": CENTRE.1 } });
    phone.post(&format!("/v1/orders/{order}:arrive"), door).await?.ok().context("arriving")?;
    Ok(())
}

/// Where the car is now: so many degrees north of the pick-up, on its way south.
fn position(seq: u32, north: f64) -> Value {
    json!({
        "seq": seq, "at": kit::Clock::system().now().to_rfc3339(),
        "lat": CENTRE.0 + north, "lng": CENTRE.1, "accuracy_m": 8, "heading": 180,
    })
}

/// Sends where the car was since the last batch.
async fn send_positions(phone: &Client, positions: &[Value]) -> anyhow::Result<()> {
    let batch = json!({ "positions": positions });
    phone.post("/v1/me/positions", batch).await?.ok().context("positions")?;
    Ok(())
}

/// The offer of an order that the driver has, once there is one.
async fn wait_for_offer(phone: &Client, order: &str) -> anyhow::Result<String> {
    for _ in 0..LOOKS {
        let listed: Value = phone.get("/v1/offers").await?.ok()?;
        let offers = listed["offers"].as_array().into_iter().flatten();
        if let Some(offer) = offers.into_iter().find(|offer| offer["order_id"] == order) {
            return text_at(offer, "id");
        }
        tokio::time::sleep(PAUSE).await;
    }
    bail!("no offer of the ride has come to the driver: is another driver closer?")
}
