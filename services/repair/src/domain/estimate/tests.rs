//! Estimates, and the field cases of parts.

use super::*;
use crate::domain::{
    details::Category,
    repair::{NotedPart, PartChange, TestResult},
    state::RepairOutcome,
    tables::RepairTables,
};
use kit::{Money, testing::at, values::money::Currency};
use vertical::Phase;

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

/// A repair of an appliance in France with its diagnosis, and a part for 80 euros under the id 1.
fn diagnosed(recall: bool, unrelated: bool) -> Repair {
    let terms = RepairTables::default().terms("FR", Category::Appliance, recall);
    let mut repair = Repair::begin(terms, recall);
    repair.enter_phase(Phase::Working);
    let (code, findings) = ("pump.broken".to_owned(), "It is broken.".to_owned());
    let recorded_at = at("2027-05-24T08:00:00Z");
    repair.diagnose(Diagnosis { code, findings, hazard: false, unrelated, recorded_at }).unwrap();
    note(&mut repair, 1, 8_000, None).unwrap();
    repair
}

fn note(repair: &mut Repair, number: u128, cost: i64, replaces: Option<u128>) -> Result<(), Error> {
    let noted = NotedPart {
        name: "pump".to_owned(),
        quantity: 1,
        cost: Money::new(Currency::EUR, cost),
        on_board: true,
        replaces: replaces.map(id),
    };
    repair.add_part(id(number), noted, at("2027-05-24T08:00:00Z")).map(drop)
}

fn asked(minutes: i64, parts: &[u128]) -> AskedWork {
    AskedWork { minutes, part_ids: parts.iter().copied().map(id).collect() }
}

fn told(number: u128, state: JobChangeState, work: AskedWork) -> ToldChange {
    ToldChange { change_id: id(number), state, work: Some(work) }
}

fn follow(repair: &mut Repair, changes: Vec<ToldChange>) {
    repair.follow_changes(changes);
    repair.follow_estimates();
}

fn total(lines: &[Line]) -> i64 {
    lines.iter().map(|line| line.total.minor_units).sum()
}

fn price(repair: &Repair, asked: &AskedWork) -> i64 {
    total(&repair.price_estimate(asked).unwrap().unwrap())
}

fn move_part(repair: &mut Repair, number: u128, state: PartState) {
    let change = PartChange { state: Some(state), receipt_sha256: String::new() };
    assert!(repair.change_part(id(number), change).unwrap());
}

#[test]
fn the_fee_is_credited_when_the_repair_is_approved_and_once_only() {
    let mut repair = diagnosed(false, false);
    assert_eq!(price(&repair, &asked(70, &[1])), 11_550);
    // A declined estimate uses no credit up.
    let declined = told(10, JobChangeState::Rejected, asked(70, &[1]));
    follow(&mut repair, vec![declined.clone()]);
    assert_eq!((repair.state, price(&repair, &asked(70, &[1]))), (RepairState::Declined, 11_550));
    let approved = told(11, JobChangeState::Approved, asked(70, &[1]));
    follow(&mut repair, vec![declined, approved]);
    assert_eq!(repair.state, RepairState::Approved);
    assert_eq!(price(&repair, &asked(30, &[])), 2_900);
}

#[test]
fn an_estimate_names_parts_of_the_repair_that_are_in_no_other_one() {
    let mut repair = diagnosed(false, false);
    for (work, field) in [
        (asked(0, &[]), "details.labour"),
        (asked(10, &[2]), "details.part_ids[0] is not a part"),
        (asked(10, &[1, 7]), "details.part_ids[1] is not a part"),
    ] {
        let error = repair.price_estimate(&work).unwrap_err().to_string();
        assert!(error.starts_with(field), "{error}");
    }
    follow(&mut repair, vec![told(10, JobChangeState::Approved, asked(70, &[1]))]);
    let error = repair.price_estimate(&asked(10, &[1])).unwrap_err().to_string();
    assert!(error.contains("is in an estimate already"), "{error}");
    note(&mut repair, 2, 500, Some(1)).unwrap();
    let error = repair.price_estimate(&asked(10, &[2])).unwrap_err().to_string();
    assert!(error.contains("replaces another part"), "{error}");
    note(&mut repair, 3, 500, None).unwrap();
    move_part(&mut repair, 3, PartState::Returned);
    let error = repair.price_estimate(&asked(10, &[3])).unwrap_err().to_string();
    assert!(error.contains("was returned"), "{error}");
}

