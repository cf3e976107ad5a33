//! What orders forget of accounts that are erased, and when. Amounts, dates, ids and the town stay: the books need them.

use super::{
    AccountId, Actor, Address, Error, JobDetails, Order, OrderChange, Private, RecordChange, State,
};

/// What an erased provider is called.
pub const FORMER_PROVIDER: &str = "Former provider";

impl Order {
    /// Whether somebody may still have to go to the customer's home.
    pub const fn needs_home(&self) -> bool {
        self.state.is_before_work()
            || matches!(
                self.state,
                State::InProgress | State::AwaitingApproval | State::ChangesRequested
            )
    }

    /// Whether its customer's account is erased and no one has to go there any more, so that nothing of the home is left.
    pub const fn is_erased(&self) -> bool {
        self.progress.erased && !self.needs_home()
    }
}

impl Address {
    /// Forgets where exactly it is and how to get in. The town and the country stay, and the position to about a
    /// kilometre.
    pub fn forget(&mut self) {
        let (lat, lng) = self.coarse_position();
        self.lines.clear();
        self.postcode.clear();
        self.access_notes.clear();
        (self.lat, self.lng) = (lat, lng);
    }

    /// The position to about a kilometre, in degrees north and east.
    pub fn coarse_position(&self) -> (f64, f64) {
        (coarse_degrees(self.lat), coarse_degrees(self.lng))
    }
}

fn coarse_degrees(degrees: f64) -> f64 {
    (degrees * 100.0).round() / 100.0
}

impl OrderChange {
    /// The customer's account was erased: what has not begun is cancelled, and what is over forgets them.
    pub fn erase_customer(&mut self) -> Result<(), Error> {
        self.order.progress.erased = true;
        if self.order.state.is_before_work() {
            let fault = self.order.fault_of_customer(self.now, &self.timing);
            let charge = self.order.charge(self.order.state, Actor::Customer, fault, self.now);
            return self.cancel(charge, fault, "ACCOUNT_ERASED");
        }
        self.forget_erased();
        Ok(())
    }

    /// The account of the provider, who is asked for the order or has it, was erased. That the order goes to another
    /// provider follows from the end of the profile.
    pub fn erase_provider(&mut self) -> Result<(), Error> {
        FORMER_PROVIDER.clone_into(&mut self.order.provider_name);
        if self.order.state.is_before_work() {
            if let Some(account) = self.order.provider_user_id {
                self.forget_words(account, Actor::Provider);
            }
            return Ok(());
        }
        self.order.progress.provider_erased = true;
        self.forget_erased();
        Ok(())
    }

    /// Forgets what is not needed any more of accounts that are erased: the home once no one has to go there, and what
    /// people wrote once there is no dispute to decide by it either.
    pub(super) fn forget_erased(&mut self) {
        if self.order.needs_home() {
            return;
        }
        let progress = &self.order.progress;
        let (customer, provider) = (progress.erased, progress.provider_erased);
        if customer && !progress.forgotten {
            self.forget_home();
        }
        if self.order.disputed {
            return;
        }
        if customer {
            self.forget_words(self.order.customer_id, Actor::Customer);
        }
        if let Some(account) = self.order.provider_user_id.filter(|_| provider) {
            self.forget_words(account, Actor::Provider);
        }
    }

    fn forget_home(&mut self) {
        self.order.progress.forgotten = true;
        self.order.notes = Private::default();
        self.order.details = JobDetails::default();
        self.order.progress.changes.iter_mut().for_each(|change| change.details = None);
        self.order.terms.place.forget();
        self.records.push(RecordChange::ForgetPositions);
        self.publish("order.erased");
    }

    fn forget_words(&mut self, account: AccountId, side: Actor) {
        if let Some(cancellation) = &mut self.order.progress.cancellation
            && cancellation.actor == side
        {
            cancellation.reason.clear();
        }
        self.records.push(RecordChange::ForgetWords(account, side));
    }
}
