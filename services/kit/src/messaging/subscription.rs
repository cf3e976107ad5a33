//! A consumer's subscription: each event reaches the consumer in the order of its aggregate, however often that fails.
//!
//! An event that the consumer cannot take waits in the consumer's own database, and whatever comes later of its
//! aggregate waits behind it; other aggregates and other consumers go on. It is tried again at growing intervals. Only
//! an event that is itself at fault is ever given up: after [`MAX_ATTEMPTS`] tries its aggregate is parked for this
//! consumer until an operator retries or drops it. What is away (a database, a called service) costs no try.

use crate::{
    messaging::bus::Consumer,
    messaging::event::Event,
    messaging::failure::is_poison,
    messaging::lease::Lease,
    messaging::parked::{self, Entity, Failure, Model},
    messaging::queue::{self, Backoff, Claim, Worker},
    program::{metrics, telemetry},
    rpc::error::Error,
    storage::db::Db,
};
use async_trait::async_trait;
use chrono::{DateTime, Duration, Utc};
use futures::{StreamExt, stream};
use std::{sync::Arc, time::Duration as StdDuration};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tracing::Instrument;
use uuid::Uuid;

/// Tries of an event that is itself at fault, after which its aggregate is parked.
pub const MAX_ATTEMPTS: i32 = 12;
/// How long an event rests that is itself at fault.
const POISON_BACKOFF: Backoff =
    Backoff { first: Duration::milliseconds(250), longest: Duration::minutes(10) };
/// How long an event rests while something is away that its consumer needs.
const AWAY_BACKOFF: Backoff =
    Backoff { first: Duration::milliseconds(250), longest: Duration::seconds(15) };
/// How long a consumer may take over an event.
const MAX_CONSUME_TIME: StdDuration = StdDuration::from_secs(30);
/// Waiting events claimed at a time, one an aggregate.
const BATCH: u64 = 16;
/// How often the waiting events are looked at.
const POLL: StdDuration = StdDuration::from_secs(1);

/// A consumer, its name, and the database in which events wait for it.
pub struct Subscription {
    name: Arc<str>,
    db: Option<Db>,
    consumer: Arc<dyn Consumer>,
    held: Notify,
}

impl Subscription {
    /// Subscribes `consumer`, under the name of its service. Without a database nothing can wait for it: the publisher
    /// then keeps what it does not take.
    pub fn new(name: &str, db: Option<Db>, consumer: Arc<dyn Consumer>) -> Self {
        Self { name: name.into(), db, consumer, held: Notify::new() }
    }

    /// Whether the consumer wants events of this kind.
    pub fn wants(&self, kind: &str) -> bool {
        self.consumer.wants(kind)
    }

    /// The consumer's name among all consumers, for example `payment.standing`.
    pub(crate) const fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The database in which events wait for the consumer.
    pub(crate) const fn db(&self) -> Option<&Db> {
        self.db.as_ref()
    }

    /// Takes an event for good: the consumer has acted on it, or it waits in the consumer's database. An error means
    /// neither, and the publisher keeps the event.
    pub async fn take(&self, event: &Event) -> Result<(), Error> {
        self.take_under(event, None).await
    }

    /// As [`Subscription::take`], and without effect once another process has the lease.
    pub(crate) async fn take_under(
        &self,
        event: &Event,
        lease: Option<Lease>,
    ) -> Result<(), Error> {
        let Some(db) = &self.db else { return self.consume(event, lease).await };
        if parked::holds_back(db, &self.name, event).await? {
            parked::hold(db, &self.name, event, None).await?;
            self.held.notify_one();
            return Ok(());
        }
        let Err(error) = self.consume(event, lease.clone()).await else { return Ok(()) };
        if let Some(lease) = &lease
            && !lease.is_held(db).await?
        {
            return Err(error);
        }
        let failure = failure(db, &error, 0, 0);
        self.log(event, &error, &failure);
        parked::hold(db, &self.name, event, Some(failure)).await?;
        self.held.notify_one();
        Ok(())
    }

