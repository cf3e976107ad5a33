//! The booking of an order: from the quote to the request, its payment, moves and cancellations.

use super::{
    AccountId, Action, Actor, CancelToken, Cancellation, CancellationCharge, CaptureTerms, Error,
    LiableParty, OfferState, Order, OrderChange, OrderId, Payment, PaymentState, Private, Progress,
    ProviderId, Quote, QuoteId, RequestedProvider, SideEffect, State, Timing, timing::seconds_of,
};
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// What a customer wants to book.
#[derive(Clone, Debug)]
pub struct NewOrder {
    /// The customer's account.
    pub customer_id: AccountId,
    /// The quote that is booked.
    pub quote_id: QuoteId,
    /// The provider to ask, when the quote names none.
    pub provider_id: Option<ProviderId>,
    /// The payment method, when it is not the customer's default.
    pub method_id: Option<Uuid>,
    /// Whether others are asked should the requested provider decline.
    pub search_if_declined: bool,
    /// What the provider should know.
    pub notes: Private,
    /// Names the call, so that the same call finds its order again.
    pub dedup_id: Option<Uuid>,
}

/// What became of an attempt to authorise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The money is authorised.
    Authorized,
    /// The method is on file.
    MethodSaved,
    /// The customer must confirm.
    ConfirmationRequired,
    Declined,
    /// Not known yet.
    Pending,
}

/// The payment's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization {
    pub payment_id: Option<Uuid>,
    /// What became of the attempt.
    pub outcome: Outcome,
    /// Why it was declined.
    pub decline_reason: String,
    /// Where the customer confirms.
    pub confirmation_url: String,
}

impl Authorization {
    /// An attempt that was declined.
    pub const fn declined(reason: String) -> Self {
        Self {
            payment_id: None,
            outcome: Outcome::Declined,
            decline_reason: reason,
            confirmation_url: String::new(),
        }
    }
}

impl Order {
    /// The order that a customer makes of a quote. It stays invisible until its booking got through.
    pub fn of_quote(
        new: NewOrder,
        quote: Quote,
        id: OrderId,
        now: DateTime<Utc>,
        timing: &Timing,
    ) -> Result<Self, Error> {
        if quote.expires_at <= now || quote.window_start <= now {
            return Err(Error::QuoteExpired);
        }
        if quote.terms.parent.is_some() && new.search_if_declined {
            let problem = "must be left out: a recall is for the provider who did the work";
            return Err(kit::Error::invalid("search_if_declined", problem).into());
        }
        let other = quote.provider_id.is_some_and(|provider| Some(provider) != new.provider_id);
        if new.provider_id.is_some() && quote.terms.asap {
            let problem = "must be empty, since the quote is for the nearest provider";
            return Err(kit::Error::invalid("provider_id", problem).into());
        }
        if new.provider_id.is_some() && other {
            return Err(kit::Error::invalid("provider_id", "is not the one of the quote").into());
        }
        Ok(Self {
            id,
            customer_id: new.customer_id,
            quote_id: quote.id,
            request_id: new.dedup_id,
            vertical: quote.vertical,
            state: State::PendingPayment,
            disputed: false,
            booking: true,
            joined: false,
            given_up: false,
            provider_id: quote.provider_id.or(new.provider_id),
            provider_user_id: None,
            provider_name: String::new(),
            window_start: quote.window_start,
            window_end: quote.window_end,
            time_zone: quote.time_zone,
            details: quote.details,
            terms: quote.terms,
            notes: new.notes,
            search_if_declined: new.search_if_declined,
            total: quote.total,
            currency: quote.currency,
            payment: Payment { method_id: new.method_id, ..Payment::default() },
            progress: Progress::default(),
            hold_expires_at: now + seconds_of(timing.hold_s),
            version: 1,
            event_seq: 0,
            created_at: now,
            updated_at: now,
        })
    }
}

impl OrderChange {
    /// The booking got through: the order becomes visible, and goes on if the payment lets it.
    pub fn book(
        &mut self,
        provider: Option<RequestedProvider>,
        authorization: &Authorization,
    ) -> Result<(), Error> {
        self.order.booking = false;
        if let Some(provider) = provider {
            self.set_provider(provider);
        }
        self.note("book", self.by, String::new());
        self.settle(authorization)?;
        // A booking that goes on at once is one event: created, and the state it has then.
        self.events.clear();
        let to = self.order.state;
        let created = self.publish("order.created");
        (created.from, created.to) = (State::PendingPayment, to);
        Ok(())
    }

    /// The booking cannot get through: the order never becomes visible, what was done elsewhere is undone, and the quote
    /// can be booked again.
    pub fn give_up_booking(&mut self, reason: &str, undo: Vec<SideEffect>) -> Result<(), Error> {
        self.act_as(Action::Expire, Actor::System, reason)?;
        self.order.given_up = true;
        undo.into_iter().for_each(|effect| self.enqueue(effect));
        Ok(())
    }

    /// Takes in what payment tells of an attempt whose outcome was not known. A failure of an attempt that the order does
    /// not wait for changes nothing, and a booking under way finds the outcome out by itself.
    pub fn settle_late(&mut self, authorization: &Authorization) -> Result<(), Error> {
        let waits = matches!(
            self.order.payment.state,
            PaymentState::Pending | PaymentState::ConfirmationRequired
        );
        if self.order.booking || (authorization.outcome == Outcome::Declined && !waits) {
            return Ok(());
        }
        self.settle(authorization)
    }

