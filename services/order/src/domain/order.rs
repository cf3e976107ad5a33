//! What an order knows of itself: its sides, its money, and when its state ends by itself.

use super::{
    AccountId, Action, Actor, CancellationCharge, Case, Error, LiableParty, Order, OrderChange,
    PaymentState, Principal, ProviderId, State, StateView, Timing, quote::chrono_tz_utc,
    timing::seconds_of,
};
use chrono::{DateTime, Duration, Utc};
use kit::{Money, Window, values::money::Currency};

impl Order {
    /// Where it stands.
    pub const fn standing(&self) -> StateView {
        StateView { state: self.state, disputed: self.disputed }
    }

    /// Which side `who` is.
    pub fn side(&self, who: &Principal) -> Option<Actor> {
        match who {
            Principal::System => Some(Actor::System),
            Principal::User { id, .. } if *id == self.customer_id => Some(Actor::Customer),
            Principal::User { id, .. } if Some(*id) == self.provider_user_id => {
                Some(Actor::Provider)
            }
            Principal::User { operator: true, .. } => Some(Actor::Operator),
            Principal::User { operator: false, .. } => None,
        }
    }

    /// The provider who is asked for it or has it: profile and account.
    pub fn provider(&self) -> Option<(ProviderId, AccountId)> {
        self.provider_id.zip(self.provider_user_id)
    }

    /// Whether the payment waits for the customer.
    pub const fn payment_wants_customer(&self) -> bool {
        matches!(
            self.payment.state,
            PaymentState::Declined | PaymentState::ConfirmationRequired | PaymentState::Pending
        )
    }

    /// Whether it is a booking that stands still since its payment was declined.
    pub fn is_declined_booking(&self) -> bool {
        self.state == State::PendingPayment
            && !self.booking
            && self.payment.state == PaymentState::Declined
    }

    /// Whether it makes the work of another order good. Only the provider who did that work is asked.
    pub const fn is_recall(&self) -> bool {
        self.terms.parent.is_some()
    }

    /// The order that it makes good, as contracts have it: empty unless it is a recall.
    pub fn parent_id(&self) -> String {
        self.terms.parent.map(|parent| parent.order_id.to_string()).unwrap_or_default()
    }

    /// When the work happens.
    pub fn window(&self) -> Window {
        let zone = self.time_zone.parse().unwrap_or(chrono_tz_utc());
        Window { start: self.window_start, end: self.window_end, zone }
    }

    /// The currency of all its amounts.
    pub fn currency(&self) -> Currency {
        Currency::parse("currency", &self.currency).unwrap_or(Currency::EUR)
    }

    /// An amount in the order's currency.
    pub fn money(&self, minor_units: i64) -> Money {
        Money::new(self.currency(), minor_units)
    }

