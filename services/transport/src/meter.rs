//! What was driven, by whatever follows the provider's positions.

use crate::domain::waiting::TrackMeasure;
use chrono::{DateTime, Utc};
use tonic::async_trait;
use uuid::Uuid;
use vertical::{Error, Place};

/// Measures rides.
#[async_trait]
pub trait Meter: Send + Sync {
    /// What the positions say of an order's provider between two moments, and when the first of them was close to `place`.
    /// None where nothing follows providers.
    async fn measure_track(
        &self,
        order_id: Uuid,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        place: Option<Place>,
    ) -> Result<Option<TrackMeasure>, Error>;
}

/// Measures nothing: what providers say counts, and quotes stand.
pub struct NoMeter;

#[async_trait]
impl Meter for NoMeter {
    async fn measure_track(
        &self,
        _: Uuid,
        _: DateTime<Utc>,
        _: DateTime<Utc>,
        _: Option<Place>,
    ) -> Result<Option<TrackMeasure>, Error> {
        Ok(None)
    }
}
