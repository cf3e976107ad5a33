//! Recalls: work that is made good without a price.

use crate::fixture::{Workshop, diagnosis, estimate, lines, pump, totals, washer};
use chrono::{DateTime, Duration, Utc};
use kit::testing::{Backend, refusal};
use kit::values::time::timestamp;
use proto::quickserve::{
    fulfilment::v1::{self as fulfilment, OrderChangeState, OrderState},
    repair::v1::{self as pb, RepairState},
};
use serde_json::{Value, json};
use tonic::Status;
use vertical::testing::{Order, TO_WORK, quote_request};
use yare::parameterized;

/// A repair that is over, and when its work was accepted.
async fn completed(workshop: &Workshop, details: Value) -> (Order, DateTime<Utc>) {
    let mut order = workshop.diagnosed(details).await;
    workshop.finish(&order, "repaired", true).await.unwrap();
    workshop.go_through(&mut order, &[OrderState::Delivered, OrderState::Completed]).await;
    (order, workshop.world.clock.now())
}

/// Asks for the price of a recall of `parent`, which goes back to an order that was accepted then.
async fn quote_recall(
    workshop: &Workshop,
    parent: &Order,
    root_completed_at: DateTime<Utc>,
    details: &Value,
) -> Result<fulfilment::QuoteResponse, Status> {
    let recalled = fulfilment::ParentOrder {
        order_id: parent.id.clone(),
        root_order_id: parent.id.clone(),
        root_completed_at: Some(timestamp(root_completed_at)),
    };
    let request = fulfilment::QuoteRequest {
        parent: Some(recalled),
        ..quote_request(details, parent.customer)
    };
    Ok(workshop.vertical().quote(request).await?.into_inner())
}

/// A recall of `parent` whose repairer has begun.
async fn recall(workshop: &Workshop, parent: &Order) -> Order {
    let mut order = workshop.book(washer()).await;
    order.customer = parent.customer;
    order.provider = parent.provider;
    order.parent_order_id = parent.id.clone();
    workshop.go_through(&mut order, &TO_WORK).await;
    order
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_recall_within_its_window_costs_nothing(backend: Backend) {
    let workshop = Workshop::open(backend).await;
    let (parent, accepted_at) = completed(&workshop, washer()).await;
    let mut urgent = washer();
    urgent["urgency"] = json!("urgent");
    for details in [washer(), urgent] {
        let quote = quote_recall(&workshop, &parent, accepted_at, &details).await.unwrap();
        assert_eq!(totals(&quote.lines), lines([("callout", 0), ("diagnosis", 0)]));
        assert_eq!(quote.requirements.unwrap().skills, ["repair.appliance"]);
    }
    let mut other = washer();
    other["serial"] = json!("FD 0000");
    let elsewhere = quote_recall(&workshop, &parent, accepted_at, &other).await;
    assert_eq!(refusal(elsewhere), "RECALL_WINDOW", "another machine");
    workshop.world.clock.advance(Duration::days(90));
    quote_recall(&workshop, &parent, accepted_at, &washer()).await.unwrap();
    workshop.world.clock.advance(Duration::seconds(1));
    let late = quote_recall(&workshop, &parent, accepted_at, &washer()).await;
    assert_eq!(refusal(late), "RECALL_WINDOW");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_recall_of_a_recall_counts_from_the_root(backend: Backend) {
    let workshop = Workshop::open(backend).await;
    let (_, root_accepted_at) = completed(&workshop, washer()).await;
    workshop.world.clock.advance(Duration::days(60));
    let (second, _) = completed(&workshop, washer()).await;
    workshop.world.clock.advance(Duration::days(29));
    quote_recall(&workshop, &second, root_accepted_at, &washer()).await.unwrap();
    workshop.world.clock.advance(Duration::days(2));
    let late = quote_recall(&workshop, &second, root_accepted_at, &washer()).await;
    assert_eq!(refusal(late), "RECALL_WINDOW", "31 days after the second, 91 after the first");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn in_a_recall_the_same_fault_is_repaired_for_nothing(backend: Backend) {
    let workshop = Workshop::open(backend).await;
    let (parent, _) = completed(&workshop, washer()).await;
    let mut order = recall(&workshop, &parent).await;
    workshop.diagnose(&order, &diagnosis(&order)).await.unwrap();
    assert_eq!(workshop.repair(&order).await.parent_order_id, parent.id);
    let part = workshop.add_part(&order, pump(&order, 8_000)).await;
    assert_eq!(part.price.unwrap().minor_units, 0);
    let free = estimate(70, &[&part.id]);
    assert_eq!(workshop.price(&order, &free).await, lines([("labour", 0), ("part", 0)]));
    workshop.approve(&mut order, &free).await;
    workshop.finish(&order, "repaired", true).await.unwrap();
    workshop.move_part(&order, &part.id, pb::PartState::Returned).await.unwrap();
    assert_eq!(workshop.settlement(&order).await, []);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn in_a_recall_another_fault_costs_its_estimate_and_declined_nothing(backend: Backend) {
    let workshop = Workshop::open(backend).await;
    let (parent, _) = completed(&workshop, washer()).await;
    let mut order = recall(&workshop, &parent).await;
    let unrelated = pb::RecordDiagnosisRequest { unrelated: true, ..diagnosis(&order) };
    workshop.diagnose(&order, &unrelated).await.unwrap();
    let part = workshop.add_part(&order, pump(&order, 8_000)).await;
    let asked = estimate(70, &[&part.id]);
    let expected = lines([("labour", 7_250), ("part", 8_000), ("part_margin", 1_200)]);
    assert_eq!(workshop.price(&order, &asked).await, expected);
    workshop.propose(&mut order, &asked).await;
    workshop.decide(&mut order, OrderChangeState::Rejected).await;
    let left = workshop.finish(&order, "unrepaired", true).await.unwrap();
    assert_eq!(left.state(), RepairState::Unrepaired);
    assert_eq!(workshop.settlement(&order).await, []);
}
