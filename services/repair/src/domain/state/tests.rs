//! The table of states: each row, and each refusal.

use super::{
    EstimateStanding::{self, Approved as Agreed, Declined as Refused, Missing, Pending},
    RepairOutcome,
    RepairState::{
        self, Approved, Booked, Declined, Diagnosed, Estimated, Off, OnSite, Repaired, Unrepaired,
        WaitingParts,
    },
    RepairStep::{self, Diagnose, Estimates, Finish, Resume, Told, Wait},
};
use vertical::Phase;

const PHASES: [Phase; 7] = [
    Phase::Booked,
    Phase::EnRoute,
    Phase::AtTheDoor,
    Phase::Working,
    Phase::Rework,
    Phase::Delivered,
    Phase::Ended,
];
const STANDINGS: [EstimateStanding; 4] = [Missing, Pending, Agreed, Refused];
const REPAIRED: RepairStep = Finish(RepairOutcome::Repaired);
const UNREPAIRED: RepairStep = Finish(RepairOutcome::Unrepaired);
const ACTS: [RepairStep; 5] = [Diagnose, Wait, Resume, REPAIRED, UNREPAIRED];

/// What the repairer may do, and where it leads: all else is refused.
const DONE: [(RepairState, RepairStep, RepairState); 8] = [
    (OnSite, Diagnose, Diagnosed),
    (Diagnosed, Diagnose, Diagnosed),
    (Diagnosed, REPAIRED, Repaired),
    (Diagnosed, UNREPAIRED, Unrepaired),
    (Declined, UNREPAIRED, Unrepaired),
    (Approved, Wait, WaitingParts),
    (Approved, REPAIRED, Repaired),
    (WaitingParts, Resume, Approved),
];

#[test]
fn each_act_leads_where_the_table_says_and_all_else_is_refused() {
    for state in RepairState::ALL {
        for act in ACTS {
            let row = DONE.iter().find(|(from, step, _)| (*from, *step) == (state, act));
            match (state.next(act), row) {
                (Ok(next), Some((.., to))) => assert_eq!(next, *to, "{state:?} {act:?}"),
                (Err(error), None) => {
                    let problem = error.to_string();
                    assert!(problem.starts_with("the state of the order"), "{problem}");
                }
                (result, row) => panic!("{state:?} {act:?}: {result:?}, {row:?}"),
            }
        }
    }
}

/// Where each state goes when the order enters a phase, in the order of `PHASES`.
const AFTER_PHASES: [(RepairState, [RepairState; 7]); 10] = [
    (Booked, [Booked, Booked, Booked, OnSite, OnSite, Booked, Off]),
    (OnSite, [Booked, OnSite, OnSite, OnSite, OnSite, OnSite, Off]),
    (Diagnosed, [Booked, Diagnosed, Diagnosed, Diagnosed, Diagnosed, Diagnosed, Off]),
    (Estimated, [Booked, Estimated, Estimated, Estimated, Approved, Estimated, Off]),
    (Declined, [Booked, Declined, Declined, Declined, Declined, Declined, Off]),
    (Approved, [Booked, Approved, Approved, Approved, Approved, Approved, Off]),
    (
        WaitingParts,
        [Booked, WaitingParts, WaitingParts, WaitingParts, WaitingParts, WaitingParts, Off],
    ),
    (Repaired, [Repaired, Repaired, Repaired, Repaired, Approved, Repaired, Repaired]),
    (Unrepaired, [Unrepaired; 7]),
    (Off, [Booked, Booked, Booked, OnSite, OnSite, Off, Off]),
];

#[test]
fn what_the_order_does_is_followed() {
    assert_eq!(AFTER_PHASES.map(|(state, _)| state), RepairState::ALL);
    for (state, expected) in AFTER_PHASES {
        for (phase, to) in PHASES.into_iter().zip(expected) {
            assert_eq!(state.next(Told(phase)).unwrap(), to, "{state:?} told {phase:?}");
        }
    }
}

/// Where each state goes as the estimates stand, in the order of `STANDINGS`.
const AFTER_ESTIMATES: [(RepairState, [RepairState; 4]); 10] = [
    (Booked, [Booked; 4]),
    (OnSite, [OnSite; 4]),
    (Diagnosed, [Diagnosed, Estimated, Approved, Declined]),
    (Estimated, [Diagnosed, Estimated, Approved, Declined]),
    (Declined, [Diagnosed, Estimated, Approved, Declined]),
    (Approved, [Diagnosed, Estimated, Approved, Declined]),
    (WaitingParts, [Diagnosed, Estimated, WaitingParts, Declined]),
    (Repaired, [Repaired, Estimated, Repaired, Repaired]),
    (Unrepaired, [Unrepaired, Estimated, Unrepaired, Unrepaired]),
    (Off, [Off; 4]),
];

#[test]
fn estimates_decide_whether_the_repair_goes_on() {
    assert_eq!(AFTER_ESTIMATES.map(|(state, _)| state), RepairState::ALL);
    for (state, expected) in AFTER_ESTIMATES {
        for (standing, to) in STANDINGS.into_iter().zip(expected) {
            let next = state.next(Estimates(standing)).unwrap();
            assert_eq!(next, to, "{state:?} with {standing:?}");
        }
    }
}

#[test]
fn a_repair_is_over_once_it_is_repaired_or_stays_unrepaired() {
    for state in RepairState::ALL {
        assert_eq!(state.is_over(), [Repaired, Unrepaired].contains(&state), "{state:?}");
        let finishes = state.provider_actions().contains(&"finishRepair");
        let can_finish = state.next(REPAIRED).is_ok() || state.next(UNREPAIRED).is_ok();
        assert_eq!(finishes, can_finish, "{state:?}");
        let waits = state.provider_actions().contains(&"waitForParts");
        assert_eq!(waits, state.next(Wait).is_ok(), "{state:?}");
        let diagnoses = state.provider_actions().contains(&"recordDiagnosis");
        assert_eq!(diagnoses, state.next(Diagnose).is_ok(), "{state:?}");
    }
    assert_eq!(WaitingParts.name(), "WAITING_PARTS");
}
