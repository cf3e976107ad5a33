//! The booking of an order: begin, hold the provider's time, authorise the payment, finish.

use super::StepFuture;
use crate::{
    app::App,
    domain::{
        Authorization, ClosedChange, Error, NewOrder, Order, OrderChange, OrderId, Outcome,
        Principal, ProviderId, RequestedProvider, SideEffect, State,
    },
    peers::{is_refusal, parse_id, refusal_reason},
    repository::{bookings::BegunBooking, orders},
};
use chrono::{DateTime, Utc};
use kit::{program::crash, storage::idempotency::Key};
use proto::quickserve::payment::v1::{
    self as payment, AuthorizePaymentRequest, AuthorizePaymentResponse,
};

/// A step of a booking at another service.
struct Step {
    name: &'static str,
    /// Whether the order needs it.
    when: fn(&Order) -> bool,
    run: for<'a> fn(&'a App, &'a mut Booking) -> StepFuture<'a, ()>,
    /// What the order owes once the booking is given up. It also undoes a step that was never reached.
    undo: fn(reason: &str) -> SideEffect,
}

/// The booking. It begins with an invisible order and ends with a visible one; the two writes are those of
/// [`crate::repository::bookings`]. Between them it takes these steps.
///
/// A booking that stopped halfway is resumed by the same call when it comes again, at once, or else by the timer: the
/// order's deadline, after the lease of a booking (`Order::deadline`). The timer gives the booking up once its hold is
/// over (`Order::hold_expires_at`).
const STEPS: [Step; 2] = [
    Step {
        name: "hold",
        when: |order| order.provider_id.is_some(),
        run: |app, booking| Box::pin(hold_provider(app, booking)),
        undo: |_| SideEffect::Release { provider_id: None },
    },
    Step {
        name: "authorize",
        when: |_| true,
        run: |app, booking| Box::pin(authorize_payment(app, booking)),
        undo: |reason| SideEffect::Void { reason: reason.to_owned() },
    },
];

const NAME: &str = "booking";
const BEGIN: &str = "begin";
const FINISH: &str = "finish";
const UNDO: &str = "undo";

/// `booking.begin`, `booking.hold` …, `booking.finish`, `booking.undo`.
pub fn crash_points() -> impl Iterator<Item = String> {
    let steps = STEPS.iter().map(|step| step.name);
    [BEGIN].into_iter().chain(steps).chain([FINISH, UNDO]).map(|step| format!("{NAME}.{step}"))
}

/// A booking under way.
pub struct Booking {
    order: Order,
    key: Option<Key>,
    /// Whether no earlier call has taken a step of it.
    is_fresh: bool,
    provider: Option<RequestedProvider>,
    authorization: Option<Authorization>,
}

/// What a booking has become when a call begins it.
pub enum Beginning {
    /// The same call was answered before.
    Answered(Vec<u8>),
    /// The same call finished it before, and its answer was not kept.
    Finished(Box<Order>),
    /// It is to be carried through.
    Started(Box<Booking>),
}

impl App {
    /// Writes a booking down, or finds the one that there is already.
    pub async fn begin_booking(&self, new: NewOrder, key: Option<Key>) -> Result<Beginning, Error> {
        let (order, is_fresh) = match self.bookings.begin(new, key.as_ref()).await? {
            BegunBooking::Answered(answer) => return Ok(Beginning::Answered(answer)),
            BegunBooking::Done(order) => return Ok(Beginning::Finished(order)),
            BegunBooking::Fresh(order) => (*order, true),
            BegunBooking::Interrupted(order) => (*order, false),
        };
        crash::crash_step(NAME, BEGIN);
        Ok(Beginning::Started(Box::new(Booking {
            order,
            key,
            is_fresh,
            provider: None,
            authorization: None,
        })))
    }

