//! Working hours: local times in a zone, turned into instants, also across changes of the clocks.

use super::{
    Error, Span,
    span::{merge_spans, subtract_spans},
};
use chrono::{
    DateTime, Datelike, Days, Duration, NaiveDate, NaiveDateTime, NaiveTime, Utc, Weekday,
};
use chrono_tz::Tz;
use kit::values::time::resolve_local;
use sea_orm::FromJsonQueryResult;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Minutes of a day without a change of clocks.
const DAY: u16 = 24 * 60;

/// Hours of one day, in minutes from midnight; at most 24:00.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Hours {
    pub start: u16,
    /// First minute after.
    pub end: u16,
}

/// Hours of an ordinary week.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct Weekly(pub Vec<(Weekday, Hours)>);

/// Hours of single dates, in place of the weekly ones.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct Exceptions(pub BTreeMap<NaiveDate, Vec<Hours>>);

/// Everything that says when a provider works.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calendar {
    /// Zone of all local times.
    pub zone: Tz,
    pub weekly: Weekly,
    pub exceptions: Exceptions,
    /// Local stretches without work.
    pub time_off: Vec<(NaiveDateTime, NaiveDateTime)>,
}

impl Hours {
    /// Reads `HH:MM`, up to `24:00` at the end.
    pub fn parse(field: &str, start: &str, end: &str) -> Result<Self, Error> {
        let hours = Self {
            start: parse_minutes(&format!("{field}.start"), start)?,
            end: parse_minutes(&format!("{field}.end"), end)?,
        };
        if hours.end <= hours.start {
            return Err(Error::invalid(format!("{field}.end"), "must be after the start"));
        }
        Ok(hours)
    }

    /// The hours as `HH:MM` and `HH:MM`.
    pub fn texts(self) -> (String, String) {
        (clock_text(self.start), clock_text(self.end))
    }

    fn on(self, date: NaiveDate, zone: Tz) -> Span {
        let midnight = date.and_time(NaiveTime::MIN);
        let [start, end] =
            [self.start, self.end].map(|minutes| midnight + Duration::minutes(i64::from(minutes)));
        Span { start: resolve_local(zone, start), end: resolve_local(zone, end) }
    }
}

fn parse_minutes(field: &str, text: &str) -> Result<u16, Error> {
    minute_of_day(text).ok_or_else(|| Error::invalid(field, "must be HH:MM"))
}

