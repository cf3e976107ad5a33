//! The bus between processes: Redis streams, eight partitions a service. The events of an aggregate are in one
//! partition, and each consumer has one process at a time for a partition, so that no event overtakes another.
//!
//! Redis is never the truth. The outbox keeps what was published; a mark in Redis says that the streams are those which
//! it was published to, and when the mark is gone, everything that is kept is published again. Consumers act once.
//!
//! | file | what |
//! |---|---|
//! | `publish` | appends events, only while the mark is there |
//! | `reader` | brings the events of one service to one consumer |
//! | `entry` | an event as the fields of a stream's entry |
//! | `trim` | forgets what every consumer has taken |

mod entry;
mod publish;
mod reader;
mod trim;

use crate::{
    messaging::{
        bus::{Bus, Delivery, Published, Round},
        event::Event,
        lease::Member,
        subscription::Subscription,
    },
    program::metrics,
    redis::{Redis, listen_to},
    rpc::error::Error,
    storage::db::Db,
};
use async_trait::async_trait;
use chrono::Duration;
use fred::types::Message;
use reader::StreamReader;
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration as StdDuration,
};
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;
use trim::Lag;
use uuid::Uuid;

/// Into how many streams the events of a service are divided. Another number would change the order of what is under
/// way, so Redis keeps the number it was begun with, and a program with another one refuses to publish.
pub(crate) const PARTITIONS: i16 = 8;
/// Where a publisher says whose streams have something new.
const NEWS: &str = "qs:facts";
/// The shortest lease that is kept: a busy process is not to lose its own.
const MIN_LEASE_MS: u32 = 300;

/// The section `events` of the configuration.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StreamSettings {
    /// How long a process holds its part of the events without a sign of life, in milliseconds. After a crash, others
    /// wait as long.
    pub lease_ms: u32,
}

impl Default for StreamSettings {
    fn default() -> Self {
        Self { lease_ms: 15_000 }
    }
}

impl StreamSettings {
    fn lease(self) -> Duration {
        Duration::milliseconds(i64::from(self.lease_ms.max(MIN_LEASE_MS)))
    }

    fn renew_every(self) -> StdDuration {
        StdDuration::from_millis(u64::from(self.lease_ms.max(MIN_LEASE_MS) / 3))
    }
}

/// The bus of a process, whose consumers and publishers may be in any other one.
pub struct StreamBus {
    redis: Redis,
    /// The services that publish events.
    sources: Vec<String>,
    settings: StreamSettings,
    /// Names this process among those that share partitions.
    owner: Uuid,
    news: broadcast::Receiver<Message>,
}

impl StreamBus {
    /// A bus over `redis` that brings consumers the events of the services `sources`.
    pub fn new(redis: Redis, sources: Vec<String>, settings: StreamSettings) -> Self {
        let news = listen_to(&redis, NEWS);
        Self { redis, sources, settings, owner: Uuid::new_v4(), news }
    }
}

#[async_trait]
impl Bus for StreamBus {
    async fn open_round(&self, source: &str) -> Result<Round, Error> {
        publish::read_mark(&self.redis, source).await
    }

    async fn begin_anew(&self, source: &str) -> Result<(), Error> {
        publish::set_mark(&self.redis, source).await
    }

    async fn publish_all(&self, round: &Round, events: Vec<Event>) -> Result<Vec<Delivery>, Error> {
        let Round::Open(mark) = round else {
            return Err(Error::internal("nothing is published before the bus has begun anew"));
        };
        publish::append(&self.redis, mark, &events).await?;
        Ok(events.iter().map(|_| Delivery::Done(Published::Taken)).collect())
    }

    async fn publish(&self, event: &Event) -> Result<Published, Error> {
        let round = self.open_round(&event.source).await?;
        self.publish_all(&round, vec![event.clone()]).await?;
        Ok(Published::Taken)
    }

    /// A consumer may be in any process, so that every event is published.
    fn wants(&self, _: &str) -> bool {
        true
    }

    /// What a consumer takes comes by [`Bus::carry`].
    fn subscribe(&self, _: Arc<Subscription>) {}

    async fn carry(&self, subscription: Arc<Subscription>, stop: CancellationToken) {
        let Some(db) = subscription.db() else {
            tracing::error!(
                consumer = &**subscription.name(),
                "a consumer without a database takes no events from other processes"
            );
            return;
        };
        let member = Member {
            consumer: subscription.name().clone(),
            owner: self.owner,
            life: self.settings.lease(),
        };
        let held = watch::Sender::new(BTreeSet::new());
        let readers = self.sources.iter().map(|source| {
            let reader = StreamReader::new(
                self.redis.clone(),
                source.clone(),
                subscription.clone(),
                self.owner,
                held.subscribe(),
                stop.clone(),
            );
            reader.run(self.news.resubscribe())
        });
        // The readers end at `stop`, after what they have begun.
        let has_read = CancellationToken::new();
        let reading = async {
            futures::future::join_all(readers).await;
            has_read.cancel();
        };
        tokio::join!(reading, self.keep_partitions(&member, db, &held, &has_read));
        if let Err(error) = member.leave(db).await {
            tracing::warn!(%error, "cannot give partitions back; others take them when their leases end");
        }
    }

    async fn maintain(&self, source: &str) -> Result<(), Error> {
        let mut behind: BTreeMap<String, Lag> = BTreeMap::new();
        for partition in 0..PARTITIONS {
            let stream = publish::stream(source, partition);
            for (consumer, lag) in trim::trim_stream(&self.redis, &stream).await? {
                let whole = behind.entry(consumer).or_default();
                whole.events += lag.events;
                whole.age_ms = whole.age_ms.max(lag.age_ms);
            }
        }
        for (consumer, lag) in behind {
            let age = StdDuration::from_millis(lag.age_ms);
            metrics::events_behind(&consumer, source, lag.events, age);
        }
        Ok(())
    }
}

impl StreamBus {
    /// Renews the leases of a consumer until `stop`, and tells its readers what they may read.
    async fn keep_partitions(
        &self,
        member: &Member,
        db: &Db,
        held: &watch::Sender<BTreeSet<i16>>,
        stop: &CancellationToken,
    ) {
        while !stop.is_cancelled() {
            match member.renew(db, PARTITIONS).await {
                Ok(mine) => {
                    held.send_if_modified(|seen| {
                        let is_new = *seen != mine;
                        *seen = mine;
                        is_new
                    });
                }
                // What another process takes meanwhile has no effect here: each transaction looks at its lease.
                Err(error) => tracing::warn!(
                    %error, consumer = &*member.consumer,
                    "cannot renew the leases on partitions of events, and tries again"
                ),
            }
            stop.run_until_cancelled(tokio::time::sleep(self.settings.renew_every())).await;
        }
    }
}
