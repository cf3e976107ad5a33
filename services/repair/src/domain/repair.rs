//! What repair keeps of its own about an order, and what its provider does.

use super::{
    estimate::Estimate,
    part::{Part, PartState},
    price::RepairTerms,
    state::{RepairOutcome, RepairState, RepairStep},
};
use chrono::{DateTime, Utc};
use kit::Money;
use serde::{Deserialize, Serialize};
use std::fmt;
use uuid::Uuid;
use vertical::{Error, Phase};

/// Most parts of a repair.
const MAX_PARTS: usize = 50;
/// Why a fault cannot be another one.
pub(super) const UNRELATED_IS_ANOTHER_FAULT: &str =
    "is for recalls only, where the fault is another one than was repaired";

/// What a repairer has found.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// Stable code of the fault.
    pub code: String,
    /// What it is, in the repairer's words; empty once they are forgotten.
    pub findings: String,
    /// Whether someone is in danger.
    pub hazard: bool,
    /// Whether it is another fault than the one that the recalled order repaired.
    pub unrelated: bool,
    pub recorded_at: DateTime<Utc>,
}

/// Says what was found by its code, not in the repairer's words.
impl fmt::Debug for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Diagnosis").field("code", &self.code).finish_non_exhaustive()
    }
}

impl Diagnosis {
    pub const fn is_unrelated(&self) -> bool {
        self.unrelated
    }

    /// Whether both say the same.
    fn says_same(&self, other: &Self) -> bool {
        Self { recorded_at: other.recorded_at, ..self.clone() } == *other
    }
}

/// Something that was tested in the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestResult {
    /// What was tested, by a stable code.
    pub code: String,
    pub passed: bool,
}

/// A part as a repairer notes it.
#[derive(Clone)]
pub struct NotedPart {
    pub name: String,
    pub quantity: i32,
    pub cost: Money,
    /// Whether the repairer has it already.
    pub on_board: bool,
    /// The approved part whose place it takes.
    pub replaces: Option<Uuid>,
}

/// What a repairer says of a part.
#[derive(Clone, Debug)]
pub struct PartChange {
    /// Where it is now; none where that is as it was.
    pub state: Option<PartState>,
    /// SHA-256 of the receipt; empty where none is handed in.
    pub receipt_sha256: String,
}

/// What repair keeps of its own about an order. What the customer wrote stays in the order's details.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repair {
    pub state: RepairState,
    /// The terms that were agreed; none where the country was not served any more when the order was first heard of.
    pub terms: Option<RepairTerms>,
    /// Whether it makes the work of another order good.
    pub recall: bool,
    pub diagnosis: Option<Diagnosis>,
    /// What was proposed to the customer, the oldest first.
    pub estimates: Vec<Estimate>,
    /// What it takes, in the order in which it was noted.
    pub parts: Vec<Part>,
    /// Whether it has waited for parts.
    pub waited: bool,
    pub outcome: Option<RepairOutcome>,
    pub tests: Vec<TestResult>,
    /// When a repairer is to be at work.
    pub sla_due_at: Option<DateTime<Utc>>,
    /// When none was, and the time was over.
    pub sla_missed_at: Option<DateTime<Utc>>,
}

impl Repair {
    /// A repair of which nothing has happened.
    pub const fn begin(terms: Option<RepairTerms>, recall: bool) -> Self {
        Self {
            state: RepairState::Booked,
            terms,
            recall,
            diagnosis: None,
            estimates: Vec::new(),
            parts: Vec::new(),
            waited: false,
            outcome: None,
            tests: Vec::new(),
            sla_due_at: None,
            sla_missed_at: None,
        }
    }

    /// The part with this id.
    pub fn part(&self, id: Uuid) -> Option<&Part> {
        self.parts.iter().find(|part| part.id == id)
    }

    /// Whether someone is in danger, so that nothing is repaired.
    pub fn is_dangerous(&self) -> bool {
        self.diagnosis.as_ref().is_some_and(|diagnosis| diagnosis.hazard)
    }

    /// Follows the order to a phase. A repair that begins anew, with another provider, has found nothing.
    pub fn enter_phase(&mut self, phase: Phase) {
        self.follow_step(RepairStep::Told(phase));
        if self.state == RepairState::Booked {
            self.diagnosis = None;
            self.estimates.clear();
            self.parts.clear();
            self.waited = false;
        }
    }

    /// Follows how the estimates of the order stand, while it is being worked on.
    pub fn follow_estimates(&mut self) {
        self.follow_step(RepairStep::Estimates(self.estimate_standing()));
    }

