//! From the booking to the door: payment, answers of providers, search, moves and cancellations.

use super::records::offer;
use super::{
    AccountId, Action, Actor, Cancellation, Charge, Error, LiableParty, Moving, OfferState,
    OrderChange, PaymentState, ProviderId, RecordChange, SideEffect, State, change::TimelineEntry,
    timing::seconds,
};
use chrono::{DateTime, Utc};
use kit::Window;
use uuid::Uuid;

/// What became of an attempt to authorise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The money is authorised.
    Authorized,
    /// The method is on file.
    MethodSaved,
    /// The customer must confirm.
    ConfirmationRequired,
    /// Declined.
    Declined,
    /// Not known yet.
    Pending,
}

/// The payment's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization {
    /// The intent.
    pub payment_id: Option<Uuid>,
    /// What became of the attempt.
    pub outcome: Outcome,
    /// Why it was declined.
    pub decline_reason: String,
    /// Where the customer confirms.
    pub confirmation_url: String,
}

/// A provider, as customers see them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestedProvider {
    /// Their profile.
    pub provider_id: ProviderId,
    /// Their account.
    pub provider_user_id: AccountId,
    /// Their name.
    pub name: String,
}

impl OrderChange {
    /// The booking got through: the order becomes visible, and goes on if the payment lets it.
    pub fn book(
        &mut self,
        named: Option<RequestedProvider>,
        authorization: &Authorization,
    ) -> Result<(), Error> {
        self.order.booking = false;
        self.touched = true;
        if let Some(named) = named {
            self.name(named);
        }
        let (from, to) = (State::PendingPayment, State::PendingPayment);
        let note = String::new();
        self.entries.push(TimelineEntry { action: "book", from, to, actor: self.by, note });
        self.settle(authorization)?;
        // A booking that goes on at once is one fact: created, and where it stands then.
        self.facts.clear();
        let to = self.order.state;
        let created = self.publish("order.created");
        (created.from, created.to) = (State::PendingPayment, to);
        Ok(())
    }

    /// The booking cannot get through: nobody will ever see the order, whatever was done is undone, and the quote can
    /// be booked again.
    pub fn give_up_booking(&mut self, reason: &str) -> Result<(), Error> {
        self.act_as(Action::Expire, Actor::System, reason)?;
        self.order.given_up = true;
        self.owe(SideEffect::Void { reason: reason.to_owned() });
        self.owe(SideEffect::Release { provider_id: None });
        Ok(())
    }

