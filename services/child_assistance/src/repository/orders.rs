//! Orders by their children: the record of an order says which children are in its care.

use crate::domain::{Error, care::CareJob};
use kit::Tx;
use uuid::Uuid;
use vertical::repository;

/// The orders with a child that are in some states, booked by some accounts: only guardians book care of it.
pub async fn list_with_child(
    tx: &Tx,
    child_id: Uuid,
    customers: Vec<Uuid>,
    states: &[i32],
) -> Result<Vec<CareJob>, Error> {
    let mut jobs: Vec<CareJob> = repository::list_jobs(&**tx, customers, states).await?;
    jobs.retain(|job| job.own.child(child_id).is_ok());
    Ok(jobs)
}
