//! What a repairer may do, and what is refused.

use super::*;
use crate::domain::{
    details::Category,
    estimate::{AskedWork, ToldChange},
    tables::RepairTables,
};
use kit::{testing::at, values::money::Currency};
use vertical::facts::JobChangeState;

/// The moment at which everything happens.
fn now() -> DateTime<Utc> {
    at("2027-05-24T08:00:00Z")
}

fn diagnosis(hazard: bool) -> Diagnosis {
    Diagnosis {
        code: "pump.blocked".to_owned(),
        findings: "A coin is in the pump.".to_owned(),
        hazard,
        unrelated: false,
        recorded_at: now(),
    }
}

fn test(passed: bool) -> TestResult {
    TestResult { code: "leak".to_owned(), passed }
}

fn noted(cost: i64) -> NotedPart {
    NotedPart {
        name: "drain pump".to_owned(),
        quantity: 0,
        cost: Money::new(Currency::EUR, cost),
        on_board: false,
        replaces: None,
    }
}

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

/// A repair in France of which the fault is known.
fn diagnosed() -> Repair {
    let terms = RepairTables::default().terms("FR", Category::Appliance, false);
    let mut repair = Repair::begin(terms, false);
    repair.enter_phase(Phase::Working);
    assert!(repair.diagnose(diagnosis(false)).unwrap());
    repair
}

/// The order says how an estimate of these parts stands.
fn estimate(repair: &mut Repair, state: JobChangeState, part_ids: &[Uuid]) {
    let work = Some(AskedWork { minutes: 70, part_ids: part_ids.to_vec() });
    repair.follow_changes(vec![ToldChange { change_id: id(100), state, work }]);
    repair.follow_estimates();
}

fn reason<T: fmt::Debug>(result: Result<T, Error>) -> &'static str {
    match result.unwrap_err() {
        Error::Refused(reason, _) | Error::RecordNotFound(reason, _) => reason,
        Error::OrderState(_) => "ORDER_STATE",
        error => panic!("{error}"),
    }
}

fn field<T: fmt::Debug>(result: Result<T, Error>) -> String {
    let text = result.unwrap_err().to_string();
    text.split([' ', ':']).next().unwrap_or_default().to_owned()
}

fn change(state: PartState) -> PartChange {
    PartChange { state: Some(state), receipt_sha256: String::new() }
}

#[test]
fn a_diagnosis_is_made_once_and_corrected_until_there_is_an_estimate() {
    let mut repair = diagnosed();
    let later = Diagnosis { recorded_at: at("2027-05-24T09:00:00Z"), ..diagnosis(false) };
    assert!(!repair.diagnose(later).unwrap(), "the same again changes nothing");
    let corrected = Diagnosis { code: "pump.broken".to_owned(), ..diagnosis(false) };
    assert!(repair.diagnose(corrected.clone()).unwrap());
    estimate(&mut repair, JobChangeState::Proposed, &[]);
    assert!(!repair.diagnose(corrected).unwrap());
    assert_eq!(reason(repair.diagnose(diagnosis(false))), "ORDER_STATE");
    let unrelated = Diagnosis { unrelated: true, ..diagnosis(false) };
    assert_eq!(field(repair.diagnose(unrelated)), "unrelated");
}

#[test]
fn with_a_hazard_nothing_is_repaired_until_it_is_over() {
    let mut repair = diagnosed();
    repair.diagnose(diagnosis(true)).unwrap();
    assert!(repair.is_dangerous());
    assert_eq!(reason(repair.finish(RepairOutcome::Repaired, vec![test(true)])), "HAZARD");
    let mut left = repair.clone();
    assert!(left.finish(RepairOutcome::Unrepaired, Vec::new()).unwrap(), "who leaves may leave");
    repair.diagnose(diagnosis(false)).unwrap();
    assert!(repair.finish(RepairOutcome::Repaired, vec![test(true)]).unwrap());
}

#[test]
fn what_is_repaired_was_tested_and_took_no_parts_without_an_estimate() {
    let mut repair = diagnosed();
    assert_eq!(field(repair.finish(RepairOutcome::Repaired, Vec::new())), "tests");
    let failed = repair.finish(RepairOutcome::Repaired, vec![test(true), test(false)]);
    assert_eq!(reason(failed), "TESTS_FAILED");
    repair.add_part(id(1), noted(8_000), now()).unwrap();
    assert_eq!(
        reason(repair.finish(RepairOutcome::Repaired, vec![test(true)])),
        "ESTIMATE_REQUIRED"
    );
    repair.change_part(id(1), change(PartState::Returned)).unwrap();
    assert!(repair.finish(RepairOutcome::Repaired, vec![test(true)]).unwrap());
    assert!(
        !repair.finish(RepairOutcome::Repaired, vec![test(true)]).unwrap(),
        "it is over already"
    );
    assert_eq!(reason(repair.finish(RepairOutcome::Unrepaired, Vec::new())), "ORDER_STATE");
    assert_eq!(repair.missing(&[]), ["signature.customer"]);
    assert!(repair.missing(&["signature.customer".to_owned()]).is_empty());
}

#[test]
fn waiting_and_resuming_can_be_said_again() {
    let mut repair = diagnosed();
    assert_eq!(reason(repair.wait()), "ORDER_STATE");
    estimate(&mut repair, JobChangeState::Approved, &[]);
    assert_eq!(reason(repair.resume()), "ORDER_STATE", "it has never waited");
    assert!(repair.wait().unwrap() && !repair.wait().unwrap());
    assert!(repair.resume().unwrap() && !repair.resume().unwrap());
    assert_eq!(repair.state, RepairState::Approved);
}