    /// Takes the steps of a booking. The change that comes of them is for [`App::finish_booking`]. A booking that is
    /// refused is undone; one that is interrupted is resumed by the same call or by the timer.
    pub async fn book(&self, mut booking: Booking) -> Result<ClosedChange, Error> {
        for (index, step) in STEPS.iter().enumerate() {
            if !(step.when)(&booking.order) {
                continue;
            }
            match (step.run)(self, &mut booking).await {
                Ok(()) => crash::crash_step(NAME, step.name),
                Err(error) if is_refusal(&error) => {
                    crash::crash_step(NAME, UNDO);
                    self.undo_booking(&booking, index == 0).await?;
                    return Err(error);
                }
                Err(error) => {
                    let (order, step) = (booking.order.id, step.name);
                    tracing::warn!(%error, order.id = %order, step, "booking interrupted, will be resumed");
                    return Err(Error::BookingInterrupted);
                }
            }
        }
        let Booking { order, provider, authorization, .. } = booking;
        let customer = Principal::User { id: order.customer_id, operator: false };
        let mut change = OrderChange::new(order, customer, self.now(), self.timing.clone())?;
        change.book(provider, &authorization.unwrap_or_else(nothing_to_pay))?;
        Ok(change.close())
    }

    /// Makes the order visible and keeps the call's answer. Returns the order instead when another call of the same
    /// booking, or its timer, finished it first.
    pub async fn finish_booking(
        &self,
        change: ClosedChange,
        key: Option<Key>,
        answer: Vec<u8>,
    ) -> Result<Option<Order>, Error> {
        let id = change.order.id;
        let answer = key.map(|key| (key, answer));
        if self.bookings.finish(change, answer).await? {
            crash::crash_step(NAME, FINISH);
            return Ok(None);
        }
        let order = orders::get_order(self.db.connection(), id, &Principal::System).await?;
        if !order.booking {
            return Ok(Some(order));
        }
        Err(Error::BookingInterrupted)
    }

    /// Resumes a booking that stopped halfway, for its timer.
    pub async fn resume_booking(&self, order: Order) -> Result<(), Error> {
        if self.now() >= order.hold_expires_at {
            return self.give_up_booking(order.id, "HOLD_EXPIRED").await;
        }
        let booking =
            Booking { order, key: None, is_fresh: false, provider: None, authorization: None };
        let resumed = match self.book(booking).await {
            Ok(change) => self.finish_booking(change, None, Vec::new()).await,
            Err(error) => Err(error),
        };
        match resumed {
            Ok(_) => Ok(()),
            Err(error @ (Error::BookingInterrupted | Error::Kit(kit::Error::Database(_)))) => {
                Err(error)
            }
            Err(error) => {
                tracing::info!(%error, "a booking was refused and undone");
                Ok(())
            }
        }
    }

    /// Undoes a booking that was refused. Of a first call that was refused its first step nothing is left elsewhere,
    /// so that deleting the order is enough.
    async fn undo_booking(&self, booking: &Booking, at_first_step: bool) -> Result<(), Error> {
        let Booking { order, key, is_fresh, provider, .. } = booking;
        let nothing_is_held = *is_fresh && at_first_step && provider.is_none();
        if nothing_is_held && self.bookings.delete(order, key.as_ref()).await? {
            return Ok(());
        }
        self.give_up_booking(order.id, "BOOKING_REFUSED").await?;
        self.bookings.abandon_key(key.as_ref()).await
    }

    /// Gives a booking up, unless it got through or was given up meanwhile: every step that its order needs is undone,
    /// the last one first.
    async fn give_up_booking(&self, id: OrderId, reason: &'static str) -> Result<(), Error> {
        let tx = self.db.begin().await?;
        let mut change = match orders::lock_order(&tx, id, &Principal::System, &self.timing).await {
            Err(Error::NotFound(_)) => return Ok(()),
            found => found?,
        };
        if !change.order.booking || change.order.state != State::PendingPayment {
            return Ok(());
        }
        let needed = STEPS.iter().rev().filter(|step| (step.when)(&change.order));
        let undo = needed.map(|step| (step.undo)(reason)).collect();
        change.give_up_booking(reason, undo)?;
        change.caller_runs_side_effects = true;
        orders::save_order(&tx, change).await?;
        tx.commit().await?;
        self.run_side_effects_now(id).await;
        Ok(())
    }

