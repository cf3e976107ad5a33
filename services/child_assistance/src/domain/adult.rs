//! Adults who may bring and fetch a child: from when to when, and the link with which they set their code.

use super::{
    Error,
    error::PickupRefusal,
    records::{Adult, Guardian, Invitation},
};
use chrono::{DateTime, Duration, Utc};

/// How long the link of an adult can be used.
pub const LINK_LIFE: Duration = Duration::days(7);
/// How long the call by which a link was used can be repeated.
const REPETITION: Duration = Duration::minutes(2);
/// How long an invitation can be accepted.
pub const INVITATION_LIFE: Duration = Duration::days(14);

impl Adult {
    /// Refuses who may not fetch the child at a moment.
    pub fn check_valid(&self, now: DateTime<Utc>) -> Result<(), PickupRefusal> {
        let is_over = self.valid_to.is_some_and(|to| to <= now);
        if self.revoked_at.is_some() || now < self.valid_from || is_over {
            return Err(PickupRefusal::AdultRevoked);
        }
        Ok(())
    }

    /// Ends what the adult may do. False when that has ended.
    pub fn revoke(&mut self, now: DateTime<Utc>) -> bool {
        if self.revoked_at.is_some() {
            return false;
        }
        self.revoked_at = Some(now);
        self.link_hash.clear();
        self.link_expires_at = None;
        true
    }

    /// Whether a token, by its hash, sets the code now.
    pub fn opens_with(&self, token_hash: &[u8], now: DateTime<Utc>) -> bool {
        let is_in_time = self.link_expires_at.is_some_and(|end| now < end);
        self.revoked_at.is_none()
            && is_in_time
            && self.code_hash.is_empty()
            && !self.link_hash.is_empty()
            && self.link_hash == token_hash
    }

    /// Whether a token, by its hash, has set the code that there is: the same call may come again.
    pub fn was_opened_with(&self, token_hash: &[u8], now: DateTime<Utc>) -> bool {
        let unset = Self { code_hash: String::new(), ..self.clone() };
        !self.code_hash.is_empty() && unset.opens_with(token_hash, now)
    }

    /// Takes a code by the link, which is used up: with a code there it opens nothing. It is remembered for a moment, so that
    /// the call can be repeated, and no longer, so that who finds it later cannot try codes with it.
    pub fn set_code_by_link(&mut self, code_hash: String, now: DateTime<Utc>) {
        self.code_hash = code_hash;
        self.link_expires_at = self.link_expires_at.map(|end| end.min(now + REPETITION));
        self.updated_at = now;
    }

    /// Takes a code of a guardian. The link ends.
    pub fn set_code(&mut self, code_hash: String, now: DateTime<Utc>) {
        self.code_hash = code_hash;
        self.link_hash.clear();
        self.link_expires_at = None;
        self.updated_at = now;
    }
}

/// Reads from when to when an adult may fetch a child.
pub fn check_validity(
    from: DateTime<Utc>,
    to: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    match to {
        Some(to) if to <= from => Err(Error::invalid("valid_to", "must be after `valid_from`")),
        Some(to) if to <= now => Err(Error::invalid("valid_to", "must be in the future")),
        _ => Ok(()),
    }
}

impl Guardian {
    /// Whether the account is a guardian still.
    pub const fn is_active(&self) -> bool {
        self.revoked_at.is_none()
    }

    /// Whether the guardian changes things, and is not only told.
    pub const fn manages(&self) -> bool {
        self.is_active() && self.can_manage
    }
}

impl Invitation {
    /// Whether an account may accept it now, or did.
    pub fn check_open(&self, user: uuid::Uuid, now: DateTime<Utc>) -> Result<(), Error> {
        let is_taken = self.accepted_by.is_some_and(|by| by != user);
        if is_taken || self.expires_at <= now {
            return Err(Error::InvitationNotFound);
        }
        Ok(())
    }
}

/// The accounts that manage a child.
pub fn managers_of(guardians: &[Guardian]) -> Vec<uuid::Uuid> {
    let managers = guardians.iter().filter(|guardian| guardian.manages());
    managers.map(|guardian| guardian.user_id).collect()
}

/// Refuses to end the rights of the last guardian who manages a child.
pub fn keep_a_manager(guardians: &[Guardian], leaving: uuid::Uuid) -> Result<(), Error> {
    let others = guardians.iter().filter(|guardian| guardian.user_id != leaving);
    if others.into_iter().any(Guardian::manages) { Ok(()) } else { Err(Error::LastGuardian) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kit::testing::at;
    use uuid::Uuid;

    fn aunt() -> Adult {
        let now = at("2027-05-24T08:00:00Z");
        Adult {
            id: Uuid::from_u128(1),
            child_id: Uuid::from_u128(2),
            family_id: Uuid::from_u128(3),
            secret: Vec::new(),
            user_id: None,
            valid_from: now,
            valid_to: Some(now + Duration::days(2)),
            revoked_at: None,
            code_hash: String::new(),
            link_hash: vec![7; 32],
            link_expires_at: Some(now + LINK_LIFE),
            created_at: now,
            updated_at: now,
        }
    }

    #[test]
    fn an_adult_is_authorised_from_one_moment_to_another_unless_revoked() {
        for (moment, valid) in [
            ("2027-05-24T07:59:59Z", false),
            ("2027-05-24T08:00:00Z", true),
            ("2027-05-26T07:59:59Z", true),
            ("2027-05-26T08:00:00Z", false),
        ] {
            assert_eq!(aunt().check_valid(at(moment)).is_ok(), valid, "{moment}");
        }
        let now = at("2027-05-25T08:00:00Z");
        let mut revoked = aunt();
        assert!(revoked.revoke(now) && !revoked.revoke(now));
        assert_eq!(revoked.check_valid(now), Err(PickupRefusal::AdultRevoked));
        assert!(!revoked.opens_with(&[7; 32], now), "nor does the link work");
    }

    #[test]
    fn a_link_sets_a_code_once_and_in_time() {
        let now = at("2027-05-24T09:00:00Z");
        let mut aunt = aunt();
        assert!(aunt.opens_with(&[7; 32], now));
        assert!(!aunt.opens_with(&[8; 32], now) && !aunt.opens_with(&[], now));
        assert!(!aunt.opens_with(&[7; 32], now + LINK_LIFE));
        assert!(!aunt.was_opened_with(&[7; 32], now));
        aunt.set_code_by_link("hash".to_owned(), now);
        assert!(!aunt.opens_with(&[7; 32], now) && !aunt.opens_with(&[], now), "it is used up");
        assert!(aunt.was_opened_with(&[7; 32], now) && !aunt.was_opened_with(&[8; 32], now));
        assert!(!aunt.was_opened_with(&[7; 32], now + REPETITION));
        aunt.set_code("another".to_owned(), now);
        assert!(!aunt.was_opened_with(&[7; 32], now), "a guardian has set another code");
    }

    #[test]
    fn one_who_manages_the_child_remains() {
        let guardian = |id, can_manage, revoked| Guardian {
            child_id: Uuid::from_u128(2),
            user_id: Uuid::from_u128(id),
            can_manage,
            revoked_at: Some(at("2027-05-24T08:00:00Z")).filter(|_| revoked),
            since: at("2027-05-24T08:00:00Z"),
        };
        let some = [guardian(1, true, false), guardian(2, false, false), guardian(3, true, true)];
        assert!(keep_a_manager(&some, Uuid::from_u128(1)).is_err());
        assert!(keep_a_manager(&some, Uuid::from_u128(2)).is_ok());
    }
}
