//! Positions as they come in.

use super::drive::{ADDRESS, Drive};
use crate::fixture::Shop;
use kit::{
    Role,
    rpc::context::Context,
    storage::position::Circle,
    testing::{ActingAs, Backend, refusal, refused_field, somebody},
    values::coordinates::Coordinates,
};
use proto::quickserve::{
    fulfilment::v1::OrderState,
    provider::v1::{self as pb, presence_service_client::PresenceServiceClient},
};
use std::{collections::BTreeMap, time::Duration};
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use yare::parameterized;

/// The distances from the address of those in the index, in metres.
async fn indexed(shop: &Shop) -> Vec<i64> {
    let centre = Coordinates { lat: ADDRESS.0, lng: ADDRESS.1 };
    let since = shop.world.clock.now() - chrono::Duration::seconds(30);
    let circle = Circle { centre, radius_m: 20_000.0 };
    let found = shop.world.host.positions().near("providers", circle, since, 10).await.unwrap();
    found.iter().map(|near| near.metres.round() as i64).collect()
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn positions_are_indexed_always_and_stored_only_on_the_way(backend: Backend) {
    let mut drive = Drive::new(backend).await;
    let answer = drive.push(drive.way(3, 5_000.0)).await.unwrap();
    assert_eq!((answer.accepted, answer.dropped.len()), (3, 0));
    assert_eq!(answer.seq, drive.shop.world.clock.now().timestamp(), "the highest of the batch");
    assert_eq!(indexed(&drive.shop).await, [5_000]);
    assert_eq!(drive.points().await, 0, "nobody waits for the provider yet");

    drive.tell("order.en_route", OrderState::EnRoute).await;
    drive.shop.world.clock.advance(chrono::Duration::seconds(10));
    assert_eq!(drive.push(drive.way(5, 4_900.0)).await.unwrap().accepted, 5);
    assert_eq!(indexed(&drive.shop).await, [4_900]);
    assert_eq!(drive.points().await, 5);

    drive.tell("order.delivered", OrderState::Delivered).await;
    drive.shop.world.clock.advance(chrono::Duration::seconds(10));
    assert_eq!(drive.push(drive.way(5, 4_800.0)).await.unwrap().accepted, 5);
    assert_eq!(indexed(&drive.shop).await, [4_800]);
    assert_eq!(drive.points().await, 5, "the order is delivered");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn only_those_who_are_online_are_in_the_index_and_positions_keep_them_there(
    backend: Backend,
) {
    let drive = Drive::new(backend).await;
    let clock = drive.shop.world.clock.clone();
    for _ in 0..4 {
        clock.advance(chrono::Duration::minutes(4));
        drive.push(drive.way(1, 5_000.0)).await.unwrap();
        assert_eq!(indexed(&drive.shop).await, [5_000], "it is heard of, and stays online");
    }
    let mut presences = PresenceServiceClient::new(drive.shop.world.outside("provider"));
    presences.go_offline(pb::GoOfflineRequest {}).by(drive.provider.owner).await.unwrap();
    assert_eq!(indexed(&drive.shop).await, [0; 0]);
    clock.advance(chrono::Duration::seconds(10));
    assert_eq!(drive.push(drive.way(1, 5_000.0)).await.unwrap().accepted, 1);
    assert_eq!(indexed(&drive.shop).await, [0; 0], "it is offline");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_is_dropped_is_told_by_reason_and_repeating_a_batch_changes_nothing(backend: Backend) {
    let drive = Drive::departed(backend).await;
    let mut batch = drive.way(3, 5_000.0);
    batch.push(batch[0]);
    batch.push(drive.position(-11, 5_000.0));
    batch.push(drive.position(1_801, 5_000.0));
    batch.push(pb::DevicePosition { accuracy_m: 501.0, ..drive.position(-1, 5_000.0) });
    batch.push(drive.position(-2, 900.0));
    let answer = drive.push(batch.clone()).await.unwrap();
    assert_eq!(answer.accepted, 3);
    let expected = ["FUTURE", "IMPOSSIBLE", "INACCURATE", "LATE", "REPEATED"];
    let expected: BTreeMap<_, _> = expected.map(|reason| (reason.to_owned(), 1)).into();
    assert_eq!(answer.dropped, expected);
    assert_eq!(drive.points().await, 3);
    let again = drive.push(batch).await.unwrap();
    assert_eq!((again.seq, again.accepted), (answer.seq, 0));
    assert_eq!(drive.points().await, 3);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_bad_batch_is_refused_and_nothing_is_stored(backend: Backend) {
    let drive = Drive::departed(backend).await;
    let bad = |change: fn(&mut pb::DevicePosition)| {
        let mut position = drive.position(0, 5_000.0);
        change(&mut position);
        vec![drive.position(1, 5_000.0), position]
    };
    for (batch, field) in [
        (Vec::new(), "positions"),
        (drive.way(101, 5_000.0), "positions"),
        (bad(|it| it.at = None), "positions[1].at"),
        (bad(|it| it.lat = None), "positions[1].lat"),
        (bad(|it| it.lat = Some(91.0)), "positions[1].lat"),
        (bad(|it| it.lng = Some(f64::NAN)), "positions[1].lng"),
        (bad(|it| it.accuracy_m = -1.0), "positions[1].accuracy_m"),
        (bad(|it| it.heading = Some(361.0)), "positions[1].heading"),
        (bad(|it| it.speed = Some(-1.0)), "positions[1].speed"),
        (bad(|it| it.seq = -1), "positions[1].seq"),
    ] {
        assert_eq!(refused_field(drive.push(batch).await), field);
    }
    let request = pb::PushPositionsRequest { positions: drive.way(1, 5_000.0) };
    let stranger = somebody(&[Role::Provider]);
    let refused = drive.shop.tracking().push_positions(request.clone()).by(stranger).await;
    assert_eq!(refusal(refused), "PROVIDER_NOT_FOUND");
    let refused = drive.shop.tracking().push_positions(request).by(drive.customer).await;
    assert_eq!(refused.unwrap_err().code(), tonic::Code::PermissionDenied);
    assert_eq!((drive.points().await, indexed(&drive.shop).await), (0, Vec::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_batches_a_minute_are_enough() {
    let drive = Drive::new(Backend::Sqlite).await;
    for n in 0..30 {
        drive.push(vec![drive.position(30 - n, 5_000.0)]).await.unwrap();
    }
    let refused = drive.push(vec![drive.position(0, 5_000.0)]).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::ResourceExhausted);
    assert_eq!(refusal(Err::<(), _>(refused)), "TOO_MANY_BATCHES");
    drive.shop.world.clock.advance(chrono::Duration::minutes(1));
    drive.push(vec![drive.position(0, 5_000.0)]).await.unwrap();
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_stream_answers_each_batch_for_longer_than_a_call_may_take(backend: Backend) {
    let drive = Drive::departed(backend).await;
    let deadline = Instant::now() + Duration::from_millis(1_500);
    let context = Context {
        subject: Some(drive.provider.owner),
        deadline: Some(deadline),
        ..Context::default()
    };
    let (send, batches) = tokio::sync::mpsc::channel(4);
    let mut client = drive.shop.tracking();
    let answers = context.scope(client.stream_positions(ReceiverStream::new(batches))).await;
    let mut answers = answers.unwrap().into_inner();
    for round in 0..3 {
        let positions = drive.way(2, 5_000.0 - f64::from(round) * 100.0);
        send.send(pb::StreamPositionsRequest { positions }).await.unwrap();
        let answer = answers.message().await.unwrap().unwrap();
        assert_eq!((answer.accepted, answer.dropped.len()), (2, 0));
        assert_eq!(drive.points().await, i64::from(round + 1) * 2, "it is written by then");
        drive.shop.world.clock.advance(chrono::Duration::seconds(10));
        if round == 0 {
            // The deadline of the call runs until its handler answers, which it has.
            tokio::time::sleep_until(deadline + Duration::from_millis(100)).await;
        }
    }
    let bad = pb::StreamPositionsRequest { positions: drive.way(101, 5_000.0) };
    send.send(bad).await.unwrap();
    assert_eq!(refused_field(answers.message().await), "positions");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_positions_ends_after_a_quarter_of_an_hour() {
    let drive = Drive::new(Backend::Sqlite).await;
    let (_send, batches) = tokio::sync::mpsc::channel(4);
    let mut client = drive.shop.tracking();
    let answers = client.stream_positions(ReceiverStream::new(batches)).by(drive.provider.owner);
    let mut answers = answers.await.unwrap().into_inner();
    drive.shop.world.clock.advance(chrono::Duration::minutes(15));
    assert!(answers.message().await.unwrap().is_none());
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn two_streams_of_a_driver_make_one_track(backend: Backend) {
    let drive = Drive::departed(backend).await;
    let replica = drive.shop.world.another_process();
    let host = replica.host.of("provider");
    let routes = provider::start(&host).await.unwrap();
    host.install(routes);
    let here = drive.shop.tracking();
    let there = pb::tracking_service_client::TrackingServiceClient::new(
        replica.host.of(kit::rpc::caller::EDGE).channel("provider"),
    );
    let mut accepted = 0;
    for round in 0..6 {
        drive.shop.world.clock.advance(chrono::Duration::seconds(10));
        let south = 5_000.0 - f64::from(round) * 100.0;
        let (newer, older) = (drive.way(5, south), drive.way(9, south)[..5].to_vec());
        let (clients, batches) = ([here.clone(), there.clone()], [newer, older]);
        let first = round % 2;
        let [one, other] = clients;
        let (one, other) = if first == 0 { (one, other) } else { (other, one) };
        let [newer, older] = batches;
        let (one, other) = tokio::join!(drive.push_by(one, newer), drive.push_by(other, older));
        accepted += one.unwrap().accepted + other.unwrap().accepted;
    }
    assert_eq!(i64::from(accepted), drive.points().await, "each that counted is there once");
    let measured = drive.measure(60, false).await;
    // A track that jumped back and forth between the two would be longer than the way.
    assert!((480..=590).contains(&measured.metres), "{measured:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_log_says_where_a_position_is() {
    let drive = Drive::new(Backend::Sqlite).await;
    let position = drive.position(0, 0.0);
    let request = pb::PushPositionsRequest { positions: vec![position] };
    let text = format!("{request:?}");
    assert!(!text.contains("48.86") && !text.contains("2.34"), "{text}");
    let shown = pb::TrackPosition { lat: ADDRESS.0, lng: ADDRESS.1, ..Default::default() };
    let place = pb::TrackPlace { lat: ADDRESS.0, lng: ADDRESS.1 };
    let text = format!("{shown:?} {place:?}");
    assert!(!text.contains("48.86") && !text.contains("2.34"), "{text}");
}
