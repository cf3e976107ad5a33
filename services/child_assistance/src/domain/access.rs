//! Who reads of a child, and what of it.

use super::records::Guardian;
use chrono::{DateTime, Duration, Utc};
use uuid::Uuid;

/// How long before the start the carer reads of the children.
const CARER_READS_BEFORE: Duration = Duration::hours(24);

/// As what an account meets the care of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReaderRole {
    /// Responsible for at least one of the children, or the customer of the order while they are not named.
    Guardian,
    /// Assigned to the order.
    Carer,
    /// Runs the marketplace, and has said why.
    Operator,
}

impl ReaderRole {
    /// Its name in accesses.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Guardian => "guardian",
            Self::Carer => "carer",
            Self::Operator => "operator",
        }
    }
}

/// What is read of a child.
pub const PROFILE: &str = "profile";
/// The adults who may fetch it.
pub const ADULTS: &str = "adults";
/// What happened to it.
pub const INCIDENTS: &str = "incidents";

/// Whether the carer reads of the children: from a day before the start until all are fetched. `is_waiting` says that the care
/// has not ended.
pub fn carer_reads(starts_at: DateTime<Utc>, is_waiting: bool, now: DateTime<Utc>) -> bool {
    is_waiting && now >= starts_at - CARER_READS_BEFORE
}

/// The guardians who are told of what happens to a child.
pub fn told_guardians(guardians: &[Guardian]) -> Vec<Uuid> {
    let active = guardians.iter().filter(|guardian| guardian.is_active());
    active.map(|guardian| guardian.user_id).collect()
}
