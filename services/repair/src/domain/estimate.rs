//! Estimates: which parts they have, which of them the customer agreed to, and what comes off in the end.

use super::{
    Repair,
    part::{Part, PartState},
    price::EstimatedWork,
    repair::{Diagnosis, UNRELATED_IS_ANOTHER_FAULT},
    state::{EstimateStanding, RepairState},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use vertical::{Error, Side, facts::JobChangeState, price::Line};

/// An estimate that was proposed to the customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Estimate {
    pub change_id: Uuid,
    pub state: JobChangeState,
    pub minutes: i64,
    pub part_ids: Vec<Uuid>,
}

/// What an estimate asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AskedWork {
    pub minutes: i64,
    pub part_ids: Vec<Uuid>,
}

/// A change of the order, as it is told. It says what it asks for unless its details are erased.
#[derive(Clone, Debug)]
pub struct ToldChange {
    pub change_id: Uuid,
    pub state: JobChangeState,
    pub work: Option<AskedWork>,
}

/// Why no estimate can be made now, as stable codes.
pub mod denial {
    /// Nothing is known yet of what is wrong.
    pub const NOT_DIAGNOSED: &str = "NOT_DIAGNOSED";
    /// The customer is asked about another estimate.
    pub const ESTIMATE_PENDING: &str = "ESTIMATE_PENDING";
    /// The repair waits for parts, and goes on first.
    pub const WAITING_FOR_PARTS: &str = "WAITING_FOR_PARTS";
    /// There is no more to repair.
    pub const REPAIR_OVER: &str = "REPAIR_OVER";
    /// Someone is in danger: the diagnosis says first that this is over.
    pub const HAZARD: &str = "HAZARD";
    /// The country is not served any more, so that nothing can be priced.
    pub const NOT_SERVED: &str = "NOT_SERVED";
    /// Only who does the work estimates it.
    pub const PROVIDER_ESTIMATES: &str = "PROVIDER_ESTIMATES";
    /// Lines without details: labour and parts have their prices here.
    pub const ESTIMATE_REQUIRED: &str = "ESTIMATE_REQUIRED";
}

impl Estimate {
    /// Whether the customer agreed to it, or is asked about it.
    const fn stands(&self) -> bool {
        matches!(self.state, JobChangeState::Proposed | JobChangeState::Approved)
    }
}

impl Repair {
    /// Takes in the changes of the order, the oldest first.
    pub fn follow_changes(&mut self, changes: Vec<ToldChange>) {
        let mut estimates = Vec::with_capacity(changes.len());
        for ToldChange { change_id, state, work } in changes {
            let known = self.estimates.iter().find(|estimate| estimate.change_id == change_id);
            let known =
                known.map(|it| AskedWork { minutes: it.minutes, part_ids: it.part_ids.clone() });
            let AskedWork { minutes, part_ids } = work.or(known).unwrap_or_default();
            estimates.push(Estimate { change_id, state, minutes, part_ids });
        }
        self.estimates = estimates;
    }

    /// How the estimates stand.
    pub fn estimate_standing(&self) -> EstimateStanding {
        let has = |state| self.estimates.iter().any(|estimate| estimate.state == state);
        if has(JobChangeState::Proposed) {
            EstimateStanding::Pending
        } else if has(JobChangeState::Approved) {
            EstimateStanding::Approved
        } else if self.estimates.is_empty() {
            EstimateStanding::Missing
        } else {
            EstimateStanding::Declined
        }
    }

    /// The estimates that the customer agreed to, the oldest first.
    fn approved_estimates(&self) -> impl Iterator<Item = &Estimate> {
        self.estimates.iter().filter(|estimate| estimate.state == JobChangeState::Approved)
    }

