//! What an order says of itself beside its state: when it reached its steps, what changed, what it costs.

use chrono::{DateTime, Utc};
use kit::Money;
use sea_orm::FromJsonQueryResult;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What an order says of itself. Kept as JSON: fields that are added later need a default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, FromJsonQueryResult)]
#[serde(default)]
pub struct OrderFacts {
    /// Profile of the assigned provider.
    pub provider_id: Option<Uuid>,
    /// Number of the order's last fact.
    pub event_seq: i64,
    /// When the order reached the steps of its work.
    pub times: Times,
    /// Change orders, oldest first.
    pub changes: Vec<JobChange>,
    /// The order that this one makes good.
    pub parent_order_id: Option<Uuid>,
    /// ISO 3166 country of the place.
    pub country: String,
    /// Lines of the quote that was booked.
    pub quoted: Vec<PricedLine>,
    /// Lines of the approved changes.
    pub changed: Vec<PricedLine>,
    /// The most that the customer pays for what was quoted and its settlement; none where the price is binding.
    pub cap: Option<Money>,
}

/// When an order reached the steps of its work, as far as it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Times {
    /// It was booked; none where an earlier version of order told of it.
    pub booked_at: Option<DateTime<Utc>>,
    /// A provider took it.
    pub assigned_at: Option<DateTime<Utc>>,
    /// The provider set out.
    pub departed_at: Option<DateTime<Utc>>,
    /// The provider was at the door.
    pub arrived_at: Option<DateTime<Utc>>,
    /// The work began.
    pub started_at: Option<DateTime<Utc>>,
}

/// A change order.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobChange {
    /// The change of the order that was decided.
    pub change_id: Uuid,
    /// How it stands.
    pub state: JobChangeState,
    /// The message that it was priced on, as bytes; none for plain lines, and once the order is erased.
    pub details: Option<Vec<u8>>,
}

/// Says which change it is, not what people wrote in it.
impl std::fmt::Debug for JobChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JobChange")
            .field("change_id", &self.change_id)
            .field("state", &self.state)
            .finish()
    }
}

/// How a change order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobChangeState {
    /// The customer has not decided.
    Proposed,
    /// Approved, and the money for it is authorised.
    Approved,
    /// The customer said no.
    Rejected,
    /// The time to decide is over.
    Expired,
}

/// A line of the order's price.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PricedLine {
    /// Stable code by which programs know the line.
    pub code: String,
    /// How many units.
    pub quantity: f64,
    /// Price of all units together.
    pub total: Money,
}

impl OrderFacts {
    /// How many units of a code were quoted; 0 where there is no such line.
    pub fn quoted_quantity(&self, code: &str) -> f64 {
        self.quoted.iter().filter(|line| line.code == code).map(|line| line.quantity).sum()
    }

    /// What was quoted in all, in minor units.
    pub fn quoted_total(&self) -> i64 {
        self.quoted.iter().map(|line| line.total.minor_units).sum()
    }
}
