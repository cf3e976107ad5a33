//! Positions as they come in: filtered, put into the index and, while their provider is on the way to somebody or at work,
//! written on the track of the order.

use super::writer::TrackWriter;
use crate::{
    domain::{
        Error, ProviderId, Track, TrackPoint,
        fix::Fix,
        presence::POSITION_LAYER,
        trail::{Sifted, Trail, TrailStep},
    },
    repository::{Providers, tracks::TrackWrite},
};
use chrono::{DateTime, Duration, Utc};
use kit::storage::position::{Position, PositionIndex};
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::Mutex as AsyncMutex;
use uuid::Uuid;

/// Batches that a provider may send in a minute.
const BATCHES_MOST: usize = 30;
/// What is known of a device is forgotten after a silence of this length: older positions do not count.
const FORGOTTEN_AFTER: Duration = Duration::minutes(30);
/// Points that tell how fast a provider gets on, when its trail is picked up again.
const RESUMED_SPAN: Duration = Duration::minutes(5);
/// Points that are read at most to pick a trail up.
const RESUMED_MOST: u64 = 400;
/// How often a batch is tried on a track that others move on meanwhile.
const TRIES: usize = 3;

/// What became of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BatchResult {
    /// How many positions counted.
    pub accepted: i32,
    /// How many were dropped, by reason.
    pub dropped: BTreeMap<&'static str, i32>,
}

/// Takes in positions.
#[derive(Clone)]
pub struct Intake {
    providers: Providers,
    index: Arc<dyn PositionIndex>,
    writer: TrackWriter,
    devices: Arc<Mutex<HashMap<ProviderId, Arc<AsyncMutex<Device>>>>>,
}

/// What is known of a provider's positions in this process.
#[derive(Default)]
struct Device {
    trail: Trail,
    /// The orders and legs that the last batch was for.
    legs: Vec<(Uuid, i32)>,
    /// When the batches of the last minute came.
    batches: VecDeque<DateTime<Utc>>,
}

impl Intake {
    /// Takes positions into `index` and, by `writer`, onto tracks.
    pub fn new(providers: Providers, index: Arc<dyn PositionIndex>, writer: TrackWriter) -> Self {
        Self { providers, index, writer, devices: Arc::default() }
    }

    /// The profile of an account that sends positions.
    pub async fn provider_of(&self, user_id: Uuid) -> Result<ProviderId, Error> {
        Ok(self.providers.find_of_user(user_id).await?.id)
    }

    /// Takes in a batch of positions of a provider. Batches of one provider come one after the other.
    pub async fn take_in(&self, id: ProviderId, fixes: Vec<Fix>) -> Result<BatchResult, Error> {
        let device = self.device_of(id);
        let mut device = device.lock().await;
        device.count_batch(self.providers.clock().now())?;
        let mut tries = 1;
        let sifted = loop {
            let open = self.providers.open_tracks(id).await?;
            self.pick_up(&mut device, &open).await?;
            let mut trail = device.trail.clone();
            let sifted = trail.sift(fixes.clone(), self.providers.clock().now());
            if self.write_steps(&open, &sifted.steps).await? {
                device.trail = trail;
                break sifted;
            }
            // Another stream of this provider, at another replica, has moved the track on: its positions count too.
            device.legs.clear();
            tries += 1;
            if tries > TRIES {
                return Err(kit::Error::internal("a track was moved on again and again").into());
            }
        };
        self.index_newest(id, &sifted).await?;
        let dropped = sifted.dropped.iter().map(|(reason, count)| (reason.name(), *count));
        Ok(BatchResult { accepted: sifted.accepted, dropped: dropped.collect() })
    }

    /// Forgets devices that have been silent for long.
    pub fn forget_silent(&self) {
        let oldest = self.providers.clock().now() - FORGOTTEN_AFTER;
        let mut devices = self.devices.lock().unwrap_or_else(PoisonError::into_inner);
        devices.retain(|_, device| match device.try_lock() {
            Ok(device) => device.batches.back().is_some_and(|last| *last > oldest),
            // A batch is being taken in.
            Err(_) => true,
        });
    }

