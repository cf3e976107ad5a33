//! Where care and its children stand, and which step comes after which.

use crate::domain::Error;
use serde::{Deserialize, Serialize};
use vertical::Phase;

/// Where care stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CareState {
    /// The carer is not there.
    Booked,
    /// The carer is at the door.
    Ready,
    /// Children are there, or awaited.
    Caring,
    /// The care was delivered.
    Ended,
    /// The order ended without the care.
    Off,
}

impl CareState {
    /// Every state, for tests of tables.
    pub const ALL: [Self; 5] = [Self::Booked, Self::Ready, Self::Caring, Self::Ended, Self::Off];

    /// The state once the order has entered a phase. What care is told of has happened and is never refused. Care that is
    /// off follows its order back, as a restore may have put it there.
    pub const fn follow(self, phase: Phase) -> Self {
        match (self, phase) {
            (Self::Ended, Phase::Booked | Phase::EnRoute | Phase::AtTheDoor | Phase::Ended) => {
                Self::Ended
            }
            (Self::Off, Phase::Delivered) => Self::Off,
            (_, Phase::Booked | Phase::EnRoute) => Self::Booked,
            (_, Phase::AtTheDoor) => Self::Ready,
            (_, Phase::Working | Phase::Rework) => Self::Caring,
            (_, Phase::Delivered) => Self::Ended,
            (_, Phase::Ended) => Self::Off,
        }
    }

    /// Its name in contracts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Booked => "BOOKED",
            Self::Ready => "READY",
            Self::Caring => "CARING",
            Self::Ended => "ENDED",
            Self::Off => "OFF",
        }
    }
}

/// Where a child is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChildState {
    Expected,
    /// With the carer.
    In,
    /// An adult has fetched it.
    Out,
    /// It does not come.
    Absent,
    /// The carer refused it before it came in, as it is ill.
    Refused,
}

/// What happens to a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChildStep {
    CheckIn,
    CheckOut,
    /// A guardian says that it does not come.
    StayAway,
    /// The carer refuses it.
    Refuse,
}

impl ChildState {
    /// Every state, for tests of tables.
    pub const ALL: [Self; 5] = [Self::Expected, Self::In, Self::Out, Self::Absent, Self::Refused];

    /// The state after a step. A child that was said to stay away may come after all.
    pub const fn next(self, step: ChildStep) -> Result<Self, Error> {
        match (self, step) {
            (Self::Expected | Self::Out | Self::Absent, ChildStep::CheckIn) => Ok(Self::In),
            (Self::In, ChildStep::CheckOut) => Ok(Self::Out),
            (Self::Expected, ChildStep::StayAway) => Ok(Self::Absent),
            (Self::Expected, ChildStep::Refuse) => Ok(Self::Refused),
            (Self::In, ChildStep::CheckIn) => Err(Error::ChildState("it is there already")),
            (Self::Refused, ChildStep::CheckIn) => Err(Error::ChildState("the carer refused it")),
            (_, ChildStep::CheckOut) => Err(Error::ChildState("it is not there")),
            (_, ChildStep::StayAway) => Err(Error::ChildState("it has come, or is not awaited")),
            (_, ChildStep::Refuse) => {
                Err(Error::ChildState("only a child that has not come in can be refused"))
            }
        }
    }

    /// Whether the care cannot end because of it.
    pub const fn is_pending(self) -> bool {
        matches!(self, Self::Expected | Self::In)
    }
}
