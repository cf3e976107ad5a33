//! Payouts: what providers earn, held until it is due and nobody disputes it.

use super::Error;
use sea_orm::entity::prelude::*;

/// Where a payout stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum State {
    /// Paid when it falls due.
    #[sea_orm(string_value = "SCHEDULED")]
    Scheduled,
    /// Waits for a dispute or an operator.
    #[sea_orm(string_value = "FROZEN")]
    Frozen,
    /// The transfer was asked for; its outcome is not known.
    #[sea_orm(string_value = "PAYING")]
    Paying,
    /// The provider has the money.
    #[sea_orm(string_value = "PAID")]
    Paid,
    /// The transfer failed or came back.
    #[sea_orm(string_value = "FAILED")]
    Failed,
    /// Refunds left nothing to pay. Final.
    #[sea_orm(string_value = "CANCELLED")]
    Cancelled,
}

/// What happens to a payout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A dispute or an operator holds it back.
    Freeze,
    /// The dispute is over.
    Thaw,
    /// An operator wants it paid now.
    Release,
    /// It falls due.
    Pay,
    /// The transfer arrived.
    Paid,
    /// The transfer failed, or came back after it had arrived.
    Fail,
    /// Refunds left nothing to pay.
    Cancel,
}

impl State {
    /// The whole life of a payout. What asks for the state it is in already changes nothing.
    pub const fn transition(self, event: Event) -> Result<Self, Error> {
        match (self, event) {
            (Self::Scheduled | Self::Frozen, Event::Freeze) => Ok(Self::Frozen),
            (Self::Scheduled | Self::Frozen, Event::Thaw) => Ok(Self::Scheduled),
            (Self::Scheduled | Self::Frozen | Self::Failed, Event::Release) => Ok(Self::Scheduled),
            (Self::Paying | Self::Paid, Event::Release) => Ok(self),
            (Self::Scheduled, Event::Pay) => Ok(Self::Paying),
            (Self::Paying | Self::Paid, Event::Paid) => Ok(Self::Paid),
            (Self::Paying | Self::Paid | Self::Failed, Event::Fail) => Ok(Self::Failed),
            (Self::Scheduled | Self::Frozen | Self::Failed | Self::Cancelled, Event::Cancel) => {
                Ok(Self::Cancelled)
            }
            (
                Self::Scheduled
                | Self::Frozen
                | Self::Paying
                | Self::Paid
                | Self::Failed
                | Self::Cancelled,
                Event::Freeze
                | Event::Thaw
                | Event::Release
                | Event::Pay
                | Event::Paid
                | Event::Fail
                | Event::Cancel,
            ) => Err(Error::PayoutState(self.name())),
        }
    }

    /// The state in words, for errors.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Frozen => "frozen",
            Self::Paying => "being paid",
            Self::Paid => "paid",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// How a payout of `amount` divides when its provider's balance is `balance` and payouts of `unpaid` in all, this one
/// included, wait for it: what to transfer, and what to keep back for refunds that came after earlier payouts.
pub fn recover(amount: i64, balance: i64, unpaid: i64) -> (i64, i64) {
    let debt = (unpaid - balance).clamp(0, amount);
    (amount - debt, debt)
}

#[cfg(test)]
mod tests {
    use super::{Event as E, State as P, *};
    use sea_orm::Iterable;

    #[test]
    fn the_whole_table() {
        let events = [E::Freeze, E::Thaw, E::Release, E::Pay, E::Paid, E::Fail, E::Cancel];
        for state in P::iter() {
            let (scheduled, frozen, cancelled) =
                (Some(P::Scheduled), Some(P::Frozen), Some(P::Cancelled));
            let (paid, failed) = (Some(P::Paid), Some(P::Failed));
            let row = match state {
                P::Scheduled => {
                    [frozen, scheduled, scheduled, Some(P::Paying), None, None, cancelled]
                }
                P::Frozen => [frozen, scheduled, scheduled, None, None, None, cancelled],
                P::Paying => [None, None, Some(P::Paying), None, paid, failed, None],
                P::Paid => [None, None, paid, None, paid, failed, None],
                P::Failed => [None, None, scheduled, None, None, failed, cancelled],
                P::Cancelled => [None, None, None, None, None, None, cancelled],
            };
            for (event, expected) in events.into_iter().zip(row) {
                assert_eq!(state.transition(event).ok(), expected, "{state:?} {event:?}");
            }
        }
    }

    #[test]
    fn a_debt_is_taken_from_the_next_payouts() {
        for (amount, balance, unpaid, expected) in [
            (9_600, 9_600, 9_600, (9_600, 0)),
            (9_600, 7_200, 9_600, (7_200, 2_400)),
            (9_600, 16_800, 19_200, (7_200, 2_400)),
            (9_600, -500, 9_600, (0, 9_600)),
            (9_600, 20_000, 9_600, (9_600, 0)),
        ] {
            assert_eq!(recover(amount, balance, unpaid), expected, "{amount} {balance} {unpaid}");
        }
    }
}
