//! Timers of moving: claims that have been open for too long are shown to operators.

use crate::{convert::MoveJob, domain::claim::ClaimState, events, repository};
use async_trait::async_trait;
use kit::{
    Db,
    messaging::timers::{Timer, TimerHandler},
};
use uuid::Uuid;
use vertical::{
    Error,
    repository::{self as orders, Reach},
};

/// A claim has been open for too long.
pub const CLAIM: &str = "claim";

/// Acts on the timers of moving.
pub struct ClaimTimers {
    db: Db,
}

impl ClaimTimers {
    /// Acts on the claims in `db`.
    pub const fn new(db: Db) -> Self {
        Self { db }
    }

    /// Tells operators of a claim that no one has decided.
    async fn report_overdue(&self, claim_id: Uuid) -> Result<(), Error> {
        let claim = match repository::find_claim(self.db.connection(), claim_id).await {
            Err(Error::RecordNotFound(..)) => return Ok(()),
            found => found?,
        };
        let tx = self.db.begin().await?;
        let mut job: MoveJob = orders::lock_job(&tx, claim.order_id, Reach::All).await?;
        // It may have been decided before the order was locked.
        let claim = repository::find_claim(&*tx, claim_id).await?;
        if claim.state == ClaimState::Open {
            events::record_move_event(&tx, &mut job, events::CLAIM_OVERDUE, Some(claim_id)).await?;
            orders::save_job(&tx, &mut job).await?;
        }
        Ok(tx.commit().await?)
    }
}

#[async_trait]
impl TimerHandler for ClaimTimers {
    async fn fire(&self, timer: &Timer) -> Result<(), kit::Error> {
        match timer.kind.as_str() {
            CLAIM => Ok(self.report_overdue(timer.aggregate).await?),
            other => Err(kit::Error::internal(format!("no timer is called {other}"))),
        }
    }
}