    /// Takes a step that is told, and so is never refused. What is not over has no outcome.
    fn follow_step(&mut self, step: RepairStep) {
        if let Ok(state) = self.state.next(step) {
            self.state = state;
        }
        if !self.state.is_over() {
            self.outcome = None;
            self.tests.clear();
        }
    }

    /// Notes what is wrong. False when the same was said before.
    pub fn diagnose(&mut self, found: Diagnosis) -> Result<bool, Error> {
        self.check_unrelated(found.unrelated)?;
        if self.diagnosis.as_ref().is_some_and(|known| known.says_same(&found)) {
            return Ok(false);
        }
        self.state = self.state.next(RepairStep::Diagnose)?;
        self.diagnosis = Some(found);
        Ok(true)
    }

    /// The repair waits for parts. False when it does so already.
    pub fn wait(&mut self) -> Result<bool, Error> {
        if self.state == RepairState::WaitingParts {
            return Ok(false);
        }
        self.state = self.state.next(RepairStep::Wait)?;
        self.waited = true;
        Ok(true)
    }

    /// The repair goes on. False when it does so already.
    pub fn resume(&mut self) -> Result<bool, Error> {
        if self.waited && self.state == RepairState::Approved {
            return Ok(false);
        }
        self.state = self.state.next(RepairStep::Resume)?;
        Ok(true)
    }

    /// There is no more to do. False when the same was said before.
    pub fn finish(
        &mut self,
        outcome: RepairOutcome,
        tests: Vec<TestResult>,
    ) -> Result<bool, Error> {
        if self.outcome == Some(outcome) {
            return Ok(false);
        }
        let state = self.state.next(RepairStep::Finish(outcome))?;
        if outcome == RepairOutcome::Repaired {
            self.check_repaired(&tests)?;
        }
        self.state = state;
        self.outcome = Some(outcome);
        self.tests = tests;
        Ok(true)
    }

    /// Refuses that something is repaired which is dangerous, not tested, or took parts that the customer was not asked
    /// about.
    fn check_repaired(&self, tests: &[TestResult]) -> Result<(), Error> {
        if self.is_dangerous() {
            let problem = "someone is in danger: record a diagnosis without the hazard first";
            return Err(Error::Refused("HAZARD", problem.to_owned()));
        }
        let takes_parts = self.parts.iter().any(|part| part.state != PartState::Returned);
        if self.state == RepairState::Diagnosed && takes_parts {
            let problem = "the repair takes parts: propose an estimate, or return them";
            return Err(Error::Refused("ESTIMATE_REQUIRED", problem.to_owned()));
        }
        if tests.is_empty() {
            return Err(Error::invalid("tests", "must name what was tested"));
        }
        match tests.iter().find(|test| !test.passed) {
            None => Ok(()),
            Some(test) => {
                let problem = format!("{} did not pass: what fails is not repaired", test.code);
                Err(Error::Refused("TESTS_FAILED", problem))
            }
        }
    }

    /// Notes a part, under an id.
    pub fn add_part(
        &mut self,
        id: Uuid,
        noted: NotedPart,
        now: DateTime<Utc>,
    ) -> Result<&Part, Error> {
        self.check_part(&noted)?;
        if let Some(replaced) = noted.replaces {
            self.give_back(replaced)?;
        }
        let state = if noted.on_board { PartState::Arrived } else { PartState::Needed };
        self.parts.push(Part {
            id,
            name: noted.name,
            quantity: noted.quantity.max(1),
            cost: noted.cost,
            state,
            replaces: noted.replaces,
            receipt_sha256: String::new(),
            created_at: now,
        });
        self.part(id).ok_or_else(|| kit::Error::internal("a noted part is not there").into())
    }

    fn check_part(&self, noted: &NotedPart) -> Result<(), Error> {
        match self.state {
            RepairState::Diagnosed
            | RepairState::Estimated
            | RepairState::Declined
            | RepairState::Approved
            | RepairState::WaitingParts => {}
            RepairState::Booked | RepairState::OnSite => {
                return Err(Error::OrderState("there is no diagnosis yet: record it first"));
            }
            RepairState::Repaired | RepairState::Unrepaired | RepairState::Off => {
                return Err(Error::OrderState("the repair is over"));
            }
        }
        if self.parts.len() >= MAX_PARTS {
            let problem = format!("a repair takes {MAX_PARTS} parts at most");
            return Err(Error::Refused("PART_LIMIT", problem));
        }
        let Some(terms) = &self.terms else {
            let problem = "repairs are not served in this country any more";
            return Err(Error::Refused("NOT_SERVED", problem.to_owned()));
        };
        if noted.cost.currency != terms.currency {
            let problem = format!("must be {}, as the order's", terms.currency.code());
            return Err(Error::invalid("cost.currency", problem));
        }
        match noted.cost.minor_units >= 0 {
            true => Ok(()),
            false => Err(Error::invalid("cost.minor_units", "must not be negative")),
        }
    }

