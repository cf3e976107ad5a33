//! The track as a stream: the state of the order, then positions as they come, then the end.
//!
//! A watcher is woken by commits, those of other processes through Redis, and looks by itself at intervals. It keeps no
//! positions: what it has not sent waits in the table, and when that is too much, it begins again with the newest.

use crate::{
    domain::{Error, Track, TrackPoint, track::TrackState},
    repository::Providers,
};
use chrono::{DateTime, Duration, Utc};
use futures::stream::{self, BoxStream, StreamExt};
use kit::{messaging::wake_ups::WakeUps, values::time::timestamp};
use proto::quickserve::provider::v1::{TrackPosition, WatchTrackResponse};
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use uuid::Uuid;

/// Streams that one account may have open in this process.
const STREAMS_MOST: usize = 8;
/// Positions that wait for a slow watcher.
const WAITING_MOST: usize = 64;
/// Positions that a watcher who comes back is shown at most.
const REPLAY_MOST: usize = 2_000;
/// How often a watcher looks for what other processes wrote.
const POLL: std::time::Duration = std::time::Duration::from_secs(2);
/// How long a stream lasts. Its reader then comes back with a token that is still good.
const LONGEST: Duration = Duration::minutes(15);

/// A stream of events.
pub type TrackStream = BoxStream<'static, Result<WatchTrackResponse, Status>>;

/// Who watches tracks.
#[derive(Clone)]
pub struct TrackWatches {
    providers: Providers,
    signals: WakeUps,
    stop: CancellationToken,
    open: Arc<Mutex<HashMap<Uuid, usize>>>,
}

/// A place among the streams of an account, given back when the stream ends.
struct WatchPermit {
    user_id: Uuid,
    open: Arc<Mutex<HashMap<Uuid, usize>>>,
}

impl Drop for WatchPermit {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.user_id) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.user_id);
            }
        }
    }
}

/// Who wants to watch.
#[derive(Clone, Copy, Debug)]
pub struct Viewer {
    /// The account of the person who watches.
    pub user_id: Uuid,
    /// Whether it runs the marketplace, and may watch every order.
    pub is_operator: bool,
}

impl Viewer {
    fn may_watch(self, track: &Track) -> bool {
        self.is_operator || track.is_party(self.user_id)
    }
}

impl TrackWatches {
    /// Streams of tracks; `stop` ends them.
    pub fn new(providers: Providers, signals: WakeUps, stop: CancellationToken) -> Self {
        Self { providers, signals, stop, open: Arc::default() }
    }

    /// The track of an order: behind the position of `after`, or from the newest one on.
    pub async fn watch(
        &self,
        viewer: Viewer,
        order_id: Uuid,
        after: Option<i64>,
    ) -> Result<TrackStream, Error> {
        // Subscribed before reading: what is committed later is either read below or wakes this task.
        let wake = self.signals.subscribe();
        let track = self.providers.find_track(order_id).await?;
        if !viewer.may_watch(&track) {
            return Err(Error::TrackNotFound);
        }
        track.check_begun()?;
        let mut watch = TrackWatch {
            _permit: self.permit(viewer.user_id)?,
            providers: self.providers.clone(),
            viewer,
            order_id,
            wake,
            stop: self.stop.clone(),
            ends_at: self.providers.clock().now() + LONGEST,
            leg: track.leg,
            shown_state: None,
            shown_ms: after,
            waiting_most: REPLAY_MOST,
            ready: VecDeque::new(),
            over: false,
        };
        if let Some(after) = after
            && !self.providers.has_point(&track, after).await?
        {
            // It was on another provider's way, or is forgotten.
            watch.begin_again();
        }
        let events = stream::unfold(Some(watch), |watch| async move {
            let mut watch = watch?;
            match watch.next_event().await {
                Ok(None) => None,
                Ok(Some(event)) => Some((Ok(event), Some(watch))),
                Err(error) => Some((Err(error.into()), None)),
            }
        });
        Ok(events.boxed())
    }

    fn permit(&self, user_id: Uuid) -> Result<WatchPermit, Error> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(user_id).or_default();
        if *count >= STREAMS_MOST {
            return Err(Error::TooManyStreams);
        }
        *count += 1;
        Ok(WatchPermit { user_id, open: self.open.clone() })
    }
}

/// What one open stream of a watcher has sent and waits for.
struct TrackWatch {
    providers: Providers,
    viewer: Viewer,
    order_id: Uuid,
    wake: broadcast::Receiver<Arc<[Uuid]>>,
    stop: CancellationToken,
    ends_at: DateTime<Utc>,
    /// The leg that is shown.
    leg: i32,
    shown_state: Option<TrackState>,
    /// Time of the last position that was shown; none before the first.
    shown_ms: Option<i64>,
    /// Positions that may wait before the watcher begins again with the newest.
    waiting_most: usize,
    ready: VecDeque<WatchTrackResponse>,
    /// Whether the last event is among those that are ready.
    over: bool,
    _permit: WatchPermit,
}

