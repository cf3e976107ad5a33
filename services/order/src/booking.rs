//! The booking saga: hold, create, authorise, confirm.
//!
//! What is about to be done is written down first; each step is named by the order, so that doing it again finds what it
//! did; what became of it is written last. Whoever finds a booking that stopped halfway, the same call again or the
//! timer, goes on with it or undoes it.

use crate::{
    app::{Answer, App},
    domain::{Authorization, Error, Order, OrderId, Outcome, Principal, RequestedProvider, State},
    peers::is_refusal,
    repository::{Begun, Call, NewOrder},
};
use kit::{program::crash, storage::idempotency::Key};
use prost::Message;
use std::{sync::Arc, time::Duration};
use uuid::Uuid;

/// Waits for a call with the same key that is still running, before that is all there is to answer.
const PATIENCE_MS: [u64; 6] = [20, 40, 80, 160, 320, 640];

/// Which step of a booking failed.
struct Failed {
    at_hold: bool,
    error: Error,
}

impl App {
    /// Books a quote.
    pub async fn book<M>(&self, new: NewOrder, answer: Answer<M>) -> Result<M, Error>
    where
        M: Message + Default + 'static,
    {
        let (key, customer) = (new.key.clone(), new.customer_id);
        let who = Principal::User { id: customer, operator: false };
        match self.begin(new).await? {
            Begun::Replay(bytes) => Ok(M::decode(bytes.as_slice()).map_err(kit::Error::internal)?),
            Begun::Done(order) => self.orders.keep_answer(key, answer(&order)).await,
            Begun::Fresh(order) => self.go_on(*order, who, key, true, answer).await,
            Begun::Interrupted(order) => self.go_on(*order, who, key, false, answer).await,
        }
    }

    /// Goes on with a booking that stopped halfway, for its timer.
    pub async fn resume(&self, order: Order) -> Result<(), Error> {
        if self.now() >= order.hold_expires_at {
            return self.give_up(order.id, "HOLD_EXPIRED").await;
        }
        let who = Principal::User { id: order.customer_id, operator: false };
        let result = self.go_on(order, who, None, false, Arc::new(|_: &Order| ())).await;
        match result {
            Ok(()) => Ok(()),
            Err(error @ Error::BookingInterrupted) => Err(error),
            Err(error @ Error::Kit(kit::Error::Database(_))) => Err(error),
            Err(error) => {
                tracing::info!(%error, "a booking was undone");
                Ok(())
            }
        }
    }

    async fn begin(&self, new: NewOrder) -> Result<Begun, Error> {
        for wait_ms in PATIENCE_MS {
            match self.orders.begin_booking(new.clone()).await {
                Err(Error::Kit(kit::Error::InProgress)) => {
                    tokio::time::sleep(Duration::from_millis(wait_ms)).await;
                }
                result => return result,
            }
        }
        self.orders.begin_booking(new).await
    }

    async fn go_on<M>(
        &self,
        order: Order,
        who: Principal,
        key: Option<Key>,
        fresh: bool,
        answer: Answer<M>,
    ) -> Result<M, Error>
    where
        M: Message + 'static,
    {
        let Failed { at_hold, error } = match self.hold_and_authorize(&order).await {
            Ok((named, authorization)) => {
                return self.finish(order, who, key, named, authorization, answer).await;
            }
            Err(failed) => failed,
        };
        if !is_refusal(&error) {
            tracing::warn!(%error, order.id = %order.id, "a booking was interrupted");
            self.orders.abandon_key(key).await?;
            return Err(Error::BookingInterrupted);
        }
        crash::point("booking.refused");
        // Of a first call that was refused its first step, nothing is left elsewhere.
        if fresh && at_hold && self.orders.undo_booking(&order, key.clone()).await? {
            return Err(error);
        }
        self.give_up(order.id, "BOOKING_REFUSED").await?;
        self.orders.abandon_key(key).await?;
        Err(error)
    }

    async fn hold_and_authorize(
        &self,
        order: &Order,
    ) -> Result<(Option<RequestedProvider>, Authorization), Failed> {
        let mut named = None;
        crash::point("booking.begun");
        if let Some(provider) = order.provider_id {
            let until = order.hold_until(&order.window(), self.timing());
            let held = self.peers.hold(order, provider, until).await;
            let held = held.map_err(|error| Failed { at_hold: true, error })?;
            if held.provider_user_id == order.customer_id {
                let error = kit::Error::invalid("provider_id", "is the customer's own profile");
                return Err(Failed { at_hold: false, error: error.into() });
            }
            named = Some(held);
        }
        crash::point("booking.held");
        let authorized = self.authorize(order, String::new()).await;
        crash::point("booking.authorized");
        let authorization = authorized.map_err(|error| Failed { at_hold: false, error })?;
        Ok((named, authorization))
    }

