//! Prices and what a move takes, from free-form details.

use crate::fixture::{Depot, flat, home, totals};
use kit::{
    Role,
    testing::{Backend, paris, refused_field, somebody},
};
use proto::quickserve::{common::v1::Address, fulfilment::v1 as pb};
use serde_json::{Value as Json, json};
use vertical::testing::quote_request;
use yare::parameterized;

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_quote_has_lines_a_cap_and_requirements(backend: Backend) {
    let depot = Depot::open(backend).await;
    let described = depot.vertical().describe_vertical(pb::DescribeVerticalRequest {}).await;
    let described = described.unwrap().into_inner();
    assert_eq!(described.vertical, "moving");
    assert_eq!(described.details_message, "quickserve.moving.v1.MoveDetails");
    assert_eq!(described.change_message, "quickserve.moving.v1.MoveChange");
    let base = described.requirements.unwrap();
    assert_eq!(base.documents, ["transport_licence", "insurance"]);
    assert!(!described.recurs && !base.exclusive);
    let customer = somebody(&[Role::Customer]);
    let answer = depot.quote(&flat("estimate"), customer).await.unwrap();
    let expected = [
        ("labour", 48_000),
        ("volume", 25_200),
        ("distance", 1_920),
        ("stairs", 6_720),
        ("insurance", 4_000),
    ];
    assert_eq!(totals(&answer.lines), expected.map(|(code, it)| (format!("moving.{code}"), it)));
    assert_eq!(answer.cap.unwrap().minor_units, 94_424);
    assert_eq!(depot.quote(&flat("binding"), customer).await.unwrap().cap, None);
    let requirements = answer.requirements.unwrap();
    assert_eq!(requirements.skills, ["moving.mover"]);
    let crew: Vec<_> = requirements.crew.iter().map(|it| (it.role.as_str(), it.count)).collect();
    assert_eq!(crew, [("lead", 1), ("mover", 2)]);
    assert_eq!((requirements.assets[0].volume_l, requirements.assets[0].count), (30_000, 1));
    assert_eq!(requirements.duration.unwrap().seconds, 5 * 3_600);
    assert_eq!(requirements.buffer_before.unwrap().seconds, 1_800);
    assert_eq!(requirements.dispatch, None);
    assert!(!answer.manual_acceptance);
}

fn with(path: &str, value: Json) -> Json {
    let mut details = flat("binding");
    details["items"][0]["label"] = json!("books");
    details["to"]["access"] = json!({ "floor": 1 });
    let (parent, field) = path.rsplit_once('/').unwrap();
    details.pointer_mut(parent).unwrap()[field] = value;
    details
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn bad_details_name_their_field(backend: Backend) {
    let depot = Depot::open(backend).await;
    let customer = somebody(&[Role::Customer]);
    let money = |currency: &str, minor_units: i64| json!({ "currency": currency, "minor_units": minor_units });
    for (inputs, wrong) in [
        (json!({ "items": [{ "code": "sofa", "quantity": 1 }] }), "details.to"),
        (with("/items", json!([])), "details.items"),
        (
            with("/items", json!(vec![json!({ "code": "box", "quantity": 1 }); 201])),
            "details.items",
        ),
        (with("/items/0/code", json!("throne")), "details.items[0].code"),
        (with("/items/0/code", json!("A sofa")), "details.items[0].code"),
        (with("/items/0/code", json!("other")), "details.items[0].volume_l"),
        (with("/items/0/quantity", json!(0)), "details.items[0].quantity"),
        (with("/items/0/quantity", json!(2_001)), "details.items[0].quantity"),
        (with("/items/0/volume_l", json!(5)), "details.items[0].volume_l"),
        (with("/items/0/volume_l", json!(20_001)), "details.items[0].volume_l"),
        (with("/items/0/weight_kg", json!(-1)), "details.items[0].weight_kg"),
        (with("/items/0/stackable", json!(true)), "details.items[0].stackable"),
        (with("/items/0/packed_by", json!("thieves")), "details.items[0].packed_by"),
        (with("/items/0/label", json!("x".repeat(81))), "details.items[0].label"),
        (
            with("/items", json!(vec![json!({ "code": "box", "quantity": 1_300 }); 2])),
            "details.items",
        ),
        (with("/basis", json!("guess")), "details.basis"),
        (with("/packing", json!("none")), "details.packing"),
        (with("/from/floor", json!(61)), "details.from.floor"),
        (with("/from/floor", json!(-1)), "details.from.floor"),
        (with("/from/carry_m", json!(501)), "details.from.carry_m"),
        (with("/from/lift", json!("yes")), "details.from"),
        (with("/to/lat", json!(91)), "details.to.lat"),
        (with("/to/lng", json!(null)), "details.to.lng"),
        (with("/to/access/floor", json!(61)), "details.to.access.floor"),
        (with("/to/lines", json!(["a", "b", "c", "d", "e"])), "details.to.lines"),
        (with("/to/contact_name", json!("x".repeat(81))), "details.to.contact_name"),
        (with("/to/contact_phone", json!("0611223344")), "details.to.contact_phone"),
        (with("/to/notes", json!("x".repeat(501))), "details.to.notes"),
        (with("/to", home(850_000.0)), "details.to.lat"),
        (with("/declared_value", money("GBP", 5)), "details.declared_value.currency"),
        (with("/declared_value", money("euro", 5)), "details.declared_value.currency"),
        (with("/declared_value", money("EUR", -5)), "details.declared_value.minor_units"),
        (with("/colour", json!("red")), "details.colour"),
    ] {
        let answer = depot.quote(&inputs, customer).await;
        assert_eq!(refused_field(answer), wrong, "{inputs}");
    }
    let request = quote_request(&flat("binding"), customer);
    let soon = pb::QuoteRequest { asap: true, ..request.clone() };
    assert_eq!(refused_field(depot.vertical().quote(soon).await), "asap");
    let abroad = Address { country: "US".to_owned(), ..paris() };
    let abroad = pb::QuoteRequest { address: Some(abroad), ..request };
    assert_eq!(refused_field(depot.vertical().quote(abroad).await), "address.country");
}
