//! Ways between places, by what knows the roads.

use crate::domain::{tables::RoadSettings, way::Itinerary};
use tonic::async_trait;
use vertical::{Error, Place};

/// Says how far and how long the way over some places is.
#[async_trait]
pub trait Router: Send + Sync {
    /// The way from the first place over all others, in their order.
    async fn find_way(&self, places: &[Place]) -> Result<Itinerary, Error>;
}

/// Knows no roads: ways are lines, longer by a detour, at one speed.
pub struct StraightRouter(pub RoadSettings);

#[async_trait]
impl Router for StraightRouter {
    async fn find_way(&self, places: &[Place]) -> Result<Itinerary, Error> {
        Ok(self.0.estimate(places))
    }
}
