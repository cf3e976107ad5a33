//! What happens without a request: timers, the sweep after a crash, and the sandbox's events.

use crate::{
    flow::{DUE, HOLD, PAYOUT, Payments, SETTLE},
    psp::sandbox,
};
use async_trait::async_trait;
use chrono::Duration;
use kit::{
    Error, Id,
    messaging::timers::{Timer, TimerHandler},
};

/// How often attempts are looked for whose process stopped.
pub const SWEEP_EVERY: Duration = Duration::seconds(15);

/// Acts on the timers of payment.
pub struct PaymentTimers(pub Payments);

#[async_trait]
impl TimerHandler for PaymentTimers {
    async fn fire(&self, timer: &Timer) -> Result<(), Error> {
        let done = match timer.kind.as_str() {
            SETTLE => self.0.settle(Id::from_uuid(timer.aggregate)).await,
            DUE => self.0.collect_due(Id::from_uuid(timer.aggregate)).await,
            HOLD => self.0.announce_expiry(Id::from_uuid(timer.aggregate)).await,
            PAYOUT => self.0.pay_out(Id::from_uuid(timer.aggregate)).await,
            other => {
                tracing::warn!(timer.kind = other, "dropped a timer of an unknown kind");
                Ok(())
            }
        };
        done.map_err(Into::into)
    }
}

/// Hands the sandbox's events to the webhook, as if they came from outside.
pub struct Webhook(pub Payments);

#[async_trait]
impl sandbox::Post for Webhook {
    async fn post(&self, signature: &str, body: &[u8]) -> Result<(), Error> {
        self.0.receive_event(sandbox::NAME, signature, body).await.map_err(Into::into)
    }
}
