//! The bus: carries events from the outbox of one service to the consumers of others.

use crate::{messaging::event::Event, messaging::subscription::Subscription, rpc::error::Error};
use async_trait::async_trait;
use std::sync::{Arc, PoisonError, RwLock};

/// Carries events from outboxes to the consumers that want them.
#[async_trait]
pub trait Bus: Send + Sync {
    /// Hands `event` to every consumer that wants it. When this succeeds, each of them has taken it for good.
    async fn publish(&self, event: &Event) -> Result<Published, Error>;

    /// Whether some consumer wants events of this kind.
    fn wants(&self, kind: &str) -> bool;

    /// Adds a consumer.
    fn subscribe(&self, subscription: Arc<Subscription>);
}

/// What became of an event that was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// Every consumer that wants it has taken it.
    Taken,
    /// No consumer wants it.
    Unclaimed,
}

/// Acts on events. An event may come more than once: the consumer keeps an [`inbox`](crate::messaging::inbox).
#[async_trait]
pub trait Consumer: Send + Sync {
    /// Tells the consumer from the others of its service, for example `standing`. One of them needs no name.
    fn name(&self) -> &'static str {
        ""
    }

    /// Whether the consumer wants events of this kind, for example `order.created`.
    fn wants(&self, kind: &str) -> bool;

    /// Acts on an event; an error has it delivered again later, and holds back what comes after it of its aggregate.
    async fn consume(&self, event: &Event) -> Result<(), Error>;
}

/// A bus within the process. Consumers do not wait for each other.
#[derive(Default)]
pub struct LocalBus {
    subscriptions: RwLock<Vec<Arc<Subscription>>>,
}

impl LocalBus {
    fn wanting(&self, kind: &str) -> Vec<Arc<Subscription>> {
        let subscriptions = self.subscriptions.read().unwrap_or_else(PoisonError::into_inner);
        subscriptions.iter().filter(|it| it.wants(kind)).cloned().collect()
    }
}

#[async_trait]
impl Bus for LocalBus {
    async fn publish(&self, event: &Event) -> Result<Published, Error> {
        let wanting = self.wanting(&event.kind);
        if wanting.is_empty() {
            return Ok(Published::Unclaimed);
        }
        // One consumer's failure keeps the event from no other.
        let taken = futures::future::join_all(wanting.iter().map(|it| it.take(event))).await;
        taken.into_iter().collect::<Result<(), Error>>()?;
        Ok(Published::Taken)
    }

    fn wants(&self, kind: &str) -> bool {
        !self.wanting(kind).is_empty()
    }

    fn subscribe(&self, subscription: Arc<Subscription>) {
        let mut all = self.subscriptions.write().unwrap_or_else(PoisonError::into_inner);
        all.push(subscription);
    }
}
