//! The relay: publishes the events of one service's outbox, at least once and in order for each aggregate.

use crate::{
    messaging::bus::{Bus, Delivery, Published, Round},
    messaging::event::Event,
    messaging::outbox::{
        self, Replay, TAKEN, UNCLAIMED, WAITING,
        entity::{Column, Entity, Model},
    },
    messaging::queue::{self, Backoff, Claim, Worker},
    program::metrics,
    rpc::error::Error,
    storage::db::Db,
};
use async_trait::async_trait;
use chrono::{DateTime, Duration, Utc};
use sea_orm::{
    Condition, ConnectionTrait, DbBackend, QueryOrder, QuerySelect, QueryTrait, Select,
    entity::prelude::*,
    sea_query::{Alias, ExprTrait, Query},
};
use std::{sync::Arc, time::Duration as StdDuration};
use tokio_util::sync::CancellationToken;

/// Events a relay claims at a time.
const BATCH: u64 = 100;
/// How often a relay looks for what no commit of its own process told it of.
const POLL: StdDuration = StdDuration::from_secs(1);
/// How often the metrics are told of the backlog.
const OBSERVE: StdDuration = StdDuration::from_secs(15);
/// How long an event rests that a consumer could not even keep for later.
const BACKOFF: Backoff =
    Backoff { first: Duration::milliseconds(500), longest: Duration::seconds(30) };
/// How long events are kept after they were published, to be published again when a consumer has lost them.
const KEPT: Duration = Duration::days(7);
/// Has the relays of one outbox, which is a schema's on PostgreSQL, claim one after the other.
const LOCK_OUTBOX: &str = "SELECT pg_advisory_xact_lock(hashtext(current_schema() || '.outbox'))";
/// Events deleted in one transaction.
const PRUNED_AT_ONCE: u64 = 1_000;

/// Publishes the events of one service's outbox.
#[derive(Clone)]
pub struct Relay {
    service: Arc<str>,
    db: Db,
    bus: Arc<dyn Bus>,
}

impl Relay {
    /// A relay for the outbox of `service`.
    pub fn new(service: &str, db: Db, bus: Arc<dyn Bus>) -> Self {
        Self { service: service.into(), db, bus }
    }

    /// Publishes what is due, and returns how many events it took up.
    pub async fn deliver_due(&self) -> Result<usize, Error> {
        let round = self.bus.open_round(&self.service).await?;
        if round == Round::Lost {
            let events = outbox::publish_again(&self.db, &Replay::default()).await?;
            self.bus.begin_anew(&self.service).await?;
            tracing::warn!(
                service = &*self.service,
                events,
                "the bus holds nothing of this service, or has lost it; what the outbox keeps is published again"
            );
            return Ok(1);
        }
        let Claim { id, rows } = self.claim_due().await?;
        let count = rows.len();
        if count > 0 {
            queue::hold::<Entity, _>(&self.db, id, self.deliver(&round, id, rows)).await?;
        }
        Ok(count)
    }

    /// Claims events. Two relays that claim at the same moment do not see each other's claims, and one could publish an
    /// event before an earlier one of its aggregate that the other holds: on PostgreSQL they claim one after the other.
    /// SQLite has one writer at a time.
    async fn claim_due(&self) -> Result<Claim<Model>, Error> {
        let waiting = waiting(self.db.clock().now());
        if self.db.connection().get_database_backend() != DbBackend::Postgres {
            return queue::claim(&self.db, waiting, BATCH).await;
        }
        if !queue::has_due(&self.db, &waiting).await? {
            return Ok(Claim { id: Uuid::nil(), rows: Vec::new() });
        }
        let tx = self.db.begin().await?;
        tx.execute_unprepared(LOCK_OUTBOX).await?;
        let claim = queue::claim_on(&*tx, tx.now(), waiting, BATCH).await?;
        tx.commit().await?;
        Ok(claim)
    }

