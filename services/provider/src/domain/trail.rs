//! The trail of one device: which of its positions count, and how fast it moves. The filters come in a fixed order, and
//! none lets a position skip another one.

use super::fix::Fix;
use chrono::{DateTime, Duration, Utc};
use kit::values::coordinates::Coordinates;
use std::collections::{BTreeMap, VecDeque};

/// How far ahead of ours a device's clock may be.
const AHEAD: Duration = Duration::seconds(10);
/// How old a position may be when it comes in.
const OLDEST: Duration = Duration::minutes(30);
/// How far off a position on a track may be, in metres.
const TRACKED_ACCURACY: f64 = 50.0;
/// How far off a position in the index may be, in metres.
const INDEXED_ACCURACY: f64 = 500.0;
/// How many impossible positions in a row that agree among themselves show that the one before them was wrong.
const AGREEING: usize = 3;
/// A position nearer to the last one on the track than this in metres …
const STILL_METRES: f64 = 5.0;
/// … and in time tells nothing new.
const STILL: Duration = Duration::seconds(10);
/// The time whose speeds tell how fast one gets on.
const PACE_OF: Duration = Duration::minutes(5);
/// Metres a second while nothing is known of how fast one gets on.
const USUAL_PACE: f64 = 6.7;
/// The slowest and the fastest pace that an estimate is made of.
const PACES: (f64, f64) = (3.0, 14.0);
/// How much longer the streets are than the straight line.
const DETOUR: f64 = 1.3;

/// Why a position is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Drop {
    /// Another one of the batch has the same time.
    Repeated,
    /// It lies in the future.
    Future,
    /// It is older than one that counted, or older than half an hour.
    Late,
    /// It may be too far off.
    Inaccurate,
    /// Nothing moves so fast.
    Impossible,
}

impl Drop {
    /// Its name in the contract.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Repeated => "REPEATED",
            Self::Future => "FUTURE",
            Self::Late => "LATE",
            Self::Inaccurate => "INACCURATE",
            Self::Impossible => "IMPOSSIBLE",
        }
    }
}

/// A position that belongs on the track.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrailStep {
    /// The position as it was accepted.
    pub fix: Fix,
    /// Whether it is not connected with the one before.
    pub gap: bool,
    /// Metres a second in the last minutes.
    pub pace: f64,
}

impl TrailStep {
    /// A guess at the seconds from here to `place`.
    #[expect(clippy::cast_possible_truncation, reason = "at most half round the Earth")]
    pub fn seconds_to(&self, place: Coordinates) -> i32 {
        (self.fix.place.metres_to(&place) * DETOUR / self.pace).round() as i32
    }
}

/// What a batch comes to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sifted {
    /// The positions for the track, the earliest first.
    pub steps: Vec<TrailStep>,
    /// The newest position for the index.
    pub newest: Option<Fix>,
    /// How many positions counted.
    pub accepted: i32,
    /// How many were dropped, by reason.
    pub dropped: BTreeMap<Drop, i32>,
}

/// What is known of a device's way so far.
#[derive(Clone, Debug, Default)]
pub struct Trail {
    /// The last position that counted.
    anchor: Option<Fix>,
    /// The last position that went on the track.
    stepped: Option<Fix>,
    /// Impossible positions since then that agree among themselves.
    suspects: Vec<Fix>,
    /// The last minutes, for the pace.
    recent: VecDeque<Fix>,
}

impl Trail {
    /// A trail that goes on from the newest points of a track, the earliest first.
    pub fn resume(points: impl IntoIterator<Item = Fix>) -> Self {
        let recent: VecDeque<Fix> = points.into_iter().collect();
        let last = recent.back().copied();
        Self { anchor: last, stepped: last, suspects: Vec::new(), recent }
    }

    /// Begins another track: its first position counts however near it is to the last one.
    pub fn begin_track(&mut self) {
        self.stepped = None;
    }

    /// When the last position that counted was measured.
    pub fn last_at(&self) -> Option<DateTime<Utc>> {
        self.anchor.map(|fix| fix.at)
    }

    /// Takes in a batch that arrives at `now`.
    pub fn sift(&mut self, mut batch: Vec<Fix>, now: DateTime<Utc>) -> Sifted {
        batch.sort_by_key(|fix| fix.at);
        let mut sifted = Sifted::default();
        let mut before = None;
        for fix in batch {
            let repeated = before.replace(fix.at) == Some(fix.at);
            match self.judge(fix, repeated, now) {
                Ok(gap) => self.count(fix, gap, &mut sifted),
                Err(reason) => *sifted.dropped.entry(reason).or_default() += 1,
            }
        }
        sifted
    }

    /// Whether a position counts, and then whether there is a gap before it.
    fn judge(&mut self, fix: Fix, repeated: bool, now: DateTime<Utc>) -> Result<bool, Drop> {
        if repeated {
            return Err(Drop::Repeated);
        }
        if fix.at > now + AHEAD {
            return Err(Drop::Future);
        }
        let late = self.anchor.is_some_and(|anchor| fix.at <= anchor.at);
        if late || fix.at < now - OLDEST {
            return Err(Drop::Late);
        }
        if fix.accuracy_m > INDEXED_ACCURACY {
            return Err(Drop::Inaccurate);
        }
        let Some(anchor) = self.anchor else { return Ok(false) };
        if anchor.can_reach(&fix) {
            return Ok(false);
        }
        if fix.accuracy_m > TRACKED_ACCURACY || !self.suspect(fix) {
            return Err(Drop::Impossible);
        }
        Ok(true)
    }

    /// Remembers an impossible position. True when it and those before it agree that it is the anchor that is wrong.
    fn suspect(&mut self, fix: Fix) -> bool {
        let agrees =
            self.suspects.last().is_none_or(|last| fix.at > last.at && last.can_reach(&fix));
        if !agrees {
            self.suspects.clear();
        }
        self.suspects.push(fix);
        self.suspects.len() >= AGREEING
    }

    fn count(&mut self, fix: Fix, gap: bool, sifted: &mut Sifted) {
        sifted.accepted += 1;
        sifted.newest = Some(fix);
        if fix.accuracy_m > TRACKED_ACCURACY {
            return;
        }
        self.suspects.clear();
        self.anchor = Some(fix);
        if gap {
            self.recent.clear();
        }
        self.recent.push_back(fix);
        while self.recent.front().is_some_and(|first| first.at < fix.at - PACE_OF) {
            self.recent.pop_front();
        }
        let still = self
            .stepped
            .is_some_and(|last| last.metres_to(&fix) < STILL_METRES && fix.at - last.at < STILL);
        if still && !gap {
            return;
        }
        self.stepped = Some(fix);
        sifted.steps.push(TrailStep { fix, gap, pace: self.pace() });
    }

    /// The median speed of the last minutes in metres a second, within reason.
    fn pace(&self) -> f64 {
        let pairs = self.recent.iter().zip(self.recent.iter().skip(1));
        let mut speeds: Vec<f64> =
            pairs.map(|(from, to)| from.metres_to(to) / from.seconds_to(to)).collect();
        speeds.sort_by(f64::total_cmp);
        match speeds.get(speeds.len() / 2) {
            Some(median) => median.clamp(PACES.0, PACES.1),
            None => USUAL_PACE,
        }
    }
}

#[cfg(test)]
#[path = "trail_tests.rs"]
mod tests;
