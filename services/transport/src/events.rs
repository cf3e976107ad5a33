//! Facts that transport publishes about the rides of orders.

use crate::{convert::RideJob, domain::ride::RideShape};
use kit::{Tx, messaging::outbox};
use proto::quickserve::transport::v1::RideEvent;
use vertical::Error;

/// The provider is at a stop.
pub const STOP_REACHED: &str = "transport.stop_reached";
/// A stop is done.
pub const STOP_COMPLETED: &str = "transport.stop_completed";
/// A parcel could not be handed over, and comes back.
pub const RETURNING: &str = "transport.returning";
/// A parcel is back at the pick-up.
pub const RETURNED: &str = "transport.returned";

/// Publishes a fact about a ride; `stop` is 0 where it is about none. The caller saves the job, which counts its facts.
pub async fn record_ride_event(
    tx: &Tx,
    job: &mut RideJob,
    kind: &str,
    stop: u32,
    shape: RideShape,
) -> Result<(), Error> {
    job.order.event_seq += 1;
    let order = &job.order;
    let event = RideEvent {
        order_id: order.order_id.to_string(),
        customer_id: order.customer_id.to_string(),
        provider_user_id: order.provider_user_id.map(|id| id.to_string()).unwrap_or_default(),
        stop: i32::try_from(stop).unwrap_or_default(),
        stops: i32::try_from(shape.stops).unwrap_or_default(),
        parcel: shape.is_parcel(),
        order_event_seq: order.facts.event_seq,
    };
    outbox::record_event(tx, kind, order.order_id, order.event_seq, &event).await?;
    Ok(())
}
