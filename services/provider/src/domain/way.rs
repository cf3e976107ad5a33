//! How far a provider went: what a track comes to when it is measured.

use super::fix::{Fix, seconds};
use chrono::{DateTime, Duration, Utc};
use kit::values::coordinates::Coordinates;

/// A silence that is longer is a gap: it is not known where the provider was meanwhile.
const SILENCE: Duration = Duration::seconds(60);
/// So near to a place one has reached it, in metres.
const REACHED_METRES: f64 = 150.0;

/// A point of a track, and whether it is not connected with the one before it.
pub type Point = (Fix, bool);

/// What a track comes to between two moments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// Length without the gaps.
    pub metres: i64,
    /// Time without the gaps.
    pub seconds: i64,
    /// How many gaps there are.
    pub gaps: i32,
    /// Share of the time that points cover.
    pub covered_percent: i32,
}

impl Way {
    /// Measures `points`, the earliest first, as the way between two moments.
    #[expect(clippy::cast_possible_truncation, reason = "no way is longer than the Earth is round")]
    pub fn measure(points: &[Point], from: DateTime<Utc>, to: DateTime<Utc>) -> Self {
        let (mut metres, mut covered, mut gaps) = (0.0, 0.0, 0);
        for pair in points.windows(2) {
            let [(before, _), (after, gap)] = pair else { continue };
            if *gap || after.at - before.at > SILENCE {
                gaps += 1;
                continue;
            }
            metres += before.metres_to(after);
            covered += before.seconds_to(after);
        }
        let whole = seconds(to - from);
        let share = if whole > 0.0 { (covered / whole * 100.0).min(100.0) } else { 0.0 };
        Self {
            metres: metres.round() as i64,
            seconds: covered.round() as i64,
            gaps,
            covered_percent: share.floor() as i32,
        }
    }
}

/// The first moment at which a track is at `place`.
pub fn first_at(points: &[Point], place: Coordinates) -> Option<DateTime<Utc>> {
    let reached = points.iter().find(|(fix, _)| fix.place.metres_to(&place) <= REACHED_METRES);
    reached.map(|(fix, _)| fix.at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kit::testing::start;

    /// A point each ten seconds, a hundred metres apart.
    fn drive(count: i32) -> Vec<Point> {
        let point = |n: i32| {
            let place = Coordinates { lat: 48.85 + f64::from(n) * 100.0 / 111_195.0, lng: 2.35 };
            let at = start() + Duration::seconds(i64::from(n) * 10);
            (Fix { at, place, accuracy_m: 5.0, heading: None }, false)
        };
        (0..count).map(point).collect()
    }

    #[test]
    fn a_way_is_as_long_as_its_parts() {
        let points = drive(61);
        let way = Way::measure(&points, start(), start() + Duration::seconds(600));
        assert!((way.metres - 6_000).abs() <= 1, "{way:?}");
        assert_eq!((way.seconds, way.gaps, way.covered_percent), (600, 0, 100));
        let wider = Way::measure(&points, start(), start() + Duration::seconds(800));
        assert_eq!((wider.seconds, wider.covered_percent), (600, 75));
        let none = Way { metres: 0, seconds: 0, gaps: 0, covered_percent: 0 };
        assert_eq!(Way::measure(&[], start(), start()), none);
        assert_eq!(Way::measure(&points[..1], start(), start()), none);
    }

    #[test]
    fn gaps_count_neither_as_way_nor_as_time() {
        let mut points = drive(61);
        points[30].1 = true;
        points.drain(40..50);
        let way = Way::measure(&points, start(), start() + Duration::seconds(600));
        // One marked step, and one of eleven steps without a point.
        assert!((way.metres - (6_000 - 100 - 1_100)).abs() <= 1, "{way:?}");
        assert_eq!((way.seconds, way.gaps, way.covered_percent), (480, 2, 80));
    }

    #[test]
    fn a_place_is_reached_within_150_metres() {
        let points = drive(61);
        let place = points[30].0.place;
        assert_eq!(first_at(&points, place), Some(points[29].0.at), "100 m away, not 200 m");
        assert_eq!(first_at(&points, Coordinates { lat: 0.0, lng: 0.0 }), None);
    }
}
