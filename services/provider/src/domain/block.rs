//! Blocks: why a profile takes no bookings. Several reasons can hold it at a time, and each is lifted on its own.

use super::{
    Error, Provider,
    profile::{ProfileAction, State},
};
use chrono::{DateTime, Utc};
use sea_orm::FromJsonQueryResult;
use serde::{Deserialize, Serialize};

/// The reason that holds the profile of a suspended account. Reinstating the account lifts it.
pub const ACCOUNT_SUSPENDED: &str = "ACCOUNT_SUSPENDED";

/// A reason that holds a profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// Stable code; there is one block of each.
    pub reason: String,
    /// When it ends by itself; none when an operator must lift it.
    pub until: Option<DateTime<Utc>>,
    /// When it began.
    pub since: DateTime<Utc>,
}

/// What holds a profile, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct Blocks(pub Vec<Block>);

impl Block {
    /// Whether `reason` is that of this block. No reason means every block.
    fn is_meant_by(&self, reason: Option<&str>) -> bool {
        reason.is_none_or(|reason| self.reason == reason)
    }
}

impl Blocks {
    /// The block that lasts longest, the oldest of equals.
    pub fn longest(&self) -> Option<&Block> {
        let end = |block: &Block| block.until.unwrap_or(DateTime::<Utc>::MAX_UTC);
        // The last of equals wins with `max_by_key`.
        self.0.iter().rev().max_by_key(|block| end(block))
    }

    /// When the next block ends by itself.
    pub fn next_end(&self) -> Option<DateTime<Utc>> {
        self.0.iter().filter_map(|block| block.until).min()
    }
}

impl Provider {
    /// Keeps it from being booked for a reason, until a moment or for good. The same reason again replaces its end.
    pub fn block(
        &mut self,
        reason: &str,
        until: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let before = self.state;
        self.act(ProfileAction::Block)?;
        if before != State::Blocked {
            self.before_block = Some(before);
        }
        match self.blocks.0.iter_mut().find(|block| block.reason == reason) {
            Some(block) => block.until = until,
            None => self.blocks.0.push(Block { reason: reason.to_owned(), until, since: now }),
        }
        Ok(())
    }

    /// Lifts the block with `reason`, or without one all that operators have set, and returns the reasons lifted. The
    /// block of a suspended account is not an operator's to lift here.
    pub fn unblock(&mut self, reason: Option<&str>) -> Result<Vec<String>, Error> {
        self.state.transition(ProfileAction::Unblock { to: State::InReview })?;
        if !self.blocks.0.iter().any(|block| block.is_meant_by(reason)) {
            return Err(Error::BlockNotFound);
        }
        let lifted = self
            .take_blocks(|block| block.is_meant_by(reason) && block.reason != ACCOUNT_SUSPENDED);
        if lifted.is_empty() {
            return Err(Error::AccountSuspended);
        }
        self.leave_block_without_reasons()?;
        Ok(lifted)
    }

    /// The account is reinstated. False when its suspension did not hold the profile.
    pub fn lift_suspension(&mut self) -> Result<bool, Error> {
        let lifted = self.take_blocks(|block| block.reason == ACCOUNT_SUSPENDED);
        self.leave_block_without_reasons()?;
        Ok(!lifted.is_empty())
    }

    /// Lifts the blocks that are over by time, and returns their reasons.
    pub fn lift_blocks_over(&mut self, now: DateTime<Utc>) -> Result<Vec<String>, Error> {
        let lifted = self.take_blocks(|block| block.until.is_some_and(|until| until <= now));
        self.leave_block_without_reasons()?;
        Ok(lifted)
    }

    /// Takes the blocks that `fits` picks, and returns their reasons.
    fn take_blocks(&mut self, fits: impl Fn(&Block) -> bool) -> Vec<String> {
        let blocks = std::mem::take(&mut self.blocks.0);
        let (lifted, kept): (Vec<_>, Vec<_>) = blocks.into_iter().partition(fits);
        self.blocks = Blocks(kept);
        lifted.into_iter().map(|block| block.reason).collect()
    }

    /// Puts the profile back where it stood once no reason is left.
    fn leave_block_without_reasons(&mut self) -> Result<(), Error> {
        if self.state == State::Blocked && self.blocks.0.is_empty() {
            let to = self.before_block.take().unwrap_or(State::InReview);
            self.act(ProfileAction::Unblock { to })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::profile::{Application, ProviderKind};
    use chrono::Duration;

    fn now() -> DateTime<Utc> {
        kit::testing::start()
    }

    fn active() -> Provider {
        let application = Application {
            kind: ProviderKind::Solo,
            name: "Ana".to_owned(),
            bio: String::new(),
            city: "Paris".to_owned(),
            country: "FR".to_owned(),
            zone: chrono_tz::Europe::Paris,
        };
        let id = kit::Id::from_uuid(uuid::Uuid::from_u128(1));
        let provider = Provider::apply(id, uuid::Uuid::from_u128(2), application, now());
        Provider { state: State::Active, ..provider }
    }

    #[test]
    fn each_reason_is_lifted_on_its_own_and_the_last_one_frees_the_profile() {
        let mut it = active();
        it.block("SAFETY", Some(now() + Duration::days(1)), now()).unwrap();
        it.block(ACCOUNT_SUSPENDED, None, now()).unwrap();
        it.block("FRAUD", None, now()).unwrap();
        assert_eq!(it.unblock(Some("SAFETY")).unwrap(), ["SAFETY"]);
        assert!(matches!(it.unblock(Some("SAFETY")), Err(Error::BlockNotFound)));
        assert!(matches!(it.unblock(Some(ACCOUNT_SUSPENDED)), Err(Error::AccountSuspended)));
        assert_eq!(it.unblock(None).unwrap(), ["FRAUD"]);
        assert!(matches!(it.unblock(None), Err(Error::AccountSuspended)));
        assert_eq!(it.state, State::Blocked);
        assert!(it.lift_suspension().unwrap());
        assert_eq!((it.state, it.before_block), (State::Active, None));
        assert!(!it.lift_suspension().unwrap(), "nothing is left to lift");
        assert!(matches!(it.unblock(None), Err(Error::ProviderState { .. })));
    }

    #[test]
    fn the_same_reason_again_replaces_the_end() {
        let mut it = active();
        let day = |days| Some(now() + Duration::days(days));
        for until in [day(1), day(7), day(2), None] {
            it.block("SAFETY", until, now()).unwrap();
            assert_eq!(it.blocks.0.len(), 1);
            assert_eq!(it.blocks.longest().unwrap().until, until);
        }
        assert!(it.lift_blocks_over(now() + Duration::days(400)).unwrap().is_empty());
        it.block("FRAUD", day(3), now()).unwrap();
        assert_eq!(it.blocks.next_end(), day(3));
        assert_eq!(it.blocks.longest().unwrap().reason, "SAFETY", "it never ends by itself");
        assert_eq!(it.lift_blocks_over(now() + Duration::days(3)).unwrap(), ["FRAUD"]);
        assert_eq!(it.state, State::Blocked);
    }
}
