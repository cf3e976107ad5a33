//! Orders by their children: the record of an order says which children are in its care.

use crate::{convert::CareJob, domain::Error};
use kit::Tx;
use proto::quickserve::fulfilment::v1::OrderState;
use uuid::Uuid;
use vertical::repository;

/// The states in which an order has a carer and is not over.
const OPEN: [OrderState; 6] = [
    OrderState::Assigned,
    OrderState::EnRoute,
    OrderState::Arrived,
    OrderState::InProgress,
    OrderState::AwaitingApproval,
    OrderState::ChangesRequested,
];

/// The open orders with a child, booked by some accounts: only guardians book care of it.
pub async fn list_open_with_child(
    tx: &Tx,
    child_id: Uuid,
    customers: Vec<Uuid>,
) -> Result<Vec<CareJob>, Error> {
    let mut jobs: Vec<CareJob> = repository::list_jobs(&**tx, customers, &OPEN).await?;
    jobs.retain(|job| job.own.child(child_id).is_ok());
    Ok(jobs)
}
