//! Parts and their lives.

use chrono::{DateTime, Utc};
use kit::Money;
use serde::{Deserialize, Serialize};
use std::fmt;
use uuid::Uuid;
use vertical::Error;

/// Where a part is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartState {
    /// It is to be had.
    Needed,
    /// It is on order.
    Ordered,
    /// The repairer has it.
    Arrived,
    /// It is built in.
    Used,
    /// It is given back, or was not needed after all.
    Returned,
}

impl PartState {
    /// For tables of tests.
    #[cfg(test)]
    pub const ALL: [Self; 5] =
        [Self::Needed, Self::Ordered, Self::Arrived, Self::Used, Self::Returned];

    /// Its name in contracts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Needed => "NEEDED",
            Self::Ordered => "ORDERED",
            Self::Arrived => "ARRIVED",
            Self::Used => "USED",
            Self::Returned => "RETURNED",
        }
    }

    /// Whether a part may go from here to another state. What was not built in can be given back, or called off, at any
    /// time.
    pub const fn leads_to(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Needed, Self::Ordered)
                | (Self::Ordered, Self::Arrived)
                | (Self::Arrived, Self::Used)
                | (Self::Needed | Self::Ordered | Self::Arrived, Self::Returned)
        )
    }

    /// Whether it is settled whether the customer pays it.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Used | Self::Returned)
    }
}

/// A part that a repair takes.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    pub id: Uuid,
    /// What it is; empty once it is forgotten.
    pub name: String,
    pub quantity: i32,
    /// What each of them costs the repairer.
    pub cost: Money,
    pub state: PartState,
    /// The part whose place it takes in an estimate.
    pub replaces: Option<Uuid>,
    /// SHA-256 of the receipt of one that could not be given back; empty without one.
    pub receipt_sha256: String,
    pub created_at: DateTime<Utc>,
}

/// Says which part it is, not what people call it.
impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part")
            .field("id", &self.id)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl Part {
    /// What all of them cost the repairer, in minor units.
    pub const fn total_cost(&self) -> i64 {
        self.cost.minor_units.saturating_mul(self.quantity as i64)
    }

    /// Moves the part on. False when it is there already.
    pub fn move_to(&mut self, next: PartState) -> Result<bool, Error> {
        if self.state == next {
            return Ok(false);
        }
        if !self.state.leads_to(next) {
            let problem = format!("a part that is {} cannot be {}", self.state.name(), next.name());
            return Err(Error::Refused("PART_STATE", problem));
        }
        self.state = next;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::PartState::{Arrived, Needed, Ordered, Returned, Used};
    use super::*;
    use kit::{testing::at, values::money::Currency};

    fn part(state: PartState) -> Part {
        Part {
            id: Uuid::from_u128(1),
            name: "drain pump".to_owned(),
            quantity: 2,
            cost: Money::new(Currency::EUR, 4_000),
            state,
            replaces: None,
            receipt_sha256: String::new(),
            created_at: at("2027-05-24T08:00:00Z"),
        }
    }

    #[test]
    fn a_part_goes_through_its_life_and_no_other_way() {
        let ways = [
            (Needed, Ordered),
            (Ordered, Arrived),
            (Arrived, Used),
            (Needed, Returned),
            (Ordered, Returned),
            (Arrived, Returned),
        ];
        for from in PartState::ALL {
            for to in PartState::ALL {
                let moved = part(from).move_to(to);
                match (from == to, ways.contains(&(from, to))) {
                    (true, _) => assert!(!moved.unwrap(), "{from:?} again"),
                    (false, true) => assert!(moved.unwrap(), "{from:?} {to:?}"),
                    (false, false) => {
                        let error = moved.unwrap_err();
                        assert!(matches!(error, Error::Refused("PART_STATE", _)), "{error}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_part_counts_all_of_them_and_prints_no_name() {
        assert_eq!(part(Needed).total_cost(), 8_000);
        assert!(!format!("{:?}", part(Needed)).contains("pump"));
    }
}
