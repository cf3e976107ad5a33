//! Posts the sandbox's events to the webhook, signed, until they are taken.

use super::Sandbox;
use crate::domain::signature;
use async_trait::async_trait;
use kit::program::config::Secret;
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// How often the courier looks when nothing woke it.
const POLL: Duration = Duration::from_secs(30);

/// Where events are posted to.
#[async_trait]
pub trait Post: Send + Sync {
    /// Hands over an event; an error has it posted again later.
    async fn post(&self, signature: &str, body: &[u8]) -> Result<(), kit::Error>;
}

impl Sandbox {
    /// Settles late charges and posts events until `stop`.
    pub async fn run(self: Arc<Self>, secret: Secret, to: Arc<dyn Post>, stop: CancellationToken) {
        while !stop.is_cancelled() {
            if let Err(error) = self.work(&secret, &*to).await {
                tracing::warn!(%error, "the sandbox failed");
            }
            let clock = self.store.db.clock();
            let next = self.store.next_due().await.ok().flatten();
            tokio::select! {
                () = async { if let Some(next) = next { clock.sleep_until(next).await } }, if next.is_some() => {}
                () = self.late.notified() => {}
                () = clock.poll(POLL) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    async fn work(&self, secret: &Secret, to: &dyn Post) -> Result<(), kit::Error> {
        self.store.settle_due().await?;
        for event in self.store.events_due().await? {
            let now = self.store.db.clock().now().timestamp();
            let signature = signature::sign(secret, now, event.body.as_bytes());
            match to.post(&signature, event.body.as_bytes()).await {
                Ok(()) => self.store.posted(&event.id).await?,
                Err(error) => {
                    tracing::warn!(%error, event.id, "the webhook refused an event");
                    self.store.post_later(event).await?;
                }
            }
        }
        Ok(())
    }
}
