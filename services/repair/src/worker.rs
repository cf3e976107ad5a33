//! The timers of repairs: whether a repairer is at work in time.

use crate::{convert::RepairJob, events};
use async_trait::async_trait;
use kit::{
    Db, Tx,
    messaging::timers::{self, Timer, TimerHandler},
};
use vertical::{
    Error,
    repository::{self, Reach},
};

/// A repairer is to be at work.
pub const SLA: &str = "sla";

/// Sets the timer of a job, or takes it back once it means nothing any more.
pub async fn schedule_sla(tx: &Tx, job: &RepairJob) -> Result<(), Error> {
    let id = job.order.order_id;
    match job.own.sla_timer(job.phase()) {
        Some(due) => timers::schedule_timer(tx, SLA, id, due).await?,
        None => timers::cancel_timer(tx, SLA, id).await?,
    }
    Ok(())
}

/// Tells operators of repairs to which no repairer came in time.
pub struct SlaTimers {
    db: Db,
}

impl SlaTimers {
    /// The timers in `db`.
    pub const fn new(db: Db) -> Self {
        Self { db }
    }

    async fn look_at(&self, timer: &Timer) -> Result<(), Error> {
        let tx = self.db.begin().await?;
        let found = repository::lock_job(&tx, timer.aggregate, Reach::All).await;
        let mut job: RepairJob = match found {
            Err(Error::OrderNotFound) => return Ok(()),
            found => found?,
        };
        let phase = job.phase();
        if job.own.miss_sla(phase, tx.now()) {
            events::record_repair_event(&tx, &mut job, events::SLA_MISSED).await?;
            repository::save_job(&tx, &mut job).await?;
        } else if let Some(due) = job.own.sla_timer(phase) {
            // The visit was moved meanwhile.
            timers::schedule_timer(&tx, SLA, timer.aggregate, due).await?;
        }
        Ok(tx.commit().await?)
    }
}

#[async_trait]
impl TimerHandler for SlaTimers {
    async fn fire(&self, timer: &Timer) -> Result<(), kit::Error> {
        match timer.kind.as_str() {
            SLA => Ok(self.look_at(timer).await?),
            other => Err(kit::Error::internal(format!("no timer is called {other}"))),
        }
    }
}
