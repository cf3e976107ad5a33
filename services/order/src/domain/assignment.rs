//! Who takes an order: the requested provider's answer, giving up an assignment. Offers are in [`super::dispatch`].

use super::{
    AccountId, Action, Actor, CancellationCharge, Error, LiableParty, OfferState, OrderChange,
    ProviderId, SideEffect, State,
};

/// A provider who is asked for an order, as customers see them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestedProvider {
    pub provider_id: ProviderId,
    pub provider_user_id: AccountId,
    pub name: String,
}

impl OrderChange {
    /// The named provider takes the order.
    pub fn accept(&mut self) -> Result<(), Error> {
        self.act(Action::Accept, "")?;
        self.begin_assignment();
        Ok(())
    }

    /// The named provider turns the order down.
    pub fn decline(&mut self, reason: &str) -> Result<(), Error> {
        let search = self.order.search_if_declined && self.can_ask_others();
        self.act(Action::Decline { search }, reason)?;
        let former = self.order.provider_id.zip(self.order.provider_user_id);
        let event = self.publish("order.declined");
        (event.addressee, event.provider) = ("customer", former);
        if search {
            self.exclude_provider();
            self.begin_search();
        } else {
            self.enqueue(SideEffect::Void { reason: "DECLINED".to_owned() });
            self.enqueue(SideEffect::Release { provider_id: None });
        }
        Ok(())
    }

    /// No provider is left to ask: the search ends.
    pub fn exhaust(&mut self) -> Result<(), Error> {
        self.act_as(Action::Exhaust, Actor::System, "")?;
        self.end_without_provider();
        Ok(())
    }

    /// The provider or an operator gives the assignment up.
    pub fn reassign(&mut self, reason: &str) -> Result<(), Error> {
        let fault =
            if self.by == Actor::Provider { LiableParty::Provider } else { LiableParty::None };
        self.end_assignment(fault, reason)
    }

    /// Other members or vehicles of the provider come than those whom the parties have seen, which they are told.
    pub fn tell_of_crew(&mut self) {
        let is_to_come =
            matches!(self.order.state, State::Assigned | State::EnRoute | State::Arrived);
        if is_to_come {
            self.publish("order.crew_replaced");
        }
    }

    /// The provider may not take or render the order any more. Others are asked, as after a decline or when an assignment
    /// is given up; the customer pays nothing. Work that has begun is an operator's to break off.
    pub fn withdraw_provider(&mut self, reason: &str) -> Result<(), Error> {
        match self.order.state {
            State::PendingPayment if self.order.booking => Ok(()),
            State::PendingPayment => {
                self.cancel(CancellationCharge::default(), LiableParty::Provider, reason)
            }
            State::Requested => self.decline(reason),
            State::Assigned | State::EnRoute | State::Arrived => {
                self.end_assignment(LiableParty::Provider, reason)
            }
            State::Searching
            | State::InProgress
            | State::AwaitingApproval
            | State::Delivered
            | State::ChangesRequested
            | State::Completed
            | State::Closed
            | State::Expired
            | State::Declined
            | State::NoProvider
            | State::NoShow
            | State::Cancelled
            | State::Aborted => Ok(()),
        }
    }

    /// Ends the assignment: others are asked, unless that happened too often or the time has come.
    fn end_assignment(&mut self, fault: LiableParty, reason: &str) -> Result<(), Error> {
        let again =
            self.order.progress.reassigned < self.timing.reassignments && self.can_ask_others();
        self.act(Action::Reassign { again }, reason)?;
        let former = self.order.provider_id.zip(self.order.provider_user_id);
        let event = self.publish("order.reassigned");
        (event.fault, event.provider) = (fault.name(), former);
        self.order.progress.reassigned += 1;
        self.exclude_provider();
        if again {
            self.begin_search();
        } else {
            self.end_without_provider();
        }
        Ok(())
    }

    /// Whether another provider may render the order: its time has not come, it is no recall, and its customer wants others
    /// too.
    fn can_ask_others(&self) -> bool {
        !self.order.is_recall()
            && !self.order.is_for_one_provider()
            && !self.order.has_missed_start(self.now)
    }

    pub(super) fn begin_assignment(&mut self) {
        let progress = &mut self.order.progress;
        progress.assigned_at = Some(self.now);
        progress.assignments += 1;
        progress.wrong_codes = 0;
        progress.start_locked_until = None;
        progress.contact_attempts = 0;
        progress.last_contact_at = None;
        progress.departed_at = None;
        progress.arrived_at = None;
        progress.arrival_flagged = false;
        progress.wave_until = None;
        progress.search_until = None;
        self.publish("order.assigned");
    }

    pub(super) fn set_provider(&mut self, provider: RequestedProvider) {
        self.order.provider_id = Some(provider.provider_id);
        self.order.provider_user_id = Some(provider.provider_user_id);
        self.order.provider_name = provider.name;
    }

    /// Frees the provider's time and asks them no more for this order.
    fn exclude_provider(&mut self) {
        if let Some(provider_id) = self.order.provider_id.take() {
            let round = self.order.progress.round;
            self.enqueue(SideEffect::ReleaseProvider { provider_id, round });
            self.order.progress.excluded.push(provider_id);
        }
        self.order.provider_user_id = None;
        self.order.provider_name.clear();
        self.order.progress.assigned_at = None;
        self.order.progress.moving = None;
    }

    fn end_without_provider(&mut self) {
        self.enqueue(SideEffect::Void { reason: "NO_PROVIDER".to_owned() });
        self.enqueue(SideEffect::Release { provider_id: None });
        self.publish("order.no_provider");
        self.end_offers(OfferState::Expired);
    }
}