    /// Takes in what payment answered.
    pub fn settle(&mut self, authorization: &Authorization) -> Result<(), Error> {
        let Authorization { payment_id, outcome, decline_reason, confirmation_url } = authorization;
        if !self.order.state.is_before_work() {
            // A success that comes too late is given back.
            if *outcome == Outcome::Authorized && !self.order.keeps_money() {
                self.enqueue(SideEffect::Void { reason: "LATE_PAYMENT".to_owned() });
            }
            return Ok(());
        }
        let known = self.order.payment.clone();
        if known.state == PaymentState::Authorized && *outcome != Outcome::Authorized {
            return Ok(());
        }
        let payment = &mut self.order.payment;
        payment.payment_id = payment_id.or(payment.payment_id);
        payment.decline_reason.clone_from(decline_reason);
        payment.confirmation_url.clone_from(confirmation_url);
        payment.state = match outcome {
            Outcome::Authorized => PaymentState::Authorized,
            Outcome::MethodSaved => PaymentState::MethodSaved,
            Outcome::ConfirmationRequired => PaymentState::ConfirmationRequired,
            Outcome::Declined => PaymentState::Declined,
            Outcome::Pending => PaymentState::Pending,
        };
        let changed = known.state != payment.state;
        match outcome {
            Outcome::Authorized | Outcome::MethodSaved => self.continue_after_payment(),
            Outcome::Declined | Outcome::ConfirmationRequired => {
                if changed {
                    self.publish("order.payment_failed").addressee = "customer";
                }
                Ok(())
            }
            Outcome::Pending => Ok(()),
        }
    }

    fn continue_after_payment(&mut self) -> Result<(), Error> {
        if self.order.state != State::PendingPayment {
            return Ok(());
        }
        let search = self.order.provider_id.is_none();
        self.act_as(Action::Authorize { search }, Actor::Payment, "")?;
        if search {
            self.begin_search();
        } else {
            self.order.progress.requested_at = Some(self.now);
        }
        self.publish("order.requested").addressee = "provider";
        Ok(())
    }

    /// The time of a booking or a request is over.
    pub fn expire(&mut self, reason: &str) -> Result<(), Error> {
        self.act_as(Action::Expire, Actor::System, reason)?;
        self.enqueue(SideEffect::Void { reason: reason.to_owned() });
        self.enqueue(SideEffect::Release { provider_id: None });
        self.publish("order.expired");
        Ok(())
    }

    /// Cancels at the price that a preview promised.
    pub fn cancel_with_token(&mut self, token: CancelToken, reason: &str) -> Result<(), Error> {
        self.check(Action::Cancel)?;
        let promised = token.fault;
        let charge = token.redeem(&self.order, self.by, self.now)?;
        // The provider may have missed the start since the preview.
        let fault = self.order.fault_of_customer(self.now, &self.timing);
        if self.by == Actor::Customer && fault != promised {
            let charge = self.order.cancellation_charge(self.by, fault, false, self.now);
            return self.cancel(charge, fault, reason);
        }
        self.cancel(charge, promised, reason)
    }

    /// Cancels at a price.
    pub fn cancel(
        &mut self,
        charge: CancellationCharge,
        fault: LiableParty,
        reason: &str,
    ) -> Result<(), Error> {
        self.act(Action::Cancel, fault.name())?;
        self.charge_fee(charge, fault, reason, "CANCELLED");
        let event = self.publish("order.cancelled");
        event.fault = fault.name();
        self.end_offers(OfferState::Revoked);
        Ok(())
    }

    /// Takes a fee of the authorised money, gives the rest back and frees the time.
    pub(super) fn charge_fee(
        &mut self,
        charge: CancellationCharge,
        fault: LiableParty,
        reason: &str,
        void: &str,
    ) {
        let fee = match self.order.payment.state {
            PaymentState::Authorized => charge.fee.min(self.order.total),
            _ => 0,
        };
        if fee > 0 {
            self.enqueue(SideEffect::Capture(CaptureTerms {
                amount: fee,
                provider_gross: charge.provider_gross.min(fee),
                commission_base: None,
                due: Vec::new(),
                fee: true,
                provider_id: self.order.provider_id,
                provider_user_id: self.order.provider_user_id,
                payout_due_at: self.now + seconds_of(self.timing.payout_s),
            }));
        } else {
            self.enqueue(SideEffect::Void { reason: void.to_owned() });
        }
        self.enqueue(SideEffect::Release { provider_id: None });
        let (actor, reason, at) = (self.by, reason.to_owned(), self.now);
        self.order.progress.cancellation = Some(Cancellation { actor, reason, fault, fee, at });
    }

    /// Another attempt to pay, when what there is leads nowhere.
    pub fn retry_payment(&mut self, method: Option<Uuid>, confirmed: bool) -> Result<(), Error> {
        self.check(Action::ConfirmPayment)?;
        // Another card may take the place of the one on file.
        let replaces = self.order.payment.state == PaymentState::MethodSaved && method.is_some();
        if !self.order.payment_wants_customer() && !replaces {
            return Err(Error::PaymentSettled);
        }
        let payment = &mut self.order.payment;
        let declined = payment.state == PaymentState::Declined;
        if method.is_some() || (declined && !confirmed) {
            payment.method_id = method.or(payment.method_id);
            payment.attempt += 1;
            payment.key = format!("{}:{}", self.order.id, payment.attempt);
        }
        Ok(())
    }

    /// An attempt to authorise the method on file was made with this key.
    pub fn count_late_attempt(&mut self, key: String) {
        self.order.payment.late_attempts += 1;
        self.order.payment.key = key;
    }

    /// When a payout falls due that is earned now.
    pub(super) fn payout_due_at(&self) -> DateTime<Utc> {
        self.now + seconds_of(self.timing.payout_s)
    }
}
