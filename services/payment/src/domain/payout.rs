//! Payouts: what providers earn, kept until it is due and nothing holds it back.

use super::{Capture, Error, Intent, IntentId, OrderId, PayoutId, ProviderId, UserId, ledger};
use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;

/// The kind of the payout that holds what claims are about.
pub const HELD: &str = "HELD";
/// The kind of the payout of what claims do not hold any more once the rest was paid.
pub const FREED: &str = "FREED";

/// What a provider earns with an order.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "payouts")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: PayoutId,
    pub order_id: OrderId,
    pub intent_id: IntentId,
    pub provider_id: ProviderId,
    pub provider_user_id: UserId,
    pub kind: String,
    pub currency: String,
    pub gross: i64,
    pub amount: i64,
    pub paid: i64,
    pub recovered: i64,
    pub state: State,
    pub reason: String,
    pub due_at: DateTimeUtc,
    pub transfers: i32,
    pub transfer_id: Option<Uuid>,
    pub version: i64,
    pub event_seq: i64,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    pub paid_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// The payout that a capture earns its provider, if it earns anything.
    pub fn schedule(
        id: PayoutId,
        intent: &Intent,
        capture: &Capture,
        now: DateTime<Utc>,
    ) -> Option<Self> {
        let (provider_id, provider_user_id) = (capture.provider_id?, capture.provider_user_id?);
        (capture.earned() > 0).then(|| Self {
            id,
            order_id: intent.order(),
            intent_id: intent.id,
            provider_id,
            provider_user_id,
            kind: capture.kind.clone(),
            currency: intent.currency.clone(),
            gross: capture.amount,
            amount: capture.earned(),
            paid: 0,
            recovered: 0,
            state: State::Scheduled,
            reason: String::new(),
            due_at: capture.payout_due_at,
            transfers: 0,
            transfer_id: None,
            version: 1,
            event_seq: 0,
            created_at: now,
            updated_at: now,
            paid_at: None,
        })
    }

    /// What a provider is owed again after a refund came back for which another payout had kept it back.
    pub fn correction(id: PayoutId, of: &Self, amount: i64, now: DateTime<Utc>) -> Self {
        Self {
            id,
            kind: "CORRECTION".to_owned(),
            gross: amount,
            amount,
            paid: 0,
            recovered: 0,
            state: State::Scheduled,
            reason: String::new(),
            due_at: now,
            transfers: 0,
            transfer_id: None,
            version: 1,
            event_seq: 0,
            created_at: now,
            updated_at: now,
            paid_at: None,
            ..of.clone()
        }
    }

    /// A part of this payout as a payout of its own, due as this one is.
    pub fn part(&self, id: PayoutId, kind: &str, amount: i64, now: DateTime<Utc>) -> Self {
        Self {
            kind: kind.to_owned(),
            due_at: self.due_at,
            ..Self::correction(id, self, amount, now)
        }
    }

    /// Whether it pays for the order itself, and not for a part that was split off or a due.
    pub fn is_main(&self) -> bool {
        matches!(self.kind.as_str(), "SERVICE" | "FEE")
    }

    /// Whether its amount may still change.
    pub const fn is_unpaid(&self) -> bool {
        matches!(self.state, State::Scheduled | State::Frozen | State::Cancelled)
    }

    /// What a hold of this payout may be about: itself, its order, its provider, the provider's account.
    pub const fn hold_subjects(&self) -> [Uuid; 4] {
        let (order, provider) = (self.order_id.uuid(), self.provider_id.uuid());
        [self.id.uuid(), order, provider, self.provider_user_id.uuid()]
    }

    /// Adds what a refund had taken and brought back, unless the transfer was asked for already.
    pub fn give_back(&mut self, amount: i64) -> bool {
        let Ok(state) = self.state.transition(PayoutEvent::Restore) else { return false };
        self.state = state;
        self.amount += amount;
        true
    }

    /// Moves the payout, and says whether that changed anything.
    pub fn act(&mut self, event: PayoutEvent) -> Result<bool, Error> {
        let next = self.state.transition(event)?;
        let changed = next != self.state;
        self.state = next;
        Ok(changed)
    }

    /// Has the payout paid at `now`, unless its transfer was asked for already.
    pub fn release(&mut self, now: DateTime<Utc>) -> Result<(), Error> {
        self.act(PayoutEvent::Release)?;
        if self.state == State::Scheduled {
            self.due_at = self.due_at.min(now);
        }
        Ok(())
    }

    /// Whether the payout is to be paid now.
    pub fn is_due(&self, now: DateTime<Utc>) -> bool {
        self.state == State::Scheduled && self.due_at <= now
    }

    /// Plans the transfer, less what the provider owes: `balance` is what the ledger says it is owed, `unpaid` the sum
    /// of its payouts that wait for it. A debt that takes all of it leaves nothing to transfer: the payout is paid.
    pub fn begin_transfer(
        &mut self,
        balance: i64,
        unpaid: i64,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        (self.paid, self.recovered) = recover_amount(self.amount, balance, unpaid);
        self.transfers += 1;
        self.reason = String::new();
        self.act(PayoutEvent::Pay)?;
        if self.paid == 0 {
            return self.complete(now);
        }
        let name = format!("transfer:{}", self.transfers);
        self.transfer_id = Some(PayoutId::derived(self.id.uuid(), &name).uuid());
        Ok(())
    }

    /// Notes that the provider has the money.
    pub fn complete(&mut self, now: DateTime<Utc>) -> Result<(), Error> {
        self.act(PayoutEvent::Paid)?;
        self.paid_at = Some(now);
        Ok(())
    }

    /// Notes that the transfer failed or came back.
    pub fn fail(&mut self, reason: String) -> Result<(), Error> {
        self.act(PayoutEvent::Fail)?;
        self.reason = reason;
        (self.paid, self.recovered, self.paid_at) = (0, 0, None);
        Ok(())
    }

    /// Takes up to `amount` from a payout that is not paid yet, which is cancelled when nothing is left, and returns
    /// how much it took.
    pub fn take_back(&mut self, amount: i64) -> i64 {
        let Ok(cancelled) = self.state.transition(PayoutEvent::Cancel) else { return 0 };
        let taken = amount.min(self.amount);
        self.amount -= taken;
        if self.amount == 0 {
            self.state = cancelled;
        }
        taken
    }

    /// What the last transfer posts.
    pub fn journal(&self) -> ledger::Journal {
        ledger::payout_journal(
            self.id,
            self.transfers,
            self.order_id,
            self.provider_id,
            &self.currency,
            self.paid,
        )
    }
}

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
    /// Refunds left nothing to pay. Final, unless one of them comes back.
    #[sea_orm(string_value = "CANCELLED")]
    Cancelled,
}

