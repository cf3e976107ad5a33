//! Where a repair stands, and what may happen to it next.

use serde::{Deserialize, Serialize};
use vertical::{Error, Phase};

/// Where a repair stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RepairState {
    /// The repairer has not begun.
    Booked,
    /// The repairer is at work, and has not said what is wrong.
    OnSite,
    /// It is known what is wrong.
    Diagnosed,
    /// The customer is asked about an estimate.
    Estimated,
    /// The customer did not agree to any estimate.
    Declined,
    /// The customer agreed to an estimate, and the money is authorised.
    Approved,
    /// The repair waits for parts.
    WaitingParts,
    /// It is repaired.
    Repaired,
    /// It is not repaired, and stays so.
    Unrepaired,
    /// The order ended without the repair.
    Off,
}

/// How a repair ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RepairOutcome {
    Repaired,
    Unrepaired,
}

/// How the estimates of an order stand, as order tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EstimateStanding {
    /// There is none.
    Missing,
    /// The customer is asked about one.
    Pending,
    /// The customer agreed to one at least, and is asked about none.
    Approved,
    /// The customer agreed to none, and is asked about none.
    Declined,
}

/// What happens to a repair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RepairStep {
    /// The order has entered a phase, and the repair is told of it.
    Told(Phase),
    /// The repair is told how the estimates of its order stand, while the order is being worked on.
    Estimates(EstimateStanding),
    /// The repairer says what is wrong.
    Diagnose,
    /// The repair waits for parts.
    Wait,
    /// The repair goes on.
    Resume,
    /// There is no more to do.
    Finish(RepairOutcome),
}

impl RepairOutcome {
    /// Reads how a repair ended.
    pub fn parse(text: &str) -> Result<Self, Error> {
        match text {
            "repaired" => Ok(Self::Repaired),
            "unrepaired" => Ok(Self::Unrepaired),
            _ => Err(Error::invalid("outcome", "must be repaired or unrepaired")),
        }
    }

    /// Its name in contracts.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Repaired => "repaired",
            Self::Unrepaired => "unrepaired",
        }
    }
}

impl RepairState {
    /// For tables of tests.
    #[cfg(test)]
    pub const ALL: [Self; 10] = [
        Self::Booked,
        Self::OnSite,
        Self::Diagnosed,
        Self::Estimated,
        Self::Declined,
        Self::Approved,
        Self::WaitingParts,
        Self::Repaired,
        Self::Unrepaired,
        Self::Off,
    ];

    /// The state after a step. What the repair is told has happened and is never refused: where it means nothing, the repair
    /// stays as it is.
    pub fn next(self, step: RepairStep) -> Result<Self, Error> {
        match step {
            RepairStep::Told(phase) => Ok(self.after_phase(phase)),
            RepairStep::Estimates(standing) => Ok(self.after_estimates(standing)),
            RepairStep::Diagnose => match self {
                Self::OnSite | Self::Diagnosed => Ok(Self::Diagnosed),
                Self::Booked => Err(Error::OrderState("the work has not begun")),
                _ => Err(Error::OrderState("the diagnosis is made, and is what estimates rest on")),
            },
            RepairStep::Wait => match self {
                Self::Approved => Ok(Self::WaitingParts),
                _ => Err(Error::OrderState("the customer has agreed to no repair that could wait")),
            },
            RepairStep::Resume => match self {
                Self::WaitingParts => Ok(Self::Approved),
                _ => Err(Error::OrderState("the repair does not wait for parts")),
            },
            RepairStep::Finish(outcome) => self.after_finish(outcome),
        }
    }

