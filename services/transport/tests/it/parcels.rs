//! Parcels: proofs of what was handed over, and those that come back.

use crate::fixture::{Garage, Report, parcel, stop};
use kit::testing::{Backend, EventRecorder, eventually, refusal};
use proto::quickserve::{
    fulfilment::v1::OrderState,
    transport::v1::{RideEvent, RideState},
};
use serde_json::json;
use yare::parameterized;

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn each_stop_of_a_parcel_is_proven(backend: Backend) {
    let garage = Garage::open(backend).await;
    let mut details = parcel("return");
    details["stops"] = json!([stop(900.0), stop(1_800.0)]);
    let order = garage.begin(details).await;
    garage.drive(&order, 2).await;
    assert_eq!(garage.missing(&order, &[]).await, ["dropoff.1.photo", "dropoff.2.photo"]);
    let some = ["dropoff.2.signature", "photo.before", "dropoff.1.selfie"];
    assert_eq!(garage.missing(&order, &some).await, ["dropoff.1.photo"]);
    let all = ["dropoff.1.photo", "dropoff.2.signature"];
    assert_eq!(garage.settlement(&order, &all).await, []);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_parcel_that_no_one_takes_comes_back_for_a_fare_within_the_cap(backend: Backend) {
    let garage = Garage::open(backend).await;
    let events = EventRecorder::subscribed(&garage.world.host, &["transport."]);
    let mut order = garage.begin(parcel("return")).await;
    garage.report(&order, Report::Arrive(1)).await.unwrap();
    let early = garage.report(&order, Report::Returned).await;
    assert_eq!(refusal(early), "ORDER_STATE");
    let back = garage.report(&order, Report::Undeliverable(1)).await.unwrap();
    assert_eq!((back.state(), back.leg), (RideState::Returning, 0));
    assert_eq!(garage.report(&order, Report::Undeliverable(1)).await.unwrap(), back);
    let handed_over = garage.report(&order, Report::Complete(1)).await;
    assert_eq!(refusal(handed_over), "ORDER_STATE", "it was not");
    assert_eq!(garage.missing(&order, &["return.photo"]).await, ["ride.unfinished"]);
    let returned = garage.report(&order, Report::Returned).await.unwrap();
    assert_eq!(returned.state(), RideState::Returned);
    assert_eq!(garage.report(&order, Report::Returned).await.unwrap(), returned);
    let dropped = ["dropoff.1.photo"];
    assert_eq!(garage.missing(&order, &dropped).await, ["return.photo"]);
    // 700 at least for 1.5 km, so up to 140 of the 195 that the way back costs.
    let way_back = ("transport.return".to_owned(), 140);
    assert_eq!(garage.settlement(&order, &["return.signature"]).await, [way_back]);
    garage.go(&mut order, OrderState::Delivered).await;
    let told = async || events.kinds_of(&order.id);
    let expected = ["transport.stop_reached", "transport.returning", "transport.returned"];
    eventually("the facts", told, |kinds| *kinds == expected).await;
    let returning = &events.messages::<RideEvent>("transport.returning")[0];
    assert_eq!((returning.stop, returning.parcel), (1, true));
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_parcel_that_may_be_left_is_left(backend: Backend) {
    let garage = Garage::open(backend).await;
    let order = garage.begin(parcel("leave")).await;
    garage.report(&order, Report::Arrive(1)).await.unwrap();
    let back = garage.report(&order, Report::Undeliverable(1)).await;
    assert_eq!(refusal(back), "LEAVE_PARCEL");
    garage.report(&order, Report::Complete(1)).await.unwrap();
    assert_eq!(garage.settlement(&order, &["dropoff.1.photo"]).await, []);
}