    /// What speaks against an estimate by one side, if anything.
    pub fn estimate_denial(&self, proposer: Side) -> Option<&'static str> {
        if proposer != Side::Provider {
            return Some(denial::PROVIDER_ESTIMATES);
        }
        let by_state = match self.state {
            RepairState::Booked | RepairState::OnSite => Some(denial::NOT_DIAGNOSED),
            RepairState::Estimated => Some(denial::ESTIMATE_PENDING),
            RepairState::WaitingParts => Some(denial::WAITING_FOR_PARTS),
            RepairState::Repaired | RepairState::Unrepaired | RepairState::Off => {
                Some(denial::REPAIR_OVER)
            }
            RepairState::Diagnosed | RepairState::Declined | RepairState::Approved => None,
        };
        by_state.or_else(|| self.is_dangerous().then_some(denial::HAZARD))
    }

    /// The lines of an estimate, which has not been proposed. Fails where a part cannot be in it; none where the country is
    /// not served any more.
    pub fn price_estimate(&self, asked: &AskedWork) -> Result<Option<Vec<Line>>, Error> {
        if asked.minutes == 0 && asked.part_ids.is_empty() {
            return Err(Error::invalid("details.labour", "or part_ids must be given"));
        }
        for (index, id) in asked.part_ids.iter().enumerate() {
            if let Some(problem) = self.part_problem(*id) {
                return Err(Error::invalid(format!("details.part_ids[{index}]"), problem));
            }
        }
        let Some(terms) = &self.terms else { return Ok(None) };
        let work = self.estimated_work(asked.minutes, &asked.part_ids);
        if self.is_free() {
            return Ok(Some(terms.free_lines(&work)));
        }
        let is_first = self.approved_estimates().next().is_none();
        Ok(Some(terms.estimate_lines(&work, is_first)))
    }

    /// Why a part cannot be in another estimate, if it cannot.
    fn part_problem(&self, id: Uuid) -> Option<&'static str> {
        let Some(part) = self.part(id) else { return Some("is not a part of this repair") };
        if part.replaces.is_some() {
            return Some("replaces another part, whose price it has");
        }
        if part.state == PartState::Returned {
            return Some("was returned");
        }
        let is_taken = self.estimate_of(id).is_some_and(Estimate::stands);
        is_taken.then_some("is in an estimate already")
    }

    fn estimated_work(&self, minutes: i64, part_ids: &[Uuid]) -> EstimatedWork {
        let parts = part_ids.iter().filter_map(|id| self.part(*id));
        EstimatedWork { minutes, part_costs: parts.map(Part::total_cost).collect() }
    }

    /// Whether what is repaired costs nothing: in a recall, unless the fault is another one.
    pub fn is_free(&self) -> bool {
        let is_unrelated = self.diagnosis.as_ref().is_some_and(Diagnosis::is_unrelated);
        self.recall && !is_unrelated
    }

    /// The part in whose place another one stands in an estimate: the one that was estimated.
    fn estimated_part(&self, id: Uuid) -> Uuid {
        let mut estimated = id;
        // A chain is no longer than the list of parts.
        for _ in &self.parts {
            match self.part(estimated).and_then(|part| part.replaces) {
                Some(replaced) => estimated = replaced,
                None => break,
            }
        }
        estimated
    }

    /// The part that stands in the place of an estimated one by now.
    fn present_part(&self, id: Uuid) -> Option<&Part> {
        let mut present = self.part(id)?;
        for _ in &self.parts {
            match self.parts.iter().find(|part| part.replaces == Some(present.id)) {
                Some(replacement) => present = replacement,
                None => break,
            }
        }
        Some(present)
    }

    /// The estimate that has a part, or the one in whose place it stands: the latest one.
    pub fn estimate_of(&self, id: Uuid) -> Option<&Estimate> {
        let estimated = self.estimated_part(id);
        self.estimates.iter().rev().find(|estimate| estimate.part_ids.contains(&estimated))
    }

    /// Whether the customer agreed to a part.
    pub fn is_approved(&self, id: Uuid) -> bool {
        self.estimate_of(id).is_some_and(|estimate| estimate.state == JobChangeState::Approved)
    }

    /// The parts that the customer agreed to, as they are by now.
    pub fn approved_parts(&self) -> impl Iterator<Item = &Part> {
        let ids = self.approved_estimates().flat_map(|estimate| &estimate.part_ids);
        ids.filter_map(|id| self.present_part(*id))
    }

    /// Whether the last part that the customer agreed to is there, and none is awaited any more.
    pub fn have_parts_arrived(&self) -> bool {
        let mut awaited = self.approved_parts();
        !awaited.any(|part| matches!(part.state, PartState::Needed | PartState::Ordered))
    }

    /// What comes off in the end for the approved parts that were returned.
    pub fn settle_returned_parts(&self) -> Vec<Line> {
        let Some(terms) = self.terms.as_ref().filter(|_| !self.is_free()) else {
            return Vec::new();
        };
        let mut lines = Vec::new();
        for (number, estimate) in self.approved_estimates().enumerate() {
            let work = self.estimated_work(estimate.minutes, &estimate.part_ids);
            let present = estimate.part_ids.iter().filter_map(|id| self.present_part(*id));
            let returned: Vec<bool> =
                present.map(|part| part.state == PartState::Returned).collect();
            lines.extend(terms.return_lines(&work, &returned, number == 0));
        }
        lines
    }

    /// What the customer owes of approved parts that could not be given back after the order was broken off, in minor units:
    /// those with a receipt.
    pub fn parts_owed(&self) -> i64 {
        if self.state != RepairState::Off {
            return 0;
        }
        let kept = self
            .approved_parts()
            .filter(|part| part.state != PartState::Returned && !part.receipt_sha256.is_empty());
        kept.map(Part::total_cost).sum()
    }

    /// Refuses that a fault is unrelated where no fault was repaired before.
    pub(super) fn check_unrelated(&self, unrelated: bool) -> Result<(), Error> {
        match unrelated && !self.recall {
            true => Err(Error::invalid("unrelated", UNRELATED_IS_ANOTHER_FAULT)),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