    /// What the vertical is told of the order, but for the version.
    pub fn as_told_to_vertical(&self) -> impl PartialEq + use<'_> {
        (
            self.state,
            self.provider_user_id,
            &self.details,
            (self.window_start, self.window_end, &self.time_zone),
            self.progress.delivered_at,
            (&self.terms.lines, self.terms.cap, &self.progress.changes),
            (self.is_erased(), self.progress.provider_erased),
        )
    }

    /// What the customer owes now: the price, or the fee once that is all there is.
    pub fn due(&self) -> i64 {
        self.progress.cancellation.as_ref().map_or(self.total, |cancellation| cancellation.fee)
    }

    /// The price after what resolved disputes took off it.
    pub const fn reduced_total(&self) -> i64 {
        self.total.saturating_sub(self.progress.reduction)
    }

    /// What the provider earns before commission when the customer pays `amount` of the price.
    pub fn provider_gross(&self, amount: i64) -> i64 {
        self.earned_part(amount, |_| true)
    }

    /// Whose fault it is when the customer cancels now: what happened decides. It is the provider's when the provider was
    /// not there at the start and the time of grace after it, and no side's while an order that was given back once waits
    /// for another provider to arrive.
    pub fn fault_of_customer(&self, now: DateTime<Utc>, timing: &Timing) -> LiableParty {
        if self.provider_was_late(now, timing) {
            LiableParty::Provider
        } else if self.progress.reassigned > 0 && self.state != State::Arrived {
            LiableParty::None
        } else {
            LiableParty::Customer
        }
    }

    /// Whether the provider arrives, or would arrive, after the start and the time of grace. Only an arrival that a
    /// position shows counts.
    fn provider_was_late(&self, now: DateTime<Utc>, timing: &Timing) -> bool {
        let is_expected = matches!(self.state, State::Assigned | State::EnRoute | State::Arrived);
        let shown = self.progress.arrived_at.filter(|_| !self.progress.arrival_flagged);
        is_expected && shown.unwrap_or(now) > self.window_start + seconds_of(timing.grace_s)
    }

    /// Since when the provider waits for the customer: nobody is late before the start.
    pub fn waiting_since(&self) -> Option<DateTime<Utc>> {
        self.progress.arrived_at.map(|at| at.max(self.window_start))
    }

    /// What cancelling costs in `state`, or not being there when it is `NO_SHOW`.
    pub fn charge(
        &self,
        state: State,
        actor: Actor,
        fault: LiableParty,
        now: DateTime<Utc>,
    ) -> CancellationCharge {
        let case = Case {
            vertical: &self.vertical,
            actor,
            fault,
            state,
            until_start: self.window_start - now,
            since_assignment: self.progress.assigned_at.map(|at| now - at),
        };
        self.terms.policy.charge(&case, self.total)
    }

    /// What cancelling costs now: nothing while no money is authorised to take it from.
    pub fn cancellation_charge(
        &self,
        actor: Actor,
        fault: LiableParty,
        waive: bool,
        now: DateTime<Utc>,
    ) -> CancellationCharge {
        let charge = self.charge(self.state, actor, fault, now);
        let waived = waive && actor == Actor::Operator && charge.waivable;
        if waived || self.payment.state != PaymentState::Authorized {
            return CancellationCharge::default();
        }
        charge
    }

    /// What is authorised for it, and goes back but for a fee when it is cancelled.
    pub fn held_amount(&self) -> i64 {
        if self.payment.state == PaymentState::Authorized { self.ceiling() } else { 0 }
    }

    /// What erasing its customer's account costs while its work has not begun, and whose fault that is: as if the
    /// customer cancelled.
    pub fn erasure_charge(
        &self,
        now: DateTime<Utc>,
        timing: &Timing,
    ) -> (CancellationCharge, LiableParty) {
        let fault = self.fault_of_customer(now, timing);
        (self.cancellation_charge(Actor::Customer, fault, false, now), fault)
    }

    /// When the present state ends by itself; none when it does not, although a timer may look at it.
    pub fn ends_at(&self, timing: &Timing) -> Option<DateTime<Utc>> {
        let ends = match self.state {
            State::InProgress | State::ChangesRequested => false,
            State::Delivered => !self.terms.manual_acceptance,
            _ => true,
        };
        self.deadline(timing).filter(|_| ends)
    }

    /// When work that has not begun counts as not rendered.
    pub fn abandoned_at(&self, timing: &Timing) -> DateTime<Utc> {
        self.window_end + seconds_of(timing.abandoned_s)
    }

    /// When the timer of the present state falls due: the state ends then, or work that does not end is shown to an
    /// operator, or a delivery that waits for people is called to mind.
    pub fn deadline(&self, timing: &Timing) -> Option<DateTime<Utc>> {
        let progress = &self.progress;
        let abandoned = self.abandoned_at(timing);
        match self.state {
            State::PendingPayment if self.booking => {
                Some(self.created_at + seconds_of(timing.booking_lease_s))
            }
            State::PendingPayment => Some(self.hold_expires_at),
            State::Requested => {
                let asked = progress.requested_at.unwrap_or(self.created_at);
                let latest = (self.window_start + Duration::days(1)).min(self.window_end);
                Some(latest.min(asked + seconds_of(timing.request_s)))
            }
            State::Searching => progress.wave_until,
            State::Assigned | State::EnRoute => Some(abandoned),
            State::Arrived => {
                let is_shown = !progress.arrival_flagged;
                let called = progress.contact_attempts >= timing.contact_attempts;
                let since = self.waiting_since().filter(|_| is_shown && called);
                Some(since.map_or(abandoned, |since| since + seconds_of(timing.waiting_s) * 2))
            }
            State::AwaitingApproval => progress.change.as_ref().map(|change| change.valid_till),
            State::Delivered if !self.disputed && self.terms.manual_acceptance => {
                self.next_reminder(timing)
            }
            State::Delivered if !self.disputed => {
                progress.delivered_at.map(|at| at + seconds_of(timing.acceptance_s))
            }
            State::Completed if !progress.reviews_over => self.reviews_end(timing),
            State::InProgress if !progress.escalated => {
                Some(self.last_appointment_ends() + seconds_of(timing.overdue_s))
            }
            State::ChangesRequested if !progress.escalated => {
                let since = progress.rework_since.or(progress.delivered_at);
                since.map(|since| since + seconds_of(timing.rework_s))
            }
            State::Delivered
            | State::Completed
            | State::InProgress
            | State::ChangesRequested
            | State::Closed
            | State::Expired
            | State::Declined
            | State::NoProvider
            | State::NoShow
            | State::Cancelled
            | State::Aborted => None,
        }
    }

    /// When a delivery that only people accept is called to mind next; none once the operators were told.
    pub(super) fn next_reminder(&self, timing: &Timing) -> Option<DateTime<Utc>> {
        let told = usize::try_from(self.progress.reminders).unwrap_or(usize::MAX);
        let after = timing.acceptance_reminders_s.get(told)?;
        self.progress.delivered_at.map(|at| at + seconds_of(*after))
    }

    /// How long a provider's time is held for an order that asks for `window`: until the request would expire. The
    /// order frees it earlier itself, after the money; a hold that lapsed first could go to another while the customer
    /// still pays.
    pub fn hold_until(&self, window: &Window, timing: &Timing) -> DateTime<Utc> {
        let latest = (window.start + Duration::days(1)).min(window.end);
        latest.min(self.hold_expires_at + seconds_of(timing.request_s)).max(self.hold_expires_at)
    }

    /// When the time for reviews is over.
    pub fn reviews_end(&self, timing: &Timing) -> Option<DateTime<Utc>> {
        self.progress.completed_at.map(|at| at + seconds_of(timing.review_s))
    }

    /// When the order came to its end; none while it goes on.
    pub fn ended_at(&self) -> Option<DateTime<Utc>> {
        let cancelled = self.progress.cancellation.as_ref().map(|cancellation| cancellation.at);
        self.progress.completed_at.or(cancelled)
    }

    /// When the method on file is to be authorised, or asked for again, or the order given up for want of money.
    pub fn authorize_at(&self, timing: &Timing) -> Option<DateTime<Utc>> {
        let waits = match self.payment.state {
            PaymentState::MethodSaved => true,
            // A booking that is not paid waits for the customer alone.
            PaymentState::Pending | PaymentState::Declined | PaymentState::ConfirmationRequired => {
                self.state != State::PendingPayment
            }
            PaymentState::None
            | PaymentState::Authorized
            | PaymentState::Captured
            | PaymentState::Due
            | PaymentState::Released => false,
        };
        if self.booking || !waits || !self.state.is_before_work() {
            return None;
        }
        let attempt = usize::try_from(self.payment.late_attempts).unwrap_or(usize::MAX);
        let before = timing.authorize_late_s.get(attempt).or(timing.authorize_late_s.last())?;
        Some(self.window_start - seconds_of(*before))
    }

    /// Whether the method on file was tried as often as it may be.
    pub fn authorizations_spent(&self, timing: &Timing) -> bool {
        let attempts = usize::try_from(self.payment.late_attempts).unwrap_or(usize::MAX);
        attempts + 1 >= timing.authorize_late_s.len()
    }

    /// Whether the start is close enough for the price to be authorised now. That of a visit of a series may still change,
    /// and is authorised a day before.
    pub fn authorizes_now(&self, timing: &Timing, now: DateTime<Utc>) -> bool {
        let day_before = timing.authorize_late_s.first().filter(|_| self.terms.series.is_some());
        let within = day_before.copied().unwrap_or(timing.authorize_within_s);
        self.window_start <= now + seconds_of(within.min(timing.authorize_within_s))
    }

    /// When a visit of a series is priced by the time since the visit before; none once it was, and of a single job.
    pub fn reprice_at(&self, timing: &Timing) -> Option<DateTime<Utc>> {
        let is_due = self.terms.series.is_some()
            && !self.booking
            && self.state.is_before_work()
            && self.progress.priced_for != Some(self.window_start);
        is_due.then(|| self.window_start - seconds_of(timing.reprice_s))
    }

    /// Whether no other than the named provider may do it.
    pub fn is_for_one_provider(&self) -> bool {
        self.terms.series.is_some_and(|series| series.only)
    }

    /// The key of the present attempt to authorise.
    pub fn attempt_key(&self) -> String {
        match self.payment.key.as_str() {
            "" => format!("{}:0", self.id),
            key => key.to_owned(),
        }
    }

    /// The key of the next attempt to authorise the method on file.
    pub fn late_key(&self) -> String {
        match self.progress.reschedules {
            0 => format!("{}:late:{}", self.id, self.payment.late_attempts),
            moves => format!("{}:late:{moves}.{}", self.id, self.payment.late_attempts),
        }
    }

    /// Whether money is kept although the order is over.
    pub fn keeps_money(&self) -> bool {
        match self.state {
            State::Expired | State::Declined | State::NoProvider => false,
            State::NoShow | State::Cancelled | State::Aborted => self.due() > 0,
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
            | State::Completed
            | State::Closed => true,
        }
    }
}