fn clock_text(minutes: u16) -> String {
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

fn minute_of_day(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
    let all = hours.checked_mul(60)?.checked_add(minutes)?;
    (minutes < 60 && all <= DAY).then_some(all)
}

/// Refuses hours of one day that overlap; `name` tells the field of the one at an index.
pub fn refuse_overlaps(hours: &[Hours], name: impl Fn(usize) -> String) -> Result<(), Error> {
    for (index, later) in hours.iter().enumerate() {
        let clash = hours.iter().take(index).any(|h| h.start < later.end && later.start < h.end);
        if clash {
            return Err(Error::invalid(name(index), "overlaps other hours of the day"));
        }
    }
    Ok(())
}

impl Calendar {
    /// The spans of work that touch the time from `start` to `end`, in order; they may reach beyond it.
    pub fn open(&self, start: DateTime<Utc>, end: DateTime<Utc>) -> Vec<Span> {
        let [first, last] = [start, end].map(|at| at.with_timezone(&self.zone).date_naive());
        let first = first.checked_sub_days(Days::new(1));
        let last = last.checked_add_days(Days::new(1));
        let (Some(first), Some(last)) = (first, last) else { return Vec::new() };
        let mut spans = Vec::new();
        for date in first.iter_days().take_while(|date| *date <= last) {
            let hours = self.hours(date);
            spans.extend(hours.iter().map(|hours| hours.on(date, self.zone)));
        }
        let off: Vec<Span> =
            self.time_off.iter().map(|(start, end)| self.instants(*start, *end)).collect();
        let mut open = subtract_spans(merge_spans(spans), &off);
        open.retain(|span| span.overlaps(&Span { start, end }));
        open
    }

    /// Whether the provider works all through `span`.
    pub fn covers(&self, span: &Span) -> bool {
        self.open(span.start, span.end).iter().any(|open| open.contains(span))
    }

    /// The instants between two local times.
    pub fn instants(&self, start: NaiveDateTime, end: NaiveDateTime) -> Span {
        Span { start: resolve_local(self.zone, start), end: resolve_local(self.zone, end) }
    }

    fn hours(&self, date: NaiveDate) -> Vec<Hours> {
        if let Some(hours) = self.exceptions.0.get(&date) {
            return hours.clone();
        }
        let weekday = date.weekday();
        let of_day = self.weekly.0.iter().filter(|(day, _)| *day == weekday);
        of_day.map(|(_, hours)| *hours).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono_tz::Europe::Paris;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn local(text: &str) -> NaiveDateTime {
        text.parse().unwrap()
    }

    fn hours(start: &str, end: &str) -> Hours {
        Hours::parse("hours", start, end).unwrap()
    }

    fn every_day(zone: Tz, of_day: &[Hours]) -> Calendar {
        let days = [0, 1, 2, 3, 4, 5, 6].map(|day| Weekday::try_from(day).unwrap());
        let rules = days.iter().flat_map(|day| of_day.iter().map(|hours| (*day, *hours)));
        Calendar {
            zone,
            weekly: Weekly(rules.collect()),
            exceptions: Exceptions::default(),
            time_off: Vec::new(),
        }
    }

    #[test]
    fn hours_keep_their_local_time_over_a_change_of_clocks() {
        let calendar = every_day(Paris, &[hours("01:00", "04:00")]);
        let open = |from: &str, to: &str| calendar.open(at(from), at(to));
        let spring = open("2027-03-28T00:00:00Z", "2027-03-28T06:00:00Z");
        let expected = Span { start: at("2027-03-28T00:00:00Z"), end: at("2027-03-28T02:00:00Z") };
        assert_eq!(spring, [expected]);
        let autumn = open("2027-10-31T00:00:00Z", "2027-10-31T06:00:00Z");
        let expected = Span { start: at("2027-10-30T23:00:00Z"), end: at("2027-10-31T03:00:00Z") };
        assert_eq!(autumn, [expected]);
        // Hours that lie in the gap as a whole are none.
        let gap = every_day(Paris, &[hours("02:00", "03:00")]);
        assert_eq!(gap.open(at("2027-03-28T00:00:00Z"), at("2027-03-28T03:00:00Z")), []);
    }

    #[test]
    fn a_night_is_two_spans_of_hours() {
        let calendar = every_day(Paris, &[hours("22:00", "24:00"), hours("00:00", "06:00")]);
        let night = Span { start: at("2027-05-24T20:00:00Z"), end: at("2027-05-25T04:00:00Z") };
        assert!(calendar.covers(&night));
        assert!(!calendar.covers(&Span { end: at("2027-05-25T04:01:00Z"), ..night }));
    }

    #[test]
    fn exceptions_replace_the_week_and_time_off_cuts_it() {
        let mut calendar = every_day(Paris, &[hours("09:00", "17:00")]);
        let morning = Span { start: at("2027-05-24T08:00:00Z"), end: at("2027-05-24T10:00:00Z") };
        assert!(calendar.covers(&morning));
        calendar.time_off = vec![(local("2027-05-24T11:00:00"), local("2027-05-24T12:00:00"))];
        assert!(!calendar.covers(&morning));
        calendar.time_off.clear();
        let date = NaiveDate::from_ymd_opt(2027, 5, 24).unwrap();
        calendar.exceptions.0.insert(date, Vec::new());
        assert!(!calendar.covers(&morning));
        calendar.exceptions.0.insert(date, vec![hours("10:00", "12:00")]);
        assert!(calendar.covers(&morning));
    }

    #[test]
    fn bad_hours_name_their_field() {
        for (start, end, field) in [
            ("9", "10:00", "hours.start"),
            ("09:00", "24:01", "hours.end"),
            ("10:00", "10:00", "hours.end"),
        ] {
            let error = Hours::parse("hours", start, end).unwrap_err();
            assert!(error.to_string().starts_with(field), "{error}");
        }
        let day = [hours("09:00", "12:00"), hours("12:00", "14:00"), hours("13:00", "15:00")];
        let error = refuse_overlaps(&day, |index| format!("hours[{index}]")).unwrap_err();
        assert!(error.to_string().starts_with("hours[2]"), "{error}");
    }
}
