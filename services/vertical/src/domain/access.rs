//! Access attempts: the provider is at the door, and no one lets them in.

use super::{error::Error, phase::Phase, record::Model as OrderRecord};
use chrono::{DateTime, Duration, Utc};
use sea_orm::FromJsonQueryResult;
use serde::{Deserialize, Serialize};

/// Minutes between two attempts to reach the customer.
const MIN_MINUTES_APART: i64 = 5;
/// Attempts to reach the customer before a closed door counts.
const MIN_ATTEMPTS: usize = 2;

/// One attempt of the provider at the door to reach the customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactAttempt {
    /// The way that was tried, for example `call`.
    pub channel: String,
    /// When the provider tried.
    pub at: DateTime<Utc>,
}

/// The attempts to reach the customer that a report of a closed door rests on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct Attempts(pub Vec<ContactAttempt>);

impl OrderRecord {
    /// Notes that the provider was not let in. False when it was noted before.
    pub fn fail_access(
        &mut self,
        attempts: Vec<ContactAttempt>,
        phase: Phase,
        now: DateTime<Utc>,
    ) -> Result<bool, Error> {
        if self.access_failed_at.is_some() {
            return Ok(false);
        }
        if phase != Phase::AtTheDoor {
            return Err(Error::OrderState("the provider is not at the door"));
        }
        self.check_attempts(&attempts, now)?;
        self.access_failed_at = Some(now);
        self.contact_attempts = Attempts(attempts);
        Ok(true)
    }

    fn check_attempts(&self, attempts: &[ContactAttempt], now: DateTime<Utc>) -> Result<(), Error> {
        if attempts.len() < MIN_ATTEMPTS {
            return Err(Error::invalid("contact_attempts", "needs at least two attempts"));
        }
        for (index, attempt) in attempts.iter().enumerate() {
            let gap = Duration::minutes(MIN_MINUTES_APART);
            let mut earlier = attempts.iter().take(index);
            let problem = if attempt.at > now {
                "must not be in the future"
            } else if attempt.at < self.starts_at {
                "must not be before the visit"
            } else if earlier.any(|other| (attempt.at - other.at).abs() < gap) {
                "must be five minutes or more from every other one"
            } else {
                continue;
            };
            return Err(Error::invalid(format!("contact_attempts[{index}].at"), problem));
        }
        Ok(())
    }
}
