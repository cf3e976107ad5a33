//! Tracks as their watchers see them.

use super::drive::Drive;
use kit::{
    Role,
    testing::{Backend, refusal, refused_field, somebody},
};
use proto::quickserve::fulfilment::v1::OrderState;
use std::collections::BTreeSet;
use yare::parameterized;

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn parties_watch_from_the_departure_to_the_delivery(backend: Backend) {
    let mut drive = Drive::new(backend).await;
    let operator = drive.shop.operator;
    let parties = [drive.customer, drive.provider.owner, operator];
    for viewer in parties {
        assert_eq!(refusal(drive.watch(viewer, "").await.map(|_| ())), "ORDER_STATE");
    }
    drive.tell("order.en_route", OrderState::EnRoute).await;
    drive.push(drive.way(2, 5_000.0)).await.unwrap();
    for viewer in [somebody(&[Role::Customer]), somebody(&[Role::Provider])] {
        assert_eq!(refusal(drive.watch(viewer, "").await.map(|_| ())), "TRACK_NOT_FOUND");
    }
    let mut watchers = Vec::new();
    for viewer in parties {
        watchers.push(drive.watch(viewer, "").await.unwrap());
    }
    for watcher in &mut watchers {
        assert_eq!(watcher.short().await, "state EN_ROUTE");
        assert_eq!(watcher.short().await, "position 5000", "the newest");
    }
    drive.shop.world.clock.advance(chrono::Duration::seconds(10));
    drive.push(drive.way(2, 4_900.0)).await.unwrap();
    drive.tell("order.arrived", OrderState::Arrived).await;
    for watcher in &mut watchers {
        let seen: BTreeSet<_> =
            [watcher.short().await, watcher.short().await, watcher.short().await].into();
        let expected = ["position 4900", "position 4910", "state ARRIVED"].map(str::to_owned);
        assert_eq!(seen, expected.into());
    }
    drive.tell("order.started", OrderState::InProgress).await;
    drive.tell("order.delivered", OrderState::Delivered).await;
    for watcher in &mut watchers {
        let mut last = watcher.short().await;
        if last == "state IN_PROGRESS" {
            last = watcher.short().await;
        }
        assert_eq!(last, "end DELIVERED");
        assert_eq!(watcher.short().await, "over");
    }
    let mut late = drive.watch(drive.customer, "").await.unwrap();
    assert_eq!((late.short().await, late.short().await), ("end DELIVERED".into(), "over".into()));
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn nothing_is_lost_when_a_stream_is_cut_at_any_event(backend: Backend) {
    let drive = Drive::departed(backend).await;
    let mut watcher = drive.watch(drive.customer, "").await.unwrap();
    drive.push(drive.way(1, 5_000.0)).await.unwrap();
    assert_eq!(watcher.short().await, "state EN_ROUTE");
    let mut ids = vec![watcher.next().await.unwrap().id];
    for round in 1..=3 {
        drive.shop.world.clock.advance(chrono::Duration::seconds(10));
        drive.push(drive.way(8, 5_000.0 - f64::from(round) * 100.0)).await.unwrap();
        for _ in 0..8 {
            ids.push(watcher.next().await.unwrap().id);
        }
    }
    assert!(ids.is_sorted());
    for (cut, id) in ids.iter().enumerate() {
        let mut resumed = drive.watch(drive.customer, id).await.unwrap();
        assert_eq!(resumed.short().await, "state EN_ROUTE");
        for expected in &ids[cut + 1..] {
            assert_eq!(&resumed.next().await.unwrap().id, expected, "cut at {id}");
        }
    }
    // What no track has is no place to go on from.
    for unknown in ["0", "1", "999999999999999999"] {
        let mut watcher = drive.watch(drive.customer, unknown).await.unwrap();
        assert_eq!(watcher.short().await, "reset");
        assert_eq!(watcher.short().await, "state EN_ROUTE");
        assert_eq!(watcher.next().await.unwrap().id, ids[24]);
    }
    let refused = drive.watch(drive.customer, "x").await.map(|_| ());
    assert_eq!(refused_field(refused), "after");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn who_was_away_for_long_or_is_slow_begins_again_with_the_newest(backend: Backend) {
    let drive = Drive::departed(backend).await;
    let mut slow = drive.watch(drive.customer, "").await.unwrap();
    drive.push(drive.way(1, 90_000.0)).await.unwrap();
    assert_eq!(slow.short().await, "state EN_ROUTE");
    let first = slow.next().await.unwrap().id;
    // Not read meanwhile: 64 wait, and then no more.
    drive.shop.world.clock.advance(chrono::Duration::seconds(100));
    drive.push(drive.way(65, 89_000.0)).await.unwrap();
    assert_eq!((slow.short().await, slow.short().await), ("reset".into(), "position 89000".into()));
    for round in 0..20 {
        drive.shop.world.clock.advance(chrono::Duration::seconds(100));
        drive.push(drive.way(100, 88_000.0 - f64::from(round) * 1_000.0)).await.unwrap();
    }
    // 65 and 2,000 points since the first, 2,000 since the last of the 65.
    let mut away = drive.watch(drive.customer, &first).await.unwrap();
    assert_eq!((away.short().await, away.short().await), ("reset".into(), "state EN_ROUTE".into()));
    assert_eq!(away.short().await, "position 69000");
    let last = drive.position(2_000, 0.0).seq * 1_000;
    let mut away = drive.watch(drive.customer, &last.to_string()).await.unwrap();
    assert_eq!(away.short().await, "state EN_ROUTE");
    for _ in 0..2_000 {
        assert_eq!(away.next().await.unwrap().event, "position");
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_reassignment_begins_a_new_track(backend: Backend) {
    let mut drive = Drive::departed(backend).await;
    drive.push(drive.way(5, 5_000.0)).await.unwrap();
    let mut watcher = drive.watch(drive.customer, "").await.unwrap();
    assert_eq!(watcher.short().await, "state EN_ROUTE");
    let seen = watcher.next().await.unwrap().id;
    let former = drive.reassign().await;
    assert_eq!((watcher.short().await, watcher.short().await), ("end OFF".into(), "over".into()));
    assert_eq!(refusal(drive.watch(drive.customer, "").await.map(|_| ())), "ORDER_STATE");
    assert_eq!(refusal(drive.watch(former.owner, "").await.map(|_| ())), "TRACK_NOT_FOUND");
    drive.tell("order.en_route", OrderState::EnRoute).await;
    drive.shop.world.clock.advance(chrono::Duration::seconds(10));
    drive.push(drive.way(2, 8_000.0)).await.unwrap();
    let mut watcher = drive.watch(drive.customer, &seen).await.unwrap();
    assert_eq!(watcher.short().await, "reset", "that was on another provider's way");
    assert_eq!(watcher.short().await, "state EN_ROUTE");
    assert_eq!(watcher.short().await, "position 8000");
    assert_eq!(drive.measure(60, false).await.metres, 10, "nothing of the former way");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn streams_of_tracks_are_bounded_and_end(backend: Backend) {
    let mut drive = Drive::departed(backend).await;
    let mut open = Vec::new();
    for _ in 0..8 {
        let mut watcher = drive.watch(drive.customer, "").await.unwrap();
        assert_eq!(watcher.short().await, "state EN_ROUTE");
        open.push(watcher);
    }
    assert_eq!(refusal(drive.watch(drive.customer, "").await.map(|_| ())), "TOO_MANY_STREAMS");
    drive.shop.world.clock.advance(chrono::Duration::minutes(15));
    for watcher in &mut open {
        assert_eq!(watcher.short().await, "over");
    }
    drop(open);
    let mut watcher = drive.watch(drive.customer, "").await.unwrap();
    assert_eq!(watcher.short().await, "state EN_ROUTE");
    drive.tell("order.cancelled", OrderState::Cancelled).await;
    assert_eq!((watcher.short().await, watcher.short().await), ("end OFF".into(), "over".into()));
}