/// What happens to a payout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayoutEvent {
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
    /// A refund came back.
    Restore,
}

impl State {
    /// The whole life of a payout. What asks for the state it is in already changes nothing.
    pub const fn transition(self, event: PayoutEvent) -> Result<Self, Error> {
        match (self, event) {
            (Self::Scheduled | Self::Frozen, PayoutEvent::Freeze) => Ok(Self::Frozen),
            (Self::Scheduled | Self::Frozen, PayoutEvent::Thaw) => Ok(Self::Scheduled),
            (Self::Scheduled | Self::Frozen | Self::Failed, PayoutEvent::Release) => {
                Ok(Self::Scheduled)
            }
            (Self::Paying | Self::Paid, PayoutEvent::Release) => Ok(self),
            (Self::Scheduled, PayoutEvent::Pay) => Ok(Self::Paying),
            (Self::Paying | Self::Paid, PayoutEvent::Paid) => Ok(Self::Paid),
            (Self::Paying | Self::Paid | Self::Failed, PayoutEvent::Fail) => Ok(Self::Failed),
            (
                Self::Scheduled | Self::Frozen | Self::Failed | Self::Cancelled,
                PayoutEvent::Cancel,
            ) => Ok(Self::Cancelled),
            (Self::Scheduled | Self::Cancelled, PayoutEvent::Restore) => Ok(Self::Scheduled),
            (Self::Frozen | Self::Failed, PayoutEvent::Restore) => Ok(self),
            (
                Self::Scheduled
                | Self::Frozen
                | Self::Paying
                | Self::Paid
                | Self::Failed
                | Self::Cancelled,
                PayoutEvent::Freeze
                | PayoutEvent::Thaw
                | PayoutEvent::Release
                | PayoutEvent::Pay
                | PayoutEvent::Paid
                | PayoutEvent::Fail
                | PayoutEvent::Cancel
                | PayoutEvent::Restore,
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
pub fn recover_amount(amount: i64, balance: i64, unpaid: i64) -> (i64, i64) {
    let debt = (unpaid - balance).clamp(0, amount);
    (amount - debt, debt)
}

#[cfg(test)]
mod tests {
    use super::{PayoutEvent as E, State as P, *};
    use sea_orm::Iterable;

    #[test]
    fn the_whole_table() {
        let events =
            [E::Freeze, E::Thaw, E::Release, E::Pay, E::Paid, E::Fail, E::Cancel, E::Restore];
        for state in P::iter() {
            let (scheduled, frozen, cancelled) =
                (Some(P::Scheduled), Some(P::Frozen), Some(P::Cancelled));
            let (paid, failed) = (Some(P::Paid), Some(P::Failed));
            let row = match state {
                P::Scheduled => {
                    let paying = Some(P::Paying);
                    [frozen, scheduled, scheduled, paying, None, None, cancelled, scheduled]
                }
                P::Frozen => [frozen, scheduled, scheduled, None, None, None, cancelled, frozen],
                P::Paying => [None, None, Some(P::Paying), None, paid, failed, None, None],
                P::Paid => [None, None, paid, None, paid, failed, None, None],
                P::Failed => [None, None, scheduled, None, None, failed, cancelled, failed],
                P::Cancelled => [None, None, None, None, None, None, cancelled, scheduled],
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
            assert_eq!(
                recover_amount(amount, balance, unpaid),
                expected,
                "{amount} {balance} {unpaid}"
            );
        }
    }
}
