//! The rules of a series: which are refused, and which dates the others have.

use super::*;
use chrono::NaiveDateTime;
use chrono_tz::{America::Sao_Paulo, Australia::Lord_Howe, Europe::London, Europe::Paris};
use kit::values::time::resolve_local;

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn rule(text: &str) -> Rule {
    Rule::parse("rrule", text).unwrap()
}

/// The first dates of a rule.
fn first(text: &str, anchor: &str, count: usize) -> Vec<String> {
    let anchor = date(anchor);
    let dates = rule(text).dates(anchor, anchor, days_after(anchor, 2_000));
    dates.iter().take(count).map(ToString::to_string).collect()
}

#[test]
fn rules_have_the_dates_of_rfc_5545() {
    for (text, anchor, expected) in [
        ("FREQ=DAILY", "2027-02-27", ["2027-02-27", "2027-02-28", "2027-03-01", "2027-03-02"]),
        (
            "FREQ=DAILY;INTERVAL=10",
            "2027-12-25",
            ["2027-12-25", "2028-01-04", "2028-01-14", "2028-01-24"],
        ),
        ("FREQ=WEEKLY", "2027-05-25", ["2027-05-25", "2027-06-01", "2027-06-08", "2027-06-15"]),
        (
            "FREQ=WEEKLY;BYDAY=TU,FR",
            "2027-05-25",
            ["2027-05-25", "2027-05-28", "2027-06-01", "2027-06-04"],
        ),
        // RFC 5545 itself tells the two apart by WKST.
        (
            "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST=MO",
            "1997-08-05",
            ["1997-08-05", "1997-08-10", "1997-08-19", "1997-08-24"],
        ),
        (
            "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST=SU",
            "1997-08-05",
            ["1997-08-05", "1997-08-17", "1997-08-19", "1997-08-31"],
        ),
        ("FREQ=MONTHLY", "2027-01-28", ["2027-01-28", "2027-02-28", "2027-03-28", "2027-04-28"]),
        (
            "FREQ=MONTHLY;BYDAY=2TU",
            "2027-05-11",
            ["2027-05-11", "2027-06-08", "2027-07-13", "2027-08-10"],
        ),
        (
            "FREQ=MONTHLY;BYDAY=-1FR",
            "2027-05-28",
            ["2027-05-28", "2027-06-25", "2027-07-30", "2027-08-27"],
        ),
        (
            "FREQ=MONTHLY;BYMONTHDAY=-1",
            "2027-01-31",
            ["2027-01-31", "2027-02-28", "2027-03-31", "2027-04-30"],
        ),
        (
            "FREQ=MONTHLY;INTERVAL=3;BYMONTHDAY=1,15",
            "2027-05-15",
            ["2027-05-15", "2027-08-01", "2027-08-15", "2027-11-01"],
        ),
    ] {
        assert_eq!(first(text, anchor, 4), expected, "{text}");
        rule(text).check_anchor("from_on", date(anchor)).unwrap();
    }
}

#[test]
fn a_rule_ends_by_its_count_or_its_last_date() {
    assert_eq!(first("FREQ=WEEKLY;COUNT=3", "2027-05-25", 9).len(), 3);
    let until = first("FREQ=WEEKLY;UNTIL=20270615", "2027-05-25", 9);
    assert_eq!(until.last().unwrap(), "2027-06-15", "the last date is one of the rule");
    let counted = rule("FREQ=WEEKLY;COUNT=5");
    let anchor = date("2027-05-25");
    // A later look counts from the anchor all the same.
    let later = counted.dates(anchor, date("2027-06-10"), date("2028-01-01"));
    assert_eq!(later, [date("2027-06-15"), date("2027-06-22")]);
    let rest = counted.without_first(3);
    let from = date("2027-06-15");
    assert_eq!(rest.dates(from, from, date("2028-01-01")), later);
}

#[test]
fn what_cannot_be_booked_is_refused_and_says_why() {
    for (text, says) in [
        ("", "parts such as FREQ=WEEKLY"),
        ("WEEKLY", "parts such as FREQ=WEEKLY"),
        ("RRULE:FREQ=WEEKLY", "only FREQ"),
        ("INTERVAL=2", "must have FREQ"),
        ("FREQ=SECONDLY", "FREQ=DAILY"),
        ("FREQ=HOURLY", "FREQ=DAILY"),
        ("FREQ=YEARLY", "FREQ=DAILY"),
        ("freq=WEEKLY", "only FREQ"),
        ("FREQ=WEEKLY;FREQ=DAILY", "FREQ once"),
        ("FREQ=WEEKLY;", "parts such as FREQ=WEEKLY"),
        ("FREQ=WEEKLY;INTERVAL=0", "INTERVAL from 1 to 52"),
        ("FREQ=WEEKLY;INTERVAL=53", "INTERVAL from 1 to 52"),
        ("FREQ=WEEKLY;INTERVAL=+2", "INTERVAL from 1 to 52"),
        ("FREQ=WEEKLY;INTERVAL=-1", "INTERVAL from 1 to 52"),
        ("FREQ=WEEKLY;COUNT=521", "COUNT from 1 to 520"),
        ("FREQ=WEEKLY;COUNT=0", "COUNT from 1 to 520"),
        ("FREQ=WEEKLY;COUNT=3;UNTIL=20271231", "not both"),
        ("FREQ=WEEKLY;UNTIL=20271231T090000Z", "without a time"),
        ("FREQ=WEEKLY;UNTIL=20271331", "without a time"),
        ("FREQ=WEEKLY;BYDAY=XX", "MO, TU"),
        ("FREQ=WEEKLY;BYDAY=", "MO, TU"),
        ("FREQ=WEEKLY;BYDAY=é", "MO, TU"),
        ("FREQ=WEEKLY;BYDAY=2TU", "only with FREQ=MONTHLY"),
        ("FREQ=WEEKLY;BYMONTHDAY=3", "only with FREQ=MONTHLY"),
        ("FREQ=MONTHLY;BYDAY=5TU", "fifth"),
        ("FREQ=MONTHLY;BYDAY=0TU", "fifth"),
        ("FREQ=MONTHLY;BYMONTHDAY=29", "29th"),
        ("FREQ=MONTHLY;BYMONTHDAY=0", "29th"),
        ("FREQ=MONTHLY;BYMONTHDAY=-2", "29th"),
        ("FREQ=MONTHLY;BYDAY=TU;BYMONTHDAY=3", "not both"),
        ("FREQ=MONTHLY;BYSETPOS=1", "only FREQ"),
        ("FREQ=DAILY;BYHOUR=9", "only FREQ"),
        ("FREQ=WEEKLY;WKST=XX", "MO, TU"),
    ] {
        let error = Rule::parse("rrule", text).unwrap_err().to_string();
        assert!(error.starts_with("rrule must") && error.contains(says), "{text}: {error}");
    }
}