    /// Frees the time that the customer's own earlier bookings keep from this one although their cards were declined: a
    /// customer who books again with another card does not come back to the first booking. False when none did.
    async fn free_unpaid_hold(&self, order: &Order, error: &Error) -> Result<bool, Error> {
        if refusal_reason(error).as_deref() != Some("SLOT_TAKEN") {
            return Ok(false);
        }
        let mut freed = false;
        let buffers = order.terms.requirements.buffers();
        for other in orders::unpaid_around(self.db.connection(), order, buffers).await? {
            let tx = self.db.begin().await?;
            let system = Principal::System;
            let mut change = orders::lock_order(&tx, other.id, &system, &self.timing).await?;
            if !change.order.is_declined_booking() {
                continue;
            }
            change.expire("REPLACED")?;
            change.caller_runs_side_effects = true;
            orders::save_order(&tx, change).await?;
            tx.commit().await?;
            self.run_side_effects_now(other.id).await;
            freed = true;
        }
        Ok(freed)
    }

    /// Holds a provider's time for an order in its present round.
    pub async fn hold_time(
        &self,
        order: &Order,
        provider: ProviderId,
        until: DateTime<Utc>,
    ) -> Result<RequestedProvider, Error> {
        let answer = self.peers.hold(order, provider, until, false).await?;
        Ok(RequestedProvider {
            provider_id: provider,
            provider_user_id: parse_id(&answer.provider_user_id)?,
            name: answer.provider_name,
        })
    }

    /// Authorises the most that the customer pays unasked, or finds what became of the attempt with the order's key. Far ahead of the start the
    /// payment method is only put on file, and what is free needs no payment.
    pub async fn authorize_payment(
        &self,
        order: &Order,
        confirmation: String,
        save_method_only: bool,
    ) -> Result<Authorization, Error> {
        match order.ceiling() {
            0 => Ok(nothing_to_pay()),
            amount => self.authorize_amount(order, amount, confirmation, save_method_only).await,
        }
    }

    /// Authorises an amount for an order, or finds what became of the attempt with the order's key.
    pub async fn authorize_amount(
        &self,
        order: &Order,
        amount: i64,
        confirmation: String,
        save_method_only: bool,
    ) -> Result<Authorization, Error> {
        let method = order.payment.method_id;
        let request = AuthorizePaymentRequest {
            order_id: order.id.to_string(),
            customer_id: order.customer_id.to_string(),
            amount: Some(order.money(amount).into()),
            payment_method_id: method.map(|id| id.to_string()).unwrap_or_default(),
            attempt_key: order.attempt_key(),
            confirmation,
            save_method_only,
        };
        let answer = self.peers.charges().authorize_payment(request).await?.into_inner();
        let AuthorizePaymentResponse { payment_id, outcome, decline_reason, confirmation_url } =
            answer;
        let outcome = match payment::Outcome::try_from(outcome) {
            Ok(payment::Outcome::Authorized) => Outcome::Authorized,
            Ok(payment::Outcome::MethodSaved) => Outcome::MethodSaved,
            Ok(payment::Outcome::ConfirmationRequired) => Outcome::ConfirmationRequired,
            Ok(payment::Outcome::Declined) => Outcome::Declined,
            Ok(payment::Outcome::Pending | payment::Outcome::Unspecified) | Err(_) => {
                Outcome::Pending
            }
        };
        let payment_id = payment_id.parse().ok();
        Ok(Authorization { payment_id, outcome, decline_reason, confirmation_url })
    }
}

async fn hold_provider(app: &App, booking: &mut Booking) -> Result<(), Error> {
    let order = &booking.order;
    let Some(provider) = order.provider_id else { return Ok(()) };
    let until = order.hold_until(&order.window(), &app.timing);
    let held = match app.hold_time(order, provider, until).await {
        Err(error) if app.free_unpaid_hold(order, &error).await? => {
            app.hold_time(order, provider, until).await?
        }
        held => held?,
    };
    let is_own_profile = held.provider_user_id == order.customer_id;
    booking.provider = Some(held);
    if is_own_profile {
        return Err(kit::Error::invalid("provider_id", "is the customer's own profile").into());
    }
    Ok(())
}

async fn authorize_payment(app: &App, booking: &mut Booking) -> Result<(), Error> {
    let later = !booking.order.authorizes_now(&app.timing, app.now());
    let authorization = app.authorize_payment(&booking.order, String::new(), later).await?;
    booking.authorization = Some(authorization);
    Ok(())
}

const fn nothing_to_pay() -> Authorization {
    Authorization {
        payment_id: None,
        outcome: Outcome::Authorized,
        decline_reason: String::new(),
        confirmation_url: String::new(),
    }
}
