//! The timers of orders. Each asks for the state it expects, since it may come again.

use crate::{
    app::{App, drop_refusal},
    domain::{Action, Actor, Error, Order, OrderId, Principal, State},
    repository::{
        AUTHORIZE, DEADLINE, MOVE, OFFER, RAISE, REPRICE, SERIES, SERIES_NEWS, SIDE_EFFECTS, VISIT,
        orders,
    },
};
use async_trait::async_trait;
use chrono::{DateTime, Duration, Utc};
use kit::{
    Id,
    messaging::timers::{self, Timer, TimerHandler},
};

/// How often bookings are looked for that no process has finished.
pub const CLAIM_EVERY: Duration = Duration::seconds(5);

#[async_trait]
impl TimerHandler for App {
    async fn fire(&self, timer: &Timer) -> Result<(), kit::Error> {
        self.act_on(timer).await.map_err(Into::into)
    }

    /// Other services wait for what an order owes them, and a search lasts minutes, so that both are tried again soon.
    fn longest_pause(&self, kind: &str) -> Duration {
        if matches!(kind, SIDE_EFFECTS | DEADLINE) {
            Duration::seconds(8)
        } else {
            Duration::minutes(10)
        }
    }
}

impl App {
    /// Claims bookings whose process stopped.
    pub async fn claim_stalled_bookings(&self) -> Result<(), Error> {
        let before = self.now() - Duration::seconds(self.timing.booking_lease_s);
        self.bookings.claim_stalled(before).await
    }

    async fn act_on(&self, timer: &Timer) -> Result<(), Error> {
        if timer.kind == OFFER {
            let settled = self.settle_offer(Id::from_uuid(timer.aggregate)).await;
            return drop_refusal("the acceptance of an offer", settled);
        }
        if timer.kind == RAISE {
            return self.settle_raise(Id::from_uuid(timer.aggregate)).await;
        }
        if timer.kind == VISIT {
            return self.settle_visit(Id::from_uuid(timer.aggregate)).await;
        }
        if matches!(timer.kind.as_str(), SERIES | SERIES_NEWS) {
            // It books and accepts, and would be too large for the stack of the worker in a build without optimisation.
            let series = Id::from_uuid(timer.aggregate);
            return Box::pin(self.run_series(series, timer.kind == SERIES)).await;
        }
        let id = OrderId::from_uuid(timer.aggregate);
        if timer.kind == SIDE_EFFECTS {
            return self.run_side_effects(id).await;
        }
        let order = match orders::get_order(self.db.connection(), id, &Principal::System).await {
            Err(Error::NotFound(_)) => return Ok(()),
            found => found?,
        };
        match timer.kind.as_str() {
            DEADLINE => self.act_on_deadline(order).await,
            AUTHORIZE => self.act_on_payment_due(order).await,
            REPRICE => self.act_on_reprice(order).await,
            MOVE => drop_refusal("a move", self.resume_move(order).await),
            other => Err(kit::Error::internal(format!("no timer is called {other}")).into()),
        }
    }

    /// The state of an order ends by itself.
    async fn act_on_deadline(&self, order: Order) -> Result<(), Error> {
        let Some(due) = order.deadline(&self.timing) else { return Ok(()) };
        if due > self.now() {
            return self.wait_until(order.id, DEADLINE, due).await;
        }
        if order.booking {
            return self.resume_booking(order).await;
        }
        if order.state == State::Searching {
            return self.send_next_wave(order).await;
        }
        drop_refusal("a deadline", self.end_state(&order).await)
    }

    /// Ends a state that has run out of time. The vertical is asked before that is a no-show: where it denies it, the
    /// provider and operators decide, until the work counts as not rendered.
    async fn end_state(&self, order: &Order) -> Result<(), Error> {
        let asked = self.ask_before_as(order, Action::NoShow, Actor::System, order.provider());
        let agreed = match asked.await {
            Err(Error::Denied(vertical, denials)) => {
                tracing::info!(order.id = %order.id, vertical, ?denials, "the vertical denies a no-show, which waits");
                let abandoned_at = order.abandoned_at(&self.timing);
                if abandoned_at > self.now() {
                    return self.wait_until(order.id, DEADLINE, abandoned_at).await;
                }
                None
            }
            asked => asked?,
        };
        let tx = self.db.begin().await?;
        let system = Principal::System;
        let mut change = orders::lock_order(&tx, order.id, &system, &self.timing).await?;
        change.vertical_agreed(agreed);
        change.end_state()?;
        orders::save_order(&tx, change).await?;
        Ok(tx.commit().await?)
    }

    /// The method on file is to be authorised.
    async fn act_on_payment_due(&self, order: Order) -> Result<(), Error> {
        let Some(due) = order.authorize_at(&self.timing) else { return Ok(()) };
        if due > self.now() {
            return self.wait_until(order.id, AUTHORIZE, due).await;
        }
        drop_refusal("a late authorisation", self.authorize_late(order).await)
    }

    /// A visit of a series comes near, and is priced by the time since the one before.
    async fn act_on_reprice(&self, order: Order) -> Result<(), Error> {
        let Some(due) = order.reprice_at(&self.timing) else { return Ok(()) };
        if due > self.now() {
            return self.wait_until(order.id, REPRICE, due).await;
        }
        drop_refusal("a new price", Box::pin(self.reprice_visit(order)).await)
    }

    /// Sets a timer anew that fired before its time had come.
    async fn wait_until(
        &self,
        id: OrderId,
        kind: &'static str,
        due: DateTime<Utc>,
    ) -> Result<(), Error> {
        tracing::debug!(order.id = %id, kind, "fired early");
        let tx = self.db.begin().await?;
        timers::schedule_timer(&tx, kind, id.uuid(), due).await?;
        Ok(tx.commit().await?)
    }
}
