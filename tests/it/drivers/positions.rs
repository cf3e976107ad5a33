//! Positions that do not count, and who may not see the others.

use super::{position, push};
use crate::{
    binary::{rows, wire},
    journey::{act, noon},
    mesh::Mesh,
};
use chrono::Duration;
use http_body_util::BodyExt;
use kit::testing::Backend;
use prost::Message;
use proto::quickserve::provider::v1::{WatchTrackRequest, WatchTrackResponse};
use quickserve::demo::{self, CENTRE, Person, text_at};
use serde_json::{Value, json};
use yare::parameterized;

/// A driver on the way to a customer, half an hour before noon.
struct Scene {
    mesh: Mesh,
    operator: Person,
    customer: Person,
    driver: Person,
    order: String,
}

impl Scene {
    async fn begin(backend: Backend) -> Self {
        let mesh = Mesh::start(backend).await;
        let operator = mesh.operator().await;
        let (customer, driver) =
            (mesh.customer("alice").await, mesh.driver(&operator, "bob").await);
        let request = demo::ride_request(&driver.provider_id, noon(&mesh));
        let order = demo::book(&customer, request).await.unwrap();
        let order = text_at(&order, "id").unwrap();
        act(&driver.person, &order, "accept", json!({})).await;
        mesh.clock.advance(noon(&mesh) - mesh.clock.now() - Duration::minutes(30));
        let (customer, driver) = (mesh.again(&customer).await, mesh.again(&driver.person).await);
        act(&driver, &order, "depart", json!({})).await;
        drop(mesh.track_opens(&customer, &order).await);
        Self { mesh, operator, customer, driver, order }
    }

    /// How many points are on tracks.
    async fn stored(&self) -> usize {
        let provider = self.mesh.process.host().of("provider").database_config();
        rows(&provider, "SELECT order_id FROM track_points").await.len()
    }

