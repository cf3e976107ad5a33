//! Who and what comes for an order, as provider knows it: order keeps no names and plates of its own.

use crate::{app::App, convert, domain::Order};
use kit::rpc::confidential;
use proto::quickserve::provider::v1::DescribeReservationResponse;
use std::time::Duration;

/// How long a reader of an order waits for it.
const MAX_CREW_WAIT: Duration = Duration::from_millis(500);

impl App {
    /// The members and vehicles that come for the order, from the assignment until there is nothing more to do there. None
    /// when provider does not answer: an order is read without it.
    pub async fn describe_crew(&self, order: &Order) -> Option<DescribeReservationResponse> {
        let provider = order.provider_id?;
        let (state, delivered_at) = (convert::state(order.state), order.progress.delivered_at);
        if !confidential::provider_reads(state, delivered_at, self.now()) {
            return None;
        }
        let described = self.peers.describe_reservation(order, provider);
        match tokio::time::timeout(MAX_CREW_WAIT, described).await {
            Ok(Ok(crew)) => Some(crew),
            Ok(Err(error)) => {
                tracing::warn!(%error, order.id = %order.id, "the order is shown without its crew");
                None
            }
            Err(_) => {
                tracing::warn!(order.id = %order.id, "provider is slow, the order is shown without its crew");
                None
            }
        }
    }
}
