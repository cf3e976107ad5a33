//! The worked prices, what comes on top of the fare, and what rides require.

use super::*;
use crate::domain::{
    details::{ParcelSize, Passengers, RideTier, Undeliverable},
    way::Itinerary,
};
use chrono_tz::Europe::Paris;
use kit::testing::at;
use vertical::Place;

const PARIS: Place = Place { lat: 48.8566, lng: 2.3522 };

fn people(seats: i32, bags: i64) -> RideInputs {
    RideInputs {
        load: Load::People(Passengers { seats, bags }),
        tier: RideTier::Standard,
        stops: vec![PARIS],
    }
}

fn parcel(kg: i32, longest_cm: i32, tier: RideTier) -> RideInputs {
    let undeliverable = Undeliverable::Return;
    let load = Load::Parcel(ParcelSize { kg, longest_cm, undeliverable });
    RideInputs { load, tier, stops: vec![PARIS] }
}

fn window(start: &str) -> Window {
    let start = at(start);
    Window { start, end: start + Duration::hours(1), zone: Paris }
}

fn way(metres: i64, seconds: i64, tolls: i64) -> Itinerary {
    Itinerary { metres, seconds, tolls }
}

/// A quote that was asked for a day before.
fn quote(inputs: &RideInputs, way: Itinerary, start: &str) -> Result<Quote, Error> {
    let window = window(start);
    let now = window.start - Duration::days(1);
    RideTables::default().quote("FR", inputs, way, window, false, now)
}

fn totals(quote: &Quote) -> Vec<(&str, i64)> {
    quote.lines.iter().map(|line| (line.code.as_str(), line.total.minor_units)).collect()
}

fn total_and_cap(quote: &Quote) -> (i64, i64) {
    let total = quote.lines.iter().map(|line| line.total.minor_units).sum();
    (total, quote.cap.unwrap().minor_units)
}

/// Monday, 24 May 2027, at noon in Paris.
const NOON: &str = "2027-05-24T10:00:00Z";
/// The same day, at half past seven.
const PEAK: &str = "2027-05-24T05:30:00Z";
/// The night from Saturday to Sunday.
const NIGHT: &str = "2027-05-29T23:30:00Z";

#[test]
fn the_worked_prices_come_out() {
    let plain = quote(&people(1, 0), way(8_200, 21 * 60, 0), NOON).unwrap();
    assert_eq!(total_and_cap(&plain), (1_536, 1_843));
    let expected =
        [("transport.base", 250), ("transport.distance", 1_066), ("transport.time", 220)];
    assert_eq!(totals(&plain), expected);

    let short = quote(&people(1, 0), way(1_430, 340, 0), NIGHT).unwrap();
    assert_eq!(total_and_cap(&short), (1_350, 1_620));
    let expected = [
        ("transport.base", 250),
        ("transport.distance", 182),
        ("transport.time", 0),
        ("transport.minimum", 268),
        ("transport.surge", 350),
        ("transport.night", 300),
    ];
    assert_eq!(totals(&short), expected);

    let three_stops = RideInputs { stops: vec![PARIS; 3], ..people(1, 0) };
    let far = quote(&three_stops, way(34_000, 52 * 60, 480), PEAK).unwrap();
    assert_eq!(total_and_cap(&far), (6_844, 8_212));
    let expected = [
        ("transport.base", 250),
        ("transport.distance", 3_880),
        ("transport.time", 840),
        ("transport.surge", 994),
        ("transport.stops", 400),
        ("transport.tolls", 480),
    ];
    assert_eq!(totals(&far), expected);
    let passes = far.lines.iter().filter(|line| line.pass_through);
    assert_eq!(passes.map(|line| line.code.as_str()).collect::<Vec<_>>(), ["transport.tolls"]);
}

#[test]
fn bags_beyond_two_cost_something() {
    for (bags, expected) in [(0, 1_536), (2, 1_536), (3, 1_686), (5, 1_986)] {
        let quote = quote(&people(1, bags), way(8_200, 21 * 60, 0), NOON).unwrap();
        assert_eq!(total_and_cap(&quote).0, expected, "{bags} bags");
    }
}

