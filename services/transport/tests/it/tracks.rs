//! The service that measures tracks, as a script.

use kit::{Host, Routes, values::time::timestamp};
use proto::quickserve::provider::v1::{
    self as pb, MeasureTrackRequest, MeasureTrackResponse,
    tracking_service_server::{TrackingService, TrackingServiceServer},
};
use std::sync::{Arc, Mutex};
use tonic::{Request, Response, Status, Streaming, codegen::BoxStream};

/// What is measured: of rides as a whole, and of each place.
#[derive(Clone, Copy, Default)]
pub struct Script {
    pub metres: i64,
    pub seconds: i64,
    pub covered_percent: i32,
    /// How many seconds after the first moment that is asked for the provider is close to the place.
    pub close_after_s: Option<i64>,
}

/// Tracks that say what a script says; without one there are none.
#[derive(Clone, Default)]
pub struct Tracks(Arc<Mutex<Option<Script>>>);

impl Tracks {
    /// The tracks of a host's process.
    pub fn install(host: &Host) -> Self {
        let tracks = Self::default();
        let routes = Routes::default().add(TrackingServiceServer::new(tracks.clone()));
        host.of("provider").install(routes);
        tracks
    }

    /// Follows a script from now on.
    pub fn say(&self, script: Script) {
        *self.0.lock().unwrap() = Some(script);
    }
}

#[tonic::async_trait]
impl TrackingService for Tracks {
    type StreamPositionsStream = BoxStream<pb::StreamPositionsResponse>;
    type WatchTrackStream = BoxStream<pb::WatchTrackResponse>;

    async fn stream_positions(
        &self,
        _: Request<Streaming<pb::StreamPositionsRequest>>,
    ) -> Result<Response<Self::StreamPositionsStream>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn push_positions(
        &self,
        _: Request<pb::PushPositionsRequest>,
    ) -> Result<Response<pb::PushPositionsResponse>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn watch_track(
        &self,
        _: Request<pb::WatchTrackRequest>,
    ) -> Result<Response<Self::WatchTrackStream>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn measure_track(
        &self,
        request: Request<MeasureTrackRequest>,
    ) -> Result<Response<MeasureTrackResponse>, Status> {
        let Some(script) = *self.0.lock().unwrap() else {
            return Err(Status::not_found("no track"));
        };
        let MeasureTrackRequest { from, place, .. } = request.into_inner();
        let from = kit::values::time::moment("from", from.as_ref())?;
        let close_after_s = script.close_after_s.filter(|_| place.is_some());
        let reached_at = close_after_s.map(|s| timestamp(from + chrono::Duration::seconds(s)));
        let Script { metres, seconds, covered_percent, .. } = script;
        Ok(Response::new(MeasureTrackResponse { metres, seconds, covered_percent, reached_at }))
    }
}
