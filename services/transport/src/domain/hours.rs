//! Hours on the clock of a place: spans that may wrap midnight.

use chrono::{DateTime, Datelike, Days, Timelike, Utc, Weekday};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A time on the clock of a place, in minutes after midnight; written `HH:MM`, up to `24:00`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeOfDay(u32);

impl TimeOfDay {
    /// Reads a local time such as `22:30`; none when it is no time.
    pub fn parse(text: &str) -> Option<Self> {
        let (hours, minutes) = text.split_once(':')?;
        let is_written = hours.len() == 2 && minutes.len() == 2;
        let (hours, minutes): (u32, u32) = (hours.parse().ok()?, minutes.parse().ok()?);
        let after_midnight = hours * 60 + minutes;
        (is_written && minutes < 60 && after_midnight <= 24 * 60).then_some(Self(after_midnight))
    }
}

impl fmt::Debug for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl TryFrom<String> for TimeOfDay {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| format!("{text:?} is no time of day such as 07:30"))
    }
}

impl From<TimeOfDay> for String {
    fn from(time: TimeOfDay) -> Self {
        format!("{time:?}")
    }
}

/// Hours of some days: from a time to another one. Where the end is not after the start it is on the next day, and the span
/// belongs to the day on which it begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocalHours {
    /// The days on which the span begins; none for every day.
    #[serde(default)]
    pub days: Vec<Weekday>,
    /// The first minute that is inside.
    pub from: TimeOfDay,
    /// The first minute that is outside again.
    pub to: TimeOfDay,
}

impl LocalHours {
    /// The hours between two times of every day.
    pub const fn daily(from: TimeOfDay, to: TimeOfDay) -> Self {
        Self { days: Vec::new(), from, to }
    }

    /// Whether a moment lies within, on the clocks of a zone.
    pub fn contains(&self, at: DateTime<Utc>, zone: Tz) -> bool {
        let local = at.with_timezone(&zone);
        let (today, time) = (local.date_naive(), TimeOfDay(local.hour() * 60 + local.minute()));
        let yesterday = today.checked_sub_days(Days::new(1)).unwrap_or(today);
        if self.from < self.to {
            return (self.from..self.to).contains(&time) && self.begins_on(today.weekday());
        }
        (time >= self.from && self.begins_on(today.weekday()))
            || (time < self.to && self.begins_on(yesterday.weekday()))
    }

    fn begins_on(&self, day: Weekday) -> bool {
        self.days.is_empty() || self.days.contains(&day)
    }
}

/// Times of the defaults: whole hours.
pub const fn hour(hour: u32) -> TimeOfDay {
    TimeOfDay(hour * 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono_tz::Europe::Paris;
    use kit::testing::at;

    #[test]
    fn times_are_read_strictly() {
        for (text, minutes) in [("00:00", 0), ("07:30", 450), ("24:00", 1440)] {
            assert_eq!(TimeOfDay::parse(text), Some(TimeOfDay(minutes)));
            assert_eq!(String::from(TimeOfDay(minutes)), text);
        }
        for text in ["", "7:30", "07:60", "24:01", "07.30", "-1:00", "07:3a"] {
            assert_eq!(TimeOfDay::parse(text), None, "{text}");
        }
    }

    #[test]
    fn spans_begin_and_end_on_the_clock_of_the_place() {
        let morning = LocalHours::daily(hour(7), hour(9));
        // Summer time: two hours ahead of UTC.
        for (moment, inside) in [
            ("2027-05-24T04:59:59Z", false),
            ("2027-05-24T05:00:00Z", true),
            ("2027-05-24T06:59:59Z", true),
            ("2027-05-24T07:00:00Z", false),
        ] {
            assert_eq!(morning.contains(at(moment), Paris), inside, "{moment}");
        }
    }

    #[test]
    fn a_span_over_midnight_belongs_to_the_day_on_which_it_begins() {
        let friday_night = LocalHours { days: vec![Weekday::Fri], from: hour(22), to: hour(4) };
        for (moment, inside) in [
            // Friday, 28 May 2027.
            ("2027-05-28T19:59:00Z", false),
            ("2027-05-28T20:00:00Z", true),
            ("2027-05-28T22:30:00Z", true),
            ("2027-05-29T01:59:00Z", true),
            ("2027-05-29T02:00:00Z", false),
            ("2027-05-27T22:30:00Z", false),
            ("2027-05-29T20:30:00Z", false),
        ] {
            assert_eq!(friday_night.contains(at(moment), Paris), inside, "{moment}");
        }
    }
}