impl TrackWatch {
    /// The next event; none when the stream ends.
    async fn next_event(&mut self) -> Result<Option<WatchTrackResponse>, Error> {
        loop {
            if self.stop.is_cancelled() {
                return Ok(None);
            }
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event));
            }
            if self.over {
                return Ok(None);
            }
            self.look().await?;
            if self.ready.is_empty() && !self.wait().await {
                return Ok(None);
            }
        }
    }

    /// Reads what is new of the track, and makes events of it.
    async fn look(&mut self) -> Result<(), Error> {
        // Only what is replayed may be long.
        let most = std::mem::replace(&mut self.waiting_most, WAITING_MOST);
        let read = read_news(self.providers.clone(), self.order_id, self.leg, self.shown_ms, most);
        let TrackNews { track, points, again } = super::finish(read).await?;
        if !self.viewer.may_watch(&track) || track.state == TrackState::Waiting {
            self.end("OFF");
            return Ok(());
        }
        if again {
            self.leg = track.leg;
            self.begin_again();
        }
        if track.is_open && self.shown_state != Some(track.state) {
            self.shown_state = Some(track.state);
            let state = track.state.name().to_owned();
            self.ready.push_back(event("state", |event| event.state = state));
        }
        for point in &points {
            self.show_point(point);
        }
        match track.state {
            TrackState::Delivered => self.end("DELIVERED"),
            TrackState::Off => self.end("OFF"),
            _ => {}
        }
        Ok(())
    }

    fn show_point(&mut self, point: &TrackPoint) {
        self.shown_ms = Some(point.at_ms);
        let at = DateTime::from_timestamp_millis(point.at_ms).map(timestamp);
        let position = TrackPosition {
            lat: point.lat,
            lng: point.lng,
            at,
            heading: point.heading,
            eta_s: point.eta_s,
        };
        let id = point.at_ms.to_string();
        self.ready.push_back(WatchTrackResponse {
            id,
            event: "position".to_owned(),
            position: Some(position),
            ..WatchTrackResponse::default()
        });
    }

    /// Tells the watcher to forget what it was shown.
    fn begin_again(&mut self) {
        self.shown_ms = None;
        self.ready.push_back(event("reset", |_| {}));
    }

    fn end(&mut self, reason: &str) {
        self.over = true;
        let reason = reason.to_owned();
        self.ready.push_back(event("end", |event| event.reason = reason));
    }

    /// Waits until it is time to look. False when the stream ends instead.
    async fn wait(&mut self) -> bool {
        let clock = self.providers.clock();
        let woken = async {
            loop {
                match self.wake.recv().await {
                    Ok(orders) if !orders.contains(&self.order_id) => {}
                    // Closed is never: the sender lives as long as the service.
                    Ok(_) | Err(RecvError::Lagged(_) | RecvError::Closed) => return,
                }
            }
        };
        tokio::select! {
            () = woken => true,
            () = clock.poll(POLL) => clock.now() < self.ends_at,
            () = clock.sleep_until(self.ends_at) => false,
            () = self.stop.cancelled() => false,
        }
    }
}

/// What is new of a track.
struct TrackNews {
    track: Track,
    points: Vec<TrackPoint>,
    /// Whether the points do not follow those that were shown.
    again: bool,
}

/// Reads a track and at most `most` points behind the one at `shown_ms` of `leg`; the newest where there are more, or
/// none was shown.
async fn read_news(
    providers: Providers,
    order_id: Uuid,
    leg: i32,
    shown_ms: Option<i64>,
    most: usize,
) -> Result<TrackNews, Error> {
    let track = providers.find_track(order_id).await?;
    // Another provider: the next position is the first of another way.
    let mut again = track.leg != leg;
    let shown = shown_ms.filter(|_| !again);
    let has_more = track.last_at_ms > shown.unwrap_or_default();
    let mut points = Vec::new();
    match shown {
        Some(shown) if has_more => {
            points = providers.points_after(&track, shown, most as u64 + 1).await?;
            if points.len() > most {
                again = true;
                points = providers.newest_point(&track).await?.into_iter().collect();
            }
        }
        // Who comes after the end has missed nothing that still matters.
        None if has_more && track.is_open => {
            points = providers.newest_point(&track).await?.into_iter().collect();
        }
        _ => {}
    }
    Ok(TrackNews { track, points, again })
}

fn event(name: &str, fill: impl FnOnce(&mut WatchTrackResponse)) -> WatchTrackResponse {
    let mut event = WatchTrackResponse { event: name.to_owned(), ..WatchTrackResponse::default() };
    fill(&mut event);
    event
}