#[test]
fn each_state_says_what_speaks_against_an_estimate() {
    let mut repair = Repair::begin(None, false);
    assert_eq!(repair.estimate_denial(Side::Provider), Some("NOT_DIAGNOSED"));
    repair.enter_phase(Phase::Working);
    assert_eq!(repair.estimate_denial(Side::Provider), Some("NOT_DIAGNOSED"));
    let mut repair = diagnosed(false, false);
    assert_eq!(repair.estimate_denial(Side::Provider), None);
    for side in [Side::Customer, Side::Operator] {
        assert_eq!(repair.estimate_denial(side), Some("PROVIDER_ESTIMATES"), "{side:?}");
    }
    follow(&mut repair, vec![told(10, JobChangeState::Proposed, asked(70, &[1]))]);
    assert_eq!(repair.estimate_denial(Side::Provider), Some("ESTIMATE_PENDING"));
    follow(&mut repair, vec![told(10, JobChangeState::Approved, asked(70, &[1]))]);
    assert_eq!(repair.estimate_denial(Side::Provider), None, "there may be more to do");
    repair.wait().unwrap();
    assert_eq!(repair.estimate_denial(Side::Provider), Some("WAITING_FOR_PARTS"));
    repair.resume().unwrap();
    let tests = vec![TestResult { code: "leak".to_owned(), passed: true }];
    repair.finish(RepairOutcome::Repaired, tests).unwrap();
    assert_eq!(repair.estimate_denial(Side::Provider), Some("REPAIR_OVER"));
    let mut dangerous = diagnosed(false, false);
    dangerous.diagnosis.as_mut().unwrap().hazard = true;
    assert_eq!(dangerous.estimate_denial(Side::Provider), Some("HAZARD"));
    dangerous.terms = None;
    assert_eq!(dangerous.price_estimate(&asked(10, &[])).unwrap(), None);
}

#[test]
fn a_wrong_part_is_replaced_and_the_price_stays() {
    let mut repair = diagnosed(false, false);
    let error = note(&mut repair, 2, 9_900, Some(1)).unwrap_err().to_string();
    assert!(error.starts_with("replaces is not approved"), "{error}");
    follow(&mut repair, vec![told(10, JobChangeState::Approved, asked(70, &[1]))]);
    note(&mut repair, 2, 9_900, Some(1)).unwrap();
    assert_eq!(repair.part(id(1)).unwrap().state, PartState::Returned);
    let error = note(&mut repair, 3, 9_900, Some(1)).unwrap_err().to_string();
    assert!(error.starts_with("replaces is replaced already"), "{error}");
    // The second one is wrong as well.
    note(&mut repair, 3, 100, Some(2)).unwrap();
    assert!(repair.is_approved(id(3)) && repair.is_approved(id(2)));
    move_part(&mut repair, 3, PartState::Used);
    assert_eq!(repair.settle_returned_parts(), [], "the price stays");
    let error = note(&mut repair, 4, 100, Some(3)).unwrap_err().to_string();
    assert!(error.starts_with("replaces is built in"), "{error}");
    assert_eq!(repair.approved_parts().count(), 1);
}

