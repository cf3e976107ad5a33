//! The program is killed while a driver's phone sends positions: what was acknowledged is on the track.

use super::position;
use crate::{
    binary::{Home, Program, number_from},
    journey::{act, see},
};
use chrono::{DateTime, Duration, Utc};
use kit::{
    Clock,
    testing::{Backend, eventually},
};
use quickserve::{
    client::Client,
    demo::{self, Person, Provider, text_at},
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::json;
use std::{collections::BTreeSet, time::Instant};
use yare::parameterized;

/// Kills while positions are written.
const USUAL_KILLS: u32 = 5;
/// Positions of a batch.
const BATCH: i64 = 4;

/// A driver may set out days ahead.
const EARLY: [(&str, &str); 1] = [("QS_ORDER__TIMING__DEPARTURE_S", "864000")];

fn at(person: &Person, program: &Program) -> Person {
    let client = program.client.with_token(person.client.token().unwrap());
    Person { client, ..person.clone() }
}

/// A driver who is on the way to a customer, and the order.
async fn set_out(home: &Home, program: &Program) -> (Person, Provider, String) {
    let email = "operator@test.example";
    let mut command = home.command(&["create-operator", email]);
    command.env("QS_OPERATOR_PASSWORD", demo::PASSWORD);
    crate::binary::run(command).await.ok();
    let client = &program.client;
    let operator = demo::sign_in(client, email, demo::PASSWORD).await.unwrap();
    let customer = demo::make_customer(client, "alice", "alice@test.example").await.unwrap();
    let driver = demo::make_driver(client, &operator, "bob", "bob@test.example").await.unwrap();
    let start = Clock::system().now() + Duration::hours(6);
    let request = demo::ride_request(&driver.provider_id, start);
    let order = demo::book(&customer, request).await.unwrap();
    let id = text_at(&order, "id").unwrap();
    act(&driver.person, &id, "accept", json!({})).await;
    act(&driver.person, &id, "depart", json!({})).await;
    (customer, driver, id)
}

/// Sends batches until the program is gone, and returns the moments of the positions that were acknowledged.
async fn send_until_killed(phone: Client, mut from: DateTime<Utc>) -> (Vec<i64>, DateTime<Utc>) {
    let mut acknowledged = Vec::new();
    loop {
        let moments: Vec<DateTime<Utc>> =
            (0..BATCH).map(|n| from + Duration::milliseconds(500 * n)).collect();
        from += Duration::milliseconds(500 * BATCH);
        // Ten metres in half a second.
        let north =
            |at: &DateTime<Utc>| (at.timestamp_millis() % 100_000_000) as f64 / 50.0 % 20_000.0;
        let batch: Vec<_> = moments.iter().map(|at| position(*at, north(at))).collect();
        let answer = phone.post("/v1/me/positions", json!({ "positions": batch })).await;
        let Ok(answer) = answer else { return (acknowledged, from) };
        if answer.status != 200 {
            return (acknowledged, from);
        }
        if answer.body["accepted"] == json!(BATCH) {
            acknowledged.extend(moments.iter().map(DateTime::timestamp_millis));
        }
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn no_position_is_lost_that_was_acknowledged(backend: Backend) {
    let kills: u32 = number_from("QS_TEST_KILLS", USUAL_KILLS).min(40);
    let seed = number_from("QS_TEST_SEED", 1);
    println!("{kills} kills at moments of the seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let home = Home::new(backend).await;
    let mut program = home.start_with(&EARLY).await;
    let (customer, driver, order) = set_out(&home, &program).await;
    let track = "SELECT order_id FROM tracks WHERE state = 'EN_ROUTE'";
    let followed = async || home.rows("provider", track).await.len();
    eventually("provider has heard", followed, |tracks| *tracks == 1).await;
    // Positions of the last half hour count.
    let mut from = Clock::system().now() - Duration::minutes(25);
    let mut acknowledged = BTreeSet::new();
    for _ in 0..kills {
        let begun = Instant::now();
        let phone = at(&driver.person, &program).client;
        let sending = tokio::spawn(send_until_killed(phone, from));
        // This waits for nothing: it is the moment of the kill. A round of the writer takes a quarter of a second.
        let moment = std::time::Duration::from_millis(random.random_range(200..1_500));
        tokio::time::sleep(moment.saturating_sub(begun.elapsed())).await;
        program.kill();
        let (sent, next) = sending.await.unwrap();
        acknowledged.extend(sent);
        from = next;
        program = home.start_with(&EARLY).await;
    }
    assert!(acknowledged.len() >= BATCH as usize, "some batch was acknowledged");
    let points = home.rows("provider", "SELECT at_ms FROM track_points ORDER BY at_ms").await;
    let stored: Vec<i64> = points.iter().map(|row| row.try_get("", "at_ms").unwrap()).collect();
    let lost: Vec<_> = acknowledged.iter().filter(|at| !stored.contains(at)).collect();
    assert!(lost.is_empty(), "{lost:?} of {} are lost", acknowledged.len());
    assert!(stored.is_sorted_by(|before, after| before < after), "no moment twice");
    assert_eq!(see(&at(&customer, &program), &order).await["state"], "ORDER_STATE_EN_ROUTE");
}