    fn after_finish(self, outcome: RepairOutcome) -> Result<Self, Error> {
        match (self, outcome) {
            (Self::Diagnosed | Self::Approved, RepairOutcome::Repaired) => Ok(Self::Repaired),
            (Self::Diagnosed | Self::Declined, RepairOutcome::Unrepaired) => Ok(Self::Unrepaired),
            (Self::Booked | Self::OnSite, _) => {
                Err(Error::OrderState("there is no diagnosis yet: record it first"))
            }
            (Self::Estimated, _) => Err(Error::OrderState(
                "the customer is asked about an estimate: wait for the answer, or take it back",
            )),
            (Self::Declined, RepairOutcome::Repaired) => Err(Error::OrderState(
                "the customer did not agree to the repair: make another estimate, or leave it unrepaired",
            )),
            (Self::Approved, RepairOutcome::Unrepaired) => Err(Error::OrderState(
                "the customer agreed to the repair: an operator can break the work off",
            )),
            (Self::WaitingParts, _) => {
                Err(Error::OrderState("the repair waits for parts: resume it first"))
            }
            (Self::Repaired | Self::Unrepaired | Self::Off, _) => {
                Err(Error::OrderState("the repair is over"))
            }
        }
    }

    /// The order has entered a phase. A repair that is off follows its order back, as a restore may have put it there.
    const fn after_phase(self, phase: Phase) -> Self {
        match (self, phase) {
            // Rework is done under the estimate that there is.
            (Self::Repaired | Self::Estimated, Phase::Rework) => Self::Approved,
            (Self::Repaired | Self::Unrepaired, _) => self,
            (Self::Off, Phase::Delivered) => self,
            (_, Phase::Booked) => Self::Booked,
            (_, Phase::Ended) => Self::Off,
            (Self::Booked | Self::Off, Phase::EnRoute | Phase::AtTheDoor) => Self::Booked,
            (Self::Booked | Self::Off, Phase::Working | Phase::Rework) => Self::OnSite,
            (
                Self::Booked
                | Self::OnSite
                | Self::Diagnosed
                | Self::Estimated
                | Self::Declined
                | Self::Approved
                | Self::WaitingParts,
                _,
            ) => self,
        }
    }

    /// The estimates of the order stand so. An estimate that went out while the repair was being finished opens it again.
    const fn after_estimates(self, standing: EstimateStanding) -> Self {
        use EstimateStanding::{Approved, Declined, Missing, Pending};
        match (self, standing) {
            (Self::Booked | Self::OnSite | Self::Off, _) => self,
            (_, Pending) => Self::Estimated,
            (Self::Repaired | Self::Unrepaired, Missing | Approved | Declined) => self,
            (Self::WaitingParts, Approved) => self,
            (_, Approved) => Self::Approved,
            (_, Declined) => Self::Declined,
            (_, Missing) => Self::Diagnosed,
        }
    }

    /// Whether it can be delivered.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Repaired | Self::Unrepaired)
    }

    /// Its name in contracts, for example `WAITING_PARTS`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Booked => "BOOKED",
            Self::OnSite => "ON_SITE",
            Self::Diagnosed => "DIAGNOSED",
            Self::Estimated => "ESTIMATED",
            Self::Declined => "DECLINED",
            Self::Approved => "APPROVED",
            Self::WaitingParts => "WAITING_PARTS",
            Self::Repaired => "REPAIRED",
            Self::Unrepaired => "UNREPAIRED",
            Self::Off => "OFF",
        }
    }

    /// What the provider may do next; estimates are proposed to the order.
    pub const fn provider_actions(self) -> &'static [&'static str] {
        match self {
            Self::Booked | Self::Unrepaired | Self::Off => &[],
            Self::OnSite => &["recordDiagnosis"],
            Self::Diagnosed => &["recordDiagnosis", "addPart", "updatePart", "finishRepair"],
            Self::Estimated => &["addPart", "updatePart"],
            Self::Declined => &["addPart", "updatePart", "finishRepair"],
            Self::Approved => &["addPart", "updatePart", "waitForParts", "finishRepair"],
            Self::WaitingParts => &["addPart", "updatePart", "resumeRepair"],
            Self::Repaired => &["updatePart"],
        }
    }
}

#[cfg(test)]
mod tests;
