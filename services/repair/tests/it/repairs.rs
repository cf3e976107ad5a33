//! Repairs from the first look to the open gate.

use crate::fixture::{Workshop, diagnosis, estimate, pump, washer};
use kit::{
    Role,
    testing::{Backend, EventRecorder, eventually, refusal, refused_field, somebody},
};
use proto::quickserve::{
    fulfilment::v1::{OrderChangeState, OrderState, Party, Signal},
    repair::v1::{self as pb, PartState, RepairEvent, RepairState},
};
use serde_json::json;
use vertical::testing::TO_WORK;
use yare::parameterized;

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_repair_goes_from_the_diagnosis_to_the_open_gate(backend: Backend) {
    let workshop = Workshop::open(backend).await;
    let events = EventRecorder::subscribed(&workshop.world.host, &["repair.", "fulfilment."]);
    let mut order = workshop.book(washer()).await;
    for told in TO_WORK {
        workshop.go(&mut order, told).await;
        let expected = match told {
            OrderState::InProgress => RepairState::OnSite,
            _ => RepairState::Booked,
        };
        let repair = workshop.repair(&order).await;
        assert_eq!((repair.state(), repair.order_state()), (expected, told));
        let denied = workshop.ask(&order, OrderState::NoShow).await;
        assert_eq!(denied, Vec::<String>::new(), "a customer may be absent");
    }
    assert_eq!(workshop.missing(&order, &[]).await, ["repair.unfinished"]);
    assert_eq!(workshop.ask(&order, OrderState::Delivered).await, ["repair.unfinished"]);
    let found = workshop.diagnose(&order, &diagnosis(&order)).await.unwrap();
    assert_eq!(found.state(), RepairState::Diagnosed);
    assert_eq!(workshop.diagnose(&order, &diagnosis(&order)).await.unwrap(), found);
    let part = workshop.add_part(&order, pump(&order, 8_000)).await;
    assert_eq!((part.state(), part.approved), (PartState::Needed, false));
    assert_eq!(part.price.unwrap().minor_units, 9_200);

    workshop.approve(&mut order, &estimate(70, &[&part.id])).await;
    assert_eq!(workshop.repair(&order).await.state(), RepairState::Approved);
    let waiting = workshop.wait_for_parts(&order).await.unwrap();
    assert_eq!(waiting.state(), RepairState::WaitingParts);
    assert_eq!(workshop.wait_for_parts(&order).await.unwrap(), waiting);
    for state in [PartState::Ordered, PartState::Arrived] {
        let moved = workshop.move_part(&order, &part.id, state).await.unwrap();
        assert_eq!((moved.state(), moved.approved), (state, true));
        assert_eq!(moved.change_order_id, order.changes[0].change_id);
    }
    assert_eq!(workshop.resume(&order).await.unwrap().state(), RepairState::Approved);
    workshop.resume(&order).await.unwrap();
    workshop.move_part(&order, &part.id, PartState::Used).await.unwrap();
    let done = workshop.finish(&order, "repaired", true).await.unwrap();
    assert_eq!((done.state(), done.outcome.as_str()), (RepairState::Repaired, "repaired"));
    assert_eq!(workshop.finish(&order, "repaired", true).await.unwrap(), done);
    assert_eq!(workshop.missing(&order, &[]).await, ["signature.customer"]);
    assert_eq!(workshop.settlement(&order).await, []);
    assert_eq!(workshop.ask(&order, OrderState::Delivered).await, Vec::<String>::new());
    // The delivery is being written.
    let late = workshop.try_part(&order, pump(&order, 1)).await;
    assert_eq!(refusal(late), "DELIVERY_BEGUN");
    workshop.go(&mut order, OrderState::Delivered).await;

    let told = async || events.kinds_of(&order.id);
    let expected = ["repair.diagnosed", "repair.parts_arrived", "repair.finished"];
    eventually("the facts", told, |kinds| *kinds == expected).await;
    let last = &events.messages::<RepairEvent>("repair.finished")[0];
    assert_eq!((last.diagnosis_code.as_str(), last.outcome.as_str()), ("pump.broken", "repaired"));
    assert_eq!((last.parts, last.hazard), (1, false));
    events.assert_no_gaps();
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_is_not_next_is_refused(backend: Backend) {
    let workshop = Workshop::open(backend).await;
    let mut order = workshop.book(washer()).await;
    workshop.go_through(&mut order, &TO_WORK[..3]).await;
    let early = workshop.diagnose(&order, &diagnosis(&order)).await;
    assert_eq!(refusal(early), "ORDER_STATE", "before the start");
    workshop.go(&mut order, OrderState::InProgress).await;
    for answer in [
        workshop.wait_for_parts(&order).await,
        workshop.resume(&order).await,
        workshop.finish(&order, "repaired", true).await,
        workshop.finish(&order, "unrepaired", true).await,
    ] {
        assert_eq!(refusal(answer), "ORDER_STATE");
    }
    assert_eq!(refusal(workshop.try_part(&order, pump(&order, 1)).await), "ORDER_STATE");
    for (request, field) in [
        (pb::RecordDiagnosisRequest { code: "Pump!".into(), ..diagnosis(&order) }, "code"),
        (pb::RecordDiagnosisRequest { findings: String::new(), ..diagnosis(&order) }, "findings"),
        (pb::RecordDiagnosisRequest { unrelated: true, ..diagnosis(&order) }, "unrelated"),
    ] {
        assert_eq!(refused_field(workshop.diagnose(&order, &request).await), field);
    }
    workshop.diagnose(&order, &diagnosis(&order)).await.unwrap();
    assert_eq!(refusal(workshop.finish(&order, "repaired", false).await), "TESTS_FAILED");
    assert_eq!(refused_field(workshop.finish(&order, "well", true).await), "outcome");
    workshop.propose(&mut order, &estimate(30, &[])).await;
    assert_eq!(refusal(workshop.finish(&order, "repaired", true).await), "ORDER_STATE");
    workshop.go(&mut order, OrderState::Aborted).await;
    let late = workshop.finish(&order, "unrepaired", true).await;
    assert_eq!(refusal(late), "ORDER_STATE");
    assert_eq!(workshop.repair(&order).await.state(), RepairState::Off);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_declined_estimate_leaves_the_diagnosis_to_pay(backend: Backend) {
    let workshop = Workshop::open(backend).await;
    for state in [OrderChangeState::Rejected, OrderChangeState::Expired] {
        let mut order = workshop.diagnosed(washer()).await;
        workshop.propose(&mut order, &estimate(70, &[])).await;
        assert_eq!(workshop.repair(&order).await.state(), RepairState::Estimated);
        workshop.decide(&mut order, state).await;
        assert_eq!(workshop.repair(&order).await.state(), RepairState::Declined);
        let left = workshop.finish(&order, "unrepaired", false).await.unwrap();
        assert_eq!(left.state(), RepairState::Unrepaired);
        assert_eq!(workshop.settlement(&order).await, []);
    }
    // What cannot be repaired is left as well.
    let order = workshop.diagnosed(washer()).await;
    workshop.finish(&order, "unrepaired", false).await.unwrap();
    assert_eq!(workshop.missing(&order, &[]).await, Vec::<String>::new());
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_hazard_is_told_once_and_work_stops(backend: Backend) {
    let workshop = Workshop::open(backend).await;
    let events = EventRecorder::subscribed(&workshop.world.host, &["repair.", "fulfilment."]);
    let mut gas = json!({ "category": "heating" });
    gas["symptoms"] = json!("It smells of gas.");
    let mut order = workshop.begin(gas).await;
    let hazard = pb::RecordDiagnosisRequest { hazard: true, ..diagnosis(&order) };
    workshop.diagnose(&order, &hazard).await.unwrap();
    let worse = pb::RecordDiagnosisRequest { code: "gas.leak".into(), ..hazard };
    let repair = workshop.diagnose(&order, &worse).await.unwrap();
    assert!(repair.diagnosis.unwrap().hazard);
    let denied = workshop.quote_change(&order, Some(&estimate(30, &[])), Party::Provider).await;
    assert_eq!(denied.unwrap().denials, ["HAZARD"]);
    assert_eq!(refusal(workshop.finish(&order, "repaired", true).await), "HAZARD");
    workshop.diagnose(&order, &diagnosis(&order)).await.unwrap();
    workshop.propose(&mut order, &estimate(30, &[])).await;
    let told = async || events.kinds_of(&order.id);
    let expected =
        ["repair.diagnosed", "fulfilment.safety", "repair.diagnosed", "repair.diagnosed"];
    eventually("the facts", told, |kinds| *kinds == expected).await;
    let signal = &events.messages::<Signal>("fulfilment.safety")[0];
    assert_eq!(signal.reported_by, order.provider.user_id.to_string());
    events.assert_no_gaps();
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn rework_goes_on_under_the_estimate_that_there_is(backend: Backend) {
    let workshop = Workshop::open(backend).await;
    let mut order = workshop.diagnosed(washer()).await;
    workshop.approve(&mut order, &estimate(30, &[])).await;
    workshop.finish(&order, "repaired", true).await.unwrap();
    workshop.go(&mut order, OrderState::Delivered).await;
    workshop.go(&mut order, OrderState::ChangesRequested).await;
    let again = workshop.repair(&order).await;
    assert_eq!((again.state(), again.outcome.as_str()), (RepairState::Approved, ""));
    assert_eq!(workshop.missing(&order, &[]).await, ["repair.unfinished"]);
    workshop.finish(&order, "repaired", true).await.unwrap();
    assert_eq!(workshop.settlement(&order).await, []);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn only_the_parties_see_a_repair_and_only_its_provider_repairs(backend: Backend) {
    let workshop = Workshop::open(backend).await;
    let mut order = workshop.diagnosed(washer()).await;
    for stranger in [somebody(&[Role::Customer]), somebody(&[Role::Provider])] {
        assert_eq!(refusal(workshop.repair_by(&order, stranger).await), "ORDER_NOT_FOUND");
    }
    let owner = order.provider;
    order.provider = somebody(&[Role::Provider]);
    for answer in [
        workshop.diagnose(&order, &diagnosis(&order)).await,
        workshop.wait_for_parts(&order).await,
        workshop.resume(&order).await,
        workshop.finish(&order, "repaired", true).await,
    ] {
        assert_eq!(refusal(answer), "ORDER_NOT_FOUND", "of a rival");
    }
    order.provider = owner;
    for reader in [order.customer, order.provider, workshop.operator] {
        let details = workshop.repair_by(&order, reader).await.unwrap().details.unwrap();
        assert_eq!(
            (details.serial.as_str(), details.symptoms.as_str()),
            ("FD 9912", "It does not drain.")
        );
    }
    workshop.finish(&order, "unrepaired", true).await.unwrap();
    workshop.go(&mut order, OrderState::Delivered).await;
    workshop.world.clock.advance(chrono::Duration::hours(24));
    let details = workshop.repair_by(&order, order.provider).await.unwrap().details.unwrap();
    assert_eq!((details.serial.as_str(), details.symptoms.as_str()), ("", ""));
    assert_eq!(details.brand, "Bosch", "what it was is no secret of the home");
    assert_eq!(workshop.repair(&order).await.details.unwrap().serial, "FD 9912");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_erased_order_keeps_no_texts(backend: Backend) {
    let workshop = Workshop::open(backend).await;
    let mut order = workshop.diagnosed(washer()).await;
    let part = workshop.add_part(&order, pump(&order, 8_000)).await;
    workshop.approve(&mut order, &estimate(70, &[&part.id])).await;
    workshop.move_part(&order, &part.id, PartState::Returned).await.unwrap();
    workshop.finish(&order, "repaired", true).await.unwrap();
    workshop.go(&mut order, OrderState::Delivered).await;
    order.enter(OrderState::Closed, workshop.world.clock.now());
    workshop.tell(order.erased()).await;
    let repair = workshop.repair_by(&order, order.provider).await.unwrap();
    assert_eq!(repair.details, Some(pb::RepairDetails::default()));
    let found = repair.diagnosis.as_ref().unwrap();
    assert_eq!((found.code.as_str(), found.findings.as_str()), ("pump.broken", ""));
    assert_eq!((repair.parts[0].name.as_str(), repair.parts[0].approved), ("", true));
    assert_eq!(repair.state(), RepairState::Repaired);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_repair_says_where_it_stands_and_what_is_next(backend: Backend) {
    let workshop = Workshop::open(backend).await;
    let mut order = workshop.begin(washer()).await;
    let said = workshop.describe(&order, Party::Provider).await;
    assert_eq!(
        (said.state.as_str(), said.allowed_actions),
        ("ON_SITE", vec!["recordDiagnosis".into()])
    );
    workshop.diagnose(&order, &diagnosis(&order)).await.unwrap();
    workshop.approve(&mut order, &estimate(30, &[])).await;
    let said = workshop.describe(&order, Party::Provider).await;
    let expected = ["addPart", "updatePart", "waitForParts", "finishRepair"];
    assert_eq!(
        (said.state.as_str(), said.allowed_actions),
        ("APPROVED", expected.map(String::from).into())
    );
    let said = workshop.describe(&order, Party::Customer).await;
    assert_eq!((said.state.as_str(), said.allowed_actions.len()), ("APPROVED", 0));
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn tells_that_are_lost_repeated_or_late_change_nothing(backend: Backend) {
    let workshop = Workshop::open(backend).await;
    let mut order = workshop.diagnosed(washer()).await;
    workshop.propose(&mut order, &estimate(30, &[])).await;
    let asked = order.snapshot();
    // The approval of one estimate and the proposal of the next one are told at once.
    order.changes.last_mut().unwrap().state = OrderChangeState::Approved.into();
    order.enter(OrderState::InProgress, workshop.world.clock.now());
    let approved = order.snapshot();
    workshop.tell(approved.clone()).await;
    for late in [asked, approved] {
        workshop.tell(late).await;
        assert_eq!(workshop.repair(&order).await.state(), RepairState::Approved);
    }
    // Of an estimate that was proposed and declined in between only the end is told.
    let mut other = workshop.diagnosed(washer()).await;
    workshop.price(&other, &estimate(30, &[])).await;
    other.changes.push(proto::quickserve::fulfilment::v1::OrderChange {
        change_id: uuid::Uuid::new_v4().to_string(),
        state: OrderChangeState::Rejected.into(),
        details: Some(vertical::testing::to_details(&estimate(30, &[]))),
    });
    workshop.go(&mut other, OrderState::InProgress).await;
    assert_eq!(workshop.repair(&other).await.state(), RepairState::Declined);
}
