//! Prices and what care takes, from free-form details.

use crate::fixture::{Nursery, totals};
use kit::{
    Role,
    testing::{Backend, paris, refused_field, somebody},
};
use proto::quickserve::{common::v1::Address, fulfilment::v1 as pb};
use serde_json::json;
use vertical::testing::quote_request;
use yare::parameterized;

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_quote_has_lines_a_cap_and_requirements(backend: Backend) {
    let nursery = Nursery::open(backend).await;
    let described = nursery.vertical().describe_vertical(pb::DescribeVerticalRequest {}).await;
    let described = described.unwrap().into_inner();
    assert_eq!(described.vertical, "child_assistance");
    assert_eq!(described.details_message, "quickserve.child_assistance.v1.CareDetails");
    let details = json!({ "children": [{ "age_months": 60 }, { "age_months": 84 }] });
    let answer = nursery.quote(&details, somebody(&[Role::Customer])).await.unwrap();
    let expected = [("care", 4_200), ("further_children", 1_200)];
    let expected = expected.map(|(code, total)| (format!("child_assistance.{code}"), total));
    assert_eq!(totals(&answer.lines), expected);
    assert_eq!(answer.cap.unwrap().minor_units, 10_800);
    assert!(answer.manual_acceptance);
    let requirements = answer.requirements.unwrap();
    assert_eq!(requirements.skills, ["child.school"]);
    assert_eq!(requirements.documents, ["identity", "first_aid", "background"]);
    assert!(requirements.exclusive && !requirements.dispatch.unwrap().live);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn the_age_of_a_child_that_is_known_is_that_on_the_day(backend: Backend) {
    let nursery = Nursery::open(backend).await;
    let parent = somebody(&[Role::Customer]);
    for (born_on, skill) in [("2024-05-25", "child.under3"), ("2024-05-24", "child.school")] {
        let child = nursery.child(parent, born_on).await;
        let details = json!({ "children": [{ "child_id": child }] });
        let quote = nursery.quote(&details, parent).await.unwrap();
        assert_eq!(quote.requirements.unwrap().skills, [skill], "{born_on}");
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn bad_details_name_their_field(backend: Backend) {
    let nursery = Nursery::open(backend).await;
    let family = nursery.family().await;
    let stranger = somebody(&[Role::Customer]);
    let with = |child: serde_json::Value| json!({ "children": [child] });
    let lou = json!({ "child_id": family.lou });
    for (details, by, field) in [
        (json!({}), family.parent, "details.children"),
        (
            json!({ "children": vec![json!({ "age_months": 60 }); 7] }),
            family.parent,
            "details.children",
        ),
        (
            json!({ "children": vec![json!({ "age_months": 60 }); 5] }),
            family.parent,
            "details.children",
        ),
        (
            json!({ "children": vec![json!({ "age_months": 6 }); 4] }),
            family.parent,
            "details.children",
        ),
        (with(json!({})), family.parent, "details.children[0].child_id"),
        (with(json!({ "child_id": "Lou" })), family.parent, "details.children[0].child_id"),
        (with(json!({ "age_months": 216 })), family.parent, "details.children[0].age_months"),
        (with(json!({ "age_months": -1 })), family.parent, "details.children[0].age_months"),
        (
            with(json!({ "child_id": family.lou, "age_months": 60 })),
            family.parent,
            "details.children[0].age_months",
        ),
        (with(lou.clone()), stranger, "details.children[0].child_id"),
        (
            json!({ "children": [lou.clone(), lou.clone()] }),
            family.parent,
            "details.children[1].child_id",
        ),
        (
            json!({ "children": [lou], "languages": ["French"] }),
            family.parent,
            "details.languages[0]",
        ),
        (json!({ "children": [{ "name": "Lou" }] }), family.parent, "details.children"),
    ] {
        let answer = nursery.quote(&details, by).await;
        assert_eq!(refused_field(answer), field, "{details}");
    }
    let abroad = Address { country: "US".to_owned(), ..paris() };
    let details = with(json!({ "age_months": 60 }));
    let request =
        pb::QuoteRequest { address: Some(abroad), ..quote_request(&details, family.parent) };
    assert_eq!(refused_field(nursery.vertical().quote(request).await), "address.country");
}
