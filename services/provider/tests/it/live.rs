//! Live dispatch: who is online and near, and what of them is asked.

use crate::{
    firm::causes,
    fixture::{Provider, Shop, hold, requirements},
};
use chrono::Duration;
use kit::{
    Db,
    storage::position::Position,
    testing::{ActingAs, Backend, at, eventually, paris, refusal, window},
    values::{coordinates::Coordinates, time::timestamp},
};
use proto::quickserve::{
    fulfilment::v1::{Asset, Dispatch, Requirements},
    provider::v1 as pb,
};
use sea_orm::{ConnectionTrait, sea_query::Query};
use tonic::Code;
use uuid::Uuid;
use yare::parameterized;

/// The world begins at 9 o'clock UTC on Monday, 10 May 2027.
const NOW: &str = "2027-05-10T09:00:00Z";
/// The middle of the night in Paris, when nobody's weekly hours are.
const NIGHT: &str = "2027-05-10T23:00:00Z";
const EXPIRES: &str = "2027-05-10T09:15:00Z";

impl Shop {
    /// A driver with a car of so many seats, online and so many degrees north of the place.
    async fn driver(&self, name: &str, seats: i32, north: f64) -> Provider {
        let driver = self.vetted(name).await;
        let car = pb::CreateAssetRequest {
            provider_id: driver.id.clone(),
            kind: "car".to_owned(),
            seats,
            ..pb::CreateAssetRequest::default()
        };
        let created = self.assets().create_asset(car).by(driver.owner).await;
        let asset_id = created.unwrap().into_inner().asset.unwrap().id;
        let online = pb::GoOnlineRequest { asset_id };
        self.presence().go_online(online).by(driver.owner).await.unwrap();
        self.place(&driver, north).await;
        driver
    }

    /// A position of the driver comes in.
    async fn place(&self, driver: &Provider, north: f64) {
        let (lat, lng) = (paris().lat.unwrap(), paris().lng.unwrap());
        let position = Position {
            id: driver.id.parse().unwrap(),
            place: Coordinates { lat: lat + north, lng },
            at: self.world.clock.now(),
        };
        let host = self.world.host.of("provider");
        host.positions().put("providers", &[position]).await.unwrap();
    }

    async fn found(&self, request: pb::FindCandidatesRequest) -> Vec<String> {
        let found = self.reservations().find_candidates(request).await.unwrap().into_inner();
        found.candidates.into_iter().map(|candidate| candidate.provider_name).collect()
    }
}

/// A ride that takes a car of two seats and runs alone.
fn ride() -> Requirements {
    let seconds = |seconds| Some(prost_types::Duration { seconds, nanos: 0 });
    Requirements {
        exclusive: true,
        assets: vec![Asset {
            kinds: vec!["car".to_owned()],
            seats: 2,
            count: 1,
            ..Asset::default()
        }],
        dispatch: Some(Dispatch {
            live: true,
            wave_size: 3,
            answer: seconds(15),
            radius_m: 2_000,
            max_radius_m: 15_000,
            search: seconds(240),
            favourites_first: false,
        }),
        ..requirements(0)
    }
}

fn wanted(radius_m: i32) -> pb::FindCandidatesRequest {
    pb::FindCandidatesRequest {
        vertical: "cleaning".to_owned(),
        window: Some(window(NIGHT, 1)),
        address: Some(paris()),
        requirements: Some(ride()),
        radius_m,
        ..pb::FindCandidatesRequest::default()
    }
}

/// A request that waits longer than usual: the machine of a test may have much else to do.
fn patient<M>(message: M) -> tonic::Request<M> {
    let mut request = tonic::Request::new(message);
    request.set_timeout(std::time::Duration::from_secs(60));
    request
}

