//! Prices of visits and what a repair takes, from free-form details.

use crate::fixture::{Workshop, customer, lines, totals, washer};
use kit::testing::{Backend, paris, refused_field, window};
use proto::quickserve::{common::v1::Address, fulfilment::v1 as pb};
use serde_json::{Value, json};
use vertical::testing::quote_request;
use yare::parameterized;

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_quote_is_for_the_visit_and_its_diagnosis(backend: Backend) {
    let workshop = Workshop::open(backend).await;
    let described = workshop.vertical().describe_vertical(pb::DescribeVerticalRequest {}).await;
    let described = described.unwrap().into_inner();
    assert_eq!(described.vertical, "repair");
    assert_eq!(described.details_message, "quickserve.repair.v1.RepairDetails");
    assert_eq!(described.change_message, "quickserve.repair.v1.RepairEstimate");
    assert!(!described.recurs);
    assert_eq!(described.requirements.unwrap().documents, ["insurance"]);
    let answer = workshop.quote(&washer(), customer()).await.unwrap();
    assert_eq!(totals(&answer.lines), lines([("callout", 2_900), ("diagnosis", 4_900)]));
    assert_eq!((answer.cap, answer.window), (None, None), "the price is binding");
    let requirements = answer.requirements.unwrap();
    assert_eq!(requirements.skills, ["repair.appliance"]);
    assert_eq!(requirements.preferred_skills, ["repair.brand.bosch"]);
    assert_eq!(requirements.duration.unwrap().seconds, 90 * 60);
    let dispatch = requirements.dispatch.unwrap();
    assert!(!dispatch.live && dispatch.wave_size == 3);
    assert_eq!(dispatch.answer.unwrap().seconds, 600);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_diagnosis_alone_can_be_booked_and_the_hour_tells_its_price(backend: Backend) {
    let workshop = Workshop::open(backend).await;
    let tap = json!({ "category": "plumbing", "urgency": "urgent" });
    let answer = workshop.quote(&tap, customer()).await.unwrap();
    let expected = [("callout", 2_900), ("diagnosis", 4_900), ("urgent", 4_000)];
    assert_eq!(totals(&answer.lines), lines(expected));
    let requirements = answer.requirements.unwrap();
    assert_eq!(requirements.preferred_skills, Vec::<String>::new());
    assert_eq!(requirements.dispatch.unwrap().answer.unwrap().seconds, 60);
    // A Sunday.
    let request = pb::QuoteRequest {
        window: Some(window("2027-05-30T08:00:00Z", 2)),
        ..quote_request(&json!({ "category": "heating" }), customer())
    };
    let answer = workshop.vertical().quote(request).await.unwrap().into_inner();
    let expected = [("callout", 2_900), ("callout_off_hours", 1_450), ("diagnosis", 4_900)];
    assert_eq!(totals(&answer.lines), lines(expected));
    assert_eq!(answer.requirements.unwrap().documents, ["insurance", "gas_qualification"]);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn bad_details_name_their_field(backend: Backend) {
    let workshop = Workshop::open(backend).await;
    let with = |field: &str, value: Value| {
        let mut details = washer();
        details[field] = value;
        details
    };
    let stranger = "0190d5a0-0000-7000-8000-000000000001";
    for (inputs, wrong) in [
        (json!({}), "details.category"),
        (with("category", json!("painting")), "details.category"),
        (json!({ "category": "appliance" }), "details.appliance_id"),
        (json!({ "category": "appliance", "appliance_id": "7" }), "details.appliance_id"),
        (json!({ "category": "appliance", "appliance_id": stranger }), "details.appliance_id"),
        (with("appliance_id", json!(stranger)), "details.brand"),
        (with("brand", json!("<b>")), "details.brand"),
        (with("brand", json!("x".repeat(41))), "details.brand"),
        (with("model", json!("x".repeat(61))), "details.model"),
        (json!({ "category": "plumbing", "model": "X" }), "details.model"),
        (json!({ "category": "plumbing", "serial": "X" }), "details.serial"),
        (with("serial", json!("#")), "details.serial"),
        (with("symptoms", json!("x".repeat(2_001))), "details.symptoms"),
        (with("photos", json!(["0"])), "details.photos[0]"),
        (with("photos", json!(vec!["0".repeat(64); 2])), "details.photos"),
        (with("urgency", json!("yesterday")), "details.urgency"),
        (with("colour", json!("red")), "details.colour"),
        (with("photos", json!("none")), "details.photos"),
    ] {
        let answer = workshop.quote(&inputs, customer()).await;
        assert_eq!(refused_field(answer), wrong, "{inputs}");
    }
    let many: Vec<String> = (0..11).map(|number| format!("{number:064}")).collect();
    let answer = workshop.quote(&with("photos", json!(many)), customer()).await;
    assert_eq!(refused_field(answer), "details.photos");
    let abroad = Address { country: "US".to_owned(), ..paris() };
    let abroad = pb::QuoteRequest { address: Some(abroad), ..quote_request(&washer(), customer()) };
    assert_eq!(refused_field(workshop.vertical().quote(abroad).await), "address.country");
    let late = pb::QuoteRequest {
        window: Some(window("2027-05-24T12:30:00Z", 2)),
        ..quote_request(&with("urgency", json!("urgent")), customer())
    };
    assert_eq!(refused_field(workshop.vertical().quote(late).await), "details.urgency");
}