#[test]
fn the_first_date_is_one_of_the_rule() {
    for (text, anchor, says) in [
        ("FREQ=WEEKLY;BYDAY=TU", "2027-05-26", "a date of the rule"),
        ("FREQ=MONTHLY;BYDAY=1MO", "2027-05-10", "a date of the rule"),
        ("FREQ=MONTHLY", "2027-05-29", "28th"),
        ("FREQ=WEEKLY;UNTIL=20270101", "2027-05-25", "after UNTIL"),
        ("FREQ=WEEKLY;UNTIL=20990101", "2027-05-25", "20 years"),
    ] {
        let error = rule(text).check_anchor("from_on", date(anchor)).unwrap_err().to_string();
        assert!(error.starts_with("from_on") && error.contains(says), "{text}: {error}");
    }
}

#[test]
fn a_rule_reads_back_as_it_was_written() {
    for text in [
        "FREQ=DAILY",
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,FR;COUNT=12;WKST=SU",
        "FREQ=MONTHLY;BYDAY=-1FR,2TU;UNTIL=20271231",
        "FREQ=MONTHLY;BYMONTHDAY=1,-1",
    ] {
        assert_eq!(rule(text).to_string(), text);
    }
}

/// The starts of a year of Tuesdays at a local time.
fn year_of_tuesdays(zone: chrono_tz::Tz, time: &str) -> Vec<(NaiveDateTime, DateTime<Utc>)> {
    let anchor = date("2027-01-05");
    let dates = rule("FREQ=WEEKLY;BYDAY=TU").dates(anchor, anchor, date("2027-12-31"));
    assert_eq!(dates.len(), 52);
    let time: NaiveTime = time.parse().unwrap();
    let starts = dates.into_iter().map(|day| day.and_time(time));
    starts.map(|local| (local, resolve_local(zone, local))).collect()
}

#[test]
fn a_year_of_tuesdays_at_nine_keeps_its_local_time() {
    for zone in [Paris, London, Lord_Howe, Sao_Paulo] {
        let starts = year_of_tuesdays(zone, "09:00:00");
        for (local, start) in &starts {
            assert_eq!(start.with_timezone(&zone).naive_local(), *local, "{zone}");
        }
        let hours: std::collections::BTreeSet<_> =
            starts.iter().map(|(_, start)| start.time()).collect();
        // São Paulo has given its summer time up.
        assert_eq!(hours.len(), if zone == Sao_Paulo { 1 } else { 2 }, "{zone}");
    }
}

#[test]
fn days_on_which_clocks_change_have_the_next_time_or_the_first() {
    // Sundays, since clocks change then. Local time, and UTC on the days of gap and overlap.
    for (zone, time, day, start) in [
        (Paris, "02:30:00", "2027-03-28", "2027-03-28T01:00:00Z"),
        (Paris, "02:30:00", "2027-10-31", "2027-10-31T00:30:00Z"),
        (London, "01:30:00", "2027-03-28", "2027-03-28T01:00:00Z"),
        (London, "01:30:00", "2027-10-31", "2027-10-31T00:30:00Z"),
        (Lord_Howe, "02:15:00", "2027-10-03", "2027-10-02T15:30:00Z"),
        (Lord_Howe, "01:45:00", "2027-04-04", "2027-04-03T14:45:00Z"),
        // In 2018 clocks of São Paulo skipped midnight on 4 November, and repeated it on 18 February.
        (Sao_Paulo, "00:30:00", "2018-11-04", "2018-11-04T03:00:00Z"),
        (Sao_Paulo, "23:30:00", "2018-02-17", "2018-02-18T01:30:00Z"),
    ] {
        let day = date(day);
        let anchor = day.checked_sub_days(Days::new(21)).unwrap();
        let dates = rule("FREQ=WEEKLY").dates(anchor, day, day);
        assert_eq!(dates, [day], "{zone}");
        let time: NaiveTime = time.parse().unwrap();
        let resolved = resolve_local(zone, day.and_time(time));
        assert_eq!(resolved, start.parse::<DateTime<Utc>>().unwrap(), "{zone} {day}");
    }
}
