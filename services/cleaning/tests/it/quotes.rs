//! Prices and what a cleaning takes, from free-form details.

use crate::fixture::{Shop, flat, new_order};
use kit::{
    Role,
    testing::{Backend, paris, refused_field, somebody, window},
};
use proto::quickserve::{
    common::v1::Address,
    fulfilment::v1::{self as pb, OrderState},
};
use serde_json::{Value as Json, json};
use vertical::testing::{Order, quote_request};
use yare::parameterized;

fn total(answer: &pb::QuoteResponse) -> i64 {
    answer.lines.iter().map(|line| line.total.as_ref().unwrap().minor_units).sum()
}

async fn price(shop: &Shop, inputs: &Json, order: &Order) -> i64 {
    total(&shop.quote(inputs, order.customer).await.unwrap())
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_quote_has_lines_and_requirements(backend: Backend) {
    let shop = Shop::open(backend).await;
    let described = shop.vertical().describe_vertical(pb::DescribeVerticalRequest {}).await;
    let described = described.unwrap().into_inner();
    assert_eq!(described.vertical, "cleaning");
    assert_eq!(described.details_message, "quickserve.cleaning.v1.CleaningDetails");
    let inputs = json!({
        "type": "deep", "area_m2": 70, "bring_supplies": true,
        "extras": [{"code": "oven"}, {"code": "windows", "quantity": 4}],
    });
    let answer = shop.quote(&inputs, somebody(&[Role::Customer])).await.unwrap();
    let lines: Vec<_> = answer
        .lines
        .iter()
        .map(|line| {
            assert_eq!(line.payer(), pb::Party::Customer);
            assert_eq!(line.earner(), pb::Party::Provider);
            let total = line.total.as_ref().unwrap();
            assert_eq!(total.currency, "EUR");
            (line.code.as_str(), line.quantity, line.unit.as_str(), total.minor_units)
        })
        .collect();
    let expected = [
        ("cleaning.base", 1.0, "visit", 4500),
        ("cleaning.area", 70.0, "m2", 10_500),
        ("cleaning.extra.oven", 1.0, "piece", 1800),
        ("cleaning.extra.windows", 4.0, "piece", 2400),
        ("cleaning.supplies", 1.0, "visit", 800),
    ];
    assert_eq!(lines, expected);
    let requirements = answer.requirements.unwrap();
    assert_eq!(requirements.skills, ["cleaning.deep"]);
    assert_eq!(requirements.documents, ["insurance"]);
    assert_eq!(requirements.crew_size, 1);
    // 45 + 7 × 28 + 30 + 40 = 311 minutes.
    assert_eq!(requirements.duration.unwrap().seconds, 315 * 60);
    assert_eq!(requirements.buffer_before.unwrap().seconds, 15 * 60);
    assert_eq!(requirements.buffer_after.unwrap().seconds, 15 * 60);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_the_record_says_overrules_a_shorter_gap(backend: Backend) {
    let shop = Shop::open(backend).await;
    let mut order = new_order();
    let weekly = json!({"rooms": 2, "bathrooms": 1, "frequency": "weekly"});
    let claimed = |days: i64| {
        let mut inputs = weekly.clone();
        inputs["days_since_last_visit"] = json!(days);
        inputs
    };
    assert_eq!(price(&shop, &weekly, &order).await, 5600 + 2500, "a first clean");
    assert_eq!(price(&shop, &claimed(7), &order).await, 5600 + 2500, "no visit is recorded");
    // The visit takes place, on 5 April: seven weeks before the one that is asked for.
    order.window = window("2027-04-05T08:00:00Z", 2);
    shop.go_through(&mut order, &[OrderState::Assigned, OrderState::InProgress]).await;
    assert_eq!(price(&shop, &weekly, &order).await, 5600 + 2500, "it is not over yet");
    crate::visits::tick_all(&shop, &order).await;
    shop.go(&mut order, OrderState::Delivered).await;
    assert_eq!(price(&shop, &weekly, &order).await, 5600, "a broken series");
    assert_eq!(price(&shop, &claimed(7), &order).await, 5600, "whatever the customer says");
    assert_eq!(price(&shop, &claimed(70), &order).await, 5600 + 2500);
    // Another home has no visits, and another customer neither.
    let mut elsewhere = quote_request(&weekly, order.customer);
    let address = elsewhere.address.as_mut().unwrap();
    address.lat = address.lat.map(|lat| lat + 0.002);
    let elsewhere = shop.vertical().quote(elsewhere).await.unwrap().into_inner();
    assert_eq!(total(&elsewhere), 5600 + 2500, "222 metres away");
    let mut next_door = quote_request(&weekly, order.customer);
    let address = next_door.address.as_mut().unwrap();
    address.lng = address.lng.map(|lng| lng + 0.001);
    let same = shop.vertical().quote(next_door).await.unwrap().into_inner();
    assert_eq!(total(&same), 5600, "73 metres away");
    assert_eq!(price(&shop, &weekly, &new_order()).await, 5600 + 2500);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn bad_details_name_their_field(backend: Backend) {
    let shop = Shop::open(backend).await;
    let customer = somebody(&[Role::Customer]);
    for (inputs, wrong) in [
        (json!({}), "details.area_m2"),
        (json!({"area_m2": 3}), "details.area_m2"),
        (json!({"area_m2": "large"}), "details.area_m2"),
        (json!({"area_m2": 40.5}), "details.area_m2"),
        (json!({"area_m2": 40, "rooms": 2}), "details.rooms"),
        (json!({"area_m2": 40, "bathrooms": 2}), "details.bathrooms"),
        (json!({"bathrooms": 2}), "details.bathrooms"),
        (json!({"rooms": 0}), "details.rooms"),
        (json!({"rooms": 2, "type": "shiny"}), "details.type"),
        (json!({"rooms": 2, "frequency": "daily"}), "details.frequency"),
        (json!({"rooms": 2, "colour": "red"}), "details.colour"),
        (json!({"rooms": 2, "extras": [{"code": "roof"}]}), "details.extras[0].code"),
        (
            json!({"rooms": 2, "extras": [{"code": "oven"}, {"code": "oven"}]}),
            "details.extras[1].code",
        ),
        (
            json!({"rooms": 2, "extras": [{"code": "oven", "quantity": 99}]}),
            "details.extras[0].quantity",
        ),
        (json!({"rooms": 2, "last_visit_on": "yesterday"}), "details.last_visit_on"),
        (json!({"rooms": 2, "last_visit_on": "2027-02-30"}), "details.last_visit_on"),
        (json!({"rooms": 2, "last_visit_on": "2027-05-25"}), "details.last_visit_on"),
        (
            json!({"rooms": 2, "last_visit_on": "2027-05-17", "days_since_last_visit": 8}),
            "details.days_since_last_visit",
        ),
        (json!({"area_m2": 2000}), "details.area_m2"),
    ] {
        let answer = shop.quote(&inputs, customer).await;
        assert_eq!(refused_field(answer), wrong, "{inputs}");
    }
    let flat = flat();
    let abroad = Address { country: "US".to_owned(), ..paris() };
    let abroad = pb::QuoteRequest { address: Some(abroad), ..quote_request(&flat, customer) };
    assert_eq!(refused_field(shop.vertical().quote(abroad).await), "address.country");
    let nowhere = pb::QuoteRequest { address: None, ..quote_request(&flat, customer) };
    assert_eq!(refused_field(shop.vertical().quote(nowhere).await), "address");
    let nothing = pb::QuoteRequest { details: None, ..quote_request(&flat, customer) };
    assert_eq!(refused_field(shop.vertical().quote(nothing).await), "details");
}

/// The visits of a series are priced before the one before them took place: the series says when that is.
#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn the_visit_before_in_a_series_sets_the_price(backend: Backend) {
    let shop = Shop::open(backend).await;
    let customer = somebody(&[Role::Customer]);
    let inputs =
        json!({"rooms": 2, "bathrooms": 1, "frequency": "weekly", "last_visit_on": "2026-05-24"});
    let total_after = async |previous_on: &str| {
        let series = pb::SeriesPlace {
            series_id: uuid::Uuid::new_v4().to_string(),
            previous_on: previous_on.to_owned(),
        };
        let request = pb::QuoteRequest { series: Some(series), ..quote_request(&inputs, customer) };
        let lines = shop.vertical().quote(request).await.unwrap().into_inner().lines;
        lines.into_iter().filter_map(|line| line.total).map(|total| total.minor_units).sum::<i64>()
    };
    // 80 % within ten days, 85 % within eighteen, the whole price after seven weeks.
    assert_eq!(total_after("2027-05-17").await, 4480);
    assert_eq!(total_after("2027-05-10").await, 4760);
    assert_eq!(total_after("2027-04-05").await, 5600);
}
