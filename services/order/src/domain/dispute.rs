//! Disputes: opened by a side, an operator or the customer's bank, decided by an operator or the bank.

use super::{
    AccountId, Action, Actor, DisputeState, Error, OrderChange, PaymentState, Principal, Private,
    RecordChange, SideEffect, State, records::dispute,
};
use kit::Money;
use uuid::Uuid;

/// Why a side that is in danger has the order disputed.
const SAFETY: &str = "SAFETY";

/// The side that is told of what `by` does; none in particular when that is no side of the work.
const fn other_side(by: Actor) -> &'static str {
    match by {
        Actor::Customer => "provider",
        Actor::Provider => "customer",
        Actor::Operator | Actor::Payment | Actor::System => "",
    }
}

/// How a dispute ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// The customer was right: everything goes back.
    Customer,
    /// The provider was right: nothing goes back.
    Provider,
    /// So much goes back.
    Split(Money),
}

impl OrderChange {
    /// Opens a dispute.
    pub fn open_dispute(&mut self, id: Uuid, reason: String, text: String) -> Result<(), Error> {
        let code = reason.clone();
        let side = self.by;
        self.act(Action::Dispute, code)?;
        match side {
            Actor::Customer => self.order.progress.disputes_by_customer += 1,
            Actor::Provider => self.order.progress.disputes_by_provider += 1,
            Actor::Operator | Actor::Payment | Actor::System => {}
        }
        self.freeze_captured();
        self.insert_dispute(id, reason, text);
        Ok(())
    }

    fn freeze_captured(&mut self) {
        if self.captured_amount().is_some_and(|amount| amount > 0) {
            self.enqueue(SideEffect::Freeze { frozen: true });
        }
    }

    /// The side that acts is in danger. An operator and the other side are told, and nothing is paid out or accepted by
    /// itself. A side that calls again changes nothing until the dispute is resolved.
    pub fn call_for_help(&mut self, dispute: Uuid) -> Result<(), Error> {
        self.check(Action::Sos)?;
        let (by, was_disputed) = (self.by, self.order.disputed);
        if was_disputed && self.order.progress.in_danger.contains(&by) {
            return Ok(());
        }
        self.act(Action::Sos, "")?;
        self.order.progress.in_danger.push(by);
        if !was_disputed {
            self.freeze_captured();
            self.open_record(dispute, SAFETY.to_owned(), String::new());
        }
        self.publish("order.sos").addressee = other_side(by);
        Ok(())
    }

    /// The vertical says that `reporter` is in danger, or saw what is dangerous. An order that has moved on stays as it is.
    pub fn take_alarm(&mut self, dispute: Uuid, reporter: AccountId) -> Result<(), Error> {
        let reporter = Principal::User { id: reporter, operator: false };
        self.by = self.order.side(&reporter).unwrap_or(Actor::Provider);
        if self.order.check(Action::Sos, self.by).is_err() {
            return Ok(());
        }
        self.call_for_help(dispute)
    }

    pub(super) fn insert_dispute(&mut self, id: Uuid, reason: String, text: String) {
        self.open_record(id, reason, text);
        self.publish("order.disputed").addressee = other_side(self.by);
    }

    fn open_record(&mut self, id: Uuid, reason: String, text: String) {
        self.records.push(RecordChange::OpenDispute(dispute::Model {
            id,
            order_id: self.order.id,
            opened_by: self.by,
            reason,
            body: Private(text),
            state: DisputeState::Open,
            refund: None,
            created_at: self.now,
            resolved_at: None,
        }));
    }

    /// Resolves the dispute: what was captured goes back as decided, what was not is captured the less. What several
    /// disputes decide adds up: `pending` is what earlier ones gave back that payment has not answered yet.
    pub fn resolve_dispute(&mut self, resolution: Resolution, pending: i64) -> Result<(), Error> {
        let captured = self.captured_amount();
        let is_owed = self.order.payment.state == PaymentState::Due;
        let returned = match is_owed {
            true => 0,
            false => self.order.payment.amounts.returned() + pending,
        };
        let left = (captured.unwrap_or(self.order.reduced_total()) - returned).max(0);
        let (state, refund) = match resolution {
            Resolution::Customer => (DisputeState::ResolvedCustomer, left),
            Resolution::Provider => (DisputeState::ResolvedProvider, 0),
            Resolution::Split(money) => (DisputeState::ResolvedSplit, self.share(money, left)?),
        };
        self.act(Action::ResolveDispute, "")?;
        if captured.is_none() || is_owed {
            self.lower_price(refund);
        }
        if captured.is_none() && resolution == Resolution::Customer {
            self.order.progress.beyond_cap.clear();
        }
        if captured.is_some() && refund > 0 {
            let step = format!("dispute:{}", self.order.version);
            let reason = "DISPUTE".to_owned();
            self.enqueue(SideEffect::Refund { amount: refund, step, reason });
        }
        let refunded = self.order.payment.amounts.refunded + pending + refund;
        self.end_dispute(state, refund, captured.is_some_and(|captured| refunded >= captured))
    }

