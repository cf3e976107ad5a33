//! The same on every bus and every database.

use super::stage::{Kind, Stage};
use chrono::Duration;
use kit::{
    messaging::parked,
    testing::{Backend, eventually},
};
use uuid::Uuid;
use yare::parameterized;

const SICK: Uuid = Uuid::from_u128(1);
const WELL: Uuid = Uuid::from_u128(2);
/// In the same partition as the sick one.
const NEIGHBOUR: Uuid = Uuid::from_u128(9);

#[parameterized(
    local_sqlite = { Kind::Local, Backend::Sqlite },
    local_postgres = { Kind::Local, Backend::Postgres },
    streams_sqlite = { Kind::Streams, Backend::Sqlite },
    streams_postgres = { Kind::Streams, Backend::Postgres },
)]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn every_consumer_takes_every_event_once_and_in_order(kind: Kind, backend: Backend) {
    let stage = Stage::new(kind, backend).await;
    let (one, other) = (stage.join("order").await, stage.join("provider").await);
    let aggregates: Vec<Uuid> = (0..20).map(|_| Uuid::new_v4()).collect();
    stage.record(&aggregates, 1..=5).await;
    stage.publish();
    stage.record(&aggregates, 6..=10).await;
    one.has_taken(&aggregates, 10).await;
    other.has_taken(&aggregates, 10).await;
    stage.publish_again().await;
    stage.record(&aggregates, 11..=11).await;
    one.has_taken(&aggregates, 11).await;
    other.has_taken(&aggregates, 11).await;
}

#[parameterized(
    local_sqlite = { Kind::Local, Backend::Sqlite },
    local_postgres = { Kind::Local, Backend::Postgres },
    streams_sqlite = { Kind::Streams, Backend::Sqlite },
    streams_postgres = { Kind::Streams, Backend::Postgres },
)]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_refused_event_parks_its_aggregate_for_its_consumer_only(kind: Kind, backend: Backend) {
    let stage = Stage::new(kind, backend).await;
    let (one, other) = (stage.join("order").await, stage.join("provider").await);
    one.refuse(Some(SICK));
    stage.publish();
    stage.record(&[SICK, WELL, NEIGHBOUR], 1..=3).await;
    one.has_taken(&[WELL, NEIGHBOUR], 3).await;
    other.has_taken(&[SICK, WELL, NEIGHBOUR], 3).await;
    let parked = async || {
        stage.world.clock.advance(Duration::minutes(10));
        parked::list(one.db(), 10).await.unwrap().len()
    };
    eventually("the aggregate is parked", parked, |parked| *parked == 3).await;
    stage.record(&[SICK, WELL, NEIGHBOUR], 4..=4).await;
    one.has_taken(&[WELL, NEIGHBOUR], 4).await;
    assert!(one.taken_of(SICK).is_empty());
    one.refuse(None);
    parked::retry(one.db(), Some(SICK)).await.unwrap();
    one.has_taken(&[SICK], 4).await;
    other.has_taken(&[SICK], 4).await;
}

#[parameterized(
    local_sqlite = { Kind::Local, Backend::Sqlite },
    local_postgres = { Kind::Local, Backend::Postgres },
    streams_sqlite = { Kind::Streams, Backend::Sqlite },
    streams_postgres = { Kind::Streams, Backend::Postgres },
)]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_consumer_that_joins_later_takes_what_came_before(kind: Kind, backend: Backend) {
    let stage = Stage::new(kind, backend).await;
    stage.record(&[SICK, WELL], 1..=5).await;
    let publishing = stage.publish();
    stage.is_published().await;
    publishing.cancel();
    let late = stage.join("order").await;
    stage.publish();
    late.has_taken(&[SICK, WELL], 5).await;
    stage.record(&[SICK, WELL], 6..=6).await;
    late.has_taken(&[SICK, WELL], 6).await;
}

#[parameterized(
    local_sqlite = { Kind::Local, Backend::Sqlite },
    local_postgres = { Kind::Local, Backend::Postgres },
    streams_sqlite = { Kind::Streams, Backend::Sqlite },
    streams_postgres = { Kind::Streams, Backend::Postgres },
)]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_is_published_again_for_one_consumer_reaches_no_other(kind: Kind, backend: Backend) {
    let stage = Stage::new(kind, backend).await;
    let (one, other) = (stage.join("order").await, stage.join("provider").await);
    stage.publish();
    stage.record(&[SICK, WELL], 1..=3).await;
    one.has_taken(&[SICK, WELL], 3).await;
    other.has_taken(&[SICK, WELL], 3).await;
    stage.is_published().await;
    one.forget().await;
    other.forget().await;
    stage.publish_again_for("order").await;
    one.has_taken(&[SICK, WELL], 3).await;
    stage.record(&[SICK, WELL], 4..=4).await;
    one.has_taken(&[SICK, WELL], 4).await;
    let taken = async || (other.taken_of(SICK), other.taken_of(WELL));
    let all = |taken: &(Vec<i64>, Vec<i64>)| !taken.0.is_empty() && !taken.1.is_empty();
    assert_eq!(eventually("the other takes the last", taken, all).await, (vec![4], vec![4]));
}
