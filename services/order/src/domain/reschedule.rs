//! Moving an order to another window. The rules of a booking hold for the new window too: notice and horizon, the price of
//! the date, money that is authorised only close to the start, and a provider who has agreed to that time.

use super::{
    Action, Actor, Error, Moving, Order, OrderChange, PaymentState, PriceLine, Requirements,
    SideEffect, State, Timing, timing::seconds_of,
};
use chrono::{DateTime, Utc};
use kit::{Money, Window};
use serde::{Deserialize, Serialize};

/// What an order costs at another time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MovePrice {
    /// The lines of the price.
    pub lines: Vec<PriceLine>,
    /// Their sum, in minor units.
    pub total: i64,
    /// The most that the customer pays unasked, in minor units; none where the price is binding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap: Option<i64>,
}

impl Order {
    /// Fails when the order cannot be moved any more, wherever to.
    pub(super) fn guard_reschedule(
        &self,
        now: DateTime<Utc>,
        timing: &Timing,
    ) -> Result<(), Error> {
        if self.window_start - now < seconds_of(timing.reschedule_s) {
            return Err(Error::RescheduleTooLate);
        }
        if self.progress.reschedules >= timing.reschedules {
            return Err(Error::RescheduleLimit);
        }
        // What is under way would authorise the price of the time before.
        if self.payment_wants_customer() {
            return Err(Error::PaymentNotAuthorized);
        }
        Ok(())
    }
}

impl OrderChange {
    /// Notes the move to another window before the reservation is moved. `price` and `requirements` are those of the new
    /// date, on which the work may take longer; `accepted` is the price that the customer agrees to, when it is not the
    /// present one.
    pub fn begin_move(
        &mut self,
        window: &Window,
        price: MovePrice,
        requirements: Requirements,
        accepted: Option<Money>,
    ) -> Result<Moving, Error> {
        self.check(Action::Reschedule)?;
        let is_same_move =
            |moving: &Moving| (moving.start, moving.end) == (window.start, window.end);
        if self.order.progress.moving.as_ref().is_some_and(|moving| !is_same_move(moving)) {
            // Of two moves at a time the provider could keep the time of one and the order that of the other.
            return Err(Error::Changed);
        }
        requirements.check_window(window, &self.timing)?;
        self.timing.check_start(window.start, self.now)?;
        let (total, cap) = (self.order.money(price.total), price.cap);
        let is_same = price.total == self.order.total && cap == self.order.terms.cap;
        let is_accepted = accepted.map_or(is_same, |accepted| accepted == total);
        if !is_accepted {
            return Err(Error::PriceChanged { total, cap });
        }
        let moving = Moving {
            start: window.start,
            end: window.end,
            time_zone: window.zone.name().to_owned(),
            since: self.now,
            price: (!is_same).then_some(price),
            requirements: Some(requirements),
            reprices: false,
        };
        self.order.progress.moving = Some(moving.clone());
        Ok(moving)
    }

    /// Notes that a visit gets another length before the provider's time follows, as [`OrderChange::begin_move`] does.
    /// `read` is the order for which the price was asked.
    pub fn begin_reprice(
        &mut self,
        read: &Order,
        window: &Window,
        price: MovePrice,
        requirements: Requirements,
    ) -> Result<Moving, Error> {
        self.check_as_read(read)?;
        let moving = Moving {
            start: window.start,
            end: window.end,
            time_zone: window.zone.name().to_owned(),
            since: self.now,
            price: Some(price),
            requirements: Some(requirements),
            reprices: true,
        };
        self.order.progress.moving = Some(moving.clone());
        Ok(moving)
    }

    /// Refuses what follows from an order that has changed since it was read, or is being moved.
    fn check_as_read(&self, read: &Order) -> Result<(), Error> {
        if self.order.version != read.version || self.order.progress.moving.is_some() {
            return Err(Error::Changed);
        }
        Ok(())
    }

    /// The reservation was moved, or was not: the move is over either way.
    pub fn end_move(&mut self, moving: &Moving, moved: bool) -> Result<(), Error> {
        if self.order.progress.moving.as_ref() != Some(moving) {
            return Ok(());
        }
        self.order.progress.moving = None;
        if let (true, Some(price), Some(requirements)) =
            (moving.reprices, &moving.price, &moving.requirements)
        {
            if moved {
                self.write_price(moving.start, moving.end, price, requirements.clone());
            }
            return Ok(());
        }
        let allowed = self.order.check(Action::Reschedule, Actor::Customer).is_ok();
        if !moved || !allowed {
            return Ok(());
        }
        let was_taken = self.order.state == State::Assigned;
        self.order.window_start = moving.start;
        self.order.window_end = moving.end;
        self.order.time_zone.clone_from(&moving.time_zone);
        if let Some(requirements) = &moving.requirements {
            self.order.terms.requirements.clone_from(requirements);
        }
        self.order.progress.reschedules += 1;
        self.renew_payment(moving.price.as_ref());
        self.act_as(Action::Reschedule, Actor::Customer, "")?;
        self.publish("order.rescheduled");
        if was_taken {
            self.order.progress.assigned_at = None;
            self.order.progress.requested_at = Some(self.now);
            self.publish("order.requested").addressee = "provider";
        }
        Ok(())
    }

    /// Takes in the price of the new date. Money that is authorised goes back when it is not the price any more, or when
    /// the card would let go of it before the work; the method is kept, and authorised close to the new start.
    pub(super) fn renew_payment(&mut self, price: Option<&MovePrice>) {
        let is_free = self.order.ceiling() == 0;
        let stays =
            price.is_none() && (is_free || self.order.authorizes_now(&self.timing, self.now));
        if self.order.payment.state == PaymentState::Authorized && !stays {
            if !is_free {
                let attempt_key = self.order.attempt_key();
                self.enqueue(SideEffect::ReleaseAuthorization { attempt_key });
            }
            self.order.payment.state = PaymentState::MethodSaved;
        }
        if self.order.payment.state == PaymentState::MethodSaved {
            self.order.payment.late_attempts = 0;
        }
        if let Some(MovePrice { lines, total, cap }) = price {
            self.order.terms.lines.clone_from(lines);
            self.order.terms.cap = *cap;
            self.order.total = *total;
        }
    }

    /// A visit of a series has the price of the time since the visit before, in the window that the work takes by then.
    /// What was authorised for another price goes back. `read` is the order for which the price was asked: a provider who
    /// took it meanwhile has given the time of the window before.
    pub fn reprice(
        &mut self,
        read: &Order,
        window: &Window,
        price: &MovePrice,
        requirements: Requirements,
    ) -> Result<(), Error> {
        self.check_as_read(read)?;
        self.write_price(window.start, window.end, price, requirements);
        Ok(())
    }

    fn write_price(
        &mut self,
        start: DateTime<Utc>,
        end: DateTime<Utc>,
        price: &MovePrice,
        requirements: Requirements,
    ) {
        if self.order.window_start != start || !self.order.state.is_before_work() {
            return;
        }
        self.order.progress.priced_for = Some(start);
        self.order.window_end = end;
        self.order.terms.requirements = requirements;
        if price.total == self.order.total && price.cap == self.order.terms.cap {
            return;
        }
        self.renew_payment(Some(price));
        self.note("reprice", Actor::System, String::new());
        self.publish("order.repriced").addressee = "customer";
    }

    /// A visit of a series keeps its price: the vertical prices it no more.
    pub fn keep_price(&mut self) {
        self.order.progress.priced_for = Some(self.order.window_start);
    }
}
