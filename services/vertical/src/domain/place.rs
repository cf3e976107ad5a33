//! Places, and whether two of them are the same.

use std::ops::RangeInclusive;

/// Metres of a degree of latitude.
const METRES_A_DEGREE: f64 = 111_195.0;
/// Radius of the Earth in metres.
const EARTH_RADIUS_M: f64 = 6_371_008.8;

/// A point on the Earth, in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// Degrees north of the equator.
    pub lat: f64,
    /// Degrees east of Greenwich.
    pub lng: f64,
}

impl Place {
    /// The distance to a place that is near, in metres.
    pub fn metres_to(&self, other: &Self) -> f64 {
        let north = (self.lat - other.lat) * METRES_A_DEGREE;
        let east = (self.lng - other.lng) * METRES_A_DEGREE * self.lat.to_radians().cos();
        north.hypot(east)
    }

    /// The distance to any other place along the great circle, in metres.
    pub fn great_circle_metres_to(&self, other: &Self) -> f64 {
        let (north, east) =
            ((other.lat - self.lat).to_radians(), (other.lng - self.lng).to_radians());
        let parallels = self.lat.to_radians().cos() * other.lat.to_radians().cos();
        let half_chord = (north / 2.0).sin().powi(2) + parallels * (east / 2.0).sin().powi(2);
        2.0 * EARTH_RADIUS_M * half_chord.sqrt().min(1.0).asin()
    }

    /// The degrees north and east between which every place within `metres` lies, and some more.
    pub fn degrees_around(&self, metres: f64) -> (RangeInclusive<f64>, RangeInclusive<f64>) {
        let north = metres / METRES_A_DEGREE;
        let east = north / self.lat.to_radians().cos().max(0.01);
        (self.lat - north..=self.lat + north, self.lng - east..=self.lng + east)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_right_within_a_town() {
        let louvre = Place { lat: 48.8606, lng: 2.3376 };
        let eiffel_tower = Place { lat: 48.8584, lng: 2.2945 };
        assert!((louvre.metres_to(&eiffel_tower) - 3163.0).abs() < 10.0);
        assert!(louvre.metres_to(&louvre) < f64::EPSILON);
        let (north, east) = louvre.degrees_around(3200.0);
        assert!(north.contains(&eiffel_tower.lat) && east.contains(&eiffel_tower.lng));
        let (_, east) = louvre.degrees_around(3000.0);
        assert!(!east.contains(&eiffel_tower.lng));
    }
}
