//! Intents: the money of one order, from the first attempt to the end.

use super::Error;
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
    /// Nothing is kept, whatever still arrives. Final.
    #[sea_orm(string_value = "CLOSED")]
    Closed,
}

/// What happens to an intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A method is put on file.
    SaveMethod,
    /// Money is authorised.
    Authorize,
    /// More is authorised.
    Raise,
    /// Money is captured.
    Capture,
    /// Everything goes back.
    Close,
}

impl State {
    /// The whole life of an intent.
    pub const fn transition(self, event: Event) -> Result<Self, Error> {
        match (self, event) {
            (Self::Open | Self::MethodSaved, Event::SaveMethod) => Ok(Self::MethodSaved),
            (Self::Open | Self::MethodSaved, Event::Authorize) => Ok(Self::Authorized),
            (Self::Authorized, Event::Raise) => Ok(Self::Authorized),
            (Self::Authorized, Event::Capture) => Ok(Self::Captured),
            (
                Self::Open | Self::MethodSaved | Self::Authorized | Self::Captured | Self::Closed,
                Event::Close,
            ) => Ok(Self::Closed),
            (Self::Closed, Event::SaveMethod | Event::Authorize) => Err(Error::Closed),
            (
                Self::Open | Self::MethodSaved | Self::Authorized | Self::Captured | Self::Closed,
                Event::SaveMethod | Event::Authorize | Event::Raise | Event::Capture,
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
            Self::Closed => "closed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Event as E, State as I, *};
    use sea_orm::Iterable;

    #[test]
    fn the_whole_table() {
        let check = |state: I, expected: [Option<I>; 5]| {
            let events = [E::SaveMethod, E::Authorize, E::Raise, E::Capture, E::Close];
            for (event, expected) in events.into_iter().zip(expected) {
                assert_eq!(state.transition(event).ok(), expected, "{state:?} {event:?}");
            }
        };
        let (saved, authorized, closed) =
            (Some(I::MethodSaved), Some(I::Authorized), Some(I::Closed));
        for state in I::iter() {
            check(
                state,
                match state {
                    I::Open | I::MethodSaved => [saved, authorized, None, None, closed],
                    I::Authorized => [None, None, authorized, Some(I::Captured), closed],
                    I::Captured | I::Closed => [None, None, None, None, closed],
                },
            );
        }
        assert!(matches!(I::Closed.transition(E::Authorize), Err(Error::Closed)));
        assert!(matches!(I::Open.transition(E::Capture), Err(Error::State(_))));
    }
}
