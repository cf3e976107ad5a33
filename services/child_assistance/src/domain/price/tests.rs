//! Worked prices, nights of a clock change, and what care requires.

use super::*;
use chrono_tz::{Europe::Paris, Tz};
use kit::testing::at;
use vertical::facts::PricedLine;

fn window(start: &str, end: &str, zone: Tz) -> Window {
    Window { start: at(start), end: at(end), zone }
}

fn quote(ages: &[i64], window: &Window) -> Quote {
    CareTables::default().quote("FR", PricedChildren::of(ages), false, window).unwrap()
}

fn totals(quote: &Quote) -> Vec<(&str, i64)> {
    let lines = quote.lines.iter();
    lines
        .map(|line| (line.code.trim_start_matches("child_assistance."), line.total.minor_units))
        .collect()
}

fn sum(quote: &Quote) -> i64 {
    quote.lines.iter().map(|line| line.total.minor_units).sum()
}

/// The order's facts of a quote.
pub fn facts_of(quote: &Quote) -> OrderFacts {
    let quoted = quote.lines.iter().map(|line| PricedLine {
        code: line.code.clone(),
        quantity: line.quantity,
        total: line.total,
    });
    OrderFacts { quoted: quoted.collect(), cap: quote.cap, ..OrderFacts::default() }
}

#[test]
fn the_worked_prices_are_right_to_the_cent() {
    let afternoon = window("2027-05-24T12:00:00Z", "2027-05-24T14:00:00Z", Paris);
    let two = quote(&[60, 84], &afternoon);
    assert_eq!(totals(&two), [("care", 4_200), ("further_children", 1_200)]);
    assert_eq!((sum(&two), two.cap.unwrap().minor_units), (5_400, 10_800));
    let evening = window("2027-05-24T17:00:00Z", "2027-05-24T21:30:00Z", Paris);
    let infant = quote(&[18], &evening);
    assert_eq!(totals(&infant), [("care", 6_300), ("infant", 900), ("night", 600)]);
    assert_eq!((sum(&infant), infant.cap.unwrap().minor_units), (7_800, 12_600));
    assert!(two.manual_acceptance, "only people accept care");
}

#[test]
fn time_is_counted_by_quarters_begun() {
    let start = "2027-05-24T08:00:00Z";
    for (end, total) in [
        ("2027-05-24T11:00:00Z", 4_200),
        ("2027-05-24T11:01:00Z", 4_550),
        ("2027-05-24T11:15:00Z", 4_550),
        ("2027-05-24T11:15:30Z", 4_900),
    ] {
        assert_eq!(sum(&quote(&[60], &window(start, end, Paris))), total, "{end}");
    }
}

#[test]
fn a_night_of_the_clock_change_has_the_hours_that_pass() {
    // In October the hour from two to three comes twice: from 21:00 to 07:00 eleven hours pass, nine of them in the night.
    let autumn = window("2027-10-30T19:00:00Z", "2027-10-31T06:00:00Z", Paris);
    assert_eq!(totals(&quote(&[60], &autumn)), [("care", 15_400), ("night", 3_150)]);
    // In March it does not come at all: nine hours pass, seven of them in the night.
    let spring = window("2027-03-27T20:00:00Z", "2027-03-28T05:00:00Z", Paris);
    assert_eq!(totals(&quote(&[60], &spring)), [("care", 12_600), ("night", 2_450)]);
}

#[test]
fn one_carer_looks_after_so_many_and_long_care_is_refused() {
    let tables = CareTables::default();
    let day = window("2027-05-24T08:00:00Z", "2027-05-24T11:00:00Z", Paris);
    for (ages, country, window, field) in [
        (vec![60; 5], "FR", &day, "details.children"),
        (vec![12; 4], "FR", &day, "details.children"),
        (vec![60], "US", &day, "address.country"),
        (
            vec![60],
            "FR",
            &window("2027-05-24T08:00:00Z", "2027-05-25T08:01:00Z", Paris),
            "window.end",
        ),
    ] {
        let refused = tables.quote(country, PricedChildren::of(&ages), false, window).unwrap_err();
        assert!(refused.to_string().starts_with(field), "{ages:?}: {refused}");
    }
}

#[test]
fn skills_and_documents_follow_the_children() {
    let day = window("2027-05-24T08:00:00Z", "2027-05-24T11:00:00Z", Paris);
    let skills = |ages: &[i64], special| {
        let priced = PricedChildren::of(ages);
        CareTables::default().quote("FR", priced, special, &day).unwrap().requirements.skills
    };
    assert_eq!(skills(&[35], false), ["child.under3"]);
    assert_eq!(skills(&[36], false), ["child.school"]);
    assert_eq!(skills(&[35, 36], true), ["child.under3", "child.school", "child.special"]);
    let requirements = quote(&[36], &day).requirements;
    assert_eq!(requirements.documents, ["identity", "first_aid", "background"]);
    let dispatch = requirements.dispatch.unwrap();
    assert!(!dispatch.live && dispatch.answer == Duration::minutes(30), "{dispatch:?}");
    assert!(dispatch.favourites_first, "the first half hour is theirs alone");
    assert!(requirements.exclusive && requirements.crew_size == 1, "nobody but who accepted");
}

#[test]
fn the_rate_is_read_from_the_lines() {
    for (country, ages, end) in [
        ("FR", vec![18, 60], "2027-05-24T11:00:00Z"),
        ("LU", vec![18], "2027-05-24T12:15:00Z"),
        ("CH", vec![60, 60, 60], "2027-05-24T13:45:00Z"),
    ] {
        let tables = CareTables::default();
        let children = PricedChildren::of(&ages);
        let day = window("2027-05-24T08:00:00Z", end, Paris);
        let quote = tables.quote(country, children, false, &day).unwrap();
        let agreed = AgreedCare::of(&facts_of(&quote));
        assert_eq!(agreed.rate, tables.prices[country].rate(children), "{country}");
        assert_eq!(agreed.total, sum(&quote));
        assert_eq!(agreed.has_infant, ages.contains(&18));
    }
}