    /// Tries again what waits and is due, the first event of each aggregate, and returns how many it took up.
    pub async fn retry_due(&self) -> Result<usize, Error> {
        let Some(db) = &self.db else { return Ok(0) };
        let waiting = parked::first_of_each_aggregate(&self.name);
        let Claim { id, rows } = queue::claim(db, waiting, BATCH).await?;
        let count = rows.len();
        let retry_all = stream::iter(rows)
            .map(|row| self.retry(db, id, row))
            .buffer_unordered(BATCH as usize)
            .collect::<Vec<_>>();
        for retried in queue::hold::<Entity, _>(db, id, retry_all).await {
            retried?;
        }
        Ok(count)
    }

    /// Tries again what waits, until `stop`.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let Some(db) = &self.db else { return };
        if let Err(error) = self.count_parked(db).await {
            tracing::warn!(%error, consumer = &*self.name, "cannot count the parked events");
        }
        queue::run(db, &*self, &self.held, &stop).await;
    }

    async fn retry(&self, db: &Db, claim: Uuid, row: Model) -> Result<(), Error> {
        let (attempts, failures) = (row.attempts, row.failures);
        let event = Event::from(row);
        let Err(error) = self.consume(&event, None).await else {
            return parked::remove_claimed(db, claim, event.id).await;
        };
        let failure = failure(db, &error, attempts, failures);
        self.log(&event, &error, &failure);
        let parked = failure.next_at.is_none();
        parked::retry_later(db, claim, event.id, failure).await?;
        if parked { self.count_parked(db).await } else { Ok(()) }
    }

    async fn count_parked(&self, db: &Db) -> Result<(), Error> {
        let parked = parked::count(db, &self.name).await?;
        metrics::service(&self.name).parked(parked);
        Ok(())
    }

    /// Calls the consumer. One that panics or hangs has failed like any other. It has a task of its own and is never
    /// stopped half way, so that it can use transactions as plain code.
    async fn consume(&self, event: &Event, lease: Option<Lease>) -> Result<(), Error> {
        let (consumer, own) = (self.consumer.clone(), event.clone());
        let task = async move {
            match lease {
                Some(lease) => lease.fence(consumer.consume(&own)).await,
                None => consumer.consume(&own).await,
            }
        };
        let span = telemetry::event_span(&self.name, &event.kind, &event.traceparent);
        let task = tokio::spawn(task.instrument(span));
        match tokio::time::timeout(MAX_CONSUME_TIME, task).await {
            Ok(Ok(result)) => result,
            Ok(Err(failed)) if failed.is_panic() => Err(Error::internal("the consumer panicked")),
            Ok(Err(_)) => Err(Status::unavailable("the process is stopping").into()),
            Err(_) => Err(Status::deadline_exceeded("the consumer takes too long").into()),
        }
    }

    fn log(&self, event: &Event, error: &Error, failure: &Failure) {
        let (consumer, id, aggregate) = (&*self.name, event.id, event.aggregate);
        match failure.next_at {
            Some(next_at) => tracing::warn!(
                %error, consumer, event.kind, event.id = %id, %aggregate, %next_at,
                attempts = failure.attempts,
                "an event was not taken; its aggregate waits for this consumer and is tried again"
            ),
            None => tracing::error!(
                %error, consumer, event.kind, event.id = %id, %aggregate,
                attempts = failure.attempts,
                "an event was given up; its aggregate is parked for this consumer until \
                 `quickserve events parked retry` or `drop`"
            ),
        }
    }
}

/// What a failure means for an event that failed so often before.
fn failure(db: &Db, error: &Error, attempts: i32, failures: i32) -> Failure {
    let poison = is_poison(error);
    let attempts = if poison { attempts.saturating_add(1) } else { attempts };
    let failures = failures.saturating_add(1);
    let pause = match poison {
        true => POISON_BACKOFF.after(attempts),
        false => AWAY_BACKOFF.after(failures),
    };
    let given_up = poison && attempts >= MAX_ATTEMPTS;
    let next_at = (!given_up).then(|| db.clock().now() + pause);
    Failure { error: error.to_string(), attempts, failures, next_at }
}

#[async_trait]
impl Worker for Subscription {
    fn name(&self) -> &'static str {
        "waiting events"
    }

    fn poll(&self) -> StdDuration {
        POLL
    }

    async fn work_off(&self) -> Result<usize, Error> {
        self.retry_due().await
    }

    /// What rests is found by the next look, which is never far away.
    async fn next_due(&self) -> Result<Option<DateTime<Utc>>, Error> {
        Ok(None)
    }
}
