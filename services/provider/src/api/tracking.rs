//! `TrackingService`: positions in, tracks out.

use crate::{
    domain::{
        Error, ProviderId,
        fix::Fix,
        way::{Way, first_at},
    },
    repository::Providers,
    tracking::{
        self,
        intake::{BatchResult, Intake},
        upkeep::measured_points,
        watch::{self, TrackWatches, Viewer},
    },
};
use chrono::Duration;
use futures::stream::{self, BoxStream, StreamExt};
use kit::values::{
    coordinates::Coordinates,
    id::parse_uuid,
    time::{moment, timestamp},
};
use proto::quickserve::provider::v1::{self as pb, tracking_service_server::TrackingService};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming, async_trait};

/// How long a stream of positions lasts. Its device then comes back with a token that is still good.
const LONGEST: Duration = Duration::minutes(15);

/// Serves `TrackingService`.
#[derive(Clone)]
pub struct TrackingApi {
    providers: Providers,
    intake: Intake,
    watches: TrackWatches,
    stop: CancellationToken,
}

impl TrackingApi {
    /// Takes positions in by `intake` and shows them by `watches`, until `stop`.
    pub const fn new(
        providers: Providers,
        intake: Intake,
        watches: TrackWatches,
        stop: CancellationToken,
    ) -> Self {
        Self { providers, intake, watches, stop }
    }

    /// Takes in a batch and says up to where it goes.
    async fn take_in(
        self,
        provider: ProviderId,
        positions: Vec<pb::DevicePosition>,
    ) -> Result<(i64, BatchResult), Error> {
        let mut fixes = Vec::with_capacity(positions.len());
        for (index, position) in positions.iter().enumerate() {
            fixes.push(parse_fix(index, position)?);
        }
        let seq = positions.iter().map(|position| position.seq).max().unwrap_or_default();
        Ok((seq, self.intake.take_in(provider, fixes).await?))
    }
}

/// A stream of positions that is being taken in.
struct PositionStream {
    api: TrackingApi,
    provider: ProviderId,
    batches: Streaming<pb::StreamPositionsRequest>,
}

impl PositionStream {
    /// The answer to the next batch; none when the device or the service ends the stream.
    async fn next_answer(&mut self) -> Result<Option<pb::StreamPositionsResponse>, Status> {
        let batch = tokio::select! {
            batch = self.batches.message() => batch?,
            () = self.api.stop.cancelled() => None,
        };
        let Some(batch) = batch else { return Ok(None) };
        let taking = self.api.clone().take_in(self.provider, batch.positions);
        let (seq, result) = tracking::finish(taking).await?;
        let (accepted, dropped) = (result.accepted, shown_drops(result));
        Ok(Some(pb::StreamPositionsResponse { seq, accepted, dropped }))
    }
}

#[async_trait]
impl TrackingService for TrackingApi {
    type StreamPositionsStream = BoxStream<'static, Result<pb::StreamPositionsResponse, Status>>;
    type WatchTrackStream = watch::TrackStream;

    async fn stream_positions(
        &self,
        request: Request<Streaming<pb::StreamPositionsRequest>>,
    ) -> Result<Response<Self::StreamPositionsStream>, Status> {
        let user_id = kit::caller_of(&request).subject()?.user_id;
        let provider = self.intake.provider_of(user_id).await?;
        let stream = PositionStream { api: self.clone(), provider, batches: request.into_inner() };
        let clock = self.providers.clock().clone();
        let ends_at = clock.now() + LONGEST;
        let answers = stream::unfold(Some(stream), |stream| async move {
            let mut stream = stream?;
            match stream.next_answer().await {
                Ok(None) => None,
                Ok(Some(answer)) => Some((Ok(answer), Some(stream))),
                Err(refused) => Some((Err(refused), None)),
            }
        });
        let end = async move { clock.sleep_until(ends_at).await };
        Ok(Response::new(answers.take_until(Box::pin(end)).boxed()))
    }

    async fn push_positions(
        &self,
        request: Request<pb::PushPositionsRequest>,
    ) -> Result<Response<pb::PushPositionsResponse>, Status> {
        let user_id = kit::caller_of(&request).subject()?.user_id;
        let pb::PushPositionsRequest { positions } = request.into_inner();
        let provider = self.intake.provider_of(user_id).await?;
        let (seq, result) = self.clone().take_in(provider, positions).await?;
        let (accepted, dropped) = (result.accepted, shown_drops(result));
        Ok(Response::new(pb::PushPositionsResponse { seq, accepted, dropped }))
    }

    async fn watch_track(
        &self,
        request: Request<pb::WatchTrackRequest>,
    ) -> Result<Response<Self::WatchTrackStream>, Status> {
        let caller = kit::caller_of(&request);
        let viewer =
            Viewer { user_id: caller.subject()?.user_id, is_operator: caller.is_operator() };
        let pb::WatchTrackRequest { order_id, after } = request.into_inner();
        let order_id = parse_uuid("order_id", &order_id)?;
        let after = match after.as_str() {
            "" => None,
            id => Some(id.parse().map_err(|_| Error::invalid("after", "is no id of a position"))?),
        };
        Ok(Response::new(self.watches.watch(viewer, order_id, after).await?))
    }

    async fn measure_track(
        &self,
        request: Request<pb::MeasureTrackRequest>,
    ) -> Result<Response<pb::MeasureTrackResponse>, Status> {
        let pb::MeasureTrackRequest { order_id, from, to, place } = request.into_inner();
        let order_id = parse_uuid("order_id", &order_id)?;
        let (from, to) = (moment("from", from.as_ref())?, moment("to", to.as_ref())?);
        if to < from {
            return Err(Error::invalid("to", "must not be before from").into());
        }
        let track = self.providers.find_track(order_id).await?;
        if let (Some(metres), Some(seconds), Some(covered_percent)) =
            (track.metres, track.seconds, track.covered_percent)
        {
            // The points are gone; what the whole of them came to is left.
            let sum =
                pb::MeasureTrackResponse { metres, seconds, covered_percent, reached_at: None };
            return Ok(Response::new(sum));
        }
        let points = measured_points(self.providers.db.connection(), &track, from, to).await?;
        let Way { metres, seconds, gaps: _, covered_percent } = Way::measure(&points, from, to);
        let place = place.map(|place| Coordinates { lat: place.lat, lng: place.lng });
        let reached_at = place.and_then(|place| first_at(&points, place)).map(timestamp);
        Ok(Response::new(pb::MeasureTrackResponse { metres, seconds, covered_percent, reached_at }))
    }
}

/// Reads a position of a batch. Tracks count in milliseconds.
fn parse_fix(index: usize, position: &pb::DevicePosition) -> Result<Fix, Error> {
    let field = |name: &str| format!("positions[{index}].{name}");
    let at = moment(&field("at"), position.at.as_ref())?;
    let at = chrono::DateTime::from_timestamp_millis(at.timestamp_millis()).unwrap_or(at);
    let place =
        position.lat.zip(position.lng).and_then(|(lat, lng)| Coordinates::checked(lat, lng));
    let place = place.ok_or_else(|| Error::invalid(field("lat"), "must be given, with lng"))?;
    let (accuracy_m, heading) = (position.accuracy_m, position.heading);
    Ok(Fix { at, place, accuracy_m, heading })
}

fn shown_drops(result: BatchResult) -> std::collections::BTreeMap<String, i32> {
    result.dropped.into_iter().map(|(reason, count)| (reason.to_owned(), count)).collect()
}