    /// Publishes until `stop`. Every consumer of the process must have subscribed before.
    pub async fn run(self, stop: CancellationToken) {
        if let Err(error) = self.offer_unclaimed_again().await {
            tracing::warn!(%error, service = &*self.service, "cannot look for unclaimed events; the next start does");
        }
        queue::run(&self.db, &self, &self.db.wakes().facts, &stop).await;
    }

    /// Publishes the events of a claim, those of an aggregate in order.
    async fn deliver(&self, round: &Round, claim: Uuid, mut rows: Vec<Model>) -> Result<(), Error> {
        rows.sort_by_key(|row| (row.occurred_at, row.seq));
        let events = rows.iter().map(|row| self.event(row)).collect();
        let deliveries = match self.bus.publish_all(round, events).await {
            Ok(deliveries) => deliveries,
            Err(error) => {
                // Once the bus answers again, nothing is to wait for the end of a lease.
                self.give_back(claim, rows.iter().map(|row| row.id).collect()).await?;
                return Err(error);
            }
        };
        let (mut taken, mut unclaimed, mut held_back) = (Vec::new(), Vec::new(), Vec::new());
        let mut failed = Vec::new();
        for (row, delivery) in rows.iter().zip(deliveries) {
            match delivery {
                Delivery::Done(Published::Taken) => taken.push(row.id),
                Delivery::Done(Published::Unclaimed) => unclaimed.push(row.id),
                Delivery::HeldBack => held_back.push(row.id),
                Delivery::Failed(error) => {
                    tracing::warn!(
                        %error, row.kind, event.id = %row.id,
                        "an event was not taken by every consumer, and is published again later"
                    );
                    failed.push(row);
                }
            }
        }
        self.mark_done(claim, taken, TAKEN).await?;
        self.mark_done(claim, unclaimed, UNCLAIMED).await?;
        self.give_back(claim, held_back).await?;
        for row in failed {
            self.retry_later(claim, row).await?;
        }
        Ok(())
    }

    async fn mark_done(&self, claim: Uuid, ids: Vec<Uuid>, state: i16) -> Result<(), Error> {
        if ids.is_empty() {
            return Ok(());
        }
        queue::settle::<Entity>(claim)
            .col_expr(Column::State, Expr::value(state))
            .col_expr(Column::DoneAt, Expr::value(self.db.clock().now()))
            .filter(Column::Id.is_in(ids))
            .exec(self.db.connection())
            .await?;
        Ok(())
    }

    async fn give_back(&self, claim: Uuid, ids: Vec<Uuid>) -> Result<(), Error> {
        if !ids.is_empty() {
            let back = queue::settle::<Entity>(claim).filter(Column::Id.is_in(ids));
            back.exec(self.db.connection()).await?;
        }
        Ok(())
    }

    /// No consumer is to blame for what it could not keep, so that there is no last try.
    async fn retry_later(&self, claim: Uuid, row: &Model) -> Result<(), Error> {
        let attempts = row.attempts.saturating_add(1);
        queue::settle::<Entity>(claim)
            .col_expr(Column::Attempts, Expr::value(attempts))
            .col_expr(Column::NextAt, Expr::value(self.db.clock().now() + BACKOFF.after(attempts)))
            .filter(Column::Id.eq(row.id))
            .exec(self.db.connection())
            .await?;
        Ok(())
    }

    /// Has events published that no consumer wanted before and one wants now.
    async fn offer_unclaimed_again(&self) -> Result<(), Error> {
        let unclaimed = Entity::find().filter(Column::State.eq(UNCLAIMED));
        let kinds: Vec<String> = unclaimed
            .select_only()
            .column(Column::Kind)
            .distinct()
            .into_tuple()
            .all(self.db.connection())
            .await?;
        let wanted: Vec<String> = kinds.into_iter().filter(|kind| self.bus.wants(kind)).collect();
        if wanted.is_empty() {
            return Ok(());
        }
        Entity::update_many()
            .col_expr(Column::State, Expr::value(WAITING))
            .col_expr(Column::DoneAt, Expr::value(Option::<DateTime<Utc>>::None))
            .filter(Column::State.eq(UNCLAIMED))
            .filter(Column::Kind.is_in(wanted))
            .exec(self.db.connection())
            .await?;
        Ok(())
    }