    /// Takes in what payment answered or told later.
    pub fn settle(&mut self, authorization: &Authorization) -> Result<(), Error> {
        let Authorization { payment_id, outcome, decline_reason, confirmation_url } = authorization;
        if !self.order.state.is_before_work() {
            // A success that comes too late is given back.
            if *outcome == Outcome::Authorized && !self.order.keeps_money() {
                self.owe(SideEffect::Void { reason: "LATE_PAYMENT".to_owned() });
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
        self.touched |= known != *payment;
        match outcome {
            Outcome::Authorized | Outcome::MethodSaved => self.go_on_after_payment(),
            Outcome::Declined | Outcome::ConfirmationRequired => {
                if changed {
                    self.publish("order.payment_failed").addressee = "customer";
                }
                Ok(())
            }
            Outcome::Pending => Ok(()),
        }
    }

    fn go_on_after_payment(&mut self) -> Result<(), Error> {
        if self.order.state != State::PendingPayment {
            return Ok(());
        }
        let search = self.order.provider_id.is_none();
        self.act_as(Action::Authorize { search }, Actor::Payment, "")?;
        if search {
            self.search();
        } else {
            self.order.progress.requested_at = Some(self.now);
        }
        self.publish("order.requested").addressee = "provider";
        Ok(())
    }

    /// The named provider takes the order.
    pub fn accept(&mut self) -> Result<(), Error> {
        self.act(Action::Accept, "")?;
        self.assigned();
        Ok(())
    }

    /// The named provider turns the order down.
    pub fn decline(&mut self, reason: &str) -> Result<(), Error> {
        let search = self.order.search_if_declined && self.order.window_start > self.now;
        self.act(Action::Decline { search }, reason)?;
        self.publish("order.declined").addressee = "customer";
        if search {
            self.leave_out_provider();
            self.search();
        } else {
            self.owe(SideEffect::Void { reason: "DECLINED".to_owned() });
            self.owe(SideEffect::Release { provider_id: None });
        }
        Ok(())
    }

    /// Offers go out to these providers, and earlier ones end.
    pub fn send_offers(&mut self, candidates: Vec<RequestedProvider>) -> Result<(), Error> {
        let wave = self.order.progress.wave + 1;
        self.act(Action::SendOffers, format!("wave {wave}"))?;
        let valid_till = (self.now + seconds(self.timing.offer_s)).min(self.order.window_start);
        self.order.progress.wave = wave;
        self.order.progress.wave_until = Some(valid_till);
        self.rows.push(RecordChange::EndOffers(OfferState::Expired, None));
        let mut offers = Vec::with_capacity(candidates.len());
        for RequestedProvider { provider_id, provider_user_id, name } in candidates {
            let fact = self.publish("order.offered");
            fact.provider = Some((provider_id, provider_user_id));
            fact.addressee = "provider";
            offers.push(offer::Model {
                id: self.new_id(),
                order_id: self.order.id,
                provider_id,
                provider_user_id,
                provider_name: name,
                round: self.order.progress.round,
                wave,
                state: OfferState::Open,
                tried: false,
                valid_till,
                created_at: self.now,
            });
        }
        self.rows.push(RecordChange::Offers(offers));
        Ok(())
    }

    /// Nobody is left whose answer to wait for: the next wave is due.
    pub const fn hurry_search(&mut self) {
        self.order.progress.wave_until = Some(self.now);
        self.touched = true;
    }

    /// A provider takes an offer; all the others end.
    pub fn take_offer(&mut self, offer: &offer::Model) -> Result<(), Error> {
        if self.order.state != State::Searching || offer.round != self.order.progress.round {
            return Err(Error::OfferTaken);
        }
        self.act_as(Action::TakeOffer, Actor::Provider, "")?;
        self.name(RequestedProvider {
            provider_id: offer.provider_id,
            provider_user_id: offer.provider_user_id,
            name: offer.provider_name.clone(),
        });
        self.rows.push(RecordChange::EndOffers(OfferState::Revoked, Some(offer.id)));
        self.assigned();
        Ok(())
    }

    /// Nobody is left to ask.
    pub fn exhaust(&mut self) -> Result<(), Error> {
        self.act_as(Action::Exhaust, Actor::System, "")?;
        self.no_provider();
        Ok(())
    }

    /// The assignment is given up: others are asked, unless that happened too often or the time has come.
    pub fn reassign(&mut self, reason: &str) -> Result<(), Error> {
        let again = self.order.progress.reassigned < self.timing.reassignments
            && self.order.window_start > self.now;
        self.act(Action::Reassign { again }, reason)?;
        let fault =
            if self.by == Actor::Provider { LiableParty::Provider } else { LiableParty::None };
        let former = self.order.provider_id.zip(self.order.provider_user_id);
        let fact = self.publish("order.reassigned");
        (fact.fault, fact.provider) = (fault.name(), former);
        self.order.progress.reassigned += 1;
        self.leave_out_provider();
        if again {
            self.search();
        } else {
            self.no_provider();
        }
        Ok(())
    }

    /// The time of a booking or a request is over.
    pub fn expire(&mut self, reason: &str) -> Result<(), Error> {
        self.act_as(Action::Expire, Actor::System, reason)?;
        self.owe(SideEffect::Void { reason: reason.to_owned() });
        self.owe(SideEffect::Release { provider_id: None });
        self.publish("order.expired");
        Ok(())
    }

    /// Cancels at a price.
    pub fn cancel(
        &mut self,
        charge: Charge,
        fault: LiableParty,
        reason: &str,
    ) -> Result<(), Error> {
        self.act(Action::Cancel, fault.name())?;
        self.rows.push(RecordChange::EndOffers(OfferState::Revoked, None));
        self.charge_fee(charge, fault, reason, "CANCELLED");
        let fact = self.publish("order.cancelled");
        fact.fault = fault.name();
        Ok(())
    }

    /// Takes a fee of the authorised money, gives the rest back and frees the time.
    pub(super) fn charge_fee(
        &mut self,
        charge: Charge,
        fault: LiableParty,
        reason: &str,
        void: &str,
    ) {
        let fee = match self.order.payment.state {
            PaymentState::Authorized => charge.fee.min(self.order.total),
            _ => 0,
        };
        if fee > 0 {
            self.owe(SideEffect::Capture {
                amount: fee,
                provider_gross: charge.provider_gross.min(fee),
                fee: true,
                provider_id: self.order.provider_id,
                provider_user_id: self.order.provider_user_id,
                payout_due_at: self.now + seconds(self.timing.payout_s),
            });
        } else {
            self.owe(SideEffect::Void { reason: void.to_owned() });
        }
        self.owe(SideEffect::Release { provider_id: None });
        let (actor, reason, at) = (self.by, reason.to_owned(), self.now);
        self.order.progress.cancellation = Some(Cancellation { actor, reason, fault, fee, at });
    }

    /// Notes the move to another window before the reservation is moved.
    pub fn begin_move(&mut self, window: &Window) -> Result<(), Error> {
        self.order.check(Action::Reschedule, self.by)?;
        let ahead = seconds(self.timing.reschedule_s);
        if self.order.window_start - self.now < ahead {
            return Err(Error::RescheduleTooLate);
        }
        if window.length() != self.order.window_end - self.order.window_start {
            let problem = "must be as long as the present one";
            return Err(kit::Error::invalid("window", problem).into());
        }
        if window.start <= self.now {
            return Err(kit::Error::invalid("window.start", "must be in the future").into());
        }
        self.touched = true;
        self.order.progress.moving = Some(Moving {
            start: window.start,
            end: window.end,
            time_zone: window.zone.name().to_owned(),
            since: self.now,
        });
        Ok(())
    }

    /// The reservation was moved, or was not: the move is over either way.
    pub fn end_move(&mut self, moving: &Moving, moved: bool) -> Result<(), Error> {
        if self.order.progress.moving.as_ref() != Some(moving) {
            return Ok(());
        }
        self.order.progress.moving = None;
        self.touched = true;
        let allowed = self.order.check(Action::Reschedule, Actor::Customer).is_ok();
        if moved && allowed {
            self.order.window_start = moving.start;
            self.order.window_end = moving.end;
            self.order.time_zone.clone_from(&moving.time_zone);
            self.act_as(Action::Reschedule, Actor::Customer, "")?;
            self.publish("order.rescheduled");
        }
        Ok(())
    }

    /// Another attempt to pay, when what there is leads nowhere.
    pub fn retry_payment(&mut self, method: Option<Uuid>, confirmed: bool) -> Result<(), Error> {
        self.order.check(Action::ConfirmPayment, self.by)?;
        if !self.order.payment_wants_customer() {
            return Err(Error::PaymentSettled);
        }
        let payment = &mut self.order.payment;
        let declined = payment.state == PaymentState::Declined;
        if method.is_some() || (declined && !confirmed) {
            payment.method_id = method.or(payment.method_id);
            payment.attempt += 1;
            payment.key = format!("{}:{}", self.order.id, payment.attempt);
            self.touched = true;
        }
        Ok(())
    }

    /// An attempt to authorise the method on file was made with this key.
    pub fn late_attempt(&mut self, key: String) {
        self.order.payment.late_attempts += 1;
        self.order.payment.key = key;
        self.touched = true;
    }

    fn assigned(&mut self) {
        let progress = &mut self.order.progress;
        progress.assigned_at = Some(self.now);
        progress.assignments += 1;
        progress.wrong_codes = 0;
        progress.contact_attempts = 0;
        progress.arrived_at = None;
        progress.arrival_flagged = false;
        progress.wave_until = None;
        self.publish("order.assigned");
    }

    fn name(&mut self, named: RequestedProvider) {
        self.order.provider_id = Some(named.provider_id);
        self.order.provider_user_id = Some(named.provider_user_id);
        self.order.provider_name = named.name;
    }

    /// Frees the provider's time and asks them no more.
    fn leave_out_provider(&mut self) {
        if let Some(provider) = self.order.provider_id.take() {
            self.owe(SideEffect::Release { provider_id: Some(provider) });
            self.order.progress.excluded.push(provider);
        }
        self.order.provider_user_id = None;
        self.order.provider_name.clear();
        self.order.progress.assigned_at = None;
        self.order.progress.moving = None;
    }

    fn search(&mut self) {
        let progress = &mut self.order.progress;
        progress.round += 1;
        progress.wave = 0;
        progress.wave_until = Some(self.now);
    }

    fn no_provider(&mut self) {
        self.rows.push(RecordChange::EndOffers(OfferState::Expired, None));
        self.owe(SideEffect::Void { reason: "NO_PROVIDER".to_owned() });
        self.owe(SideEffect::Release { provider_id: None });
        self.publish("order.no_provider");
    }

    /// When a payout falls due that is earned now.
    pub(super) fn payout_due_at(&self) -> DateTime<Utc> {
        self.now + seconds(self.timing.payout_s)
    }
}
