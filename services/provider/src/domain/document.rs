//! Documents: handed in, found right or wrong, and out of date one day.

use super::{Document, DocumentId, Error, MemberId, ProviderId};
use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use chrono_tz::Tz;
use sea_orm::{DeriveActiveEnum, EnumIter};
use uuid::Uuid;

/// Days before the last one on which the provider is told.
pub const NOTICE: Days = Days::new(30);

/// Where a document stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum State {
    /// Waits for an operator.
    #[sea_orm(string_value = "SUBMITTED")]
    Submitted,
    /// Was found right.
    #[sea_orm(string_value = "VERIFIED")]
    Verified,
    /// Was found wrong.
    #[sea_orm(string_value = "REJECTED")]
    Rejected,
    /// Is out of date.
    #[sea_orm(string_value = "EXPIRED")]
    Expired,
    #[sea_orm(string_value = "REVOKED")]
    Revoked,
}

/// What can be done to a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DocumentAction {
    /// An operator finds it right.
    Verify,
    /// An operator finds it wrong.
    Reject,
    /// Its last day passes.
    Expire,
    /// An operator withdraws it.
    Revoke,
}

impl DocumentAction {
    /// The verb that error messages use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Reject => "reject",
            Self::Expire => "expire",
            Self::Revoke => "revoke",
        }
    }
}

impl State {
    /// The whole life of a document.
    pub fn transition(self, action: DocumentAction) -> Result<Self, Error> {
        use State::{Expired, Rejected, Revoked, Submitted, Verified};
        match (self, action) {
            (Submitted, DocumentAction::Verify) => Ok(Verified),
            (Submitted, DocumentAction::Reject) => Ok(Rejected),
            (Submitted | Verified, DocumentAction::Expire) => Ok(Expired),
            (Verified, DocumentAction::Revoke) => Ok(Revoked),
            (Submitted | Verified | Rejected | Expired | Revoked, action) => {
                Err(Error::DocumentState { state: self, action })
            }
        }
    }
}

/// What is handed in.
#[derive(Clone)]
pub struct Submission {
    pub kind: String,
    /// Number on it.
    pub number: String,
    /// First day it is valid.
    pub issued_on: NaiveDate,
    /// Last day it is valid.
    pub expires_on: Option<NaiveDate>,
    /// SHA-256 of the file, or empty.
    pub file_sha256: String,
    /// Member whom it concerns; none for the provider itself.
    pub member_id: Option<MemberId>,
}

impl Document {
    /// A document that is handed in.
    pub fn submit(
        id: DocumentId,
        provider_id: ProviderId,
        new: Submission,
        now: DateTime<Utc>,
    ) -> Result<Self, Error> {
        let Submission { kind, number, issued_on, expires_on, file_sha256, member_id } = new;
        if expires_on.is_some_and(|last| last < issued_on) {
            return Err(Error::invalid("expires_on", "must not be before the date of issue"));
        }
        Ok(Self {
            id,
            provider_id,
            kind,
            number,
            issued_on,
            expires_on,
            file_sha256,
            state: State::Submitted,
            reason: String::new(),
            reviewed_by: None,
            version: 1,
            created_at: now,
            updated_at: now,
            member_id,
        })
    }

    /// Takes an operator's decision.
    pub fn review(
        &mut self,
        action: DocumentAction,
        reason: String,
        by: Uuid,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        self.act(action, now)?;
        self.reason = reason;
        self.reviewed_by = Some(by);
        Ok(())
    }

    /// Moves it along.
    pub fn act(&mut self, action: DocumentAction, now: DateTime<Utc>) -> Result<(), Error> {
        self.state = self.state.transition(action)?;
        self.version += 1;
        self.updated_at = now;
        Ok(())
    }

    /// When its last day ends on the clock of `zone`; none when it does not expire.
    pub fn expires_at(&self, zone: Tz) -> Option<DateTime<Utc>> {
        let day_after = self.expires_on?.succ_opt()?;
        Some(kit::values::time::resolve_local(zone, day_after.and_time(NaiveTime::MIN)))
    }

    /// When its provider is told that it expires soon.
    pub fn notice_at(&self, zone: Tz) -> Option<DateTime<Utc>> {
        let day = self.expires_on?.checked_sub_days(NOTICE)?;
        Some(kit::values::time::resolve_local(zone, day.and_time(NaiveTime::MIN)))
    }
}

#[cfg(test)]
mod tests {
    use super::{DocumentAction, State};
    use sea_orm::Iterable;

    #[test]
    fn every_state_allows_what_its_row_says() {
        use State::{Expired, Rejected, Revoked, Submitted, Verified};
        let table: [(State, &[(DocumentAction, State)]); 5] = [
            (
                Submitted,
                &[
                    (DocumentAction::Verify, Verified),
                    (DocumentAction::Reject, Rejected),
                    (DocumentAction::Expire, Expired),
                ],
            ),
            (Verified, &[(DocumentAction::Expire, Expired), (DocumentAction::Revoke, Revoked)]),
            (Rejected, &[]),
            (Expired, &[]),
            (Revoked, &[]),
        ];
        assert_eq!(table.len(), State::iter().count());
        for (state, allowed) in table {
            for action in [
                DocumentAction::Verify,
                DocumentAction::Reject,
                DocumentAction::Expire,
                DocumentAction::Revoke,
            ] {
                let expected = allowed.iter().find(|(a, _)| *a == action).map(|(_, next)| *next);
                assert_eq!(state.transition(action).ok(), expected, "{state:?} {action:?}");
            }
        }
    }
}
