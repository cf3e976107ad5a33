//! What cleaning publishes.

use crate::domain::{Cleaning, Error};
use kit::{Tx, messaging::outbox};
use proto::quickserve::cleaning::v1 as pb;
use uuid::Uuid;

/// The provider was not let in.
const ACCESS_FAILED: &str = "cleaning.access_failed";

/// Publishes that `provider` was not let in. The caller saves the cleaning, which counts its events.
pub async fn record_access_failed(
    tx: &Tx,
    cleaning: &mut Cleaning,
    provider: Uuid,
) -> Result<(), Error> {
    cleaning.event_seq += 1;
    let (order_id, seq) = (cleaning.order_id, cleaning.event_seq);
    let event =
        pb::CleaningEvent { order_id: order_id.to_string(), reported_by: provider.to_string() };
    outbox::record_event(tx, ACCESS_FAILED, order_id, seq, &event).await?;
    Ok(())
}
