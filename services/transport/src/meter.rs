//! What was driven, by what follows the provider's positions.

use crate::domain::waiting::TrackMeasure;
use chrono::{DateTime, Utc};
use kit::{
    Host,
    rpc::client::Channel,
    values::time::{moment, timestamp},
};
use proto::quickserve::provider::v1::{
    MeasureTrackRequest, MeasureTrackResponse, TrackPlace,
    tracking_service_client::TrackingServiceClient,
};
use tonic::{Code, async_trait};
use uuid::Uuid;
use vertical::{Error, Place};

/// Measures what the providers of orders drive.
#[async_trait]
pub trait Meter: Send + Sync {
    /// What the positions say of an order's provider between two moments, and when the first of them was close to `place`.
    /// None where the provider sends no positions.
    async fn measure_track(
        &self,
        order_id: Uuid,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        place: Option<Place>,
    ) -> Result<Option<TrackMeasure>, Error>;
}

/// Asks the service `provider`, to which the positions go.
pub struct TrackMeter(TrackingServiceClient<Channel>);

impl TrackMeter {
    /// The tracks of `host`.
    pub fn new(host: &Host) -> Self {
        Self(TrackingServiceClient::new(host.channel("provider")))
    }
}

#[async_trait]
impl Meter for TrackMeter {
    async fn measure_track(
        &self,
        order_id: Uuid,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        place: Option<Place>,
    ) -> Result<Option<TrackMeasure>, Error> {
        let request = MeasureTrackRequest {
            order_id: order_id.to_string(),
            from: Some(timestamp(from)),
            to: Some(timestamp(to)),
            place: place.map(|Place { lat, lng }| TrackPlace { lat, lng }),
        };
        let measured = match self.0.clone().measure_track(request).await {
            Ok(answer) => answer.into_inner(),
            Err(status) if status.code() == Code::NotFound => return Ok(None),
            Err(status) => return Err(kit::Error::from(status).into()),
        };
        let MeasureTrackResponse { metres, seconds, covered_percent, reached_at } = measured;
        let reached_at = reached_at.map(|at| moment("reached_at", Some(&at))).transpose()?;
        Ok(Some(TrackMeasure { metres, seconds, covered_percent, reached_at }))
    }
}
