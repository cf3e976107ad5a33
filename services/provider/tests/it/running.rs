//! Jobs that exclude others while they run.

use crate::fixture::{Provider, Shop, hold, requirements};
use chrono::Duration;
use kit::testing::{Backend, refusal};
use proto::quickserve::{fulfilment::v1::Requirements, provider::v1 as pb};
use yare::parameterized;

/// The world begins at 9 o'clock UTC on Monday, 10 May 2027.
const EXPIRES: &str = "2027-05-10T09:15:00Z";

fn exclusive_hold(provider: &Provider, start: &str) -> pb::HoldReservationRequest {
    let requirements = Requirements { exclusive: true, ..requirements(0) };
    pb::HoldReservationRequest {
        requirements: Some(requirements),
        ..hold(provider, start, 2, EXPIRES)
    }
}

fn begin(hold: &pb::HoldReservationRequest) -> pb::BeginReservationRequest {
    let pb::HoldReservationRequest { order_id, provider_id, round, .. } = hold.clone();
    pb::BeginReservationRequest { order_id, provider_id, round }
}

fn finish(hold: &pb::HoldReservationRequest) -> pb::FinishReservationRequest {
    let pb::HoldReservationRequest { order_id, provider_id, round, .. } = hold.clone();
    pb::FinishReservationRequest { order_id, provider_id, round }
}

fn release(hold: &pb::HoldReservationRequest) -> pb::ReleaseReservationRequest {
    let pb::HoldReservationRequest { order_id, provider_id, round, .. } = hold.clone();
    pb::ReleaseReservationRequest { order_id, provider_id, round }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn of_two_exclusive_jobs_one_runs(backend: Backend) {
    let shop = Shop::open(backend).await;
    let driver = shop.vetted("Ana").await;
    let mut reservations = shop.reservations();
    let first = exclusive_hold(&driver, "2027-05-10T10:00:00Z");
    let second = exclusive_hold(&driver, "2027-05-10T14:00:00Z");
    for hold in [&first, &second] {
        reservations.hold_reservation(hold.clone()).await.unwrap();
    }
    for _ in 0..2 {
        reservations.begin_reservation(begin(&first)).await.unwrap();
    }
    let busy = reservations.begin_reservation(begin(&second)).await;
    assert_eq!(refusal(busy), "DRIVER_BUSY");
    // Who rides does other work, which excludes nothing, all the same.
    let plain = hold(&driver, "2027-05-10T12:00:00Z", 1, EXPIRES);
    reservations.hold_reservation(plain.clone()).await.unwrap();
    reservations.begin_reservation(begin(&plain)).await.unwrap();
    // A release ends the job as its finish does.
    reservations.release_reservation(release(&first)).await.unwrap();
    reservations.begin_reservation(begin(&second)).await.unwrap();
    let unknown = exclusive_hold(&driver, "2027-05-10T16:00:00Z");
    let answer = reservations.begin_reservation(begin(&unknown)).await;
    assert_eq!(refusal(answer), "RESERVATION_NOT_FOUND");
    reservations.finish_reservation(finish(&unknown)).await.unwrap();
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_finished_job_gives_the_rest_of_its_time_back(backend: Backend) {
    let shop = Shop::open(backend).await;
    let driver = shop.vetted("Ana").await;
    let mut reservations = shop.reservations();
    let first = pb::HoldReservationRequest {
        requirements: Some(Requirements { exclusive: true, ..requirements(15) }),
        begin: true,
        ..hold(&driver, "2027-05-10T09:00:00Z", 2, EXPIRES)
    };
    reservations.hold_reservation(first.clone()).await.unwrap();
    let second = pb::HoldReservationRequest {
        begin: true,
        ..exclusive_hold(&driver, "2027-05-10T09:30:00Z")
    };
    assert_eq!(refusal(reservations.hold_reservation(second.clone()).await), "DRIVER_BUSY");
    shop.world.clock.advance(Duration::minutes(10));
    for _ in 0..2 {
        reservations.finish_reservation(finish(&first)).await.unwrap();
        // The buffer after the work is kept: from 9:25 on the driver is free.
        let early = hold(&driver, "2027-05-10T09:20:00Z", 1, "2027-05-10T10:00:00Z");
        assert_eq!(refusal(reservations.hold_reservation(early).await), "SLOT_TAKEN");
    }
    reservations.hold_reservation(second).await.unwrap();
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_job_whose_hold_ran_out_keeps_nobody_busy(backend: Backend) {
    let shop = Shop::open(backend).await;
    let driver = shop.vetted("Ana").await;
    let mut reservations = shop.reservations();
    let crashed = pb::HoldReservationRequest {
        begin: true,
        ..exclusive_hold(&driver, "2027-05-10T09:00:00Z")
    };
    reservations.hold_reservation(crashed).await.unwrap();
    let later = exclusive_hold(&driver, "2027-05-10T14:00:00Z");
    let later = pb::HoldReservationRequest { begin: true, ..later };
    assert_eq!(refusal(reservations.hold_reservation(later.clone()).await), "DRIVER_BUSY");
    shop.world.clock.advance(Duration::minutes(15));
    let later = pb::HoldReservationRequest {
        hold_expires_at: hold(&driver, "2027-05-10T14:00:00Z", 2, "2027-05-10T10:00:00Z")
            .hold_expires_at,
        ..later
    };
    reservations.hold_reservation(later).await.unwrap();
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_repeated_hold_begins_the_job_that_it_holds(backend: Backend) {
    let shop = Shop::open(backend).await;
    let driver = shop.vetted("Ana").await;
    let mut reservations = shop.reservations();
    let first = exclusive_hold(&driver, "2027-05-10T10:00:00Z");
    reservations.hold_reservation(first.clone()).await.unwrap();
    let begun = pb::HoldReservationRequest { begin: true, ..first };
    for _ in 0..2 {
        reservations.hold_reservation(begun.clone()).await.unwrap();
    }
    let other = exclusive_hold(&driver, "2027-05-10T14:00:00Z");
    reservations.hold_reservation(other.clone()).await.unwrap();
    assert_eq!(refusal(reservations.begin_reservation(begin(&other)).await), "DRIVER_BUSY");
}