    fn device_of(&self, id: ProviderId) -> Arc<AsyncMutex<Device>> {
        let mut devices = self.devices.lock().unwrap_or_else(PoisonError::into_inner);
        devices.entry(id).or_default().clone()
    }

    /// Goes on from the newest points of the tracks, where the provider has begun another one or this process knows less.
    async fn pick_up(&self, device: &mut Device, open: &[Track]) -> Result<(), Error> {
        let legs: Vec<_> = open.iter().map(|track| (track.order_id, track.leg)).collect();
        if device.legs == legs {
            return Ok(());
        }
        device.legs = legs;
        device.trail.begin_track();
        let Some(newest) = open.iter().max_by_key(|track| track.last_at_ms) else { return Ok(()) };
        let known = device.trail.last_at().map_or(0, |at| at.timestamp_millis());
        if newest.last_at_ms > known {
            let from_ms = newest.last_at_ms - RESUMED_SPAN.num_milliseconds();
            let points = self.providers.points_after(newest, from_ms, RESUMED_MOST).await?;
            device.trail = Trail::resume(points.iter().map(Fix::from));
        }
        Ok(())
    }

    /// Writes steps on the tracks of all orders that the provider is at work on. False when one of them has moved on.
    async fn write_steps(&self, open: &[Track], steps: &[TrailStep]) -> Result<bool, Error> {
        let writes = open.iter().filter_map(|track| track_write(track, steps));
        let writes = writes.map(|write| self.writer.write(write));
        let written = futures::future::try_join_all(writes).await?;
        Ok(written.into_iter().all(|written| written))
    }

    /// Puts the newest position into the index, while the provider is online.
    async fn index_newest(&self, id: ProviderId, sifted: &Sifted) -> Result<(), Error> {
        let Some(newest) = sifted.newest else { return Ok(()) };
        if !self.providers.is_seen_online(id).await? {
            return Ok(());
        }
        let position = Position { id: id.uuid(), place: newest.place, at: newest.at };
        Ok(self.index.put(POSITION_LAYER, &[position]).await?)
    }
}

impl Device {
    /// Counts a batch that comes at `now`, unless there are too many.
    fn count_batch(&mut self, now: DateTime<Utc>) -> Result<(), Error> {
        while self.batches.front().is_some_and(|first| *first <= now - Duration::minutes(1)) {
            self.batches.pop_front();
        }
        if self.batches.len() >= BATCHES_MOST {
            return Err(Error::TooManyBatches);
        }
        self.batches.push_back(now);
        Ok(())
    }
}

/// What the steps are on the track of one order; none when they tell it nothing new.
fn track_write(track: &Track, steps: &[TrailStep]) -> Option<TrackWrite> {
    let address = track.address();
    let new = steps.iter().filter(|step| step.fix.at.timestamp_millis() > track.last_at_ms);
    let points: Vec<TrackPoint> = new.map(|step| point_of(track, step)).collect();
    let newest = points.last()?;
    let metres = address.map(|address| Fix::from(newest).place.metres_to(&address));
    let arriving =
        metres.zip(newest.eta_s).is_some_and(|(metres, eta_s)| track.is_arriving(metres, eta_s));
    Some(TrackWrite {
        order_id: track.order_id,
        leg: track.leg,
        known_at_ms: track.last_at_ms,
        points,
        arriving,
    })
}

fn point_of(track: &Track, step: &TrailStep) -> TrackPoint {
    let on_the_way = track.state == crate::domain::track::TrackState::EnRoute;
    TrackPoint {
        order_id: track.order_id,
        at_ms: step.fix.at.timestamp_millis(),
        leg: track.leg,
        lat: step.fix.place.lat,
        lng: step.fix.place.lng,
        accuracy_m: step.fix.accuracy_m,
        heading: step.fix.heading,
        eta_s: track.address().filter(|_| on_the_way).map(|address| step.seconds_to(address)),
        gap: step.gap,
    }
}