    async fn refused(&self, positions: Vec<Value>, status: u16, field: &str) {
        let batch = json!({ "positions": positions });
        let answer = self.driver.client.post("/v1/me/positions", batch).await.unwrap();
        assert_eq!(answer.status, status, "{}", answer.body);
        assert_eq!(answer.body["violations"][0]["field"], field, "{}", answer.body);
        assert_eq!(self.stored().await, 0, "nothing is stored of it");
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_batch_against_the_rules_stores_nothing(backend: Backend) {
    let scene = Scene::begin(backend).await;
    let now = scene.mesh.clock.now();
    let good = |n: i64| position(now - Duration::seconds(n), 5_000.0 + n as f64 * 8.0);
    scene.refused((0..101).map(good).collect(), 400, "positions").await;
    scene.refused(Vec::new(), 400, "positions").await;
    let mut beyond = good(0);
    beyond["lat"] = json!(91);
    scene.refused(vec![good(1), beyond], 400, "positions[1].lat").await;
    let mut nowhere = good(0);
    nowhere.as_object_mut().unwrap().remove("lng");
    scene.refused(vec![nowhere], 400, "positions[0].lng").await;
    let mut timeless = good(0);
    timeless.as_object_mut().unwrap().remove("at");
    scene.refused(vec![timeless], 400, "positions[0].at").await;
    let mut wild = good(0);
    wild["accuracy_m"] = json!(-1);
    scene.refused(vec![wild], 400, "positions[0].accuracy_m").await;

    // What lies in the future or too far back is said to be dropped, and is not stored either.
    let ahead = now + Duration::seconds(11);
    let long_ago = now - Duration::minutes(31);
    let pushed =
        push(&scene.driver.client, &[position(ahead, 5_000.0), position(long_ago, 9_000.0)]).await;
    assert_eq!(
        (&pushed["accepted"], &pushed["dropped"]),
        (&json!(0), &json!({ "FUTURE": 1, "LATE": 1 }))
    );
    assert_eq!(scene.stored().await, 0);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn of_too_many_batches_in_a_minute_the_last_stores_nothing(backend: Backend) {
    let scene = Scene::begin(backend).await;
    let now = scene.mesh.clock.now();
    for n in 0..30 {
        let at = now - Duration::seconds(60 - n);
        push(&scene.driver.client, &[position(at, 5_000.0 - n as f64 * 8.0)]).await;
    }
    let stored = scene.stored().await;
    let batch = json!({ "positions": [position(now, 4_000.0)] });
    let answer = scene.driver.client.post("/v1/me/positions", batch.clone()).await.unwrap();
    let refusal = (answer.status.as_u16(), answer.reason());
    assert_eq!(refusal, (429, "TOO_MANY_BATCHES"), "{}", answer.body);
    assert_eq!(scene.stored().await, stored);
    scene.mesh.clock.advance(Duration::minutes(1));
    scene.driver.client.post("/v1/me/positions", batch).await.unwrap().ok().unwrap();
    assert_eq!(scene.stored().await, stored + 1);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn the_track_of_a_foreign_order_is_not_there(backend: Backend) {
    let scene = Scene::begin(backend).await;
    let operator = scene.mesh.again(&scene.operator).await;
    let rival = scene.mesh.driver(&operator, "eve").await.person;
    let stranger = scene.mesh.customer("mallory").await;
    let path = format!("/v1/orders/{}/track", scene.order);
    for reader in [&rival, &stranger] {
        let answer = reader.client.get(&path).await.unwrap();
        let refusal = (answer.status.as_u16(), answer.reason());
        assert_eq!(refusal, (404, "TRACK_NOT_FOUND"), "{}", answer.body);
        let absent = format!("/v1/orders/{}/track", uuid::Uuid::new_v4());
        let nothing = reader.client.get(&absent).await.unwrap();
        assert_eq!((nothing.status.as_u16(), nothing.reason()), refusal);
    }
    // What a rival's phone sends while it drives nobody is not stored for anybody.
    push(&rival.client, &[position(scene.mesh.clock.now(), 700.0)]).await;
    assert_eq!(scene.stored().await, 0);
    // A customer's phone has no positions to send.
    let batch = json!({ "positions": [position(scene.mesh.clock.now(), 700.0)] });
    let answer = stranger.client.post("/v1/me/positions", batch).await.unwrap();
    assert_eq!(answer.status, 403, "{}", answer.body);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_browser_watches_a_track_by_grpc_web(backend: Backend) {
    let scene = Scene::begin(backend).await;
    let url = format!(
        "http://{}/quickserve.provider.v1.TrackingService/WatchTrack",
        scene.mesh.process.edge().unwrap()
    );
    let bearer = format!("Bearer {}", scene.customer.client.token().unwrap());
    let headers = [
        ("content-type", "application/grpc-web+proto"),
        ("authorization", bearer.as_str()),
        ("x-grpc-web", "1"),
    ];
    let watch = WatchTrackRequest { order_id: scene.order.clone(), after: String::new() };
    let body = wire::frame(&watch.encode_to_vec());
    let answer = wire::open(false, &url, &headers, Some(body)).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "application/grpc-web+proto");
    let mut body = answer.into_body();
    let mut bytes = Vec::new();
    let state = next(&mut body, &mut bytes).await;
    assert_eq!((state.event.as_str(), state.state.as_str()), ("state", "EN_ROUTE"));
    let now = scene.mesh.clock.now();
    push(&scene.driver.client, &[position(now, 3_000.0)]).await;
    let seen = next(&mut body, &mut bytes).await;
    assert_eq!((seen.event, seen.id), ("position".to_owned(), now.timestamp_millis().to_string()));
    let place = seen.position.unwrap();
    assert!((place.lat - CENTRE.0 - 0.026_979).abs() < 1e-4, "{place:?}");
}

/// The next message of a stream that is read frame by frame.
async fn next(body: &mut hyper::body::Incoming, bytes: &mut Vec<u8>) -> WatchTrackResponse {
    loop {
        if let Some(length) = bytes.get(1..5) {
            let length = u32::from_be_bytes(length.try_into().unwrap()) as usize + 5;
            if bytes.len() >= length {
                let frame: Vec<u8> = bytes.drain(..length).collect();
                assert_eq!(frame[0], 0, "no trailers yet: {frame:?}");
                return WatchTrackResponse::decode(&frame[5..]).unwrap();
            }
        }
        let limit = std::time::Duration::from_secs(20);
        let part = tokio::time::timeout(limit, body.frame()).await.expect("in time");
        bytes.extend_from_slice(&part.expect("the stream goes on").unwrap().into_data().unwrap());
    }
}
