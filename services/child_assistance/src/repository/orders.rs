//! Orders by their children: the record of an order says which children are in its care.

use crate::domain::{Error, care::CareJob, records::Guardian};
use kit::Tx;
use uuid::Uuid;
use vertical::repository;

/// The orders with a child that are in some states. Only guardians book care of it, and what one of them has booked goes on
/// when they are no guardian any more: `guardians` are all that the child has had.
pub async fn list_with_child(
    tx: &Tx,
    child_id: Uuid,
    guardians: &[Guardian],
    states: &[i32],
) -> Result<Vec<CareJob>, Error> {
    let customers = guardians.iter().map(|guardian| guardian.user_id).collect();
    let mut jobs: Vec<CareJob> = repository::list_jobs(&**tx, customers, states).await?;
    jobs.retain(|job| job.own.child(child_id).is_ok());
    Ok(jobs)
}
