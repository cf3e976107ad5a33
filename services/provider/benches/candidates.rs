//! Ten thousand drivers online in one town: who is near a place, and who of them is asked for a ride there.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark fails by panicking")]
#![expect(missing_docs, reason = "the harness's macro makes public items without")]

use criterion::{Criterion, criterion_group, criterion_main};
use fixture::{Shop, requirements};
use kit::{
    Db,
    storage::position::{Circle, Position},
    testing::{ActingAs, Backend, paris, window},
    values::coordinates::Coordinates,
};
use proto::quickserve::{
    fulfilment::v1::{Asset, Dispatch, Requirements},
    provider::v1 as pb,
};
use sea_orm::{
    ConnectionTrait, ExprTrait,
    sea_query::{Expr, Order, Query},
};
use tokio::runtime::Runtime;
use uuid::Uuid;

#[path = "../tests/it/copies.rs"]
mod copies;
#[expect(dead_code, reason = "the stories need more of it")]
#[path = "../tests/it/fixture.rs"]
mod fixture;

const CROWD: usize = 10_000;
/// Degrees between one side of the town and the other, about 45 km.
const TOWN: f64 = 0.4;

/// A town full of drivers who are online.
async fn open_town() -> Shop {
    let shop = Shop::open(Backend::Sqlite).await;
    let driver = shop.vetted("Ana").await;
    let car = pb::CreateAssetRequest {
        provider_id: driver.id.clone(),
        kind: "car".to_owned(),
        seats: 4,
        ..pb::CreateAssetRequest::default()
    };
    let created = shop.assets().create_asset(car).by(driver.owner).await.unwrap();
    let asset_id = created.into_inner().asset.unwrap().id;
    shop.presence().go_online(pb::GoOnlineRequest { asset_id }).by(driver.owner).await.unwrap();
    shop.copy(&driver, CROWD - 1).await;
    let host = shop.world.host.of("provider");
    let db = Db::connect(&host.database_config(), shop.world.clock.clone()).await.unwrap();
    let ids = Query::select()
        .column("id")
        .from("providers")
        .and_where(Expr::col("name").eq("Ana"))
        .order_by("id", Order::Asc)
        .to_owned();
    let rows = db.connection().query_all(&ids).await.unwrap();
    db.close().await.unwrap();
    let middle = middle();
    let mut positions = Vec::with_capacity(rows.len());
    for (index, row) in rows.iter().enumerate() {
        let id: Uuid = row.try_get("", "id").unwrap();
        let place = Coordinates {
            lat: middle.lat + TOWN * (share(index, 7_919) - 0.5),
            lng: middle.lng + TOWN * (share(index, 104_729) - 0.5),
        };
        positions.push(Position { id, place, at: shop.world.clock.now() });
    }
    host.positions().put("providers", &positions).await.unwrap();
    shop
}

fn middle() -> Coordinates {
    Coordinates { lat: paris().lat.unwrap(), lng: paris().lng.unwrap() }
}

/// A number from 0 to 1 that looks random.
#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn share(index: usize, factor: usize) -> f64 {
    (index * factor % CROWD) as f64 / CROWD as f64
}

fn wanted(radius_m: i32) -> pb::FindCandidatesRequest {
    let seconds = |seconds| Some(prost_types::Duration { seconds, nanos: 0 });
    let job = Requirements {
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
    };
    pb::FindCandidatesRequest {
        vertical: "cleaning".to_owned(),
        window: Some(window("2027-05-10T09:10:00Z", 1)),
        address: Some(paris()),
        requirements: Some(job),
        limit: 3,
        radius_m,
        ..pb::FindCandidatesRequest::default()
    }
}

fn measure(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let shop = runtime.block_on(open_town());
    let positions = shop.world.host.of("provider").positions().clone();
    let since = shop.world.clock.now();
    for radius_m in [2_000, 15_000] {
        let circle = Circle { centre: middle(), radius_m: f64::from(radius_m) };
        criterion.bench_function(&format!("near {radius_m} m"), |bencher| {
            bencher.iter(|| {
                runtime.block_on(positions.near("providers", circle, since, 200)).expect("near")
            });
        });
        let request = wanted(radius_m);
        criterion.bench_function(&format!("live candidates within {radius_m} m"), |bencher| {
            bencher.iter(|| {
                let mut reservations = shop.reservations();
                runtime.block_on(reservations.find_candidates(request.clone())).expect("candidates")
            });
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(50);
    targets = measure
}
criterion_main!(benches);
