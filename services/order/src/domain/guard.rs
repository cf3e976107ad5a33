//! What an action needs beyond a state that allows it: the right time, proof, money. What reads list as allowed and what
//! acts are checked by is the same.

use super::{
    Action, Actor, Error, Order, OrderChange, PaymentState, StateView, Timing, timing::seconds_of,
};
use chrono::{DateTime, Utc};

impl Order {
    /// What a side may do now, by name.
    pub fn allowed_actions(
        &self,
        by: Actor,
        now: DateTime<Utc>,
        timing: &Timing,
    ) -> Vec<&'static str> {
        let mut names = Vec::new();
        for action in Action::ALL {
            let is_allowed = self.standing().transition(action, by).is_ok()
                && self.guard(action, by, now, timing).is_ok();
            if is_allowed && names.last() != Some(&action.name()) {
                names.push(action.name());
            }
        }
        names
    }

    /// What a side may do later if the order stays as it is, by name, the earliest first.
    pub fn upcoming_actions(
        &self,
        by: Actor,
        now: DateTime<Utc>,
        timing: &Timing,
    ) -> Vec<(&'static str, DateTime<Utc>)> {
        let mut upcoming = Vec::new();
        for action in Action::ALL {
            let Some(at) = self.opens_at(action, timing).filter(|at| *at > now) else { continue };
            let is_allowed_then = self.standing().transition(action, by).is_ok()
                && self.guard(action, by, at, timing).is_ok();
            if is_allowed_then {
                upcoming.push((action.name(), at));
            }
        }
        upcoming.sort_by_key(|(_, at)| *at);
        upcoming
    }

    /// The moment before which it is too early for `action`; none when time does not matter.
    fn opens_at(&self, action: Action, timing: &Timing) -> Option<DateTime<Utc>> {
        match action {
            Action::Depart => Some(self.departure_opens_at(timing)),
            Action::ContactAttempt => Some(self.next_contact_attempt_at(timing)),
            Action::Start => self.progress.start_locked_until,
            Action::NoShow => {
                self.waiting_since().map(|since| since + seconds_of(timing.waiting_s))
            }
            _ => None,
        }
    }

    fn departure_opens_at(&self, timing: &Timing) -> DateTime<Utc> {
        self.window_start - seconds_of(timing.departure_s)
    }

    /// Attempts to reach the customer count from the start on, and lie minutes apart.
    fn next_contact_attempt_at(&self, timing: &Timing) -> DateTime<Utc> {
        let after_last =
            self.progress.last_contact_at.map(|at| at + seconds_of(timing.contact_gap_s));
        after_last.unwrap_or(self.window_start).max(self.window_start)
    }

    /// Where `action` by `by` leads when the state and all else that the order knows allow it now.
    pub fn check_now(
        &self,
        action: Action,
        by: Actor,
        now: DateTime<Utc>,
        timing: &Timing,
    ) -> Result<StateView, Error> {
        let to = self.check_state(action, by, now, timing)?;
        self.guard(action, by, now, timing)?;
        Ok(to)
    }

    /// Where `action` by `by` leads when the state allows it. The error says what is allowed now.
    fn check_state(
        &self,
        action: Action,
        by: Actor,
        now: DateTime<Utc>,
        timing: &Timing,
    ) -> Result<StateView, Error> {
        self.standing().transition(action, by).map_err(|refused| {
            Error::Refused(refused, self.allowed_actions(refused.by, now, timing))
        })
    }

    /// Fails when something else than the state speaks against `action`.
    fn guard(
        &self,
        action: Action,
        by: Actor,
        now: DateTime<Utc>,
        timing: &Timing,
    ) -> Result<(), Error> {
        match action {
            Action::ConfirmPayment => self.guard_confirmation(),
            Action::Depart => self.guard_departure(now, timing),
            Action::Arrive => self.guard_arrival(),
            Action::ContactAttempt => self.guard_contact_attempt(now, timing),
            Action::Start => self.guard_start(now),
            Action::NoShow => self.guard_no_show(by, now, timing),
            Action::Reschedule => self.guard_reschedule(now, timing),
            Action::ProposeChange => self.guard_proposal(by),
            Action::AcceptDelivery => self.guard_acceptance(by),
            Action::Review => self.guard_review(by, now, timing),
            Action::Dispute => self.guard_dispute(by, now, timing),
            Action::Authorize { .. }
            | Action::Expire
            | Action::Accept
            | Action::Decline { .. }
            | Action::SendOffers
            | Action::TakeOffer
            | Action::Exhaust
            | Action::AccessFailed
            | Action::ResetStartCode
            | Action::Escalate
            | Action::ApproveChange
            | Action::RejectChange
            | Action::Deliver
            | Action::RequestChanges
            | Action::Close
            | Action::Reassign { .. }
            | Action::PreviewCancel
            | Action::Cancel
            | Action::Abort
            | Action::ResolveDispute
            | Action::PostMessage
            | Action::AddProof
            | Action::Sos
            | Action::BookVisit => Ok(()),
        }
    }

    fn guard_confirmation(&self) -> Result<(), Error> {
        // Another card may take the place of the one on file.
        let is_on_file = self.payment.state == PaymentState::MethodSaved;
        if self.payment_wants_customer() || is_on_file {
            return Ok(());
        }
        Err(Error::PaymentSettled)
    }

    fn guard_departure(&self, now: DateTime<Utc>, timing: &Timing) -> Result<(), Error> {
        if now < self.departure_opens_at(timing) || now > self.window_end {
            return Err(Error::DepartureWindow { hours: timing.departure_s / 3600 });
        }
        Ok(())
    }

    /// Who has arrived without a proof may arrive again with one.
    fn guard_arrival(&self) -> Result<(), Error> {
        if self.progress.arrived_at.is_some() && !self.progress.arrival_flagged {
            return Err(Error::ArrivedAlready);
        }
        Ok(())
    }

    fn guard_contact_attempt(&self, now: DateTime<Utc>, timing: &Timing) -> Result<(), Error> {
        let earliest = self.next_contact_attempt_at(timing);
        if now < earliest { Err(Error::ContactAttemptTooEarly { earliest }) } else { Ok(()) }
    }

    fn guard_start(&self, now: DateTime<Utc>) -> Result<(), Error> {
        self.guard_start_code(now)?;
        let paid = matches!(self.payment.state, PaymentState::Authorized | PaymentState::Captured);
        if !paid && self.ceiling() > 0 {
            return Err(Error::PaymentNotAuthorized);
        }
        Ok(())
    }

    /// Fails while no start code is taken because too many were wrong.
    fn guard_start_code(&self, now: DateTime<Utc>) -> Result<(), Error> {
        match self.progress.start_locked_until {
            Some(until) if now < until => Err(Error::StartCodeLocked { until }),
            _ => Ok(()),
        }
    }

    /// The customer counts as absent after attempts to reach them and a time of waiting. Where no position shows that the
    /// provider was there, an operator decides.
    fn guard_no_show(&self, by: Actor, now: DateTime<Utc>, timing: &Timing) -> Result<(), Error> {
        if self.progress.contact_attempts < timing.contact_attempts {
            return Err(Error::ContactAttemptsMissing);
        }
        let waited = self.waiting_since().map(|since| now - since);
        if waited.is_none_or(|waited| waited < seconds_of(timing.waiting_s)) {
            return Err(Error::NoShowTooEarly);
        }
        if self.progress.arrival_flagged && by != Actor::Operator {
            return Err(Error::ArrivalNotProven);
        }
        Ok(())
    }

    /// Customers propose changes where the vertical prices them.
    const fn guard_proposal(&self, by: Actor) -> Result<(), Error> {
        match by {
            Actor::Customer if !self.terms.customer_changes => Err(Error::ChangesNotOffered),
            _ => Ok(()),
        }
    }

    /// Where only people accept, no timer does.
    const fn guard_acceptance(&self, by: Actor) -> Result<(), Error> {
        match by {
            Actor::System if self.terms.manual_acceptance => Err(Error::AcceptedByPeople),
            _ => Ok(()),
        }
    }

    fn guard_review(&self, by: Actor, now: DateTime<Utc>, timing: &Timing) -> Result<(), Error> {
        if self.reviews_end(timing).is_some_and(|end| now >= end) {
            return Err(Error::ReviewWindowOver);
        }
        let given = match by {
            Actor::Customer => self.progress.stars_by_customer,
            Actor::Provider | Actor::Operator | Actor::Payment | Actor::System => {
                self.progress.stars_by_provider
            }
        };
        if given.is_some() { Err(Error::ReviewedAlready) } else { Ok(()) }
    }

    /// Refuses a dispute that a side would open too late, or once too often.
    fn guard_dispute(&self, by: Actor, now: DateTime<Utc>, timing: &Timing) -> Result<(), Error> {
        let opened = match by {
            Actor::Customer => self.progress.disputes_by_customer,
            Actor::Provider => self.progress.disputes_by_provider,
            Actor::Operator | Actor::Payment | Actor::System => return Ok(()),
        };
        if self.ended_at().is_some_and(|end| now >= end + seconds_of(timing.dispute_s)) {
            return Err(Error::DisputeWindowOver);
        }
        match opened >= timing.disputes {
            true => Err(Error::DisputeLimit),
            false => Ok(()),
        }
    }
}

impl OrderChange {
    /// Where `action` by the side that acts leads when the state and all else that the order knows allow it now.
    pub fn check(&self, action: Action) -> Result<StateView, Error> {
        self.order.check_now(action, self.by, self.now, &self.timing)
    }

    /// Whether the side that acts may try a start code now, with or without the money that the start takes.
    pub(super) fn check_start_code(&self) -> Result<(), Error> {
        self.order.check_state(Action::Start, self.by, self.now, &self.timing)?;
        self.order.guard_start_code(self.now)
    }
}
