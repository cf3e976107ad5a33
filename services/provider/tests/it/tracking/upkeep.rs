//! What tracks tell, what they come to, and how they are forgotten.

use super::drive::Drive;
use kit::testing::{Backend, EventRecorder, eventually};
use proto::quickserve::{fulfilment::v1::OrderState, provider::v1 as pb};
use yare::parameterized;

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn who_is_almost_there_is_told_of_once_a_leg(backend: Backend) {
    let mut drive = Drive::departed(backend).await;
    let told = EventRecorder::subscribed(&drive.shop.world.host.of("ears"), &["track."]);
    let arrivals = async || told.messages::<pb::TrackEvent>("track.arriving").len();
    // Ten metres a second: 2 min are 923 m of straight line.
    drive.push(drive.way(20, 950.0)).await.unwrap();
    for south in [900.0, 290.0, 200.0] {
        drive.shop.world.clock.advance(chrono::Duration::seconds(60));
        drive.push(drive.way(20, south)).await.unwrap();
    }
    eventually("the provider is almost there", arrivals, |count| *count == 1).await;
    drive.reassign().await;
    drive.tell("order.en_route", OrderState::EnRoute).await;
    drive.push(drive.way(2, 299.0)).await.unwrap();
    eventually("so is the next one", arrivals, |count| *count == 2).await;
    let fact = &told.messages::<pb::TrackEvent>("track.arriving")[0];
    assert_eq!(fact.order_id, drive.order_id.to_string());
    assert_eq!(fact.customer_id, drive.customer.user_id.to_string());
    assert_eq!(fact.order_seq, 2, "the last fact of the order by then");
    told.assert_no_gaps();
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_silence_of_a_minute_is_told_once_and_a_new_one_again(backend: Backend) {
    let mut drive = Drive::departed(backend).await;
    let told = EventRecorder::subscribed(&drive.shop.world.host.of("ears"), &["track.stale"]);
    let silences = async || told.events().len();
    let clock = drive.shop.world.clock.clone();
    // Whose device never sends says nothing by being silent.
    clock.advance(chrono::Duration::minutes(5));
    for round in 1..=2 {
        drive.push(drive.way(2, 5_000.0 - f64::from(round))).await.unwrap();
        for _ in 0..5 {
            clock.advance(chrono::Duration::seconds(20));
            // The worker looks as soon as the clock moves.
            tokio::task::yield_now().await;
        }
        let told_so_far = |count: &usize| *count == round as usize;
        eventually("the silence is told", silences, told_so_far).await;
    }
    drive.tell("order.arrived", OrderState::Arrived).await;
    drive.push(drive.way(2, 4_000.0)).await.unwrap();
    clock.advance(chrono::Duration::minutes(2));
    eventually(
        "it was looked at",
        async || drive.row("stale_told").await,
        |told| ["1", "true"].contains(&told.as_str()),
    )
    .await;
    assert_eq!(silences().await, 2, "who is at the door need not send positions");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn points_are_forgotten_after_two_days_and_what_they_come_to_stays(backend: Backend) {
    let mut drive = Drive::departed(backend).await;
    let clock = drive.shop.world.clock.clone();
    clock.advance(chrono::Duration::seconds(60));
    drive.push(drive.way(61, 100.0)).await.unwrap();
    let measured = drive.measure(60, true).await;
    assert_eq!((measured.metres, measured.seconds, measured.covered_percent), (600, 60, 100));
    let ago = clock.now().timestamp() - measured.reached_at.unwrap().seconds;
    assert!((4..=5).contains(&ago), "150 m away, {ago} s ago");
    assert_eq!(drive.measure(120, false).await.covered_percent, 50);
    drive.tell("order.delivered", OrderState::Delivered).await;

    drive.tell("order.disputed", OrderState::Delivered).await;
    clock.advance(chrono::Duration::hours(72));
    drive.tell("order.dispute_resolved", OrderState::Completed).await;
    clock.advance(chrono::Duration::hours(47));
    assert_eq!(drive.points().await, 61, "a dispute keeps them, and two days after it");
    clock.advance(chrono::Duration::hours(2));
    eventually("they are deleted", async || drive.points().await, |points| *points == 0).await;
    let left = drive.measure(10, true).await;
    assert_eq!((left.metres, left.seconds, left.covered_percent), (600, 60, 100));
    assert_eq!(left.reached_at, None);
    let places = (drive.row("lat").await, drive.row("lng").await);
    assert_eq!(places, (String::new(), String::new()));
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_erased_customer_leaves_no_places(backend: Backend) {
    let mut drive = Drive::departed(backend).await;
    drive.push(drive.way(5, 100.0)).await.unwrap();
    drive.tell("order.delivered", OrderState::Delivered).await;
    drive.tell("order.erased", OrderState::Delivered).await;
    assert_eq!(drive.points().await, 0);
    assert_eq!(drive.row("lat").await, "");
}
