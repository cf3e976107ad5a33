//! Every row of the tables of care and of children, and what is refused.

use super::*;
use kit::testing::at;
use vertical::Phase::{AtTheDoor, Booked, Delivered, EnRoute, Ended, Rework, Working};

const LOU: Uuid = Uuid::from_u128(1);
const MAX: Uuid = Uuid::from_u128(2);
const AUNT: Uuid = Uuid::from_u128(3);
const CARER: Uuid = Uuid::from_u128(4);

fn care() -> Care {
    let mut care = Care::begin(2, Some(vec![LOU, MAX]), Some(CareTerms::default()));
    care.enter_phase(Working);
    care
}

fn handover(n: u32) -> Handover {
    let at = at("2027-05-24T08:00:00Z") + Duration::hours(i64::from(n));
    Handover { n, adult_id: Some(AUNT), proof: Proof::Code, recorded_by: CARER, at }
}

#[test]
fn the_table_of_states_is_total() {
    use CareState::{Booked as Waits, Caring, Off, Ready};
    let told = [Booked, EnRoute, AtTheDoor, Working, Rework, Delivered, Ended];
    let done = CareState::Ended;
    for (state, expected) in [
        (Waits, [Waits, Waits, Ready, Caring, Caring, done, Off]),
        (Ready, [Waits, Waits, Ready, Caring, Caring, done, Off]),
        (Caring, [Waits, Waits, Ready, Caring, Caring, done, Off]),
        (done, [done, done, done, Caring, Caring, done, done]),
        (Off, [Waits, Waits, Ready, Caring, Caring, Off, Off]),
    ] {
        for (phase, expected) in told.into_iter().zip(expected) {
            assert_eq!(state.follow(phase), expected, "{state:?} told {phase:?}");
        }
    }
    let names: Vec<_> = CareState::ALL.map(CareState::name).into();
    assert_eq!(names, ["BOOKED", "READY", "CARING", "ENDED", "OFF"]);
}

#[test]
fn the_table_of_children_is_total() {
    use ChildState::{Absent, Expected, In, Out, Refused};
    use ChildStep::{CheckIn, CheckOut, Refuse, StayAway};
    let steps = [CheckIn, CheckOut, StayAway, Refuse];
    for (state, expected) in ChildState::ALL.into_iter().zip([
        [Some(In), None, Some(Absent), Some(Refused)],
        [None, Some(Out), None, None],
        [Some(In), None, None, None],
        [Some(In), None, None, None],
        [None, None, None, None],
    ]) {
        for (step, expected) in steps.into_iter().zip(expected) {
            assert_eq!(state.next(step).ok(), expected, "{state:?} {step:?}");
        }
    }
    assert!(Expected.is_pending() && In.is_pending());
    assert!(!Out.is_pending() && !Absent.is_pending() && !Refused.is_pending());
}

#[test]
fn care_is_over_when_nobody_is_there_or_awaited() {
    let mut care = care();
    assert_eq!(care.missing(), ["care.child_expected"]);
    care.hand_over(LOU, ChildStep::CheckIn, handover(1)).unwrap();
    assert_eq!(care.missing(), ["care.child_expected", "care.child_in"]);
    care.turn_away(MAX, ChildStep::StayAway).unwrap();
    assert!(!care.turn_away(MAX, ChildStep::StayAway).unwrap(), "said before");
    care.hand_over(LOU, ChildStep::CheckOut, handover(2)).unwrap();
    assert!(care.is_over() && care.missing().is_empty());
    care.hand_over(LOU, ChildStep::CheckIn, handover(3)).unwrap();
    assert!(!care.is_over(), "who comes again is there");
    assert_eq!(Care::begin(2, None, None).missing(), ["care.children_not_named"]);
}

#[test]
fn a_handover_is_known_by_its_number() {
    let mut care = care();
    let aunt = Some(AUNT);
    assert!(!care.is_repeated(LOU, aunt, 1, ChildStep::CheckIn).unwrap());
    care.hand_over(LOU, ChildStep::CheckIn, handover(1)).unwrap();
    assert!(care.is_repeated(LOU, aunt, 1, ChildStep::CheckIn).unwrap());
    for (n, step, expected) in [
        (2, ChildStep::CheckIn, "handover"),
        (1, ChildStep::CheckOut, "handover"),
        (4, ChildStep::CheckOut, "handover"),
        (3, ChildStep::CheckIn, "where the child is"),
    ] {
        let refused = care.is_repeated(LOU, aunt, n, step).unwrap_err().to_string();
        assert!(refused.starts_with(expected), "{n}: {refused}");
    }
    assert!(matches!(
        care.is_repeated(AUNT, aunt, 1, ChildStep::CheckIn),
        Err(Error::ChildNotFound)
    ));
}

