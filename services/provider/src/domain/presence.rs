//! Presence: who is online for jobs as they come, and who of them is asked first.

use super::{AssetId, Error, Presence, ProviderId, standing::Standing};
use chrono::{DateTime, Duration, Utc};

/// The layer of the position index that holds providers.
pub const POSITION_LAYER: &str = "providers";
/// How long a provider stays online without a position.
pub const MAX_SILENCE: Duration = Duration::minutes(10);
/// How old a position may be for its provider to be asked.
pub const MAX_POSITION_AGE: Duration = Duration::seconds(30);
/// How many of those who are near are looked at.
pub const MAX_NEAR: usize = 200;
/// How far away a candidate may be where nothing else is said.
pub const DEFAULT_RADIUS_M: f64 = 15_000.0;
/// Roads are longer than the way a bird flies by this factor.
const DETOUR: f64 = 1.3;
/// How fast a provider gets through a town, in metres a second.
const SPEED_M_S: f64 = 6.7;
/// Who needs longer than this to the place gets no points for being near.
const SLOWEST_S: f64 = 1_200.0;
/// Who has waited for longer than this gets no more points for it.
const LONGEST_IDLE_S: f64 = 1_800.0;

impl Presence {
    /// A provider who was never online.
    pub const fn absent(provider_id: ProviderId, now: DateTime<Utc>) -> Self {
        Self {
            provider_id,
            online: false,
            asset_id: None,
            idle_since: now,
            seen_at: now,
            updated_at: now,
        }
    }

    /// Goes online with a vehicle or without; the vehicle stays the same while an order is `running`.
    pub fn go_online(
        &mut self,
        asset_id: Option<AssetId>,
        running: bool,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        if running && self.asset_id != asset_id {
            return Err(Error::RunningOrder);
        }
        if !self.online {
            self.idle_since = now;
        }
        if !self.online || self.asset_id != asset_id {
            self.updated_at = now;
        }
        (self.online, self.asset_id, self.seen_at) = (true, asset_id, now);
        Ok(())
    }

    /// Goes offline, unless an order is `running`.
    pub fn go_offline(&mut self, running: bool, now: DateTime<Utc>) -> Result<(), Error> {
        if running {
            return Err(Error::RunningOrder);
        }
        self.leave(now);
        Ok(())
    }

    /// Goes offline if no position has come for too long. Tells when it would, if it stays online.
    pub fn end_silence(&mut self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let silent_at = self.seen_at + MAX_SILENCE;
        if self.online && silent_at > now {
            return Some(silent_at);
        }
        self.leave(now);
        None
    }

    fn leave(&mut self, now: DateTime<Utc>) {
        if self.online {
            (self.online, self.asset_id, self.updated_at) = (false, None, now);
        }
    }
}

impl Standing {
    /// Leaves the provider the one vehicle that it is online with, or none.
    pub fn keep_vehicle(&mut self, asset_id: Option<AssetId>) {
        self.vehicles.retain(|vehicle| Some(vehicle.id) == asset_id);
    }
}

/// How long it takes from a point `metres` away.
pub fn travel_time(metres: f64) -> Duration {
    #[expect(clippy::cast_possible_truncation, reason = "at most half round the Earth")]
    Duration::seconds((metres * DETOUR / SPEED_M_S).ceil() as i64)
}

/// Points of a candidate, in thousandths: up to 600 for being there soon, 300 for how it has done (`score` in
/// ten-thousandths), 100 for having waited.
pub fn candidate_points(travel: Duration, score: i32, idle: Duration) -> i64 {
    #[expect(clippy::cast_precision_loss, reason = "seconds of a day at most")]
    let [travel_s, idle_s] = [travel, idle].map(|span| span.num_seconds().max(0) as f64);
    let near = 600.0 * (1.0 - travel_s.min(SLOWEST_S) / SLOWEST_S);
    let done = 300.0 * f64::from(score) / 10_000.0;
    let waited = 100.0 * idle_s.min(LONGEST_IDLE_S) / LONGEST_IDLE_S;
    #[expect(clippy::cast_possible_truncation, reason = "at most a million")]
    let points = ((near + done + waited) * 1_000.0).round() as i64;
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_count_the_way_the_score_and_the_wait() {
        let table = [
            (0, 10_000, 1_800, 1_000_000),
            (1_200, 0, 0, 0),
            (3_600, 5_000, 7_200, 250_000),
            (600, 8_400, 900, 602_000),
        ];
        for (travel_s, score, idle_s, points) in table {
            let spans = (Duration::seconds(travel_s), Duration::seconds(idle_s));
            assert_eq!(candidate_points(spans.0, score, spans.1), points);
        }
        assert_eq!(travel_time(6_700.0), Duration::seconds(1_300));
    }

    #[test]
    fn silence_ends_a_presence_and_an_order_keeps_it() {
        let now = kit::testing::start();
        let id = kit::Id::from_uuid(uuid::Uuid::from_u128(1));
        let mut presence = Presence::absent(id, now);
        assert_eq!(presence.end_silence(now), None);
        presence.go_online(None, false, now).unwrap();
        let car = Some(kit::Id::from_uuid(uuid::Uuid::from_u128(2)));
        assert!(matches!(presence.go_online(car, true, now), Err(Error::RunningOrder)));
        presence.go_online(None, true, now).unwrap();
        assert!(matches!(presence.go_offline(true, now), Err(Error::RunningOrder)));
        assert_eq!(presence.end_silence(now + Duration::minutes(9)), Some(now + MAX_SILENCE));
        assert_eq!(presence.end_silence(now + MAX_SILENCE), None);
        assert!(!presence.online);
    }
}
