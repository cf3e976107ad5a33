//! Signals: what a vertical publishes for order, whose orders it follows. Order obeys those of an order's own vertical.

use crate::{Error, OrderRecord};
use kit::{Tx, messaging::outbox};
use proto::quickserve::fulfilment::v1::Signal;
use uuid::Uuid;

/// The provider was not let in.
pub const ACCESS_FAILED: &str = "fulfilment.access_failed";

/// Publishes that `provider` was not let in. The caller saves the record, which counts its events.
pub async fn record_access_failed(
    tx: &Tx,
    order: &mut OrderRecord,
    provider: Uuid,
) -> Result<(), Error> {
    order.event_seq += 1;
    let (order_id, seq) = (order.order_id, order.event_seq);
    let signal = Signal {
        order_id: order_id.to_string(),
        reported_by: provider.to_string(),
        ..Signal::default()
    };
    outbox::record_event(tx, ACCESS_FAILED, order_id, seq, &signal).await?;
    Ok(())
}
