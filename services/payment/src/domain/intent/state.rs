//! Where an intent stands, and what may become of it.

use crate::domain::Error;
use sea_orm::entity::prelude::*;

/// Where an intent stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum State {
    /// Nothing is authorised; attempts may be under way.
    #[sea_orm(string_value = "OPEN")]
    Open,
    /// A method is on file, to be charged later.
    #[sea_orm(string_value = "METHOD_SAVED")]
    MethodSaved,
    /// Money is authorised.
    #[sea_orm(string_value = "AUTHORIZED")]
    Authorized,
    /// Money is captured.
    #[sea_orm(string_value = "CAPTURED")]
    Captured,
    /// The capture was declined: the customer owes the amount.
    #[sea_orm(string_value = "DUE")]
    Due,
    /// Nothing is kept, also not what still arrives. Final.
    #[sea_orm(string_value = "CLOSED")]
    Closed,
}

/// What happens to an intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntentEvent {
    /// A method is put on file.
    SaveMethod,
    /// Money is authorised.
    Authorize,
    /// More is authorised.
    Raise,
    /// What is authorised goes back for now.
    Postpone,
    /// Money is captured.
    Capture,
    /// The capture of an order is declined.
    Owe,
    /// The capture of a due is declined.
    Reopen,
    /// Everything goes back.
    Close,
}

impl State {
    /// The whole life of an intent.
    pub const fn transition(self, event: IntentEvent) -> Result<Self, Error> {
        match (self, event) {
            (Self::Open | Self::MethodSaved, IntentEvent::SaveMethod) => Ok(Self::MethodSaved),
            (Self::Open | Self::MethodSaved, IntentEvent::Authorize) => Ok(Self::Authorized),
            (Self::Authorized, IntentEvent::Raise) => Ok(Self::Authorized),
            (Self::Authorized, IntentEvent::Postpone) => Ok(Self::MethodSaved),
            (Self::Authorized, IntentEvent::Capture) => Ok(Self::Captured),
            (Self::Authorized, IntentEvent::Owe) => Ok(Self::Due),
            (Self::Authorized, IntentEvent::Reopen) => Ok(Self::Open),
            (_, IntentEvent::Close) => Ok(Self::Closed),
            (Self::Closed, IntentEvent::SaveMethod | IntentEvent::Authorize) => Err(Error::Closed),
            (
                Self::Open
                | Self::MethodSaved
                | Self::Authorized
                | Self::Captured
                | Self::Due
                | Self::Closed,
                IntentEvent::SaveMethod
                | IntentEvent::Authorize
                | IntentEvent::Raise
                | IntentEvent::Postpone
                | IntentEvent::Capture
                | IntentEvent::Owe
                | IntentEvent::Reopen,
            ) => Err(Error::State(self.name())),
        }
    }

    /// The state in words, for errors.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "not authorised",
            Self::MethodSaved => "not authorised yet",
            Self::Authorized => "authorised",
            Self::Captured => "captured",
            Self::Due => "owed by the customer",
            Self::Closed => "closed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{IntentEvent as E, State as I, *};
    use sea_orm::Iterable;

    #[test]
    fn the_whole_table() {
        let events = [
            E::SaveMethod,
            E::Authorize,
            E::Raise,
            E::Postpone,
            E::Capture,
            E::Owe,
            E::Reopen,
            E::Close,
        ];
        let (saved, authorized, closed) =
            (Some(I::MethodSaved), Some(I::Authorized), Some(I::Closed));
        for state in I::iter() {
            let row = match state {
                I::Open | I::MethodSaved => {
                    [saved, authorized, None, None, None, None, None, closed]
                }
                I::Authorized => {
                    let (captured, due) = (Some(I::Captured), Some(I::Due));
                    [None, None, authorized, saved, captured, due, Some(I::Open), closed]
                }
                I::Captured | I::Due | I::Closed => {
                    [None, None, None, None, None, None, None, closed]
                }
            };
            for (event, expected) in events.into_iter().zip(row) {
                assert_eq!(state.transition(event).ok(), expected, "{state:?} {event:?}");
            }
        }
        assert!(matches!(I::Closed.transition(E::Authorize), Err(Error::Closed)));
        assert!(matches!(I::Open.transition(E::Capture), Err(Error::State(_))));
    }
}
