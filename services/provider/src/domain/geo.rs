//! Places and distances on a round Earth.

use serde::{Deserialize, Serialize};

/// Mean radius of the Earth.
const EARTH_KM: f64 = 6_371.008_8;
/// Kilometres of one degree of latitude.
const DEGREE_KM: f64 = EARTH_KM * std::f64::consts::PI / 180.0;
/// How fast one gets through a town, all means taken together.
const SPEED_KM_H: f64 = 25.0;

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GeoPlace {
    pub lat: f64,
    pub lng: f64,
}

impl GeoPlace {
    /// Distance along a great circle, by the haversine formula.
    pub fn km_to(&self, other: &Self) -> f64 {
        let (lat, lng) = (self.lat.to_radians(), self.lng.to_radians());
        let (other_lat, other_lng) = (other.lat.to_radians(), other.lng.to_radians());
        let half_lat = ((other_lat - lat) / 2.0).sin();
        let half_lng = ((other_lng - lng) / 2.0).sin();
        let chord = half_lat * half_lat + lat.cos() * other_lat.cos() * half_lng * half_lng;
        2.0 * EARTH_KM * chord.sqrt().min(1.0).asin()
    }

    /// A guess at the time it takes to get to `other`.
    pub fn travel_time_to(&self, other: &Self) -> chrono::Duration {
        let minutes = (self.km_to(other) / SPEED_KM_H * 60.0).ceil();
        #[expect(clippy::cast_possible_truncation, reason = "at most half round the Earth")]
        chrono::Duration::minutes(minutes as i64)
    }
}

/// The degrees between which a circle lies: south, north, west, east.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    pub lat_min: f64,
    pub lat_max: f64,
    pub lng_min: f64,
    pub lng_max: f64,
}

impl Bounds {
    /// The box round a circle. Near a pole or the date line it takes every longitude.
    pub fn round(centre: GeoPlace, radius_km: f64) -> Self {
        let lat = radius_km / DEGREE_KM;
        let (lat_min, lat_max) = (centre.lat - lat, centre.lat + lat);
        let narrowest = lat_min.abs().max(lat_max.abs()).to_radians().cos();
        let lng = if narrowest > 0.01 { lat / narrowest } else { 360.0 };
        let (lng_min, lng_max) = (centre.lng - lng, centre.lng + lng);
        let whole = lng_min < -180.0 || lng_max > 180.0 || lat_min < -89.0 || lat_max > 89.0;
        let (lng_min, lng_max) = if whole { (-180.0, 180.0) } else { (lng_min, lng_max) };
        Self { lat_min, lat_max, lng_min, lng_max }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARIS: GeoPlace = GeoPlace { lat: 48.8566, lng: 2.3522 };
    const LYON: GeoPlace = GeoPlace { lat: 45.7640, lng: 4.8357 };

    #[test]
    fn paris_is_392_km_from_lyon() {
        assert!((PARIS.km_to(&LYON) - 391.5).abs() < 1.0, "{}", PARIS.km_to(&LYON));
        assert!(PARIS.km_to(&PARIS) < 1e-9);
    }

    #[test]
    fn the_box_holds_the_circle() {
        for centre in
            [PARIS, LYON, GeoPlace { lat: -33.9, lng: 151.2 }, GeoPlace { lat: 65.0, lng: 25.0 }]
        {
            let bounds = Bounds::round(centre, 30.0);
            for (lat, lng) in [(bounds.lat_min, centre.lng), (centre.lat, bounds.lng_max)] {
                assert!(centre.km_to(&GeoPlace { lat, lng }) >= 29.99);
            }
        }
        assert_eq!(Bounds::round(GeoPlace { lat: 0.0, lng: 179.9 }, 50.0).lng_min, -180.0);
    }
}
