//! A position as a device measured it, and how two of them compare.

use super::TrackPoint;
use chrono::{DateTime, Duration, Utc};
use kit::values::coordinates::Coordinates;

/// How fast no provider moves, in metres a second.
const FASTEST: f64 = 70.0;

/// A position as a device measured it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fix {
    /// When, in whole milliseconds.
    pub at: DateTime<Utc>,
    /// Where the device was at that time.
    pub place: Coordinates,
    /// How far off it may be, in metres.
    pub accuracy_m: f64,
    /// Direction of movement in degrees clockwise from north, when it is known.
    pub heading: Option<f64>,
}

impl Fix {
    /// The way to `other` in metres.
    pub fn metres_to(&self, other: &Self) -> f64 {
        self.place.metres_to(&other.place)
    }

    /// The time to a later `other`, in seconds.
    pub fn seconds_to(&self, other: &Self) -> f64 {
        seconds(other.at - self.at)
    }

    /// Whether one can get from here to the later `other`, as far off as both may be.
    pub fn can_reach(&self, other: &Self) -> bool {
        let least = self.metres_to(other) - self.accuracy_m - other.accuracy_m;
        least <= FASTEST * self.seconds_to(other)
    }
}

impl From<&TrackPoint> for Fix {
    fn from(point: &TrackPoint) -> Self {
        Self {
            at: DateTime::from_timestamp_millis(point.at_ms).unwrap_or_default(),
            place: Coordinates { lat: point.lat, lng: point.lng },
            accuracy_m: point.accuracy_m,
            heading: point.heading,
        }
    }
}

/// A span as seconds, with their fraction to the millisecond.
#[expect(clippy::cast_precision_loss, reason = "spans between positions are short")]
pub fn seconds(span: Duration) -> f64 {
    span.num_milliseconds() as f64 / 1_000.0
}