#[test]
fn only_the_last_handover_with_the_same_adult_is_a_repetition() {
    let mut care = care();
    for (n, step) in [(1, ChildStep::CheckIn), (2, ChildStep::CheckOut)] {
        care.hand_over(LOU, step, handover(n)).unwrap();
    }
    assert!(care.is_repeated(LOU, Some(AUNT), 2, ChildStep::CheckOut).unwrap());
    for adult in [Some(CARER), None] {
        let refused = care.is_repeated(LOU, adult, 2, ChildStep::CheckOut).unwrap_err();
        assert!(refused.to_string().starts_with("where the child is"), "{refused}");
    }
    care.hand_over(LOU, ChildStep::CheckIn, handover(3)).unwrap();
    for adult in [Some(AUNT), Some(CARER)] {
        let refused = care.is_repeated(LOU, adult, 2, ChildStep::CheckOut).unwrap_err();
        assert!(refused.to_string().contains("must be 4"), "{refused}");
    }
}

#[test]
fn the_fifth_wrong_code_locks_the_code_of_the_child_alone() {
    let mut care = care();
    for _ in 0..4 {
        assert_eq!(care.note_wrong_code(LOU).unwrap(), PickupRefusal::CodeWrong);
    }
    assert_eq!(care.note_wrong_code(LOU).unwrap(), PickupRefusal::CodeLocked);
    assert!(care.child(LOU).unwrap().is_code_locked());
    assert!(!care.child(MAX).unwrap().is_code_locked());
}

#[test]
fn a_release_is_asked_once_approved_and_used_once_within_half_an_hour() {
    let now = at("2027-05-24T18:00:00Z");
    let later = |minutes| now + Duration::minutes(minutes);
    let mut care = care();
    let (first, second) = (Uuid::from_u128(11), Uuid::from_u128(12));
    let (parent, both) = (&[MAX], &[MAX, CARER]);
    assert!(care.request_release(first, LOU, AUNT, parent, now));
    assert!(!care.request_release(second, LOU, AUNT, parent, now), "one waits already");
    assert_eq!(care.good_release(LOU, AUNT, parent, now), None);
    assert!(care.approve_release(first, MAX, parent, now).unwrap());
    assert!(!care.approve_release(first, MAX, parent, later(1)).unwrap(), "approved before");
    assert_eq!(care.good_release(LOU, AUNT, parent, later(29)), Some(first));
    assert_eq!(care.good_release(MAX, AUNT, parent, later(1)), None, "of another child");
    assert_eq!(care.good_release(LOU, AUNT, parent, later(30)), None, "too long ago");
    assert!(care.approve_release(first, MAX, parent, later(31)).unwrap(), "approved anew");
    // With the rights of the guardian the approval ends, and another one is asked.
    assert_eq!(care.good_release(LOU, AUNT, &[CARER], later(31)), None);
    assert!(care.request_release(second, LOU, AUNT, &[CARER], later(31)));
    assert!(care.approve_release(second, CARER, both, later(31)).unwrap());
    care.use_release(second, 2);
    care.use_release(first, 2);
    assert_eq!(care.good_release(LOU, AUNT, parent, later(32)), None, "used");
    assert!(care.request_release(Uuid::from_u128(13), LOU, AUNT, parent, later(33)));
    assert!(matches!(care.approve_release(AUNT, MAX, parent, now), Err(Error::ReleaseNotFound)));
}

#[test]
fn children_are_named_until_the_care_begins() {
    let mut care = Care::begin(2, None, None);
    let wrong = care.name_children(vec![LOU]).unwrap_err().to_string();
    assert!(wrong.starts_with("child_ids"), "{wrong}");
    assert!(care.name_children(vec![LOU, MAX]).unwrap());
    assert!(!care.name_children(vec![LOU, MAX]).unwrap(), "named before");
    assert!(care.name_children(vec![MAX, AUNT]).unwrap(), "another one comes");
    care.enter_phase(Working);
    assert!(care.name_children(vec![LOU, MAX]).is_err());
}

#[test]
fn with_another_carer_who_was_refused_is_awaited_again() {
    let mut care = care();
    care.turn_away(LOU, ChildStep::Refuse).unwrap();
    assert!(care.was_refused());
    care.enter_phase(Booked);
    assert_eq!(care.child(LOU).unwrap().state, ChildState::Expected);
    assert!(!care.was_refused());
}
