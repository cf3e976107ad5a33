//! Care: where each child of an order is, who brought and took it, and what may happen next.

mod states;

pub use states::{CareState, ChildState, ChildStep};

use super::{Error, error::PickupRefusal, tables::CareTerms};
use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use vertical::{Job, Phase};

/// Wrong codes after which a child is not handed out by code any more.
const MAX_WRONG_CODES: u32 = 5;
/// How long the approval of a hand-out holds.
const APPROVAL_MINUTES: i64 = 30;

/// The care of an order, as its vertical knows it.
pub type CareJob = Job<Care>;

/// How an adult was recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// The carer knew them.
    Sight,
    Code,
    /// A photo ID, with a guardian's approval.
    PhotoId,
    /// An operator recorded it, with a reason.
    Operator,
}

/// A hand-over of a child: odd numbers in, even ones out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handover {
    pub n: u32,
    /// Who brought or took the child; none for an authority.
    pub adult_id: Option<Uuid>,
    pub proof: Proof,
    /// The account that recorded it.
    pub recorded_by: Uuid,
    pub at: DateTime<Utc>,
}

/// A child in the course of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildInCare {
    pub child_id: Uuid,
    pub state: ChildState,
    pub handovers: Vec<Handover>,
    /// Wrong codes that were tried to take it.
    #[serde(default)]
    pub wrong_codes: u32,
}

impl ChildInCare {
    const fn expected(child_id: Uuid) -> Self {
        Self { child_id, state: ChildState::Expected, handovers: Vec::new(), wrong_codes: 0 }
    }

    /// Whether wrong codes have locked its hand-out by code.
    pub const fn is_code_locked(&self) -> bool {
        self.wrong_codes >= MAX_WRONG_CODES
    }

    /// The hand-over of a number, if there was one.
    pub fn handover(&self, n: u32) -> Option<&Handover> {
        self.handovers.iter().find(|handover| handover.n == n)
    }

    fn last_n(&self) -> u32 {
        self.handovers.last().map_or(0, |handover| handover.n)
    }
}

/// A hand-out by photo ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    pub id: Uuid,
    pub child_id: Uuid,
    pub adult_id: Uuid,
    pub requested_at: DateTime<Utc>,
    /// When a guardian approved it, and who.
    pub approved: Option<(DateTime<Utc>, Uuid)>,
    /// The hand-over that it was used for.
    pub used: Option<u32>,
}

impl Release {
    /// Whether the carer may hand the child out on it: one of the `managers` of the child has approved it, and not too long
    /// ago. An approval ends with the rights of who gave it.
    pub fn is_good(&self, managers: &[Uuid], now: DateTime<Utc>) -> bool {
        let is_valid = |(at, guardian)| {
            now < at + Duration::minutes(APPROVAL_MINUTES) && managers.contains(&guardian)
        };
        self.used.is_none() && self.approved.is_some_and(is_valid)
    }

    /// Whether it waits for a guardian, or for the hand-out.
    fn is_open(&self, managers: &[Uuid], now: DateTime<Utc>) -> bool {
        self.used.is_none() && (self.approved.is_none() || self.is_good(managers, now))
    }
}

/// What child_assistance keeps of its own about an order: ids, states and times. Names and words stay with the families.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Care {
    pub state: CareState,
    /// How many children it was booked for.
    pub booked: usize,
    /// The children, once they are named.
    pub children: Vec<ChildInCare>,
    #[serde(default)]
    pub releases: Vec<Release>,
    /// The rules of the price, as they were when the order was first heard of; none where the country was not served.
    pub terms: Option<CareTerms>,
    /// The last stage of a late pick-up that was told, in minutes.
    #[serde(default)]
    pub late_told: i64,
}

impl Care {
    /// Care of which nothing has happened, of children who are named or not.
    pub fn begin(booked: usize, named: Option<Vec<Uuid>>, terms: Option<CareTerms>) -> Self {
        let children = named.unwrap_or_default().into_iter().map(ChildInCare::expected);
        Self {
            state: CareState::Booked,
            booked,
            children: children.collect(),
            releases: Vec::new(),
            terms,
            late_told: 0,
        }
    }