/// A hold of a fresh order that begins at once.
fn take(driver: &Provider) -> pb::HoldReservationRequest {
    pb::HoldReservationRequest {
        requirements: Some(ride()),
        begin: true,
        ..hold(driver, NOW, 1, EXPIRES)
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn those_who_are_online_and_near_are_found_the_nearest_first(backend: Backend) {
    let shop = Shop::open(backend).await;
    let far = shop.driver("Far", 4, 0.015).await;
    let near = shop.driver("Near", 4, 0.002).await;
    shop.driver("Small", 1, 0.001).await;
    shop.driver("Away", 4, 0.06).await;
    let offline = shop.driver("Offline", 4, 0.001).await;
    shop.presence().go_offline(pb::GoOfflineRequest {}).by(offline.owner).await.unwrap();
    shop.place(&offline, 0.001).await;
    assert_eq!(shop.found(wanted(2_000)).await, ["Near", "Far"], "at night, too");
    assert_eq!(shop.found(wanted(15_000)).await, ["Near", "Far", "Away"]);
    let excluded =
        pb::FindCandidatesRequest { excluded_provider_ids: vec![near.id.clone()], ..wanted(2_000) };
    assert_eq!(shop.found(excluded).await, ["Far"]);
    let own =
        pb::FindCandidatesRequest { customer_id: far.owner.user_id.to_string(), ..wanted(2_000) };
    assert_eq!(shop.found(own).await, ["Near"]);
    // Who rides is not asked, and who is silent is not known to be near.
    shop.reservations().hold_reservation(take(&near)).await.unwrap();
    assert_eq!(shop.found(wanted(2_000)).await, ["Far"]);
    shop.world.clock.advance(Duration::seconds(31));
    assert!(shop.found(wanted(2_000)).await.is_empty());
    shop.place(&far, 0.015).await;
    assert_eq!(shop.found(wanted(2_000)).await, ["Far"]);
    let nowhere = pb::FindCandidatesRequest { address: None, ..wanted(2_000) };
    let status = shop.reservations().find_candidates(nowhere).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn who_waits_longer_is_asked_before_who_is_a_little_nearer(backend: Backend) {
    let shop = Shop::open(backend).await;
    let waits = shop.driver("Waits", 4, 0.003).await;
    shop.world.clock.advance(Duration::minutes(9));
    let comes = shop.driver("Comes", 4, 0.002).await;
    shop.place(&waits, 0.003).await;
    assert_eq!(shop.found(wanted(2_000)).await, ["Waits", "Comes"]);
    // A job ends the wait.
    let ride = take(&waits);
    let ride = pb::HoldReservationRequest {
        hold_expires_at: Some(timestamp(at("2027-05-10T10:00:00Z"))),
        ..ride
    };
    shop.reservations().hold_reservation(ride.clone()).await.unwrap();
    let finish = pb::FinishReservationRequest {
        order_id: ride.order_id,
        provider_id: waits.id.clone(),
        round: 0,
    };
    shop.reservations().finish_reservation(finish).await.unwrap();
    shop.place(&comes, 0.002).await;
    assert_eq!(shop.found(wanted(2_000)).await, ["Comes", "Waits"]);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn of_twenty_orders_that_all_drivers_accept_each_driver_runs_one(backend: Backend) {
    let shop = Shop::open(backend).await;
    let mut drivers = Vec::new();
    for index in 0..20 {
        drivers.push(shop.driver(&format!("Driver {index}"), 4, 0.001).await);
    }
    // Twenty orders race for one driver after the other.
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let order_id = uuid::Uuid::new_v4().to_string();
        let mut reservations = shop.reservations();
        let accepts: Vec<_> = drivers
            .iter()
            .map(|driver| pb::HoldReservationRequest { order_id: order_id.clone(), ..take(driver) })
            .collect();
        tasks.spawn(async move {
            let mut answers = Vec::new();
            for accept in accepts {
                let driver = accept.provider_id.clone();
                answers.push((driver, reservations.hold_reservation(patient(accept)).await));
            }
            answers
        });
    }
    let mut running = std::collections::BTreeMap::<String, usize>::new();
    for (driver, answer) in tasks.join_all().await.into_iter().flatten() {
        match answer {
            Ok(_) => *running.entry(driver).or_default() += 1,
            refused => assert_eq!(refusal(refused), "DRIVER_BUSY"),
        }
    }
    assert_eq!(running.len(), 20, "each driver has a job");
    assert!(running.values().all(|jobs| *jobs == 1), "{running:?}");
    // No order takes any of them: what was held lapses by itself, and everybody is free again.
    shop.world.clock.advance(Duration::minutes(15));
    for driver in &drivers[..3] {
        let later = pb::HoldReservationRequest {
            hold_expires_at: Some(timestamp(at("2027-05-10T10:00:00Z"))),
            ..take(driver)
        };
        shop.reservations().hold_reservation(later).await.unwrap();
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_running_order_keeps_its_driver_online_with_the_car(backend: Backend) {
    let shop = Shop::open(backend).await;
    let driver = shop.driver("Ana", 4, 0.001).await;
    let mut presence = shop.presence();
    let ride = take(&driver);
    shop.reservations().hold_reservation(ride.clone()).await.unwrap();
    let rows = shop.rows(&ride.order_id).await;
    assert_eq!(rows.len(), 2, "the driver and the car");
    assert!(rows.iter().all(|(_, _, running)| *running));
    let answer = presence.go_offline(pb::GoOfflineRequest {}).by(driver.owner).await;
    assert_eq!(refusal(answer), "RUNNING_ORDER");
    let on_foot = pb::GoOnlineRequest { asset_id: String::new() };
    let answer = presence.go_online(on_foot.clone()).by(driver.owner).await;
    assert_eq!(refusal(answer), "RUNNING_ORDER");
    let finish = pb::FinishReservationRequest {
        order_id: ride.order_id,
        provider_id: driver.id.clone(),
        round: 0,
    };
    shop.reservations().finish_reservation(finish).await.unwrap();
    let walks = presence.go_online(on_foot).by(driver.owner).await.unwrap().into_inner();
    assert_eq!(walks.presence.unwrap().asset_id, "");
    assert!(shop.found(wanted(2_000)).await.is_empty(), "the ride needs a car");
    for _ in 0..2 {
        let gone = presence.go_offline(pb::GoOfflineRequest {}).by(driver.owner).await;
        assert!(!gone.unwrap().into_inner().presence.unwrap().online);
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn only_active_providers_go_online_and_with_a_car_of_their_own(backend: Backend) {
    let shop = Shop::open(backend).await;
    let mut presence = shop.presence();
    let (driver, other) = (shop.driver("Ana", 4, 0.0).await, shop.driver("Bea", 4, 0.0).await);
    let list = pb::ListAssetsRequest {
        provider_id: other.id.clone(),
        page_size: 0,
        page_token: String::new(),
    };
    let foreign = shop.assets().list_assets(list).by(other.owner).await.unwrap().into_inner();
    let foreign = pb::GoOnlineRequest { asset_id: foreign.assets[0].id.clone() };
    let answer = presence.go_online(foreign.clone()).by(driver.owner).await;
    assert_eq!(refusal(answer), "ASSET_NOT_FOUND");
    let rests = pb::UpdateAssetRequest {
        provider_id: other.id.clone(),
        asset_id: foreign.asset_id.clone(),
        kind: "car".to_owned(),
        active: Some(false),
        ..pb::UpdateAssetRequest::default()
    };
    shop.assets().update_asset(rests).by(other.owner).await.unwrap();
    assert_eq!(refusal(presence.go_online(foreign).by(other.owner).await), "ASSET_INACTIVE");
    let pause = pb::PauseProviderRequest { provider_id: driver.id.clone() };
    shop.profiles().pause_provider(pause).by(driver.owner).await.unwrap();
    let on_foot = pb::GoOnlineRequest { asset_id: String::new() };
    assert_eq!(refusal(presence.go_online(on_foot).by(driver.owner).await), "NOT_ACTIVE");
    assert!(shop.found(wanted(2_000)).await.is_empty());
    let answer = shop.reservations().hold_reservation(take(&driver)).await;
    assert_eq!(causes(answer), "NOT_ACTIVE");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn ten_minutes_of_silence_take_a_driver_offline(backend: Backend) {
    let shop = Shop::open(backend).await;
    let driver = shop.driver("Ana", 4, 0.001).await;
    let found = async || {
        shop.place(&driver, 0.001).await;
        shop.found(wanted(2_000)).await
    };
    shop.world.clock.advance(Duration::minutes(9));
    assert_eq!(found().await, ["Ana"]);
    shop.world.clock.advance(Duration::minutes(2));
    eventually("the silence ends the presence", found, |names| names.is_empty()).await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn who_loses_the_vehicle_is_offline_and_keeps_it_while_an_order_runs(backend: Backend) {
    let shop = Shop::open(backend).await;
    let driver = shop.driver("Ana", 4, 0.001).await;
    let list = pb::ListAssetsRequest { provider_id: driver.id.clone(), ..Default::default() };
    let assets = shop.assets().list_assets(list).by(driver.owner).await.unwrap().into_inner();
    let asset_id = assets.assets[0].id.clone();
    let delete =
        pb::DeleteAssetRequest { provider_id: driver.id.clone(), asset_id: asset_id.clone() };
    let in_use = |active| pb::UpdateAssetRequest {
        provider_id: driver.id.clone(),
        asset_id: asset_id.clone(),
        kind: "car".to_owned(),
        seats: 4,
        active: Some(active),
        ..pb::UpdateAssetRequest::default()
    };
    let ride = take(&driver);
    shop.reservations().hold_reservation(ride.clone()).await.unwrap();
    let deleted = shop.assets().delete_asset(delete.clone()).by(driver.owner).await;
    assert_eq!(refusal(deleted), "RUNNING_ORDER");
    let rests = shop.assets().update_asset(in_use(false)).by(driver.owner).await;
    assert_eq!(refusal(rests), "RUNNING_ORDER");
    let finish = pb::FinishReservationRequest {
        order_id: ride.order_id,
        provider_id: driver.id.clone(),
        round: 0,
    };
    shop.reservations().finish_reservation(finish).await.unwrap();
    assert_eq!(shop.found(wanted(2_000)).await, ["Ana"], "still online, with the car");

    // A car that is out of use takes its driver offline, and so does one that is gone.
    for end in ["rests", "goes"] {
        match end {
            "rests" => {
                shop.assets().update_asset(in_use(false)).by(driver.owner).await.unwrap();
                shop.assets().update_asset(in_use(true)).by(driver.owner).await.unwrap();
            }
            _ => {
                shop.assets().delete_asset(delete.clone()).by(driver.owner).await.unwrap();
            }
        }
        shop.place(&driver, 0.001).await;
        assert!(shop.found(wanted(2_000)).await.is_empty(), "{end}");
        let online = pb::GoOnlineRequest { asset_id: asset_id.clone() };
        let online = shop.presence().go_online(online).by(driver.owner).await;
        assert_eq!(online.is_ok(), end == "rests", "{end}");
    }
    // On foot the driver is online again, for what needs no car.
    let on_foot = pb::GoOnlineRequest { asset_id: String::new() };
    shop.presence().go_online(on_foot).by(driver.owner).await.unwrap();
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn the_copies_of_a_driver_that_benchmarks_use_take_rides_as_well(backend: Backend) {
    let shop = Shop::open(backend).await;
    let driver = shop.driver("Ana", 4, 0.001).await;
    shop.copy(&driver, 2).await;
    let host = shop.world.host.of("provider");
    let db = Db::connect(&host.database_config(), shop.world.clock.clone()).await.unwrap();
    let ids = Query::select().column("id").from("providers").to_owned();
    let rows = db.connection().query_all(&ids).await.unwrap();
    db.close().await.unwrap();
    assert_eq!(rows.len(), 3);
    for row in rows {
        let id: Uuid = row.try_get("", "id").unwrap();
        let copy = Provider { id: id.to_string(), ..driver };
        shop.place(&copy, 0.001).await;
        let ride = take(&copy);
        shop.reservations().hold_reservation(ride.clone()).await.unwrap();
        assert_eq!(shop.rows(&ride.order_id).await.len(), 2, "the driver and the car");
    }
}
