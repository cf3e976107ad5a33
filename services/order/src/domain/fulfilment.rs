//! Fulfilment: departure, arrival, start code, no-show, delivery, breaking off.

use super::{
    Action, Actor, Error, LiableParty, OrderChange, SideEffect, State, timing::seconds_of,
};
use uuid::Uuid;

/// Metres of a degree of latitude.
const METRES_A_DEGREE: f64 = 111_195.0;

/// Distance in metres between two places that are close to one another, in degrees.
fn distance_m(a: (f64, f64), b: (f64, f64)) -> f64 {
    let north = (a.0 - b.0) * METRES_A_DEGREE;
    let east = (a.1 - b.1) * METRES_A_DEGREE * a.0.to_radians().cos();
    north.hypot(east)
}

impl OrderChange {
    /// The provider sets out.
    pub fn depart(&mut self) -> Result<(), Error> {
        self.act(Action::Depart, "")?;
        self.order.progress.departed_at = Some(self.now);
        self.publish("order.en_route");
        Ok(())
    }

    /// The provider is at the door: flagged unless a position shows it. Who arrived without one may show it later; the
    /// arrival counts from then.
    pub fn arrive(&mut self, position: Option<(f64, f64)>) -> Result<(), Error> {
        let place = &self.order.terms.place;
        let near = position
            .is_some_and(|at| distance_m((place.lat, place.lng), at) <= self.timing.arrival_m);
        let is_first = self.order.state == State::EnRoute;
        self.act(Action::Arrive, if near { "" } else { "FLAGGED" })?;
        if is_first || near {
            self.order.progress.arrived_at = Some(self.now);
            self.order.progress.arrival_flagged = !near;
        }
        if is_first {
            self.publish("order.arrived");
        }
        Ok(())
    }

    /// Counts a wrong start code. The error says how many tries are left; after the last one no code is taken for a while.
    pub fn count_wrong_code(&mut self) -> Result<Error, Error> {
        self.check_start_code()?;
        let progress = &mut self.order.progress;
        progress.wrong_codes += 1;
        let left = self.timing.start_codes.saturating_sub(progress.wrong_codes);
        if left == 0 {
            progress.wrong_codes = 0;
            progress.start_locked_until = Some(self.now + seconds_of(self.timing.start_lock_s));
        }
        Ok(Error::StartCodeWrong { left })
    }

    /// Gives the provider new tries, and the customer another code, since somebody may have come close to this one.
    pub fn reset_start_code(&mut self) -> Result<(), Error> {
        self.act(Action::ResetStartCode, "")?;
        let progress = &mut self.order.progress;
        progress.wrong_codes = 0;
        progress.start_locked_until = None;
        progress.code_resets += 1;
        Ok(())
    }

    /// The work begins, with the customer's code.
    pub fn start(&mut self, code_is_right: bool) -> Result<(), Error> {
        self.check(Action::Start)?;
        if !code_is_right {
            let left = self.timing.start_codes.saturating_sub(self.order.progress.wrong_codes);
            return Err(Error::StartCodeWrong { left });
        }
        self.act(Action::Start, "")?;
        self.order.progress.started_at = Some(self.now);
        self.publish("order.started");
        Ok(())
    }

    /// The provider tries to reach the customer.
    pub fn contact_attempt(&mut self, channel: &str) -> Result<(), Error> {
        self.act(Action::ContactAttempt, channel)?;
        self.order.progress.contact_attempts += 1;
        self.order.progress.last_contact_at = Some(self.now);
        Ok(())
    }

    /// The vertical says that the provider was not let in: it has the attempts to reach the customer on file.
    /// An order that has moved on meanwhile stays as it is.
    pub fn access_failed(&mut self) -> Result<(), Error> {
        if self.order.check(Action::AccessFailed, Actor::System).is_err() {
            return Ok(());
        }
        self.act_as(Action::AccessFailed, Actor::System, "ACCESS_FAILED")?;
        let attempts = self.order.progress.contact_attempts.max(self.timing.contact_attempts);
        self.order.progress.contact_attempts = attempts;
        Ok(())
    }

    /// The customer is not there.
    pub fn no_show(&mut self) -> Result<(), Error> {
        let charge =
            self.order.charge(State::NoShow, Actor::Provider, LiableParty::Customer, self.now);
        self.act(Action::NoShow, "")?;
        self.charge_fee(charge, LiableParty::Customer, "NO_SHOW", "NO_SHOW");
        self.publish("order.no_show").fault = LiableParty::Customer.name();
        Ok(())
    }

    /// Work or rework that does not end is shown to an operator, once.
    pub fn escalate(&mut self) -> Result<(), Error> {
        self.act_as(Action::Escalate, Actor::System, "")?;
        self.order.progress.escalated = true;
        self.publish("order.overdue");
        Ok(())
    }

    /// The work is done, and comes to what the vertical answered.
    pub fn deliver(&mut self) -> Result<(), Error> {
        let answer = self.gate_answer();
        self.act(Action::Deliver, "")?;
        self.settle_price(&answer.ok_or(Error::Changed)?)?;
        self.order.progress.delivered_at = Some(self.now);
        self.order.progress.reminders = 0;
        if let Some(provider_id) = self.order.provider_id {
            let round = self.order.progress.round;
            self.enqueue(SideEffect::FinishJob { provider_id, round });
        }
        self.publish("order.delivered");
        Ok(())
    }

    /// The work is broken off: what was done is charged pro rata, and an operator settles the rest.
    pub fn abort(&mut self, dispute: Uuid, reason: &str) -> Result<(), Error> {
        self.act(Action::Abort, reason)?;
        self.drop_change();
        self.publish("order.aborted");
        let amount = self.pro_rata();
        let gross = self.order.provider_gross(amount);
        let charge =
            super::CancellationCharge { fee: amount, provider_gross: gross, waivable: false };
        self.charge_fee(charge, LiableParty::None, reason, "ABORTED");
        if self.order.due() > 0 {
            self.enqueue(SideEffect::Freeze { frozen: true });
        }
        self.insert_dispute(dispute, reason.to_owned(), String::new());
        Ok(())
    }

    /// The price of the part of the window that was worked, less what disputes took off it.
    fn pro_rata(&self) -> i64 {
        let planned = (self.order.window_end - self.order.window_start).num_seconds().max(1);
        let begun = self.order.progress.started_at.unwrap_or(self.now);
        let worked = (self.now - begun).num_seconds().clamp(0, planned);
        let price = self.order.reduced_total();
        let part = i128::from(price) * i128::from(worked) / i128::from(planned);
        i64::try_from(part).unwrap_or(price)
    }
}
