//! The measured cases, waiting and ways back, each within the cap.

use super::*;
use crate::domain::{
    details::{Load, Passengers, RideInputs, RideTier},
    ride::{RideState, WayBack},
    tables::RideTables,
    way::Itinerary,
};
use chrono::Duration;
use chrono_tz::Europe::Paris;
use kit::{Money, Window, testing::at, values::money::Currency};
use vertical::Place;

/// What the first worked price says: 8.2 km, 21 minutes, 1536, at most 1843.
fn quoted() -> OrderFacts {
    let place = Place { lat: 48.8566, lng: 2.3522 };
    let start = at("2027-05-24T10:00:00Z");
    let window = Window { start, end: start + Duration::hours(1), zone: Paris };
    let way = Itinerary { metres: 8_200, seconds: 1_230, tolls: 0 };
    let inputs = inputs(vec![place]);
    let quote = RideTables::default().quote("FR", &inputs, way, window, false, start).unwrap();
    OrderFacts {
        quoted: quote.lines.into_iter().map(agree).collect(),
        cap: quote.cap,
        ..OrderFacts::default()
    }
}

fn inputs(stops: Vec<Place>) -> RideInputs {
    let load = Load::People(Passengers { seats: 1, bags: 0 });
    RideInputs { load, tier: RideTier::Standard, stops }
}

fn agree(line: Line) -> PricedLine {
    PricedLine { code: line.code, quantity: line.quantity, total: line.total }
}

fn ride() -> Ride {
    let terms = RideTables::default().prices["FR"].terms(&inputs(Vec::new()), 100);
    Ride { state: RideState::Dropped, ..Ride::begin(terms) }
}

fn measured(metres: i64, minutes: i64, covered_percent: i32) -> TrackMeasure {
    TrackMeasure { metres, seconds: minutes * 60, covered_percent, reached_at: None }
}

fn settle(ride: &Ride, measure: Option<&TrackMeasure>, waited: i64) -> Vec<(String, i64)> {
    let agreed = AgreedPrice::of(&quoted());
    let lines = RideTables::default().meter.settle(ride, &agreed, measure, waited);
    lines.into_iter().map(|line| (line.code, line.total.minor_units)).collect()
}

fn line(code: &str, total: i64) -> (String, i64) {
    (format!("transport.{code}"), total)
}

#[test]
fn what_was_agreed_is_read_from_the_lines() {
    let way = BilledWay { hectometres: 82, minutes: 21 };
    let agreed = AgreedPrice { fare: 1_536, way, tolls: 0, room: 307 };
    assert_eq!(AgreedPrice::of(&quoted()), agreed);
    let binding = OrderFacts { cap: None, ..quoted() };
    assert_eq!(AgreedPrice::of(&binding).room, 0);
    let change = PricedLine {
        code: DISTANCE.to_owned(),
        quantity: -3.2,
        total: Money::new(Currency::EUR, -416),
    };
    let changed = OrderFacts { changed: vec![change], ..quoted() };
    let way = BilledWay { hectometres: 50, minutes: 21 };
    assert_eq!(AgreedPrice::of(&changed), AgreedPrice { fare: 1_120, way, ..agreed });
}

#[test]
fn the_measured_cases_come_out() {
    for (metres, minutes, expected) in [
        (8_600, 22, None),
        (9_400, 27, Some(276)),
        (12_000, 40, Some(307)),
        (8_200, 21, None),
        // 5.0 km in 13 minutes: 960.
        (5_000, 13, Some(-576)),
    ] {
        let lines = settle(&ride(), Some(&measured(metres, minutes, 100)), 0);
        let expected: Vec<_> = expected.map(|total| line("metered", total)).into_iter().collect();
        assert_eq!(lines, expected, "{metres} m, {minutes} min");
    }
}

#[test]
fn a_ride_of_which_too_little_was_measured_costs_what_was_quoted() {
    let agreed = AgreedPrice::of(&quoted());
    let meter = RideTables::default().meter;
    for (covered, is_metered) in [(79, false), (80, true)] {
        let measure = measured(9_400, 27, covered);
        assert_eq!(settle(&ride(), Some(&measure), 0).is_empty(), !is_metered);
        assert_eq!(meter.is_metered(&ride(), &agreed, Some(&measure)), is_metered);
    }
    assert!(settle(&ride(), None, 0).is_empty());
    assert!(!meter.is_metered(&ride(), &agreed, None));
}

#[test]
fn a_tariff_that_is_not_the_one_of_the_quote_measures_nothing() {
    let mut ride = ride();
    ride.terms.as_mut().unwrap().tariff.base += 100;
    assert!(settle(&ride, Some(&measured(12_000, 40, 100)), 0).is_empty());
    ride.terms = None;
    assert!(settle(&ride, Some(&measured(12_000, 40, 100)), 27).is_empty());
}

#[test]
fn waiting_costs_each_minute_beyond_the_free_ones_up_to_the_cap() {
    assert_eq!(settle(&ride(), None, 0), []);
    assert_eq!(settle(&ride(), None, 3), [line("waiting", 90)]);
    assert_eq!(settle(&ride(), None, 57), [line("waiting", 307)]);
    // What the way costs more comes first.
    let longer = measured(9_400, 27, 100);
    let lines = settle(&ride(), Some(&longer), 2);
    assert_eq!(lines, [line("metered", 276), line("waiting", 31)]);
    // What it costs less leaves more room.
    let shorter = measured(5_000, 13, 100);
    let lines = settle(&ride(), Some(&shorter), 57);
    assert_eq!(lines, [line("metered", -576), line("waiting", 883)]);
}

#[test]
fn a_parcel_that_comes_back_costs_its_way_back_up_to_the_cap() {
    let back = |metres, seconds| Ride {
        state: RideState::Returned,
        way_back: Some(WayBack {
            stop: 1,
            way: Itinerary { metres, seconds, tolls: 0 },
            returned_at: None,
        }),
        ..ride()
    };
    assert_eq!(settle(&back(1_500, 225), None, 0), [line("return", 195)]);
    assert_eq!(settle(&back(8_200, 1_230), None, 0), [line("return", 307)]);
    // The measure has the way back in it: the fare of the way there stands.
    let lines = settle(&back(1_500, 225), Some(&measured(16_400, 42, 100)), 3);
    assert_eq!(lines, [line("waiting", 90), line("return", 195)]);
}
