//! Prices and what a ride takes, from free-form details.

use crate::fixture::{Garage, parcel, stop, taxi, totals};
use kit::{
    Role,
    testing::{Backend, paris, refused_field, somebody},
    values::time::moment,
};
use proto::quickserve::{common::v1::Address, fulfilment::v1 as pb};
use serde_json::json;
use vertical::testing::quote_request;
use yare::parameterized;

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_quote_has_lines_a_cap_and_requirements(backend: Backend) {
    let garage = Garage::open(backend).await;
    let described = garage.vertical().describe_vertical(pb::DescribeVerticalRequest {}).await;
    let described = described.unwrap().into_inner();
    assert_eq!(described.vertical, "transport");
    assert_eq!(described.details_message, "quickserve.transport.v1.RideDetails");
    assert_eq!(described.change_message, "quickserve.transport.v1.RideChange");
    assert!(!described.recurs && described.requirements.unwrap().exclusive);
    let answer = garage.quote(&taxi(), somebody(&[Role::Customer])).await.unwrap();
    let expected = [("base", 250), ("distance", 1_066), ("time", 220)];
    let expected = expected.map(|(code, total)| (format!("transport.{code}"), total));
    assert_eq!(totals(&answer.lines), expected);
    assert_eq!(answer.cap.unwrap().minor_units, 1_843);
    let requirements = answer.requirements.unwrap();
    assert_eq!(requirements.skills, ["transport.ride"]);
    assert_eq!(requirements.documents, ["driving_licence", "insurance", "vtc"]);
    assert_eq!((requirements.assets[0].seats, requirements.assets[0].count), (1, 1));
    assert_eq!(requirements.duration.unwrap().seconds, 26 * 60);
    let live = requirements.dispatch.unwrap();
    assert!(live.live && live.wave_size == 3 && requirements.exclusive);
    assert_eq!(answer.window, None);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_ride_as_soon_as_possible_says_when_it_begins(backend: Backend) {
    let garage = Garage::open(backend).await;
    let customer = somebody(&[Role::Customer]);
    let request = pb::QuoteRequest { asap: true, ..quote_request(&taxi(), customer) };
    let window = garage.vertical().quote(request).await.unwrap().into_inner().window.unwrap();
    let start = moment("start", window.start.as_ref()).unwrap();
    let end = moment("end", window.end.as_ref()).unwrap();
    assert_eq!((start - garage.world.clock.now()).num_minutes(), 10);
    assert_eq!((end - start).num_minutes(), 26);
    assert_eq!(window.time_zone, "Europe/Paris");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn bad_details_name_their_field(backend: Backend) {
    let garage = Garage::open(backend).await;
    let customer = somebody(&[Role::Customer]);
    let stops = |count: usize| vec![stop(1_000.0); count];
    let of_parcel = |field: &str, value: serde_json::Value| {
        let mut details = parcel("return");
        details["parcel"][field] = value;
        details
    };
    let of_stop = |field: &str, value: serde_json::Value| {
        let mut details = taxi();
        details["stops"][0][field] = value;
        details
    };
    let with = |field: &str, value: serde_json::Value| {
        let mut details = taxi();
        details[field] = value;
        details
    };
    for (inputs, wrong) in [
        (json!({ "stops": stops(1) }), "details.kind"),
        (with("kind", json!("walk")), "details.kind"),
        (with("stops", json!([])), "details.stops"),
        (with("stops", json!(stops(7))), "details.stops"),
        (with("stops", json!([{}])), "details.stops[0].lat"),
        (of_stop("lat", json!(91)), "details.stops[0].lat"),
        (of_stop("lng", json!(null)), "details.stops[0].lng"),
        (with("stops", json!([stop(1_000.0), stop(400_000.0 * 1.3)])), "details.stops[1].lat"),
        (of_stop("contact_phone", json!("0611223344")), "details.stops[0].contact_phone"),
        (of_stop("contact_name", json!("x".repeat(81))), "details.stops[0].contact_name"),
        (of_stop("label", json!("x".repeat(81))), "details.stops[0].label"),
        (of_stop("lines", json!(["a", "b", "c", "d", "e"])), "details.stops[0].lines"),
        (of_stop("notes", json!("x".repeat(501))), "details.stops[0].notes"),
        (with("tier", json!("rocket")), "details.tier"),
        (with("passengers", json!(9)), "details.passengers"),
        (with("passengers", json!(5)), "details.passengers"),
        (with("passengers", json!(-1)), "details.passengers"),
        (with("luggage", json!(17)), "details.luggage"),
        (with("child_seats", json!(5)), "details.child_seats"),
        (with("child_seats", json!(2)), "details.child_seats"),
        (with("pet", json!("cat")), "details.pet"),
        (with("colour", json!("red")), "details.colour"),
        (with("parcel", json!({ "kg": 1, "longest_cm": 10 })), "details.parcel"),
        (with("kind", json!("parcel")), "details.parcel"),
        (of_parcel("kg", json!(50.1)), "details.parcel.kg"),
        (of_parcel("kg", json!(0)), "details.parcel.kg"),
        (of_parcel("longest_cm", json!(151)), "details.parcel.longest_cm"),
        (of_parcel("undeliverable", json!("burn")), "details.parcel.undeliverable"),
    ] {
        let answer = garage.quote(&inputs, customer).await;
        assert_eq!(refused_field(answer), wrong, "{inputs}");
    }
    let mut with_pet = parcel("return");
    with_pet["pet"] = json!(true);
    assert_eq!(refused_field(garage.quote(&with_pet, customer).await), "details.pet");
    let abroad = Address { country: "US".to_owned(), ..paris() };
    let abroad = pb::QuoteRequest { address: Some(abroad), ..quote_request(&taxi(), customer) };
    assert_eq!(refused_field(garage.vertical().quote(abroad).await), "address.country");
}
