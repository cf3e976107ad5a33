//! Claims: what the customer says is damaged, as the vertical tells. The payout waits for the amount of each open claim.

use super::{Actor, Error, OrderChange, PaymentState, SideEffect};
use uuid::Uuid;

impl OrderChange {
    /// A claim is open: that much of the provider's payout waits for it.
    pub fn open_claim(&mut self, claim: Uuid, amount: i64) {
        if amount > 0 {
            self.note("claimOpened", Actor::System, claim.to_string());
            self.enqueue(SideEffect::HoldClaim { claim, amount });
        }
    }

    /// A claim is settled: `refund` goes back to the customer, or is taken off the price before it is paid, and nothing waits
    /// for the claim any more.
    pub fn resolve_claim(&mut self, claim: Uuid, refund: i64) -> Result<(), Error> {
        self.note("claimResolved", Actor::System, claim.to_string());
        if refund > 0 {
            self.refund_claim(claim, refund);
        }
        self.enqueue(SideEffect::EndClaim { claim });
        Ok(())
    }

    fn refund_claim(&mut self, claim: Uuid, refund: i64) {
        let is_captured = self.captured_amount().is_some();
        if !is_captured || self.order.payment.state == PaymentState::Due {
            self.lower_price(refund.min(self.order.reduced_total().max(0)));
        }
        if is_captured {
            let (step, reason) = (format!("claim:{claim}"), "CLAIM".to_owned());
            self.enqueue(SideEffect::Refund { amount: refund, step, reason });
        }
    }
}