    /// What the customer gets when both are right in part: less than what is `left`.
    fn share(&self, refund: Money, left: i64) -> Result<i64, Error> {
        if refund.currency != self.order.currency() {
            let problem = "is not in the currency of the order";
            return Err(kit::Error::invalid("refund.currency", problem).into());
        }
        if refund.minor_units <= 0 || refund.minor_units >= left {
            let problem =
                format!("must be more than nothing and less than the {left} minor units left");
            return Err(kit::Error::invalid("refund", problem).into());
        }
        Ok(refund.minor_units)
    }

    /// Lowers the price, or the fee of an order that was cancelled, before the customer has paid it.
    pub(super) fn lower_price(&mut self, amount: i64) {
        match &mut self.order.progress.cancellation {
            Some(cancellation) => cancellation.fee -= amount,
            None => self.order.progress.reduction += amount,
        }
    }

    /// The customer's bank has decided about a charge: `loss` is what the customer keeps, none where the money is back, and
    /// `lost_before` what they keep of other charges. The dispute that the bank began ends with the last of them, and
    /// nothing more goes back.
    pub fn end_chargeback(
        &mut self,
        lost_before: Option<i64>,
        loss: Option<i64>,
        still_disputed: bool,
    ) -> Result<(), Error> {
        if self.order.check(Action::ResolveDispute, Actor::Payment).is_err() {
            return Ok(());
        }
        let lost = match (lost_before, loss) {
            (Some(before), Some(more)) => Some(before + more),
            (before, more) => before.or(more),
        };
        if still_disputed {
            self.records.extend(lost.map(RecordChange::NoteLoss));
            return Ok(());
        }
        self.act_as(Action::ResolveDispute, Actor::Payment, "CHARGEBACK")?;
        match lost {
            None => self.end_dispute(DisputeState::ResolvedProvider, 0, false),
            Some(amount) => {
                self.end_dispute(DisputeState::ResolvedCustomer, amount, self.has_returned_all())
            }
        }
    }

    /// Writes down how the dispute ended, and has the payout go on if one is left.
    fn end_dispute(
        &mut self,
        state: DisputeState,
        refund: i64,
        nothing_left: bool,
    ) -> Result<(), Error> {
        self.records.push(RecordChange::MoveDispute(state, Some(refund)));
        self.order.progress.in_danger.clear();
        if self.captured_amount().is_some() {
            self.enqueue(SideEffect::Freeze { frozen: false });
            self.order.progress.paid_out |= nothing_left;
        }
        self.publish("order.dispute_resolved");
        self.close_when_over()
    }

    /// What was captured or is being captured, in minor units; none while nothing was.
    pub(super) fn captured_amount(&self) -> Option<i64> {
        let expected = match self.order.state {
            State::Completed | State::Closed => self.order.reduced_total(),
            State::NoShow | State::Cancelled | State::Aborted => self.order.due(),
            State::PendingPayment
            | State::Requested
            | State::Searching
            | State::Assigned
            | State::EnRoute
            | State::Arrived
            | State::InProgress
            | State::AwaitingApproval
            | State::Delivered
            | State::ChangesRequested
            | State::Expired
            | State::Declined
            | State::NoProvider => return None,
        };
        match self.order.payment.amounts.captured {
            0 => Some(expected),
            captured => Some(captured),
        }
    }

    /// Whether all that was captured is with the customer again.
    pub(super) fn has_returned_all(&self) -> bool {
        let amounts = self.order.payment.amounts;
        amounts.captured > 0 && amounts.returned() >= amounts.captured
    }

    /// A bank takes money back.
    pub fn charge_back(&mut self, dispute: Uuid) -> Result<(), Error> {
        if self.order.check(Action::Dispute, Actor::Payment).is_err() {
            return Ok(());
        }
        self.by = Actor::Payment;
        self.open_dispute(dispute, "CHARGEBACK".to_owned(), String::new())
    }
}