#[test]
fn a_ride_requires_its_driver_and_a_vehicle_that_fits() {
    let ride = quote(&people(3, 0), way(8_200, 1_230, 0), NOON).unwrap().requirements;
    assert_eq!(ride.skills, ["transport.ride"]);
    assert_eq!(ride.documents, ["driving_licence", "insurance", "vtc"]);
    let car = Asset {
        kinds: vec!["car".to_owned(), "van".to_owned()],
        seats: 3,
        count: 1,
        ..Asset::default()
    };
    assert_eq!(ride.assets, [car]);
    assert!(ride.exclusive);
    // 21 minutes, and what waiting may take: 3 at the pick-up, 2 at the stop.
    assert_eq!(ride.minutes, 26);
    let bike = parcel(4, 40, RideTier::Bike);
    let bike = quote(&bike, way(8_200, 1_230, 0), NOON).unwrap().requirements;
    assert_eq!(bike.skills, ["transport.parcel"]);
    assert_eq!(bike.documents, ["driving_licence", "insurance"]);
    assert_eq!(bike.assets[0].payload_kg, 4);
    assert_eq!(bike.assets[0].kinds, ["bike"]);
}

#[test]
fn what_no_vehicle_of_the_tier_carries_is_refused() {
    for (inputs, field) in [
        (people(5, 0), "details.passengers"),
        (parcel(16, 40, RideTier::Bike), "details.parcel.kg"),
        (parcel(4, 61, RideTier::Bike), "details.parcel.longest_cm"),
        (RideInputs { tier: RideTier::Bike, ..people(2, 0) }, "details.passengers"),
    ] {
        let error = quote(&inputs, way(8_200, 1_230, 0), NOON).unwrap_err().to_string();
        assert!(error.contains(field), "{error}");
    }
    let van = RideInputs { tier: RideTier::Van, ..people(8, 0) };
    assert!(quote(&van, way(8_200, 1_230, 0), NOON).is_ok());
    let endless = quote(&people(1, 0), way(900_000, 30 * 3_600, 0), NOON).unwrap_err();
    assert!(endless.to_string().contains("details.stops"), "{endless}");
    let tables = RideTables::default();
    let abroad = tables.quote("US", &people(1, 0), way(1, 1, 0), window(NOON), false, at(NOON));
    assert!(abroad.unwrap_err().to_string().contains("address.country"));
}

#[test]
fn a_ride_that_begins_soon_is_offered_live() {
    let tables = RideTables::default();
    let quote = |minutes: i64, asap: bool| {
        let window = window(NOON);
        let now = window.start - Duration::minutes(minutes);
        tables.quote("FR", &people(1, 0), way(8_200, 1_230, 0), window, asap, now).unwrap()
    };
    assert_eq!(quote(61, false).requirements.dispatch, None);
    let live = quote(60, false).requirements.dispatch.unwrap();
    assert!(live.live);
    assert_eq!((live.wave_size, live.answer), (3, Duration::seconds(15)));
    assert_eq!((live.radius_m, live.max_radius_m), (2_000, 15_000));
    assert_eq!(live.search, Duration::minutes(4));
    assert_eq!(quote(60, false).window, None);
    // As soon as possible: in ten minutes, for as long as it takes, whatever window was asked for.
    let asap = quote(600, true);
    let start = at(NOON) - Duration::minutes(590);
    let window = Window { start, end: start + Duration::minutes(26), zone: Paris };
    assert_eq!(asap.window, Some(window));
    assert!(asap.requirements.dispatch.is_some());
}

fn terms(surge_percent: i64) -> RideTerms {
    let tables = RideTables::default();
    tables.prices["FR"].terms(&people(1, 0), surge_percent).unwrap()
}

#[test]
fn other_stops_cost_the_difference_at_the_tariff_of_the_quote() {
    let before = BilledWay { hectometres: 82, minutes: 21 };
    let after = BilledWay { hectometres: 120, minutes: 40 };
    let lines = change_lines(&terms(100), (before, 1), (after, 2), 480);
    let totals: Vec<_> =
        lines.iter().map(|it| (it.code.as_str(), it.quantity, it.total.minor_units)).collect();
    let expected = [
        ("transport.distance", 3.8, 454),
        ("transport.time", 19.0, 380),
        ("transport.stops", 1.0, 200),
        ("transport.tolls", 1.0, 480),
    ];
    assert_eq!(totals, expected);
    let sum: i64 = lines.iter().map(|line| line.total.minor_units).sum();
    assert_eq!(sum, 2_370 - 1_536 + 200 + 480);
    assert_eq!(change_lines(&terms(100), (before, 1), (before, 1), 0), []);
}

#[test]
fn a_change_reckons_with_the_least_price_and_the_hour() {
    let short = BilledWay { hectometres: 14, minutes: 6 };
    let long = BilledWay { hectometres: 82, minutes: 21 };
    for (from, to) in [(short, long), (long, short)] {
        let lines = change_lines(&terms(150), (from, 2), (to, 2), 0);
        let sum: i64 = lines.iter().map(|line| line.total.minor_units).sum();
        let fare = |way| terms(150).tariff.fare(way, 150).total();
        assert_eq!(sum, fare(to) - fare(from));
    }
}