    /// Asks for the price, or puts the method on file when the start is far away. What is free needs no payment.
    async fn authorize(&self, order: &Order, confirmation: String) -> Result<Authorization, Error> {
        if order.total == 0 {
            return Ok(Authorization {
                payment_id: None,
                outcome: Outcome::Authorized,
                decline_reason: String::new(),
                confirmation_url: String::new(),
            });
        }
        let later = !order.authorizes_now(self.timing(), self.now());
        self.peers.authorize(order, confirmation, later).await
    }

    async fn finish<M>(
        &self,
        order: Order,
        who: Principal,
        key: Option<Key>,
        named: Option<RequestedProvider>,
        authorization: Authorization,
        answer: Answer<M>,
    ) -> Result<M, Error>
    where
        M: Message + 'static,
    {
        let (id, write) = (order.id, answer.clone());
        let finished = self.orders.finish_booking(
            order,
            who,
            key.clone(),
            move |draft| draft.book(named, &authorization),
            move |order| write(order),
        );
        match finished.await {
            Ok(answer) => {
                crash::point("booking.finished");
                return Ok(answer);
            }
            Err(Error::Changed) => {}
            Err(error) => return Err(error),
        }
        // Another call of the same booking, or its timer, was faster.
        let order = self.orders.get(id, &Principal::System).await?;
        if !order.booking {
            return self.orders.keep_answer(key, answer(&order)).await;
        }
        self.orders.abandon_key(key).await?;
        Err(Error::BookingInterrupted)
    }

    async fn give_up(&self, id: OrderId, reason: &'static str) -> Result<(), Error> {
        let given_up = self.orders.change(id, &Principal::System, move |draft| {
            if draft.order.booking && draft.order.state == State::PendingPayment {
                draft.give_up_booking(reason)?;
            }
            Ok(())
        });
        match given_up.await {
            Ok(_) | Err(Error::NotFound(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Goes on with a payment that wants the customer.
    pub async fn confirm_payment<M>(
        &self,
        call: Call,
        method: Option<Uuid>,
        confirmation: String,
        answer: Answer<M>,
    ) -> Result<M, Error>
    where
        M: Message + Default + 'static,
    {
        let confirmed = !confirmation.is_empty();
        let (id, version) = (call.id, call.version);
        let retried = self.orders.change(id, &call.who, move |draft| {
            draft.expect_version(version)?;
            draft.retry_payment(method, confirmed)
        });
        let order = match retried.await {
            Ok((order, ())) => order,
            // The same call with its key may have got through already: it says so, or why not.
            Err(Error::Refused(..) | Error::PaymentSettled) if call.key.is_some() => {
                let decide = move |draft: &mut crate::domain::OrderChange| {
                    draft.retry_payment(method, confirmed)
                };
                return self.orders.change_once(call, decide, move |it, ()| answer(it)).await;
            }
            Err(error) => return Err(error),
        };
        let authorization = self.authorize(&order, confirmation).await?;
        let call = Call { version: 0, ..call };
        let settle = move |draft: &mut crate::domain::OrderChange| draft.settle(&authorization);
        self.orders.change_once(call, settle, move |order, ()| answer(order)).await
    }

    /// Authorises the method on file close to the start; asks the customer when that fails, and at last gives up.
    pub async fn authorize_late(&self, order: Order) -> Result<(), Error> {
        if order.authorizations_spent(self.timing()) {
            let cancelled = self.orders.change(order.id, &Principal::System, |draft| {
                if draft.order.authorize_at(&draft.timing).is_none() {
                    return Ok(());
                }
                let fault = crate::domain::LiableParty::Customer;
                draft.cancel(crate::domain::Charge::default(), fault, "PAYMENT_FAILED")
            });
            return cancelled.await.map(|_| ());
        }
        let key = order.late_key();
        let mut attempt = order.clone();
        attempt.payment.key.clone_from(&key);
        let authorization = self.peers.authorize(&attempt, String::new(), false).await?;
        let seen = order.payment.late_attempts;
        let settled = self.orders.change(order.id, &Principal::System, move |draft| {
            if draft.order.payment.late_attempts == seen {
                draft.late_attempt(key.clone());
                draft.settle(&authorization)?;
            }
            Ok(())
        });
        settled.await.map(|_| ())
    }
}
