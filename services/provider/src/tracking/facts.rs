//! The facts that tracks publish. None says where anybody is.

use crate::domain::{Error, Track};
use kit::{Id, Tx, messaging::outbox};
use proto::quickserve::provider::v1 as pb;

/// The provider is almost there; once a leg.
pub const ARRIVING: &str = "track.arriving";
/// Nothing has been heard of the provider for a minute.
pub const STALE: &str = "track.stale";

/// Writes down a fact of a track, which counts it. A track has its own number: that of its order counts the order's facts.
pub async fn record_fact(tx: &Tx, track: &mut Track, kind: &str) -> Result<(), Error> {
    track.event_seq += 1;
    let data = pb::TrackEvent {
        order_id: track.order_id.to_string(),
        customer_id: track.customer_id.to_string(),
        provider_id: track.provider_id.map(|id| id.to_string()).unwrap_or_default(),
        order_seq: track.order_seq,
    };
    let aggregate = Id::<Track>::derived(track.order_id, "track").uuid();
    outbox::record_event(tx, kind, aggregate, track.event_seq, &data).await?;
    Ok(())
}
