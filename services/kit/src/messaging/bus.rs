//! The bus: carries facts from the outbox of one service to the consumers of others.

use crate::{messaging::event::Event, rpc::error::Error};
use async_trait::async_trait;
use std::sync::{Arc, RwLock};

/// Carries facts. A publish that returns has reached every consumer for good.
#[async_trait]
pub trait Bus: Send + Sync {
    /// Hands `event` to every consumer that wants it.
    async fn publish(&self, event: &Event) -> Result<(), Error>;

    /// Has `consumer` called for each fact whose kind it wants.
    fn subscribe(&self, consumer: Arc<dyn Consumer>);
}

/// Acts on facts. A fact may come more than once: the consumer keeps an [`inbox`](crate::messaging::inbox).
#[async_trait]
pub trait Consumer: Send + Sync {
    /// Whether the consumer wants facts of this kind, for example `order.created`.
    fn wants(&self, kind: &str) -> bool;

    /// Acts on a fact; an error has it delivered again later.
    async fn consume(&self, event: &Event) -> Result<(), Error>;
}

/// A bus within the process: the consumers are called one after the other.
#[derive(Default)]
pub struct LocalBus {
    consumers: RwLock<Vec<Arc<dyn Consumer>>>,
}

#[async_trait]
impl Bus for LocalBus {
    async fn publish(&self, event: &Event) -> Result<(), Error> {
        let consumers = match self.consumers.read() {
            Ok(consumers) => consumers.clone(),
            Err(poisoned) => poisoned.into_inner().clone(),
        };
        let mut failed = None;
        for consumer in consumers.iter().filter(|consumer| consumer.wants(&event.kind)) {
            // One consumer's failure keeps the fact from no other.
            if let Err(error) = consumer.consume(event).await {
                failed = Some(error);
            }
        }
        failed.map_or(Ok(()), Err)
    }

    fn subscribe(&self, consumer: Arc<dyn Consumer>) {
        match self.consumers.write() {
            Ok(mut consumers) => consumers.push(consumer),
            Err(poisoned) => poisoned.into_inner().push(consumer),
        }
    }
}
