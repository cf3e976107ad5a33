//! Drivers who accept at once: one drives, and nobody reads what is not theirs.

use super::{cancel, leaks, offers_of};
use crate::{
    binary::{number_from, rows},
    journey::{act, attempt, see},
    mesh::Mesh,
    secrets::race,
};
use chrono::Duration;
use kit::{
    program::config::Config,
    testing::{Backend, eventually},
};
use quickserve::{
    client::Answer,
    demo::{Person, Provider, text_at},
};
use rand::{SeedableRng, rngs::StdRng, seq::SliceRandom};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use yare::parameterized;

/// How often three drivers accept one ride; `tests/long` sets more.
const USUAL_RACES: u32 = 10;
/// Drivers, and rides that look for one of them.
const CROWD: usize = 20;
/// A search lasts four minutes, and the crowd looks for offers each second of them.
const MAX_ROUNDS: usize = 240;

/// Calls of a crowd may take as long as any call may: the machine may be busy with other tests.
const PATIENCE: &str = "[edge]\nread_deadline_ms = 30000\nwrite_deadline_ms = 30000\n";

/// A system whose callers are patient.
pub async fn patient_mesh(backend: Backend) -> Mesh {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("quickserve.toml");
    std::fs::write(&file, PATIENCE).unwrap();
    Mesh::with_config(backend, Config::load(Some(&file)).unwrap()).await
}

/// Until provider and the vertical have heard of a commit, one who was a party a moment ago may still read.
async fn reads_nothing(reader: &Person, order: &str) {
    let read = async || leaks(reader, order).await;
    eventually("nothing is read any more", read, Vec::is_empty).await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn losers_and_former_drivers_of_a_ride_read_nothing_of_it(backend: Backend) {
    let races = number_from("QS_TEST_RACES", USUAL_RACES);
    let seed = number_from("QS_TEST_SEED", 1);
    println!("{races} races of three drivers, in orders of the seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mesh = patient_mesh(backend).await;
    let operator = mesh.operator().await;
    let mut customer = mesh.customer("alice").await;
    let mut drivers = mesh.fleet(&operator, 3).await;
    for number in 0..races {
        // Access tokens last for ten minutes.
        if number % 5 == 4 {
            customer = mesh.again(&customer).await;
            for driver in &mut drivers {
                driver.person = mesh.again(&driver.person).await;
            }
        }
        mesh.clock.advance(Duration::minutes(1));
        mesh.report_near(&drivers, 300.0).await;
        let order = mesh.call_taxi(&customer).await;
        let mut asked: Vec<&Provider> = drivers.iter().collect();
        asked.shuffle(&mut random);
        let (winner, losers) = race(&asked, &order).await;
        assert_eq!(see(&winner.person, &order).await["state"], "ORDER_STATE_ASSIGNED");
        for loser in &losers {
            assert_eq!(leaks(&loser.person, &order).await, Vec::<String>::new());
        }
        // The winner gives the ride back and reads nothing of it any more, as the losers do.
        act(&winner.person, &order, "reassign", json!({ "reason": "BREAKDOWN" })).await;
        for driver in &drivers {
            reads_nothing(&driver.person, &order).await;
        }
        // Whatever the search does meanwhile, the preview's promise holds.
        assert_eq!(cancel(&customer, &order).await, (200, String::new()));
        for driver in &drivers {
            assert_eq!(offers_of(driver).await, Vec::<Value>::new(), "every offer has ended");
        }
        // Where a call had no time to free a driver, a timer does it. The next ride is for all three of them.
        let busy = async || mesh.busy_drivers().await;
        mesh.in_time("every driver is free", busy, |busy| *busy == 0).await;
        assert_eq!(see(&customer, &order).await["state"], "ORDER_STATE_CANCELLED");
    }
}

/// Has every driver accept all offers that they have, at once.
async fn accept_all(drivers: &[Provider]) -> Vec<Answer> {
    let lists = futures::future::join_all(drivers.iter().map(offers_of)).await;
    let mut calls = Vec::new();
    for (driver, offers) in drivers.iter().zip(lists) {
        for offer in offers {
            let (client, id) = (driver.person.client.clone(), text_at(&offer, "id").unwrap());
            calls.push(async move {
                client.post(&format!("/v1/offers/{id}:accept"), json!({})).await.unwrap()
            });
        }
    }
    futures::future::join_all(calls).await
}

impl Mesh {
    /// Providers that do an exclusive job now, as the tables of provider say.
    async fn busy_drivers(&self) -> usize {
        let running = "SELECT DISTINCT provider_id FROM reservations WHERE running";
        rows(&self.process.host().of("provider").database_config(), running).await.len()
    }

    /// Providers that do more than one exclusive job now, as the tables of provider say.
    async fn overbusy(&self) -> usize {
        let running = "SELECT provider_id FROM reservations WHERE running \
                       GROUP BY provider_id HAVING COUNT(DISTINCT order_id) > 1";
        rows(&self.process.host().of("provider").database_config(), running).await.len()
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn of_twenty_rides_and_twenty_drivers_who_accept_all_each_has_one(backend: Backend) {
    let mesh = patient_mesh(backend).await;
    let operator = mesh.operator().await;
    let drivers = mesh.fleet(&operator, CROWD).await;
    let mut customers = Vec::new();
    for number in 0..4 {
        customers.push(mesh.customer(&format!("customer{number}")).await);
    }
    mesh.report_near(&drivers, 400.0).await;
    let calls = (0..CROWD).map(|number| mesh.call_taxi(&customers[number % customers.len()]));
    let orders = futures::future::join_all(calls).await;
    let (mut taken, mut lost) = (0, 0);
    for round in 0..MAX_ROUNDS {
        if taken == CROWD {
            break;
        }
        // A position counts for half a minute.
        if round % 20 == 19 {
            mesh.report_near(&drivers, 400.0).await;
        }
        for answer in accept_all(&drivers).await {
            match (answer.status.as_u16(), answer.reason()) {
                (200, _) => taken += 1,
                (409, "OFFER_TAKEN" | "DRIVER_BUSY" | "SLOT_TAKEN") | (400, "OFFER_EXPIRED") => {
                    lost += 1;
                }
                other => panic!("{other:?}: {}", answer.body),
            }
        }
        assert_eq!(mesh.overbusy().await, 0, "a driver has two running jobs");
        mesh.clock.advance(Duration::seconds(1));
    }
    println!("{taken} acceptances got through, {lost} did not");
    let mut driver_of = BTreeMap::new();
    for order in &orders {
        let seen = see(&operator, order).await;
        assert_eq!(seen["state"], "ORDER_STATE_ASSIGNED", "{seen}");
        driver_of.insert(text_at(&seen, "provider_id").unwrap(), order.clone());
    }
    assert_eq!(driver_of.len(), CROWD, "every driver has one ride");
    for driver in &drivers {
        let own = &driver_of[&driver.provider_id];
        let others = orders.iter().filter(|order| *order != own);
        let reads = others.map(|order| leaks(&driver.person, order));
        let leaks = futures::future::join_all(reads).await.concat();
        assert_eq!(leaks, Vec::<String>::new(), "{} reads what is another's", driver.provider_id);
        assert_eq!(see(&driver.person, own).await["provider_id"], driver.provider_id.as_str());
    }
    // One who drives cannot set out for another ride as well.
    let busy =
        attempt(&drivers[0].person, &driver_of[&drivers[1].provider_id], "depart", json!({}));
    assert_eq!(busy.await.0, 404);
}