    /// Deletes events that were published long enough ago, some at a time.
    pub async fn prune(&self) -> Result<(), Error> {
        let before = self.db.clock().now() - KEPT;
        loop {
            let old = Entity::find()
                .filter(Column::DoneAt.lt(before))
                .select_only()
                .column(Column::Id)
                .limit(PRUNED_AT_ONCE)
                .into_query();
            let deleted = Entity::delete_many()
                .filter(Column::Id.in_subquery(old))
                .exec(self.db.connection())
                .await?;
            if deleted.rows_affected < PRUNED_AT_ONCE {
                return Ok(());
            }
        }
    }

    /// How many events wait, and since when the oldest does.
    pub async fn backlog(&self) -> Result<(u64, Option<DateTime<Utc>>), Error> {
        let waiting = Entity::find().filter(Column::State.eq(WAITING));
        let oldest =
            waiting.clone().order_by_asc(Column::OccurredAt).one(self.db.connection()).await?;
        let count = waiting.count(self.db.connection()).await?;
        Ok((count, oldest.map(|row| row.occurred_at)))
    }

    /// Tells the metrics of the backlog until `stop`.
    pub async fn observe(self, stop: CancellationToken) {
        let metrics = metrics::service(&self.service);
        while !stop.is_cancelled() {
            match self.backlog().await {
                Ok((count, oldest)) => {
                    let age = oldest.and_then(|at| (self.db.clock().now() - at).to_std().ok());
                    metrics.outbox(count, age.unwrap_or_default());
                }
                Err(error) => {
                    tracing::warn!(%error, service = &*self.service, "cannot read the outbox backlog");
                }
            }
            tokio::select! {
                () = tokio::time::sleep(OBSERVE) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    fn event(&self, row: &Model) -> Event {
        Event {
            id: row.id,
            source: self.service.to_string(),
            kind: row.kind.clone(),
            aggregate: row.aggregate,
            seq: row.seq,
            occurred_at: row.occurred_at,
            actor: row.actor.clone(),
            traceparent: row.traceparent.clone(),
            data: row.data.clone(),
            only_for: row.only_for.clone(),
        }
    }
}

#[async_trait]
impl Worker for Relay {
    fn name(&self) -> &'static str {
        "relay"
    }

    fn poll(&self) -> StdDuration {
        POLL
    }

    async fn work_off(&self) -> Result<usize, Error> {
        self.deliver_due().await
    }

    /// What rests is found by the next look, which is never far away.
    async fn next_due(&self) -> Result<Option<DateTime<Utc>>, Error> {
        Ok(None)
    }
}

/// Events that wait and whose aggregate has no earlier one that rests or that another relay publishes.
fn waiting(now: DateTime<Utc>) -> Select<Entity> {
    let earlier = Alias::new("earlier");
    let held_up = Condition::any()
        .add(Expr::col((earlier.clone(), Column::LeaseUntil)).gt(now))
        .add(Expr::col((earlier.clone(), Column::NextAt)).gt(now));
    let blocked = Query::select()
        .expr(Expr::value(1))
        .from_as(Entity, earlier.clone())
        .and_where(
            Expr::col((earlier.clone(), Column::Aggregate)).equals((Entity, Column::Aggregate)),
        )
        .and_where(Expr::col((earlier.clone(), Column::Seq)).lt(Expr::col((Entity, Column::Seq))))
        .and_where(Expr::col((earlier, Column::State)).eq(WAITING))
        .cond_where(held_up)
        .to_owned();
    Entity::find()
        .filter(Column::State.eq(WAITING))
        .filter(Expr::exists(blocked).not())
        .order_by_asc(Column::OccurredAt)
        .order_by_asc(Column::Seq)
}