impl OrderChange {
    /// Ends a state that has run out of time, unless the order has moved on meanwhile.
    pub fn end_state(&mut self) -> Result<(), Error> {
        let due = self.order.deadline(&self.timing);
        if self.order.booking || due.is_none_or(|due| due > self.now) {
            return Ok(());
        }
        match self.order.state {
            State::PendingPayment => self.expire("HOLD_EXPIRED"),
            State::Requested => self.expire("NOT_ANSWERED"),
            State::AwaitingApproval => self.expire_change(),
            State::Delivered if self.order.terms.manual_acceptance => self.remind_of_acceptance(),
            State::Delivered => self.accept_delivery("TIMER"),
            State::Completed => self.end_reviews(),
            State::InProgress | State::ChangesRequested => self.escalate(),
            State::Arrived if self.ends_as_no_show() => self.no_show(),
            // A service that was not rendered is never at the customer's cost.
            State::Assigned | State::EnRoute | State::Arrived => {
                self.cancel(CancellationCharge::default(), LiableParty::Provider, "NOT_RENDERED")
            }
            State::Searching
            | State::Closed
            | State::Expired
            | State::Declined
            | State::NoProvider
            | State::NoShow
            | State::Cancelled
            | State::Aborted => Ok(()),
        }
    }

    /// Whether the wait at the door ends as a no-show. Where the vertical denied that, the work counts as not rendered once
    /// its day is over.
    fn ends_as_no_show(&self) -> bool {
        let is_abandoned = self.order.abandoned_at(&self.timing) <= self.now;
        self.check(Action::NoShow).is_ok() && (self.has_agreement() || !is_abandoned)
    }
}