    /// Gives a wrong part back, whose place another one takes.
    fn give_back(&mut self, id: Uuid) -> Result<(), Error> {
        let is_replaced = self.parts.iter().any(|part| part.replaces == Some(id));
        let problem = match self.part(id) {
            None => "is not a part of this repair",
            Some(_) if is_replaced => "is replaced already",
            Some(part) if part.state == PartState::Used => "is built in",
            Some(_) if !self.is_approved(id) => "is not approved: note the right part instead",
            Some(_) => {
                self.part_mut(id)?.move_to(PartState::Returned)?;
                return Ok(());
            }
        };
        Err(Error::invalid("replaces", problem))
    }

    /// Moves a part on, or notes its receipt. False when nothing is new.
    pub fn change_part(&mut self, id: Uuid, change: PartChange) -> Result<bool, Error> {
        let is_new_state =
            change.state.filter(|next| self.part(id).is_some_and(|it| it.state != *next));
        if let Some(next) = is_new_state {
            self.check_move(id, next)?;
        }
        let part = self.part_mut(id)?;
        let moved = match change.state {
            Some(next) => part.move_to(next)?,
            None => false,
        };
        if change.receipt_sha256.is_empty() || change.receipt_sha256 == part.receipt_sha256 {
            return Ok(moved);
        }
        part.receipt_sha256 = change.receipt_sha256;
        Ok(true)
    }

    /// Refuses work before the customer has agreed to it, and after the repair.
    fn check_move(&self, id: Uuid, next: PartState) -> Result<(), Error> {
        match (self.state, next) {
            (RepairState::Off, PartState::Returned) => Ok(()),
            (RepairState::Booked | RepairState::Off | RepairState::Unrepaired, _) => {
                Err(Error::OrderState("nothing is being repaired"))
            }
            (_, PartState::Used) if !self.is_approved(id) => {
                let problem = "the customer has not agreed to this part: propose an estimate";
                Err(Error::Refused("PART_NOT_APPROVED", problem.to_owned()))
            }
            (RepairState::Approved | RepairState::Repaired, PartState::Used) => Ok(()),
            (_, PartState::Used) => {
                Err(Error::OrderState("work goes on once the customer has agreed to all of it"))
            }
            _ => Ok(()),
        }
    }

    fn part_mut(&mut self, id: Uuid) -> Result<&mut Part, Error> {
        let found = self.parts.iter_mut().find(|part| part.id == id);
        found.ok_or(Error::RecordNotFound("PART_NOT_FOUND", "the part"))
    }

    /// Forgets what the repairer wrote.
    pub fn forget_texts(&mut self) {
        if let Some(diagnosis) = &mut self.diagnosis {
            diagnosis.findings.clear();
        }
        for part in &mut self.parts {
            part.name.clear();
        }
    }

    /// What is missing before it can be delivered, as stable codes, with these kinds of proof on file.
    pub fn missing(&self, proof_kinds: &[String]) -> Vec<&'static str> {
        match self.state {
            RepairState::Repaired => {
                let unsettled = self.approved_parts().any(|part| !part.state.is_final());
                let untested = self.tests.is_empty() || self.tests.iter().any(|test| !test.passed);
                let checks = [(unsettled, PARTS), (untested, TESTS)];
                let open = checks.into_iter().filter(|(is_open, _)| *is_open).map(|(_, code)| code);
                open.chain(vertical::checklist::missing_proofs(&[SIGNATURE], proof_kinds)).collect()
            }
            RepairState::Unrepaired if self.diagnosis.is_some() => Vec::new(),
            RepairState::Unrepaired => vec![DIAGNOSIS],
            _ => vec![UNFINISHED],
        }
    }
}

/// The repair is not over.
pub const UNFINISHED: &str = "repair.unfinished";
/// Approved parts are neither used nor returned.
const PARTS: &str = "repair.parts";
/// What was repaired is not tested.
const TESTS: &str = "repair.tests";
/// Nothing was found.
const DIAGNOSIS: &str = "repair.diagnosis";
/// The customer signs that it is repaired.
const SIGNATURE: &str = "signature.customer";

#[cfg(test)]
mod tests;
