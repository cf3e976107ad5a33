//! What happens without a request: timers, the sweep after a crash, and the sandbox's events.

use crate::{
    consumer::into_kit_error,
    flow::{PAYOUT, Payments, SETTLE},
    psp::sandbox,
};
use async_trait::async_trait;
use kit::{
    Error, Id,
    messaging::timers::{OnTimer, Timer},
};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often the sweep looks for attempts whose process stopped.
const SWEEP_EVERY: Duration = Duration::from_secs(15);

/// Acts on the timers of payment.
pub struct Timers(pub Payments);

#[async_trait]
impl OnTimer for Timers {
    async fn fire(&self, timer: &Timer) -> Result<(), Error> {
        let done = match timer.kind.as_str() {
            SETTLE => self.0.settle(Id::from_uuid(timer.aggregate)).await,
            PAYOUT => self.0.pay_out(Id::from_uuid(timer.aggregate)).await,
            other => {
                tracing::warn!(timer.kind = other, "dropped a timer of an unknown kind");
                Ok(())
            }
        };
        done.map_err(into_kit_error)
    }
}

/// Sweeps until `stop`, first of all when the service starts.
pub async fn sweep(payments: Payments, stop: CancellationToken) {
    loop {
        if let Err(error) = payments.sweep().await {
            tracing::warn!(%error, "cannot look for unanswered attempts; the next sweep tries again");
        }
        tokio::select! {
            () = payments.db.clock().poll(SWEEP_EVERY) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Hands the sandbox's events to the webhook, as if they came from outside.
pub struct Webhook(pub Payments);

#[async_trait]
impl sandbox::Post for Webhook {
    async fn post(&self, signature: &str, body: &[u8]) -> Result<(), Error> {
        self.0.receive_event(sandbox::NAME, signature, body).await.map_err(into_kit_error)
    }
}
