//! Ways: how far and how long from one place to the next ones.

use super::tables::RoadSettings;
use serde::{Deserialize, Serialize};
use vertical::{Error, Place};

/// Radius of the Earth in metres.
const EARTH_RADIUS_M: f64 = 6_371_008.8;
/// Metres of a unit by which ways are priced.
const HECTOMETRE: i64 = 100;

/// A way from the pick-up over all stops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Itinerary {
    pub metres: i64,
    pub seconds: i64,
    /// What is paid on the way, in minor units of the currency at the pick-up.
    pub tolls: i64,
}

/// A way as tariffs count it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BilledWay {
    /// Hundreds of metres, the nearest.
    pub hectometres: i64,
    /// Minutes, each one begun.
    pub minutes: i64,
}

impl BilledWay {
    /// Counts a way.
    pub const fn of(metres: i64, seconds: i64) -> Self {
        Self {
            hectometres: (metres + HECTOMETRE / 2).div_euclid(HECTOMETRE),
            minutes: started_minutes(seconds),
        }
    }
}

/// Minutes that have begun after so many seconds.
pub const fn started_minutes(seconds: i64) -> i64 {
    (seconds + 59).div_euclid(60)
}

/// The distance between two places along the great circle, in metres.
pub fn great_circle_metres(from: &Place, to: &Place) -> f64 {
    from.great_circle_metres_to(to)
}

/// Whether a place lies within so many metres of another one.
pub fn is_near(place: &Place, other: &Place, metres: i64) -> bool {
    great_circle_metres(place, other) <= to_f64(metres)
}

impl RoadSettings {
    /// A way as it is estimated without a map of roads: along great circles, longer by the detour, at one speed.
    pub fn estimate(&self, places: &[Place]) -> Itinerary {
        let legs = places.windows(2).map(|leg| match leg {
            [from, to] => great_circle_metres(from, to),
            _ => 0.0,
        });
        let metres = legs.sum::<f64>() * to_f64(self.detour_percent) / 100.0;
        let seconds = metres * 3.6 / self.speed_kmh;
        let gates = self.toll_gates.iter();
        let passed = gates.filter(|gate| places.windows(2).any(|leg| gate.lies_on(leg)));
        Itinerary {
            metres: round(metres),
            seconds: round(seconds),
            tolls: passed.map(|gate| gate.minor_units).sum(),
        }
    }

    /// Refuses a stop that is too far from the pick-up.
    pub fn check_stops(&self, pick_up: &Place, stops: &[Place]) -> Result<(), Error> {
        let far = stops.iter().position(|stop| !is_near(pick_up, stop, self.max_stop_km * 1000));
        match far {
            None => Ok(()),
            Some(index) => {
                let field = format!("details.stops[{index}].lat");
                let problem = format!("is more than {} km from the pick-up", self.max_stop_km);
                Err(Error::invalid(field, problem))
            }
        }
    }
}

impl super::tables::TollGate {
    /// Whether a leg passes the gate: it comes closer to it than the gate is wide.
    fn lies_on(&self, leg: &[Place]) -> bool {
        let [from, to] = leg else { return false };
        let gate = Place { lat: self.lat, lng: self.lng };
        // On a plane around the gate, where a leg is straight.
        let (fx, fy) = metres_from(&gate, from);
        let (tx, ty) = metres_from(&gate, to);
        let (dx, dy) = (tx - fx, ty - fy);
        let length_squared = dx * dx + dy * dy;
        let share = match length_squared > 0.0 {
            true => (-(fx * dx + fy * dy) / length_squared).clamp(0.0, 1.0),
            false => 0.0,
        };
        (fx + share * dx).hypot(fy + share * dy) <= to_f64(self.radius_m)
    }
}

/// The metres east and north of `origin` at which a place lies.
fn metres_from(origin: &Place, place: &Place) -> (f64, f64) {
    let north = (place.lat - origin.lat).to_radians() * EARTH_RADIUS_M;
    let east = (place.lng - origin.lng).to_radians() * EARTH_RADIUS_M;
    (east * origin.lat.to_radians().cos(), north)
}