#[test]
fn only_what_the_customer_agreed_to_is_used() {
    let mut repair = diagnosed();
    repair.add_part(id(1), NotedPart { on_board: true, ..noted(8_000) }, now()).unwrap();
    assert_eq!(
        repair.part(id(1)).map(|part| (part.state, part.quantity)),
        Some((PartState::Arrived, 1))
    );
    let used = change(PartState::Used);
    assert_eq!(reason(repair.change_part(id(1), used.clone())), "PART_NOT_APPROVED");
    estimate(&mut repair, JobChangeState::Proposed, &[id(1)]);
    assert_eq!(reason(repair.change_part(id(1), used.clone())), "PART_NOT_APPROVED");
    estimate(&mut repair, JobChangeState::Rejected, &[id(1)]);
    assert_eq!(reason(repair.change_part(id(1), used.clone())), "PART_NOT_APPROVED");
    estimate(&mut repair, JobChangeState::Approved, &[id(1)]);
    repair.wait().unwrap();
    assert_eq!(reason(repair.change_part(id(1), used.clone())), "ORDER_STATE", "it waits");
    repair.resume().unwrap();
    assert!(repair.change_part(id(1), used.clone()).unwrap());
    assert!(!repair.change_part(id(1), used).unwrap());
    assert_eq!(reason(repair.change_part(id(1), change(PartState::Returned))), "PART_STATE");
    assert_eq!(reason(repair.change_part(id(2), change(PartState::Used))), "PART_NOT_FOUND");
    let nothing = PartChange { state: None, receipt_sha256: String::new() };
    assert_eq!(reason(repair.change_part(id(2), nothing)), "PART_NOT_FOUND");
}

#[test]
fn the_gate_wants_each_approved_part_used_or_returned() {
    let mut repair = diagnosed();
    assert_eq!(repair.missing(&[]), ["repair.unfinished"]);
    for number in [1, 2] {
        let on_board = NotedPart { on_board: true, ..noted(8_000) };
        repair.add_part(id(number), on_board, now()).unwrap();
    }
    estimate(&mut repair, JobChangeState::Approved, &[id(1), id(2)]);
    repair.finish(RepairOutcome::Repaired, vec![test(true)]).unwrap();
    let signed = ["signature.customer".to_owned()];
    assert_eq!(repair.missing(&[]), ["repair.parts", "signature.customer"]);
    repair.change_part(id(1), change(PartState::Used)).unwrap();
    assert_eq!(repair.missing(&signed), ["repair.parts"]);
    repair.change_part(id(2), change(PartState::Returned)).unwrap();
    assert!(repair.missing(&signed).is_empty());
    repair.enter_phase(Phase::Delivered);
    repair.enter_phase(Phase::Rework);
    assert_eq!((repair.state, repair.outcome), (RepairState::Approved, None));
    assert!(repair.tests.is_empty(), "rework is tested anew");
}

#[test]
fn what_stays_unrepaired_needs_its_diagnosis_only() {
    let mut repair = diagnosed();
    estimate(&mut repair, JobChangeState::Expired, &[]);
    assert_eq!(repair.state, RepairState::Declined);
    assert_eq!(reason(repair.finish(RepairOutcome::Repaired, vec![test(true)])), "ORDER_STATE");
    assert!(repair.finish(RepairOutcome::Unrepaired, vec![test(false)]).unwrap());
    assert!(repair.missing(&[]).is_empty());
}

#[test]
fn parts_are_noted_between_the_diagnosis_and_the_end() {
    let mut fresh = Repair::begin(None, false);
    fresh.enter_phase(Phase::Working);
    assert_eq!(reason(fresh.add_part(id(1), noted(1), now()).map(drop)), "ORDER_STATE");
    fresh.diagnose(diagnosis(false)).unwrap();
    assert_eq!(reason(fresh.add_part(id(1), noted(1), now()).map(drop)), "NOT_SERVED");
    let mut repair = diagnosed();
    let dollars =
        NotedPart { cost: Money::new(Currency::parse("c", "USD").unwrap(), 1), ..noted(1) };
    assert_eq!(field(repair.add_part(id(1), dollars, now()).map(drop)), "cost.currency");
    assert_eq!(field(repair.add_part(id(1), noted(-1), now()).map(drop)), "cost.minor_units");
    for number in 0..50 {
        repair.add_part(id(number), noted(100), now()).unwrap();
    }
    assert_eq!(reason(repair.add_part(id(51), noted(1), now()).map(drop)), "PART_LIMIT");
    repair.finish(RepairOutcome::Unrepaired, Vec::new()).unwrap();
    assert_eq!(reason(repair.add_part(id(52), noted(1), now()).map(drop)), "ORDER_STATE");
}

#[test]
fn another_provider_begins_anew_and_texts_are_forgotten() {
    let mut repair = diagnosed();
    repair.add_part(id(1), noted(8_000), now()).unwrap();
    repair.forget_texts();
    let diagnosis = repair.diagnosis.clone().unwrap();
    assert_eq!((diagnosis.code.as_str(), diagnosis.findings.as_str()), ("pump.blocked", ""));
    assert_eq!(repair.parts[0].name, "");
    repair.enter_phase(Phase::Booked);
    assert_eq!(repair, Repair { terms: repair.terms.clone(), ..Repair::begin(None, false) });
    assert!(!format!("{:?}", diagnosed()).contains("coin"));
}
