//! Positions of disputed orders: they are kept while the dispute is open, and their sum stays.

use super::drive::Drive;
use kit::testing::{Backend, eventually};
use proto::quickserve::fulfilment::v1::OrderState;
use yare::parameterized;

/// A drive of a minute, measured as 600 m.
async fn driven(backend: Backend) -> Drive {
    let drive = Drive::departed(backend).await;
    drive.shop.world.clock.advance(chrono::Duration::seconds(60));
    drive.push(drive.way(61, 100.0)).await.unwrap();
    assert_eq!(drive.measure(60, true).await.metres, 600);
    drive
}

fn pass_hours(drive: &Drive, hours: i64) {
    drive.shop.world.clock.advance(chrono::Duration::hours(hours));
}

#[parameterized(
    sos_sqlite = { Backend::Sqlite, "order.sos" },
    sos_postgres = { Backend::Postgres, "order.sos" },
    disputed_sqlite = { Backend::Sqlite, "order.disputed" },
    disputed_postgres = { Backend::Postgres, "order.disputed" },
)]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_dispute_during_the_work_keeps_the_points_beyond_its_delivery(
    backend: Backend,
    kind: &'static str,
) {
    let mut drive = driven(backend).await;
    drive.tell("order.started", OrderState::InProgress).await;
    drive.tell(kind, OrderState::InProgress).await;
    drive.tell("order.delivered", OrderState::Delivered).await;
    assert_eq!(drive.row("purge_at").await, "", "nothing is to be deleted");
    pass_hours(&drive, 72);
    drive.tell("order.completed", OrderState::Completed).await;
    assert_eq!(drive.points().await, 61);
    drive.tell("order.dispute_resolved", OrderState::Completed).await;
    pass_hours(&drive, 49);
    eventually("they are deleted", async || drive.points().await, |points| *points == 0).await;
    assert_eq!(drive.measure(10, true).await.metres, 600);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_dispute_after_the_points_were_deleted_leaves_their_sum(backend: Backend) {
    let mut drive = driven(backend).await;
    drive.tell("order.delivered", OrderState::Delivered).await;
    pass_hours(&drive, 49);
    eventually("they are deleted", async || drive.points().await, |points| *points == 0).await;
    drive.tell("order.disputed", OrderState::Delivered).await;
    drive.tell("order.dispute_resolved", OrderState::Completed).await;
    assert_eq!(drive.row("purge_at").await, "", "there is nothing to delete");
    assert_eq!(drive.row("lat").await, "", "nor does the address come back");
    let left = drive.measure(10, true).await;
    assert_eq!((left.metres, left.seconds, left.covered_percent), (600, 60, 100));
}
