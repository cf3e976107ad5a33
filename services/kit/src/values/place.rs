//! What the map says of a position on Earth: its time zone and its country. The map is part of the program, so that no
//! client's word is needed for either. Its data is © OpenStreetMap contributors, under the Open Database License.

use chrono_tz::Tz;
use country_boundaries::{BOUNDARIES_ODBL_60X30, CountryBoundaries, LatLon};
use std::sync::LazyLock;
use tzf_rs::EmbeddedFinder;

/// How far beyond a border or a coast a position may lie and still count as in the country, in kilometres: the map's lines
/// are simplified, and people place addresses by hand.
const TOLERANCE_KM: f64 = 1.0;
/// Kilometres of one degree of latitude.
const DEGREE_KM: f64 = 111.195;

static ZONES: LazyLock<EmbeddedFinder> = LazyLock::new(EmbeddedFinder::new);
/// None when the data that is compiled in cannot be read, which the tests rule out.
static COUNTRIES: LazyLock<Option<CountryBoundaries>> =
    LazyLock::new(|| CountryBoundaries::from_reader(BOUNDARIES_ODBL_60X30).ok());

/// The time zone whose clocks people at this position go by. At sea, where none is near, it is UTC.
pub fn zone_at(lat: f64, lng: f64) -> Tz {
    let names = positions_around(lat, lng).map(|(lat, lng)| ZONES.get_tz_name(lng, lat));
    let on_land = names.into_iter().find(|name| !name.is_empty() && !name.starts_with("Etc/"));
    on_land.and_then(|name| name.parse().ok()).unwrap_or(Tz::UTC)
}

/// The country of this position as an ISO 3166-1 alpha-2 code; none at sea.
pub fn country_at(lat: f64, lng: f64) -> Option<&'static str> {
    countries_at(lat, lng).into_iter().next()
}

/// Whether a position lies in the country with this code, or no farther from it than the map is sure of.
pub fn lies_in(country: &str, lat: f64, lng: f64) -> bool {
    let mut around = positions_around(lat, lng).into_iter();
    around.any(|(lat, lng)| countries_at(lat, lng).contains(&country))
}

/// The codes of the countries that count a position as theirs, the closest to it first: Réunion before France.
fn countries_at(lat: f64, lng: f64) -> Vec<&'static str> {
    let Some(map) = COUNTRIES.as_ref() else { return Vec::new() };
    let Ok(position) = LatLon::new(lat, lng) else { return Vec::new() };
    // Longer codes are those of a country's parts.
    map.ids(position).into_iter().filter(|code| code.len() == 2).collect()
}

/// A position, and eight on the circle around it up to which the map is not sure.
fn positions_around(lat: f64, lng: f64) -> [(f64, f64); 9] {
    let north = TOLERANCE_KM / DEGREE_KM;
    let east = north / lat.to_radians().cos().max(0.01);
    let diagonal = std::f64::consts::FRAC_1_SQRT_2;
    let shifts = [
        (0.0, 0.0),
        (1.0, 0.0),
        (0.0, 1.0),
        (-1.0, 0.0),
        (0.0, -1.0),
        (diagonal, diagonal),
        (diagonal, -diagonal),
        (-diagonal, diagonal),
        (-diagonal, -diagonal),
    ];
    shifts.map(|(up, right)| {
        let (lat, lng) = (lat + up * north, lng + right * east);
        (lat.clamp(-90.0, 90.0), (lng + 540.0).rem_euclid(360.0) - 180.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono_tz::{Africa, America, Asia, Europe, Indian};

    #[test]
    fn a_position_has_the_zone_and_the_country_of_its_people() {
        for (lat, lng, zone, country) in [
            (48.8566, 2.3522, Europe::Paris, "FR"),
            (51.5072, -0.1276, Europe::London, "GB"),
            (34.0522, -118.2437, America::Los_Angeles, "US"),
            (-20.8823, 55.4504, Indian::Reunion, "RE"),
            (22.3027, 114.1772, Asia::Hong_Kong, "HK"),
            (35.8894, -5.3213, Africa::Ceuta, "EA"),
            (45.4375, 12.3358, Europe::Rome, "IT"),
        ] {
            assert_eq!((zone_at(lat, lng), country_at(lat, lng)), (zone, Some(country)));
            assert!(lies_in(country, lat, lng), "{country}");
        }
        assert!(lies_in("FR", -20.8823, 55.4504), "a part is in the whole");
    }

    #[test]
    fn the_open_sea_and_a_missing_position_are_in_no_country() {
        for (lat, lng) in [(0.0, 0.0), (40.0, -40.0), (90.0, 0.0)] {
            assert_eq!((zone_at(lat, lng), country_at(lat, lng)), (Tz::UTC, None));
        }
    }

    #[test]
    fn borders_and_coasts_are_not_sharp() {
        // The pedestrian bridge over the Rhine between Huningue and Weil.
        let (lat, lng) = (47.5917, 7.5891);
        assert!(lies_in("FR", lat, lng) && lies_in("DE", lat, lng));
        assert!(!lies_in("IT", lat, lng));
        assert!(!lies_in("GB", 48.8566, 2.3522), "Paris is not in Britain");
        // A quay at Brest, a beach at Cannes.
        for (lat, lng) in [(48.380, -4.490), (43.548, 7.020)] {
            assert!(lies_in("FR", lat, lng));
            assert_eq!(zone_at(lat, lng), Europe::Paris);
        }
    }

    #[test]
    fn every_zone_of_the_map_is_known() {
        for name in ZONES.timezonenames() {
            assert!(name.parse::<Tz>().is_ok(), "{name}");
        }
    }
}
