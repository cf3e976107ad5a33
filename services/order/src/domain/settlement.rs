//! Settlement: acceptance, rework, money, reviews, the end; and what both sides write on the way.

use super::{
    Action, Actor, Amounts, CancellationCharge, DisputeState, Error, LiableParty, OrderChange,
    PaymentState, Private, RecordChange, SideEffect, State,
    records::{effect, message, proof, review},
};
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// The reason with which payment refuses what a card declined for good.
const PAYMENT_DECLINED: &str = "PAYMENT_DECLINED";

impl OrderChange {
    /// The work is accepted: it is paid.
    pub fn accept_delivery(&mut self, note: &str) -> Result<(), Error> {
        self.act(Action::AcceptDelivery, note)?;
        self.order.progress.completed_at = Some(self.now);
        if self.order.reduced_total() > 0 || !self.order.progress.beyond_cap.is_empty() {
            let terms = self.order.price_capture(self.payout_due_at());
            self.enqueue(SideEffect::Capture(terms));
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

    /// Calls a delivery to mind that only people accept: to the customer at first, in the end to the operators.
    pub(super) fn remind_of_acceptance(&mut self) -> Result<(), Error> {
        self.note("acceptanceOverdue", Actor::System, String::new());
        self.order.progress.reminders += 1;
        let is_last = self.order.next_reminder(&self.timing).is_none();
        let addressee = if is_last { "operator" } else { "customer" };
        self.publish("order.acceptance_overdue").addressee = addressee;
        Ok(())
    }

    /// The work goes back for rework; what is to be done reaches the provider as a message.
    pub fn request_changes(&mut self, message: Uuid, reason: String) -> Result<(), Error> {
        self.act(Action::RequestChanges, "")?;
        self.order.progress.rework_since = Some(self.now);
        self.order.progress.escalated = false;
        self.publish("order.changes_requested").addressee = "provider";
        self.insert_message(message, reason);
        Ok(())
    }

    /// One side reviews the other. Both reviews are published together.
    pub fn review(&mut self, id: Uuid, stars: i32, text: String) -> Result<(), Error> {
        self.act(Action::Review, "")?;
        let progress = &mut self.order.progress;
        let given = match self.by {
            Actor::Customer => &mut progress.stars_by_customer,
            Actor::Provider | Actor::Operator | Actor::Payment | Actor::System => {
                &mut progress.stars_by_provider
            }
        };
        *given = Some(stars);
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

    /// What is reserved for the order runs out soon. Money for work that is done, or in dispute, is taken before it is
    /// decided how much is due; for work that is ahead it is reserved anew.
    pub fn secure_payment(&mut self) {
        let is_open = match self.order.state {
            State::Requested
            | State::Searching
            | State::Assigned
            | State::EnRoute
            | State::Arrived
            | State::InProgress
            | State::AwaitingApproval
            | State::ChangesRequested
            | State::Delivered => true,
            // What is settled is captured or given back by then, and a booking that waits for its payment ends soon.
            State::PendingPayment
            | State::Completed
            | State::Closed
            | State::Expired
            | State::Declined
            | State::NoProvider
            | State::NoShow
            | State::Cancelled
            | State::Aborted => false,
        };
        if is_open && self.order.payment.state == PaymentState::Authorized {
            let capture = self.order.state == State::Delivered || self.order.disputed;
            self.enqueue(SideEffect::SecurePayment { capture });
        }
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

    pub(super) fn close_when_over(&mut self) -> Result<(), Error> {
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
        self.check(Action::PostMessage)?;
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
        self.check(Action::AddProof)?;
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
        self.cancel(CancellationCharge::default(), LiableParty::None, "ACCOUNT_SUSPENDED")
    }
}