    /// Follows the order to a phase. With another carer, who refused or stayed away is awaited again.
    pub fn enter_phase(&mut self, phase: Phase) {
        self.state = self.state.follow(phase);
        if phase == Phase::Booked && self.state == CareState::Booked {
            for child in &mut self.children {
                if matches!(child.state, ChildState::Absent | ChildState::Refused) {
                    child.state = ChildState::Expected;
                }
            }
        }
    }

    /// Names the children. False when they are named so already.
    pub fn name_children(&mut self, ids: Vec<Uuid>) -> Result<bool, Error> {
        if !matches!(self.state, CareState::Booked | CareState::Ready) {
            return Err(vertical::Error::OrderState("the care has begun, or is over").into());
        }
        if ids.len() != self.booked {
            let problem = format!("must name the {} children that were booked", self.booked);
            return Err(Error::invalid("child_ids", problem));
        }
        if self.children.iter().map(|child| child.child_id).eq(ids.iter().copied()) {
            return Ok(false);
        }
        self.children = ids.into_iter().map(ChildInCare::expected).collect();
        Ok(true)
    }

    /// Whether every child that was booked is named.
    pub fn is_named(&self) -> bool {
        self.booked > 0 && self.children.len() == self.booked
    }

    /// The child, if it is one of these.
    pub fn child(&self, id: Uuid) -> Result<&ChildInCare, Error> {
        self.children.iter().find(|child| child.child_id == id).ok_or(Error::ChildNotFound)
    }

    fn child_mut(&mut self, id: Uuid) -> Result<&mut ChildInCare, Error> {
        self.children.iter_mut().find(|child| child.child_id == id).ok_or(Error::ChildNotFound)
    }

    /// Whether a child is with the carer.
    pub fn has_child_in(&self) -> bool {
        self.children.iter().any(|child| child.state == ChildState::In)
    }

    /// Whether the carer has a child, or is at the door.
    pub fn is_going_on(&self) -> bool {
        self.has_child_in() || matches!(self.state, CareState::Ready | CareState::Caring)
    }

    /// Whether every child has gone, and none is awaited.
    pub fn is_over(&self) -> bool {
        self.is_named() && !self.children.iter().any(|child| child.state.is_pending())
    }

