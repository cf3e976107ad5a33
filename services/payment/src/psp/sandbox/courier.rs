//! Posts the sandbox's events to the webhook, signed, until they are taken.

use super::{
    Sandbox,
    entity::event::{Entity, Model},
};
use crate::domain::signature;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use kit::{
    Error,
    messaging::queue::{self, Claim, Worker},
    program::config::Secret,
};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How often the courier looks for events that it was not woken for.
const POLL: Duration = Duration::from_secs(30);

/// Where events are posted to.
#[async_trait]
pub trait Post: Send + Sync {
    /// Hands over an event; an error has it posted again later.
    async fn post(&self, signature: &str, body: &[u8]) -> Result<(), Error>;
}

/// Settles late charges and posts events.
pub struct Courier {
    /// Whose events they are.
    pub sandbox: Arc<Sandbox>,
    pub secret: Secret,
    /// Where they go.
    pub to: Arc<dyn Post>,
}

impl Courier {
    /// Works until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        queue::run(&self.sandbox.store.db, &self, &self.sandbox.late, &stop).await;
    }

    async fn post_all(&self, claim: Uuid, events: Vec<Model>) -> Result<(), Error> {
        let store = &self.sandbox.store;
        for event in events {
            let now = store.db.clock().now().timestamp();
            let signature = signature::sign_payload(&self.secret, now, event.body.as_bytes());
            match self.to.post(&signature, event.body.as_bytes()).await {
                Ok(()) => store.remove_posted(claim, &event.id).await?,
                Err(error) => store.post_later(claim, &event, &error).await?,
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Worker for Courier {
    fn name(&self) -> &'static str {
        "sandbox courier"
    }

    fn poll(&self) -> Duration {
        POLL
    }

    async fn work_off(&self) -> Result<usize, Error> {
        let store = &self.sandbox.store;
        store.settle_due().await?;
        let Claim { id, rows } = store.claim_events().await?;
        let count = rows.len();
        if count > 0 {
            queue::hold::<Entity, _>(&store.db, id, self.post_all(id, rows)).await?;
        }
        Ok(count)
    }

    async fn next_due(&self) -> Result<Option<DateTime<Utc>>, Error> {
        Ok(self.sandbox.store.next_due().await?)
    }
}
