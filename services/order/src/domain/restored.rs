//! What an order has at provider and payment as far as its state says, and what becomes of it where a restore has lost that.

use super::{
    Actor, Authorization, Cancellation, CancellationCharge, CaptureTerms, Error, LiableParty,
    Order, OrderChange, PaymentState, ProviderId, SideEffect, State, Timing, timing::seconds_of,
};
use chrono::{DateTime, Utc};

/// Why an order ends, or loses its provider, after a restore.
pub const RESTORED: &str = "RESTORED";

/// How an order has its provider's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NeededTime {
    /// Until a moment.
    Held,
    Confirmed,
}

impl Order {
    /// How the order must have its provider's time; none when it has no provider, or the work is done or off.
    pub fn needed_time(&self) -> Option<(ProviderId, NeededTime)> {
        let provider = self.provider_id.filter(|_| !self.booking)?;
        match self.state {
            State::PendingPayment | State::Requested => Some((provider, NeededTime::Held)),
            State::Assigned
            | State::EnRoute
            | State::Arrived
            | State::InProgress
            | State::AwaitingApproval
            | State::ChangesRequested => Some((provider, NeededTime::Confirmed)),
            State::Searching
            | State::Delivered
            | State::Completed
            | State::Closed
            | State::Expired
            | State::Declined
            | State::NoProvider
            | State::NoShow
            | State::Cancelled
            | State::Aborted => None,
        }
    }

    /// Whether time that `provider` has for the order since `round` is the order's. Work that was done keeps its time.
    pub fn keeps_time(&self, provider: ProviderId, round: i32) -> bool {
        let is_its_own =
            self.provider_id == Some(provider) && (round == 0 || round == self.progress.round);
        is_its_own && !self.has_let_go()
    }

    /// Whether it has let go of every provider.
    pub const fn has_let_go(&self) -> bool {
        matches!(
            self.state,
            State::Expired
                | State::Declined
                | State::NoProvider
                | State::NoShow
                | State::Cancelled
                | State::Aborted
        )
    }

    /// The capture of what the customer pays for accepted work.
    pub(super) fn price_capture(&self, payout_due_at: DateTime<Utc>) -> CaptureTerms {
        let amount = self.reduced_total().max(0);
        let provider_gross = self.provider_gross(amount);
        let commission_base = self.commission_base(amount).min(provider_gross);
        CaptureTerms {
            amount,
            provider_gross,
            commission_base: (commission_base < provider_gross).then_some(commission_base),
            due: self.progress.beyond_cap.clone(),
            fee: false,
            provider_id: self.provider_id,
            provider_user_id: self.provider_user_id,
            payout_due_at,
        }
    }

    /// The capture that the end of the order decided; none when nothing is to be taken, or it is not known any more what the
    /// provider earns of it.
    fn capture_at_end(&self, timing: &Timing) -> Option<CaptureTerms> {
        if matches!(self.state, State::Completed | State::Closed) {
            let completed_at = self.progress.completed_at?;
            return Some(self.price_capture(completed_at + seconds_of(timing.payout_s)));
        }
        let cancellation = self.progress.cancellation.as_ref()?;
        let provider_gross = self.gross_of_fee(cancellation.fee)?;
        Some(CaptureTerms {
            amount: cancellation.fee,
            provider_gross,
            commission_base: None,
            due: Vec::new(),
            fee: true,
            provider_id: self.provider_id,
            provider_user_id: self.provider_user_id,
            payout_due_at: cancellation.at + seconds_of(timing.payout_s),
        })
    }

    /// What the provider earns of the fee at which the order ended. The terms tell it as long as they come to that fee.
    fn gross_of_fee(&self, fee: i64) -> Option<i64> {
        let cancellation = self.progress.cancellation.as_ref()?;
        let charge = match self.state {
            State::Aborted => CancellationCharge {
                fee,
                provider_gross: self.provider_gross(fee),
                waivable: false,
            },
            State::NoShow => {
                let fault = LiableParty::Customer;
                self.charge(State::NoShow, Actor::Provider, fault, cancellation.at)
            }
            // A fee is due from the assignment on.
            _ => {
                let Cancellation { actor, fault, at, .. } = cancellation;
                self.charge(State::Assigned, *actor, *fault, *at)
            }
        };
        (charge.fee == fee).then_some(charge.provider_gross)
    }
}

impl OrderChange {
    /// Payment does not know of the money that was authorised, and its new attempt came to `authorization`: from here on the
    /// order goes on as after a card that was declined, or whose answer is awaited.
    pub fn lose_authorization(&mut self, authorization: &Authorization) -> Result<(), Error> {
        self.note_payment(PaymentState::None);
        self.settle(authorization)
    }

    /// Payment has given the money back, because the order ended after the moment to which it was restored. It ends again, at
    /// no cost.
    pub fn end_restored(&mut self) -> Result<(), Error> {
        self.cancel(CancellationCharge::default(), LiableParty::None, RESTORED)
    }

    /// Has payment do again what the end of the order decided: take the price or the fee, or give everything back. False
    /// where it is not known any more what is to be taken.
    pub fn settle_end_again(&mut self) -> bool {
        let takes_nothing = !self.order.keeps_money()
            || (self.order.progress.cancellation.is_none()
                && self.order.reduced_total() <= 0
                && self.order.progress.beyond_cap.is_empty());
        if takes_nothing {
            self.enqueue(SideEffect::Void { reason: RESTORED.to_owned() });
            return true;
        }
        let Some(terms) = self.order.capture_at_end(&self.timing) else { return false };
        self.enqueue(SideEffect::Capture(terms));
        if self.order.disputed {
            self.enqueue(SideEffect::Freeze { frozen: true });
        }
        true
    }
}
