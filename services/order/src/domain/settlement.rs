//! Settlement: acceptance, rework, disputes, reviews, the end; and what both sides write on the way.

use super::{
    Action, Actor, Amounts, CaptureTerms, Charge, DisputeState, Error, LiableParty, OrderChange,
    PaymentState, Private, RecordChange, SideEffect, State,
    records::{dispute, effect, message, proof, review},
};
use chrono::{DateTime, Utc};
use kit::Money;
use uuid::Uuid;

/// The reason with which payment refuses what a card declined for good.
const PAYMENT_DECLINED: &str = "PAYMENT_DECLINED";

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
    /// The work is accepted: it is paid.
    pub fn accept_delivery(&mut self, note: &str) -> Result<(), Error> {
        self.act(Action::AcceptDelivery, note)?;
        self.order.progress.completed_at = Some(self.now);
        let amount = self.order.reduced_total();
        if amount > 0 {
            self.enqueue(SideEffect::Capture(CaptureTerms {
                amount,
                provider_gross: self.order.provider_gross(amount),
                fee: false,
                provider_id: self.order.provider_id,
                provider_user_id: self.order.provider_user_id,
                payout_due_at: self.payout_due_at(),
            }));
            if self.order.disputed {
                self.enqueue(SideEffect::Freeze { frozen: true });
            }
        } else {
            self.enqueue(SideEffect::Void { reason: "NOTHING_DUE".to_owned() });
            self.order.progress.paid_out = true;
        }
        self.publish("order.completed");
        Ok(())
    }

    /// The work goes back for rework; what is to be done reaches the provider as a message.
    pub fn request_changes(&mut self, message: Uuid, reason: String) -> Result<(), Error> {
        self.act(Action::RequestChanges, "")?;
        self.publish("order.changes_requested").addressee = "provider";
        self.insert_message(message, reason);
        Ok(())
    }

    /// Opens a dispute.
    pub fn open_dispute(&mut self, id: Uuid, reason: String, text: String) -> Result<(), Error> {
        let code = reason.clone();
        let side = self.by;
        self.act(Action::Dispute, code)?;
        self.order.check_dispute_limits(side, self.now, &self.timing)?;
        match side {
            Actor::Customer => self.order.progress.disputes_by_customer += 1,
            Actor::Provider => self.order.progress.disputes_by_provider += 1,
            Actor::Operator | Actor::Payment | Actor::System => {}
        }
        if self.captured_amount().is_some_and(|amount| amount > 0) {
            self.enqueue(SideEffect::Freeze { frozen: true });
        }
        self.insert_dispute(id, reason, text);
        Ok(())
    }

    pub(super) fn insert_dispute(&mut self, id: Uuid, reason: String, text: String) {
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
        let addressee = match self.by {
            Actor::Customer => "provider",
            Actor::Provider => "customer",
            Actor::Operator | Actor::Payment | Actor::System => "",
        };
        self.publish("order.disputed").addressee = addressee;
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
    fn lower_price(&mut self, amount: i64) {
        match &mut self.order.progress.cancellation {
            Some(cancellation) => cancellation.fee -= amount,
            None => self.order.progress.reduction += amount,
        }
    }

    /// The customer's bank has decided: the dispute that it began ends, and nothing more goes back.
    pub fn end_chargeback(&mut self, won: bool, amount: i64) -> Result<(), Error> {
        if self.order.check(Action::ResolveDispute, Actor::Payment).is_err() {
            return Ok(());
        }
        self.act_as(Action::ResolveDispute, Actor::Payment, "CHARGEBACK")?;
        if won {
            return self.end_dispute(DisputeState::ResolvedProvider, 0, false);
        }
        self.end_dispute(DisputeState::ResolvedCustomer, amount, self.has_returned_all())
    }

    /// Writes down how the dispute ended, and has the payout go on if one is left.
    fn end_dispute(
        &mut self,
        state: DisputeState,
        refund: i64,
        nothing_left: bool,
    ) -> Result<(), Error> {
        self.records.push(RecordChange::MoveDispute(state, Some(refund)));
        if self.captured_amount().is_some() {
            self.enqueue(SideEffect::Freeze { frozen: false });
            self.order.progress.paid_out |= nothing_left;
        }
        self.publish("order.dispute_resolved");
        self.close_when_over()
    }

    /// What was captured or is being captured, in minor units; none while nothing was.
    fn captured_amount(&self) -> Option<i64> {
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
    fn has_returned_all(&self) -> bool {
        let amounts = self.order.payment.amounts;
        amounts.captured > 0 && amounts.returned() >= amounts.captured
    }

    /// One side reviews the other. Both reviews are published together.
    pub fn review(&mut self, id: Uuid, stars: i32, text: String) -> Result<(), Error> {
        self.act(Action::Review, "")?;
        if self.order.reviews_end(&self.timing).is_some_and(|end| self.now >= end) {
            return Err(Error::ReviewWindowOver);
        }
        let progress = &mut self.order.progress;
        let given = match self.by {
            Actor::Customer => &mut progress.stars_by_customer,
            Actor::Provider | Actor::Operator | Actor::Payment | Actor::System => {
                &mut progress.stars_by_provider
            }
        };
        if given.replace(stars).is_some() {
            return Err(Error::ReviewedAlready);
        }
        self.records.push(RecordChange::Review(review::Model {
            id,
            order_id: self.order.id,
            side: self.by,
            provider_id: self.order.provider_id,
            stars,
            body: text,
            created_at: self.now,
            published_at: None,
        }));
        let progress = &self.order.progress;
        if progress.stars_by_customer.is_some() && progress.stars_by_provider.is_some() {
            self.publish_reviews();
        }
        Ok(())
    }

    /// The time for reviews is over: what there is is published.
    pub fn end_reviews(&mut self) -> Result<(), Error> {
        self.order.progress.reviews_over = true;
        if !self.order.progress.published {
            self.publish_reviews();
        }
        self.close_when_over()
    }

    fn publish_reviews(&mut self) {
        self.order.progress.published = true;
        self.records.push(RecordChange::PublishReviews);
        let given = [
            (self.order.progress.stars_by_customer, "provider"),
            (self.order.progress.stars_by_provider, "customer"),
        ];
        for (stars, addressee) in given {
            if let Some(stars) = stars {
                let event = self.publish("order.reviewed");
                (event.stars, event.addressee) = (stars, addressee);
            }
        }
    }

    /// The provider has their money.
    pub fn paid_out(&mut self) -> Result<(), Error> {
        self.order.progress.paid_out = true;
        self.close_when_over()
    }

    /// Notes how the payment stands.
    pub const fn note_payment(&mut self, state: PaymentState) {
        self.order.payment.state = state;
    }

    /// Notes that a refund was made, or came back. An order of which nothing is left to pay out waits for no payout.
    pub fn note_refund(&mut self, amounts: Amounts) -> Result<(), Error> {
        self.order.payment.amounts = amounts;
        match self.has_returned_all() {
            true => self.paid_out(),
            false => Ok(()),
        }
    }

    /// The capture was declined, and the customer owes the amount as this due.
    pub fn owe(&mut self, due: Option<Uuid>) {
        self.order.payment.due_id = due.or(self.order.payment.due_id);
        if self.order.payment.state == PaymentState::Authorized {
            self.order.payment.state = PaymentState::Due;
        }
    }

    /// What the customer owed is not asked for any more: the provider earns nothing.
    pub fn give_up_due(&mut self) -> Result<(), Error> {
        self.note_payment(PaymentState::Released);
        self.paid_out()
    }

    /// Ends a side effect that another service refused for good. The timeline says so, and an operator is told; of a
    /// payment that was declined payment tells all sides itself.
    pub fn end_side_effect(&mut self, row: &effect::Model, name: &str, reason: &str) {
        self.records.push(RecordChange::SideEffectDone(row.seq));
        self.note("sideEffectRefused", Actor::System, format!("{name}: {reason}"));
        if reason != PAYMENT_DECLINED {
            self.publish("order.side_effect_refused");
        } else if matches!(row.effect, SideEffect::Capture(_)) {
            self.owe(None);
        }
    }

    fn close_when_over(&mut self) -> Result<(), Error> {
        let progress = &self.order.progress;
        let over = progress.reviews_over && progress.paid_out && !self.order.disputed;
        if over && self.order.state == State::Completed {
            self.act_as(Action::Close, Actor::System, "")?;
            self.publish("order.closed");
        }
        Ok(())
    }

    /// One side writes to the other.
    pub fn post_message(&mut self, id: Uuid, text: String) -> Result<message::Model, Error> {
        self.order.check(Action::PostMessage, self.by)?;
        let row = self.insert_message(id, text);
        let to = if self.by == Actor::Customer { "provider" } else { "customer" };
        let (from, state) = (self.order.state, self.order.state);
        let event = self.publish("order.message_posted");
        (event.from, event.to, event.addressee) = (from, state, to);
        Ok(row)
    }

    fn insert_message(&mut self, id: Uuid, text: String) -> message::Model {
        let row = message::Model {
            id,
            order_id: self.order.id,
            author_id: self.principal.account().unwrap_or(self.order.customer_id),
            side: self.by,
            body: Private(text),
            created_at: self.now,
        };
        self.records.push(RecordChange::Message(row.clone()));
        row
    }

    /// Adds evidence; a dispute that waits for some has it now.
    pub fn add_proof(
        &mut self,
        id: Uuid,
        kind: String,
        sha256: String,
        position: Option<(f64, f64)>,
        taken_at: DateTime<Utc>,
    ) -> Result<proof::Model, Error> {
        self.order.check(Action::AddProof, self.by)?;
        let row = proof::Model {
            id,
            order_id: self.order.id,
            kind,
            sha256,
            lat: position.map(|(lat, _)| lat),
            lng: position.map(|(_, lng)| lng),
            taken_at,
            added_by: self.principal.account().unwrap_or(self.order.customer_id),
            created_at: self.now,
        };
        self.records.push(RecordChange::Proof(row.clone()));
        if self.order.disputed {
            self.records.push(RecordChange::MoveDispute(DisputeState::Evidence, None));
        }
        Ok(row)
    }

    /// The customer's account is suspended: no provider shall go there. That is the operator's decision, so it costs
    /// nothing.
    pub fn suspend_customer(&mut self) -> Result<(), Error> {
        if !self.order.state.is_before_work() {
            return Ok(());
        }
        self.cancel(Charge::default(), LiableParty::None, "ACCOUNT_SUSPENDED")
    }

    /// The customer's account was erased: what has not begun is cancelled, and nothing personal stays on what is over.
    pub fn erase_customer(&mut self) -> Result<(), Error> {
        self.order.progress.erased = true;
        if self.order.state.is_before_work() {
            let fault = LiableParty::Customer;
            let charge = self.order.charge(self.order.state, Actor::Customer, fault, self.now);
            return self.cancel(charge, fault, "ACCOUNT_ERASED");
        }
        if self.order.state.is_final() {
            self.forget();
        }
        Ok(())
    }

    pub(super) fn forget(&mut self) {
        self.order.notes = Private::default();
        self.order.terms.place.lines.clear();
        self.order.terms.place.access_notes.clear();
        self.order.details = super::Details::default();
        self.records.push(RecordChange::ForgetWords(self.order.customer_id));
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
