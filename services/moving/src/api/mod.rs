//! What the parties of an order see and do: [`inventory`] while the move is under way, [`claims`] afterwards.

mod claims;
mod inventory;

use crate::{
    convert::{self, MoveJob},
    domain::claim::Model as DamageClaim,
    events,
    moves::Moves,
    repository, worker,
};
use chrono::Duration;
use kit::{Db, Tx, messaging::timers, rpc::confidential};
use proto::quickserve::moving::v1 as pb;
use tonic::Request;
use uuid::Uuid;
use vertical::{Error, repository::Reach, signals};

/// Serves `MovingService` and `ClaimService`.
#[derive(Clone)]
pub struct Api {
    db: Db,
    moves: Moves,
}

impl Api {
    /// Serves the moves in `db`.
    pub const fn new(db: Db, moves: Moves) -> Self {
        Self { db, moves }
    }

    /// The inventory as `reader` reads it.
    fn inventory_view(&self, job: &MoveJob, reader: Reach) -> Result<pb::Inventory, Error> {
        let work = self.moves.current_work(job)?;
        let whole = convert::inventory(job, work.map_or(0, |work| work.hectometres))?;
        if job.shows_home(reader, self.db.clock().now()) {
            return Ok(whole);
        }
        Ok(confidential::hide("quickserve.moving.v1.Inventory", &whole)?)
    }

    /// The waybill as `reader` reads it.
    fn waybill_view(&self, job: &MoveJob, reader: Reach) -> Result<pb::Waybill, Error> {
        let whole = convert::waybill(job, self.moves.tables.claims.reserve_hours);
        if job.shows_home(reader, self.db.clock().now()) {
            return Ok(whole);
        }
        Ok(confidential::hide("quickserve.moving.v1.Waybill", &whole)?)
    }

    /// Opens a claim: as much of the payout waits for it. The caller saves the job.
    async fn open_claim(
        &self,
        tx: &Tx,
        job: &mut MoveJob,
        claim: &DamageClaim,
    ) -> Result<(), Error> {
        repository::insert_claim(tx, claim).await?;
        let overdue = tx.now() + Duration::days(self.moves.tables.claims.overdue_days);
        timers::schedule_timer(tx, worker::CLAIM, claim.id, overdue).await?;
        let (customer, amount) = (job.order.customer_id, claim.money(claim.amount));
        signals::record_claim_opened(tx, &mut job.order, customer, claim.id, amount).await?;
        events::record_move_event(tx, job, events::CLAIM_OPENED, Some(claim.id)).await
    }
}

/// Who makes the call.
fn account_of<T>(request: &Request<T>) -> Result<Uuid, kit::Error> {
    Ok(kit::caller_of(request).subject()?.user_id)
}