#[expect(clippy::cast_precision_loss, reason = "settings are small")]
const fn to_f64(number: i64) -> f64 {
    number as f64
}

#[expect(clippy::cast_possible_truncation, reason = "no way on Earth is that long")]
fn round(number: f64) -> i64 {
    number.round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::tables::TollGate;

    const PARIS: Place = Place { lat: 48.8566, lng: 2.3522 };
    const LYON: Place = Place { lat: 45.7640, lng: 4.8357 };

    /// A place so many metres north.
    fn north_of(place: &Place, metres: f64) -> Place {
        Place { lat: place.lat + (metres / EARTH_RADIUS_M).to_degrees(), ..*place }
    }

    #[test]
    fn distances_follow_the_great_circle() {
        let far = great_circle_metres(&PARIS, &LYON);
        assert!((far - 391_500.0).abs() < 1_000.0, "{far}");
        assert!(great_circle_metres(&PARIS, &PARIS) < f64::EPSILON);
        // Across the date line.
        let (fiji, east) = (Place { lat: -17.0, lng: 179.9 }, Place { lat: -17.0, lng: -179.9 });
        assert!((great_circle_metres(&fiji, &east) - 21_267.0).abs() < 50.0);
    }

    #[test]
    fn a_way_is_longer_than_the_line_and_takes_its_time() {
        let road = RoadSettings::default();
        let stop = north_of(&PARIS, 8_200.0 / 1.3);
        let way = road.estimate(&[PARIS, stop]);
        assert_eq!(way, Itinerary { metres: 8_200, seconds: 1_230, tolls: 0 });
        assert_eq!(BilledWay::of(8_200, 1_230), BilledWay { hectometres: 82, minutes: 21 });
        let there_and_back = road.estimate(&[PARIS, stop, PARIS]);
        assert_eq!((there_and_back.metres, there_and_back.seconds), (16_400, 2_460));
    }

    #[test]
    fn metres_are_counted_to_the_nearest_hundred_and_minutes_up() {
        for (metres, seconds, hectometres, minutes) in
            [(1_430, 340, 14, 6), (1_449, 60, 14, 1), (1_450, 61, 15, 2), (0, 0, 0, 0)]
        {
            assert_eq!(BilledWay::of(metres, seconds), BilledWay { hectometres, minutes });
        }
    }

    #[test]
    fn a_toll_gate_costs_where_the_way_passes_it() {
        let gate = TollGate {
            name: "A tunnel".to_owned(),
            lat: north_of(&PARIS, 4_000.0).lat,
            lng: PARIS.lng,
            radius_m: 300,
            minor_units: 480,
        };
        let road = RoadSettings { toll_gates: vec![gate], ..RoadSettings::default() };
        let (before, beyond) = (north_of(&PARIS, 3_000.0), north_of(&PARIS, 6_000.0));
        let east = Place { lng: PARIS.lng + 0.01, ..beyond };
        for (places, tolls) in [
            (vec![PARIS, before], 0),
            (vec![PARIS, beyond], 480),
            (vec![PARIS, before, beyond], 480),
            (vec![PARIS, Place { lat: PARIS.lat, ..east }, east], 0),
            (vec![PARIS, PARIS], 0),
        ] {
            assert_eq!(road.estimate(&places).tolls, tolls, "{places:?}");
        }
    }

    #[test]
    fn a_stop_that_is_too_far_names_its_field() {
        let road = RoadSettings::default();
        road.check_stops(&PARIS, &[north_of(&PARIS, 299_000.0)]).unwrap();
        let far = road.check_stops(&PARIS, &[PARIS, LYON]).unwrap_err().to_string();
        assert!(far.contains("details.stops[1].lat") && far.contains("300 km"), "{far}");
    }
}
