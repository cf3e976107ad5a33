//! Facts that moving publishes about the moves of orders.

use crate::convert::MoveJob;
use kit::{Tx, messaging::outbox};
use proto::quickserve::moving::v1::MoveEvent;
use uuid::Uuid;
use vertical::Error;

/// The mover has confirmed the inventory.
pub const SURVEYED: &str = "moving.surveyed";
/// The goods are loaded, and the price is fixed.
pub const LOADED: &str = "moving.loaded";
/// The customer has signed for the delivery.
pub const UNLOADED: &str = "moving.unloaded";
/// Goods were damaged or lost, says the customer.
pub const CLAIM_OPENED: &str = "moving.claim_opened";
/// A claim was accepted, withdrawn or settled.
pub const CLAIM_RESOLVED: &str = "moving.claim_resolved";
/// A claim has been open for too long.
pub const CLAIM_OVERDUE: &str = "moving.claim_overdue";

/// Publishes a fact about a move, or about one of its claims. The caller saves the job, which counts its facts.
pub async fn record_move_event(
    tx: &Tx,
    job: &mut MoveJob,
    kind: &str,
    claim_id: Option<Uuid>,
) -> Result<(), Error> {
    job.order.event_seq += 1;
    let order = &job.order;
    let event = MoveEvent {
        order_id: order.order_id.to_string(),
        customer_id: order.customer_id.to_string(),
        provider_user_id: order.provider_user_id.map(|id| id.to_string()).unwrap_or_default(),
        claim_id: claim_id.map(|id| id.to_string()).unwrap_or_default(),
        order_event_seq: order.facts.event_seq,
    };
    outbox::record_event(tx, kind, order.order_id, order.event_seq, &event).await?;
    Ok(())
}
