//! A position on a round Earth, and how far it is to another one.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Mean radius of the Earth.
const EARTH_METRES: f64 = 6_371_008.8;

/// A position on Earth, in degrees. It shows no numbers when it is logged: where people are is theirs.
#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Coordinates {
    /// Degrees north of the equator, −90 to 90.
    pub lat: f64,
    /// Degrees east of Greenwich, −180 to 180.
    pub lng: f64,
}

impl Coordinates {
    /// The position at `lat` and `lng`, unless one of them is no number on the globe.
    pub fn checked(lat: f64, lng: f64) -> Option<Self> {
        let on_globe = (-90.0..=90.0).contains(&lat) && (-180.0..=180.0).contains(&lng);
        on_globe.then_some(Self { lat, lng })
    }

    /// Distance along a great circle in metres, by the haversine formula.
    pub fn metres_to(&self, other: &Self) -> f64 {
        let (lat, lng) = (self.lat.to_radians(), self.lng.to_radians());
        let (other_lat, other_lng) = (other.lat.to_radians(), other.lng.to_radians());
        let half_lat = ((other_lat - lat) / 2.0).sin();
        let half_lng = ((other_lng - lng) / 2.0).sin();
        let chord = half_lat * half_lat + lat.cos() * other_lat.cos() * half_lng * half_lng;
        2.0 * EARTH_METRES * chord.sqrt().min(1.0).asin()
    }
}

impl fmt::Debug for Coordinates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Coordinates(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paris_is_392_km_from_lyon_and_no_log_says_where_it_is() {
        let paris = Coordinates { lat: 48.8566, lng: 2.3522 };
        let lyon = Coordinates { lat: 45.7640, lng: 4.8357 };
        assert!((paris.metres_to(&lyon) - 391_500.0).abs() < 1_000.0);
        assert!(paris.metres_to(&paris) < 1e-6);
        assert_eq!(format!("{paris:?}"), "Coordinates(..)");
    }

    #[test]
    fn a_position_beside_the_globe_is_none() {
        assert!(Coordinates::checked(90.0, -180.0).is_some());
        for (lat, lng) in [(90.1, 0.0), (0.0, 180.1), (f64::NAN, 0.0), (0.0, f64::INFINITY)] {
            assert!(Coordinates::checked(lat, lng).is_none(), "{lat} {lng}");
        }
    }
}
