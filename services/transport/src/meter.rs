//! What was driven, by whatever follows the provider's positions.

use crate::domain::waiting::TrackMeasure;
use tonic::async_trait;
use uuid::Uuid;
use vertical::{Error, Place};

/// Measures rides.
#[async_trait]
pub trait Meter: Send + Sync {
    /// What was measured of an order's ride: from the pick-up, which is the first of `places`, over its stops. None where
    /// nothing follows the provider.
    async fn measure_ride(
        &self,
        order_id: Uuid,
        places: &[Place],
    ) -> Result<Option<TrackMeasure>, Error>;
}

/// Measures nothing: what providers say counts, and quotes stand.
pub struct NoMeter;

#[async_trait]
impl Meter for NoMeter {
    async fn measure_ride(&self, _: Uuid, _: &[Place]) -> Result<Option<TrackMeasure>, Error> {
        Ok(None)
    }
}