#[test]
fn returned_parts_come_off_at_the_price_of_their_estimate() {
    let mut repair = diagnosed(false, false);
    note(&mut repair, 2, 1_000, None).unwrap();
    follow(&mut repair, vec![told(10, JobChangeState::Approved, asked(70, &[1, 2]))]);
    move_part(&mut repair, 2, PartState::Used);
    assert_eq!(total(&repair.settle_returned_parts()), 0);
    note(&mut repair, 3, 50_000, Some(1)).unwrap();
    move_part(&mut repair, 3, PartState::Returned);
    assert_eq!(total(&repair.settle_returned_parts()), -9_200, "as the one that it replaced");
}

#[test]
fn parts_arrive_when_the_last_approved_one_is_there() {
    let mut repair = diagnosed(false, false);
    let noted = |repair: &mut Repair, number| {
        let cost = Money::new(Currency::EUR, 100);
        let noted =
            NotedPart { name: "x".to_owned(), quantity: 1, cost, on_board: false, replaces: None };
        repair.add_part(id(number), noted, at("2027-05-24T08:00:00Z")).map(drop).unwrap();
    };
    noted(&mut repair, 2);
    noted(&mut repair, 3);
    follow(&mut repair, vec![told(10, JobChangeState::Approved, asked(70, &[1, 2]))]);
    assert!(!repair.have_parts_arrived());
    move_part(&mut repair, 2, PartState::Ordered);
    assert!(!repair.have_parts_arrived());
    move_part(&mut repair, 2, PartState::Arrived);
    assert!(repair.have_parts_arrived(), "the third one was never agreed to");
}

#[test]
fn a_recall_is_free_unless_the_fault_is_another_one() {
    let same = diagnosed(true, false);
    assert!(same.is_free());
    assert_eq!(price(&same, &asked(70, &[1])), 0);
    let mut other = diagnosed(true, true);
    assert!(!other.is_free());
    assert_eq!(price(&other, &asked(70, &[1])), 16_450, "there is no diagnosis to credit");
    follow(&mut other, vec![told(10, JobChangeState::Approved, asked(70, &[1]))]);
    move_part(&mut other, 1, PartState::Returned);
    assert_eq!(total(&other.settle_returned_parts()), -9_200);
    let mut free = same;
    follow(&mut free, vec![told(10, JobChangeState::Approved, asked(70, &[1]))]);
    move_part(&mut free, 1, PartState::Returned);
    assert_eq!(free.settle_returned_parts(), []);
}

#[test]
fn of_a_broken_off_order_parts_are_returned_or_owed_with_a_receipt() {
    let mut repair = diagnosed(false, false);
    note(&mut repair, 2, 1_000, None).unwrap();
    note(&mut repair, 3, 700, None).unwrap();
    follow(&mut repair, vec![told(10, JobChangeState::Approved, asked(70, &[1, 2]))]);
    let receipt = |state| PartChange { state, receipt_sha256: "0".repeat(64) };
    repair.change_part(id(2), receipt(None)).unwrap();
    assert_eq!(repair.parts_owed(), 0, "while the work goes on nothing is owed");
    repair.enter_phase(Phase::Ended);
    move_part(&mut repair, 1, PartState::Returned);
    repair.change_part(id(3), receipt(None)).unwrap();
    assert_eq!(repair.parts_owed(), 1_000, "the third one was never agreed to");
    let used = repair.change_part(id(2), receipt(Some(PartState::Used)));
    assert!(matches!(used, Err(Error::OrderState(_))));
    move_part(&mut repair, 2, PartState::Returned);
    assert_eq!(repair.parts_owed(), 0);
}

#[test]
fn an_erased_estimate_keeps_its_work() {
    let mut repair = diagnosed(false, false);
    let approved = told(10, JobChangeState::Approved, asked(70, &[1]));
    follow(&mut repair, vec![approved.clone()]);
    follow(&mut repair, vec![ToldChange { work: None, ..approved }]);
    assert_eq!(repair.estimates[0].part_ids, [id(1)]);
    assert_eq!(repair.estimate_standing(), EstimateStanding::Approved);
}