    /// What is missing before the care can be delivered.
    pub fn missing(&self) -> Vec<&'static str> {
        let is = |state| self.children.iter().any(|child| child.state == state);
        let conditions = [
            (!self.is_named(), "care.children_not_named"),
            (is(ChildState::Expected), "care.child_expected"),
            (is(ChildState::In), "care.child_in"),
        ];
        conditions.into_iter().filter(|(missing, _)| *missing).map(|(_, code)| code).collect()
    }

    /// Whether the last hand-over of the child is this one, with the same adult. Another number than the next one is refused,
    /// and so is a number under which another adult has brought or taken the child.
    pub fn is_repeated(
        &self,
        child_id: Uuid,
        adult_id: Option<Uuid>,
        n: u32,
        step: ChildStep,
    ) -> Result<bool, Error> {
        let child = self.child(child_id)?;
        let is_in = n % 2 == 1;
        if is_in != (step == ChildStep::CheckIn) {
            return Err(Error::invalid(
                "handover",
                "must be odd for a child that comes, even for one that goes",
            ));
        }
        let last = child.handovers.last();
        if last.is_some_and(|last| last.n == n && last.adult_id == adult_id) {
            return Ok(true);
        }
        if n != child.last_n() + 1 {
            // The caller has not seen where the child is.
            child.state.next(step)?;
            let next = child.last_n() + 1;
            return Err(Error::invalid(
                "handover",
                format!("must be {next}, the next one of the child"),
            ));
        }
        Ok(false)
    }

    /// Records a hand-over.
    pub fn hand_over(
        &mut self,
        child_id: Uuid,
        step: ChildStep,
        handover: Handover,
    ) -> Result<(), Error> {
        let child = self.child_mut(child_id)?;
        child.state = child.state.next(step)?;
        child.handovers.push(handover);
        Ok(())
    }

    /// A guardian says that a child stays away, or the carer refuses it. False when that was said before.
    pub fn turn_away(&mut self, child_id: Uuid, step: ChildStep) -> Result<bool, Error> {
        let child = self.child_mut(child_id)?;
        let said = match step {
            ChildStep::StayAway => ChildState::Absent,
            _ => ChildState::Refused,
        };
        if child.state == said {
            return Ok(false);
        }
        child.state = child.state.next(step)?;
        Ok(true)
    }

    /// Notes a wrong code. The answer says whether that locks the code.
    pub fn note_wrong_code(&mut self, child_id: Uuid) -> Result<PickupRefusal, Error> {
        let child = self.child_mut(child_id)?;
        child.wrong_codes += 1;
        Ok(if child.is_code_locked() {
            PickupRefusal::CodeLocked
        } else {
            PickupRefusal::CodeWrong
        })
    }

    /// The approved release of a child to an adult, to be used now.
    pub fn good_release(
        &self,
        child_id: Uuid,
        adult_id: Uuid,
        managers: &[Uuid],
        now: DateTime<Utc>,
    ) -> Option<Uuid> {
        let mut of_both = self
            .releases
            .iter()
            .filter(|release| release.child_id == child_id && release.adult_id == adult_id);
        of_both.find(|release| release.is_good(managers, now)).map(|release| release.id)
    }

    /// Uses a release for a hand-over.
    pub fn use_release(&mut self, id: Uuid, n: u32) {
        if let Some(release) = self.releases.iter_mut().find(|release| release.id == id) {
            release.used = Some(n);
        }
    }

    /// Asks for a release. False when one waits already.
    pub fn request_release(
        &mut self,
        id: Uuid,
        child_id: Uuid,
        adult_id: Uuid,
        managers: &[Uuid],
        now: DateTime<Utc>,
    ) -> bool {
        let mut of_both = self
            .releases
            .iter()
            .filter(|release| release.child_id == child_id && release.adult_id == adult_id);
        if of_both.any(|release| release.is_open(managers, now)) {
            return false;
        }
        let release =
            Release { id, child_id, adult_id, requested_at: now, approved: None, used: None };
        self.releases.push(release);
        true
    }

    /// The release of an id.
    pub fn release(&self, id: Uuid) -> Result<Release, Error> {
        let found = self.releases.iter().find(|release| release.id == id);
        found.copied().ok_or(Error::ReleaseNotFound)
    }

    /// A guardian approves a release. False when one of the `managers` of the child did before.
    pub fn approve_release(
        &mut self,
        id: Uuid,
        guardian: Uuid,
        managers: &[Uuid],
        now: DateTime<Utc>,
    ) -> Result<bool, Error> {
        let found = self.releases.iter_mut().find(|release| release.id == id);
        let release = found.ok_or(Error::ReleaseNotFound)?;
        if release.used.is_some() || release.is_good(managers, now) {
            return Ok(false);
        }
        release.approved = Some((now, guardian));
        Ok(true)
    }

    /// When the last child was fetched; none while none was.
    pub fn last_out_at(&self) -> Option<DateTime<Utc>> {
        let handovers = self.children.iter().flat_map(|child| &child.handovers);
        handovers.filter(|handover| handover.n % 2 == 0).map(|handover| handover.at).max()
    }

    /// Whether a child ever came in.
    pub fn has_begun(&self) -> bool {
        self.children.iter().any(|child| !child.handovers.is_empty())
    }

    /// Whether none came in, and the carer refused at least one.
    pub fn was_refused(&self) -> bool {
        !self.has_begun() && self.children.iter().any(|child| child.state == ChildState::Refused)
    }

    /// What a carer may do next.
    pub fn carer_actions(&self) -> Vec<&'static str> {
        let is = |state| self.children.iter().any(|child| child.state == state);
        let conditions = [
            (
                self.state == CareState::Caring
                    && (is(ChildState::Expected) || is(ChildState::Out)),
                "checkIn",
            ),
            (is(ChildState::In), "checkOut"),
            (self.state == CareState::Caring && is(ChildState::Expected), "refuseChild"),
        ];
        conditions.into_iter().filter(|(may, _)| *may).map(|(_, action)| action).collect()
    }
}

#[cfg(test)]
mod tests;
