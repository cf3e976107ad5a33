//! Estimates: their worked prices, and what speaks against them.

use crate::fixture::{Workshop, diagnosis, estimate, lines, pump, washer};
use kit::testing::{Backend, refused_field};
use proto::quickserve::{
    fulfilment::v1::{OrderChangeState, Party},
    repair::v1::{self as pb, PartState, RepairState},
};
use serde_json::{Value, json};
use vertical::testing::Order;
use yare::parameterized;

async fn denials(workshop: &Workshop, order: &Order, proposer: Party) -> Vec<String> {
    let answer = workshop.quote_change(order, Some(&estimate(30, &[])), proposer).await;
    answer.unwrap().denials
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn the_worked_estimates_come_to_the_cent(backend: Backend) {
    let workshop = Workshop::open(backend).await;
    let mut order = workshop.diagnosed(washer()).await;
    let part = workshop.add_part(&order, pump(&order, 8_000)).await;
    let first = estimate(70, &[&part.id]);
    let expected = lines([
        ("labour", 7_250),
        ("part", 8_000),
        ("part_margin", 1_200),
        ("diagnosis_credit", -4_900),
    ]);
    assert_eq!(workshop.price(&order, &first).await, expected);
    workshop.approve(&mut order, &first).await;
    // A further estimate has nothing to credit.
    let expected = lines([("labour", 2_900)]);
    assert_eq!(workshop.price(&order, &estimate(20, &[])).await, expected);

    let order = workshop.diagnosed(json!({ "category": "handyman" })).await;
    let part = workshop.add_part(&order, pump(&order, 1_999)).await;
    let expected = lines([
        ("labour", 2_400),
        ("part", 1_999),
        ("part_margin", 300),
        ("diagnosis_credit", -4_699),
    ]);
    assert_eq!(workshop.price(&order, &estimate(25, &[&part.id])).await, expected);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_speaks_against_an_estimate_is_said(backend: Backend) {
    let workshop = Workshop::open(backend).await;
    let mut order = workshop.begin(washer()).await;
    assert_eq!(denials(&workshop, &order, Party::Provider).await, ["NOT_DIAGNOSED"]);
    workshop.diagnose(&order, &diagnosis(&order)).await.unwrap();
    for proposer in [Party::Customer, Party::Platform] {
        assert_eq!(denials(&workshop, &order, proposer).await, ["PROVIDER_ESTIMATES"]);
    }
    let plain = workshop.quote_change(&order, None, Party::Provider).await.unwrap();
    assert_eq!(plain.denials, ["ESTIMATE_REQUIRED"], "labour and parts have their prices");
    workshop.propose(&mut order, &estimate(30, &[])).await;
    assert_eq!(denials(&workshop, &order, Party::Provider).await, ["ESTIMATE_PENDING"]);
    workshop.decide(&mut order, OrderChangeState::Approved).await;
    workshop.wait_for_parts(&order).await.unwrap();
    assert_eq!(denials(&workshop, &order, Party::Provider).await, ["WAITING_FOR_PARTS"]);
    workshop.resume(&order).await.unwrap();
    workshop.finish(&order, "repaired", true).await.unwrap();
    assert_eq!(denials(&workshop, &order, Party::Provider).await, ["REPAIR_OVER"]);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_wrong_estimate_names_its_field(backend: Backend) {
    let workshop = Workshop::open(backend).await;
    let mut order = workshop.diagnosed(washer()).await;
    let part = workshop.add_part(&order, pump(&order, 8_000)).await;
    let elsewhere = uuid::Uuid::new_v4().to_string();
    let refused = async |order: &Order, wrong: Value| {
        refused_field(workshop.quote_change(order, Some(&wrong), Party::Provider).await)
    };
    for (wrong, field) in [
        (json!({}), "details.labour"),
        (json!({ "labour": [{ "minutes": 0 }] }), "details.labour[0].minutes"),
        (json!({ "labour": [{ "minutes": 1_441 }] }), "details.labour[0].minutes"),
        (json!({ "labour": vec![json!({ "minutes": 1 }); 21] }), "details.labour"),
        (json!({ "part_ids": ["7"] }), "details.part_ids[0]"),
        (json!({ "part_ids": [&part.id, &elsewhere] }), "details.part_ids[1]"),
        (json!({ "part_ids": [&part.id, &part.id] }), "details.part_ids"),
        (json!({ "hours": 2 }), "details.hours"),
    ] {
        assert_eq!(refused(&order, wrong.clone()).await, field, "{wrong}");
    }
    workshop.approve(&mut order, &estimate(70, &[&part.id])).await;
    let again = estimate(10, &[&part.id]);
    assert_eq!(refused(&order, again).await, "details.part_ids[0]", "it is in one already");
}

/// The price was agreed to for three days, in which the repairer need not wait.
#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_customer_who_needs_more_time_gets_the_estimate_anew(backend: Backend) {
    let workshop = Workshop::open(backend).await;
    let mut order = workshop.diagnosed(washer()).await;
    let part = workshop.add_part(&order, pump(&order, 8_000)).await;
    let first = estimate(70, &[&part.id]);
    let priced = workshop.price(&order, &first).await;
    workshop.propose(&mut order, &first).await;
    workshop.decide(&mut order, OrderChangeState::Expired).await;
    assert_eq!(workshop.repair(&order).await.state(), RepairState::Declined);
    assert_eq!(workshop.price(&order, &first).await, priced, "the fee is credited still");
    workshop.approve(&mut order, &first).await;
    assert_eq!(workshop.repair(&order).await.state(), RepairState::Approved);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn returned_parts_come_off_as_settlement(backend: Backend) {
    let workshop = Workshop::open(backend).await;
    let mut order = workshop.diagnosed(washer()).await;
    let used =
        workshop.add_part(&order, pb::AddPartRequest { on_board: true, ..pump(&order, 100) });
    let used = used.await;
    let back = workshop.add_part(&order, pump(&order, 8_000)).await;
    workshop.approve(&mut order, &estimate(70, &[&used.id, &back.id])).await;
    workshop.move_part(&order, &used.id, PartState::Used).await.unwrap();
    workshop.finish(&order, "repaired", true).await.unwrap();
    assert_eq!(workshop.missing(&order, &["signature.customer"]).await, ["repair.parts"]);
    workshop.move_part(&order, &back.id, PartState::Returned).await.unwrap();
    let expected = lines([("part_returned", -8_000), ("part_margin", -1_200)]);
    assert_eq!(workshop.settlement(&order).await, expected);
}
