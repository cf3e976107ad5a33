//! Parts and their lives, over the RPCs.

use crate::fixture::{Workshop, estimate, pump, washer};
use kit::{
    Role,
    testing::{ActingAs, Backend, EventRecorder, eventually, refusal, refused_field, somebody},
};
use proto::quickserve::{
    common::v1::Money,
    fulfilment::v1::OrderState,
    repair::v1::{self as pb, PartState, RepairState},
};
use tonic::{Request, Status};
use vertical::testing::Order;
use yare::parameterized;

async fn hand_in_receipt(
    workshop: &Workshop,
    order: &Order,
    part_id: &str,
) -> Result<pb::Part, Status> {
    let request = pb::UpdatePartRequest {
        order_id: order.id.clone(),
        part_id: part_id.to_owned(),
        state: PartState::Unspecified.into(),
        receipt_sha256: "0".repeat(64),
    };
    let answer = workshop.people().update_part(request).by(order.provider).await?;
    Ok(answer.into_inner().part.unwrap())
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_part_needs_the_word_of_who_pays_it(backend: Backend) {
    let workshop = Workshop::open(backend).await;
    let mut order = workshop.diagnosed(washer()).await;
    let on_board = pb::AddPartRequest { on_board: true, ..pump(&order, 8_000) };
    let part = workshop.add_part(&order, on_board).await;
    assert_eq!(part.state(), PartState::Arrived);
    let used = workshop.move_part(&order, &part.id, PartState::Used).await;
    assert_eq!(refusal(used), "PART_NOT_APPROVED");
    assert_eq!(refusal(workshop.finish(&order, "repaired", true).await), "ESTIMATE_REQUIRED");
    workshop.propose(&mut order, &estimate(10, &[&part.id])).await;
    let used = workshop.move_part(&order, &part.id, PartState::Used).await;
    assert_eq!(refusal(used), "PART_NOT_APPROVED", "the customer is asked only");
    workshop
        .decide(&mut order, proto::quickserve::fulfilment::v1::OrderChangeState::Approved)
        .await;
    let used = workshop.move_part(&order, &part.id, PartState::Used).await.unwrap();
    assert_eq!(workshop.move_part(&order, &part.id, PartState::Used).await.unwrap(), used);
    let back = workshop.move_part(&order, &part.id, PartState::Returned).await;
    assert_eq!(refusal(back), "PART_STATE");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_wrong_part_is_replaced_and_the_price_stays(backend: Backend) {
    let workshop = Workshop::open(backend).await;
    let mut order = workshop.diagnosed(washer()).await;
    let wrong = workshop.add_part(&order, pump(&order, 8_000)).await;
    workshop.approve(&mut order, &estimate(70, &[&wrong.id])).await;
    let replacement =
        pb::AddPartRequest { on_board: true, replaces: wrong.id.clone(), ..pump(&order, 9_900) };
    let right = workshop.add_part(&order, replacement.clone()).await;
    assert!(right.approved);
    assert_eq!(right.change_order_id, order.changes[0].change_id);
    let again = workshop.try_part(&order, replacement).await;
    assert_eq!(refused_field(again), "replaces");
    let parts = workshop.repair(&order).await.parts;
    assert_eq!((parts.len(), parts[0].state()), (2, PartState::Returned));
    workshop.move_part(&order, &right.id, PartState::Used).await.unwrap();
    workshop.finish(&order, "repaired", true).await.unwrap();
    assert_eq!(workshop.settlement(&order).await, []);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn parts_of_a_broken_off_order_are_returned_or_owed_with_a_receipt(backend: Backend) {
    let workshop = Workshop::open(backend).await;
    let mut order = workshop.diagnosed(washer()).await;
    let kept = workshop.add_part(&order, pump(&order, 8_000)).await;
    let back = workshop.add_part(&order, pump(&order, 500)).await;
    workshop.approve(&mut order, &estimate(70, &[&kept.id, &back.id])).await;
    for part in [&kept, &back] {
        workshop.move_part(&order, &part.id, PartState::Ordered).await.unwrap();
    }
    workshop.go(&mut order, OrderState::Aborted).await;
    assert_eq!(workshop.repair(&order).await.state(), RepairState::Off);
    workshop.move_part(&order, &back.id, PartState::Returned).await.unwrap();
    let arrived = workshop.move_part(&order, &kept.id, PartState::Arrived).await;
    assert_eq!(refusal(arrived), "ORDER_STATE");
    assert_eq!(workshop.repair(&order).await.parts_owed, None);
    let receipt = hand_in_receipt(&workshop, &order, &kept.id).await.unwrap();
    assert_eq!(receipt.receipt_sha256, "0".repeat(64));
    let owed = Money { currency: "EUR".to_owned(), minor_units: 8_000 };
    assert_eq!(workshop.repair(&order).await.parts_owed, Some(owed));
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn the_customer_hears_of_the_last_part_once(backend: Backend) {
    let workshop = Workshop::open(backend).await;
    let events = EventRecorder::subscribed(&workshop.world.host, &["repair."]);
    let mut order = workshop.diagnosed(washer()).await;
    let (first, second, third) = (
        workshop.add_part(&order, pump(&order, 1)).await,
        workshop.add_part(&order, pump(&order, 2)).await,
        workshop.add_part(&order, pump(&order, 3)).await,
    );
    workshop.approve(&mut order, &estimate(10, &[&first.id, &second.id, &third.id])).await;
    for part in [&first, &second, &third] {
        workshop.move_part(&order, &part.id, PartState::Ordered).await.unwrap();
    }
    workshop.move_part(&order, &third.id, PartState::Returned).await.unwrap();
    workshop.move_part(&order, &first.id, PartState::Arrived).await.unwrap();
    workshop.move_part(&order, &second.id, PartState::Arrived).await.unwrap();
    workshop.move_part(&order, &second.id, PartState::Arrived).await.unwrap();
    workshop.move_part(&order, &first.id, PartState::Used).await.unwrap();
    workshop.move_part(&order, &second.id, PartState::Used).await.unwrap();
    workshop.finish(&order, "repaired", true).await.unwrap();
    let told = async || events.kinds_of(&order.id);
    let expected = ["repair.diagnosed", "repair.parts_arrived", "repair.finished"];
    eventually("the facts", told, |kinds| *kinds == expected).await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_part_is_noted_once_for_a_key_and_its_fields_are_checked(backend: Backend) {
    let workshop = Workshop::open(backend).await;
    let order = workshop.diagnosed(washer()).await;
    let keyed = || {
        let mut request = Request::new(pump(&order, 8_000));
        request.metadata_mut().insert("idempotency-key", "one-pump".parse().unwrap());
        request
    };
    let mut ids = Vec::new();
    for _ in 0..2 {
        let answer = workshop.people().add_part(keyed()).by(order.provider).await.unwrap();
        ids.push(answer.into_inner().part.unwrap().id);
    }
    assert_eq!(ids[0], ids[1]);
    let listed = async |reader| {
        let request = pb::ListPartsRequest { order_id: order.id.clone() };
        workshop.people().list_parts(request).by(reader).await
    };
    for reader in [order.customer, order.provider, workshop.operator] {
        assert_eq!(listed(reader).await.unwrap().into_inner().parts.len(), 1);
    }
    assert_eq!(refusal(listed(somebody(&[Role::Provider])).await), "ORDER_NOT_FOUND");
    let dollars = Money { currency: "USD".to_owned(), minor_units: 1 };
    let negative = Money { currency: "EUR".to_owned(), minor_units: -1 };
    for (request, field) in [
        (pb::AddPartRequest { name: String::new(), ..pump(&order, 1) }, "name"),
        (pb::AddPartRequest { quantity: 101, ..pump(&order, 1) }, "quantity"),
        (pb::AddPartRequest { cost: None, ..pump(&order, 1) }, "cost"),
        (pb::AddPartRequest { cost: Some(dollars), ..pump(&order, 1) }, "cost.currency"),
        (pb::AddPartRequest { cost: Some(negative), ..pump(&order, 1) }, "cost.minor_units"),
        (pb::AddPartRequest { replaces: "7".to_owned(), ..pump(&order, 1) }, "replaces"),
        (pb::AddPartRequest { replaces: ids[0].clone(), ..pump(&order, 1) }, "replaces"),
    ] {
        assert_eq!(refused_field(workshop.try_part(&order, request).await), field);
    }
    let nothing = workshop.move_part(&order, &ids[0], PartState::Unspecified).await;
    assert_eq!(refused_field(nothing), "state");
    let absent = uuid::Uuid::new_v4().to_string();
    let absent = workshop.move_part(&order, &absent, PartState::Ordered).await;
    assert_eq!(refusal(absent), "PART_NOT_FOUND");
}
