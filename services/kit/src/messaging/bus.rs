//! The bus: carries events from the outbox of one service to the consumers of others.

use crate::{messaging::event::Event, messaging::subscription::Subscription, rpc::error::Error};
use async_trait::async_trait;
use futures::{StreamExt, stream};
use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Aggregates whose events a bus within the process hands over at the same time.
const AT_ONCE: usize = 4;

/// Carries events from the outbox of one service to the consumers of others.
#[async_trait]
pub trait Bus: Send + Sync {
    /// Says how the bus is before a relay claims events of `source`, which are then handed over in this round.
    async fn open_round(&self, source: &str) -> Result<Round, Error>;

    /// Begins anew for `source`, after [`Round::Lost`] and after the relay has put back what it had published.
    async fn begin_anew(&self, source: &str) -> Result<(), Error>;

    /// Hands over events of one outbox, those of an aggregate in the order in which they are given. The answer has an
    /// entry for each. An error means that none may count as published.
    async fn publish_all(&self, round: &Round, events: Vec<Event>) -> Result<Vec<Delivery>, Error>;

    /// Hands `event` to every consumer that wants it. When this succeeds, each of them has taken it for good.
    async fn publish(&self, event: &Event) -> Result<Published, Error>;

    /// Whether some consumer wants events of this kind.
    fn wants(&self, kind: &str) -> bool;

    /// Adds a consumer.
    fn subscribe(&self, subscription: Arc<Subscription>);

    /// Brings events to a consumer until `stop`, where the publisher does not do that itself.
    async fn carry(&self, subscription: Arc<Subscription>, stop: CancellationToken);

    /// Forgets events of `source` that every consumer has taken long enough ago, and tells the metrics how far consumers
    /// are behind, where the publisher does not wait for them.
    async fn maintain(&self, source: &str) -> Result<(), Error>;
}

/// How a bus is before events are claimed for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Round {
    /// It takes events that are claimed from now on, as long as it is as this says.
    Open(String),
    /// It has lost what it had: all that is kept in the outbox is to be published again.
    Lost,
}

/// What became of one of several events that were handed over together.
#[derive(Debug)]
pub enum Delivery {
    /// It was published.
    Done(Published),
    /// It was not taken, and is published again later.
    Failed(Error),
    /// It comes behind one of its aggregate that failed.
    HeldBack,
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

    /// Publishes the events of one aggregate, each with its place among those of the batch.
    async fn publish_in_order(&self, events: Vec<(usize, Event)>) -> Vec<(usize, Delivery)> {
        let mut deliveries = Vec::new();
        let mut failed = false;
        for (place, event) in events {
            let delivery = match failed {
                true => Delivery::HeldBack,
                false => self.publish(&event).await.map_or_else(Delivery::Failed, Delivery::Done),
            };
            failed |= matches!(delivery, Delivery::Failed(_));
            deliveries.push((place, delivery));
        }
        deliveries
    }
}

#[async_trait]
impl Bus for LocalBus {
    async fn open_round(&self, _: &str) -> Result<Round, Error> {
        Ok(Round::Open(String::new()))
    }

    async fn begin_anew(&self, _: &str) -> Result<(), Error> {
        Ok(())
    }

    async fn publish_all(&self, _: &Round, events: Vec<Event>) -> Result<Vec<Delivery>, Error> {
        let mut aggregates: BTreeMap<Uuid, Vec<(usize, Event)>> = BTreeMap::new();
        for (place, event) in events.into_iter().enumerate() {
            aggregates.entry(event.aggregate).or_default().push((place, event));
        }
        let deliveries: Vec<_> = stream::iter(aggregates.into_values())
            .map(|events| self.publish_in_order(events))
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        let mut deliveries: Vec<_> = deliveries.into_iter().flatten().collect();
        deliveries.sort_by_key(|(place, _)| *place);
        Ok(deliveries.into_iter().map(|(_, delivery)| delivery).collect())
    }

    async fn publish(&self, event: &Event) -> Result<Published, Error> {
        let mut wanting = self.wanting(&event.kind);
        wanting.retain(|it| event.is_for(it.name()));
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

    async fn carry(&self, _: Arc<Subscription>, _: CancellationToken) {}

    async fn maintain(&self, _: &str) -> Result<(), Error> {
        Ok(())
    }
}
