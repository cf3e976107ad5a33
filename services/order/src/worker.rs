//! The timers of orders. Each asks for the state it expects, since it may come again.

use crate::{
    app::{App, settled},
    domain::{Error, LiableParty, Order, OrderChange, OrderId, Principal, State},
    repository::{AUTHORIZE, DEADLINE, EFFECTS, MOVE, OFFER},
};
use async_trait::async_trait;
use chrono::{DateTime, Duration, Utc};
use kit::{
    Id,
    messaging::timers::{self, OnTimer, Timer},
};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// How often the sweep looks for bookings that no process has finished.
const SWEEP_EVERY: std::time::Duration = std::time::Duration::from_secs(5);

/// Takes up bookings whose process stopped, until `stop`.
pub async fn sweep(app: Arc<App>, stop: CancellationToken) {
    loop {
        let before = app.now() - Duration::seconds(app.timing().booking_lease_s);
        if let Err(error) = app.orders.take_up_bookings(before).await {
            tracing::warn!(%error, "the sweep of bookings failed");
        }
        tokio::select! {
            () = app.orders.db.clock().poll(SWEEP_EVERY) => {}
            () = stop.cancelled() => return,
        }
    }
}

#[async_trait]
impl OnTimer for App {
    async fn fire(&self, timer: &Timer) -> Result<(), kit::Error> {
        self.act(timer).await.map_err(|error| match error {
            Error::Kit(error) => error,
            error => kit::Error::internal(error),
        })
    }
}

impl App {
    async fn act(&self, timer: &Timer) -> Result<(), Error> {
        if timer.kind == OFFER {
            return settled("an offer", self.settle_offer(Id::from_uuid(timer.aggregate)).await);
        }
        let id = OrderId::from_uuid(timer.aggregate);
        let order = match self.orders.get(id, &Principal::System).await {
            Err(Error::NotFound(_)) => return Ok(()),
            found => found?,
        };
        match timer.kind.as_str() {
            EFFECTS => self.pay_debts(id).await,
            DEADLINE => self.deadline(order).await,
            AUTHORIZE => match self.not_yet(&order, AUTHORIZE, order.authorize_at(self.timing())) {
                Some(due) => self.wait(id, AUTHORIZE, due).await,
                None if order.authorize_at(self.timing()).is_none() => Ok(()),
                None => settled("a late authorisation", self.authorize_late(order).await),
            },
            MOVE => settled("a move", self.resume_move(order).await),
            other => Err(kit::Error::internal(format!("no timer is called {other}")).into()),
        }
    }

    /// The state of an order ends by itself.
    async fn deadline(&self, order: Order) -> Result<(), Error> {
        let due = order.deadline(self.timing());
        if due.is_none() {
            return Ok(());
        }
        if let Some(due) = self.not_yet(&order, DEADLINE, due) {
            return self.wait(order.id, DEADLINE, due).await;
        }
        match order.state {
            State::PendingPayment if order.booking => self.resume(order).await,
            State::Searching => self.next_wave(order).await,
            _ => {
                let ended = self.orders.change(order.id, &Principal::System, end_of_state);
                settled("a deadline", ended.await.map(|_| ()))
            }
        }
    }

    /// The time to wait for, when it has not come.
    fn not_yet(
        &self,
        order: &Order,
        kind: &str,
        due: Option<DateTime<Utc>>,
    ) -> Option<DateTime<Utc>> {
        let due = due.filter(|due| *due > self.now());
        if due.is_some() {
            tracing::debug!(order.id = %order.id, kind, "fired early");
        }
        due
    }

    async fn wait(&self, id: OrderId, kind: &'static str, due: DateTime<Utc>) -> Result<(), Error> {
        let scheduled = self
            .orders
            .db
            .write(move |tx| async move { timers::schedule(&tx, kind, id.uuid(), due).await });
        Ok(scheduled.await?)
    }
}

/// What happens to an order whose state has run out of time.
fn end_of_state(draft: &mut OrderChange) -> Result<(), Error> {
    let due = draft.order.deadline(&draft.timing);
    if draft.order.booking || due.is_none_or(|due| due > draft.now) {
        return Ok(());
    }
    match draft.order.state {
        State::PendingPayment => draft.expire("HOLD_EXPIRED"),
        State::Requested => draft.expire("NOT_ANSWERED"),
        State::AwaitingApproval => draft.expire_change(),
        State::Delivered => draft.accept_delivery("TIMER"),
        State::Completed => draft.end_reviews(),
        State::Arrived
            if draft.order.progress.contact_attempts >= draft.timing.contact_attempts =>
        {
            draft.no_show()
        }
        // Nobody rendered the service: that is never at the customer's cost.
        State::Assigned | State::EnRoute | State::Arrived => {
            draft.cancel(crate::domain::Charge::default(), LiableParty::Provider, "NOT_RENDERED")
        }
        State::Searching
        | State::InProgress
        | State::ChangesRequested
        | State::Closed
        | State::Expired
        | State::Declined
        | State::NoProvider
        | State::NoShow
        | State::Cancelled
        | State::Aborted => Ok(()),
    }
}
