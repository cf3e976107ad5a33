//! Quiet hours on the reader's wall clock: they may wrap midnight, and clocks may jump within them.

use chrono::{
    DateTime, Duration, MappedLocalTime, NaiveDateTime, NaiveTime, TimeZone, Timelike, Utc,
};
use chrono_tz::Tz;

/// Minutes of a day.
const DAY: i16 = 24 * 60;
/// The longest jump of a clock that is looked over: a day, as where the date line was moved.
const JUMP_LONGEST: i64 = 25 * 60;

/// Hours in which only critical messages come, in minutes after midnight. `to` before `from` means on the next day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuietTimes {
    /// The first minute.
    pub from: i16,
    /// The first minute after them.
    pub to: i16,
}

impl QuietTimes {
    /// Whether the wall clock shows quiet hours.
    const fn contain(self, minute: i16) -> bool {
        if self.from <= self.to {
            self.from <= minute && minute < self.to
        } else {
            self.from <= minute || minute < self.to
        }
    }
}

/// Reads a local time such as `22:30`, in minutes after midnight; none when it is no time.
pub fn minutes_of(text: &str) -> Option<i16> {
    let (hours, minutes) = text.split_once(':')?;
    let (hours, minutes): (i16, i16) = (hours.parse().ok()?, minutes.parse().ok()?);
    ((0..24).contains(&hours) && (0..60).contains(&minutes)).then_some(hours * 60 + minutes)
}

/// Writes minutes after midnight as a local time such as `22:30`.
pub fn clock_time(minutes: i16) -> String {
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

/// When the quiet hours that are on at `now` end; none when there are none on.
pub fn end_of_quiet(hours: QuietTimes, zone: Tz, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let local = now.with_timezone(&zone).naive_local();
    let minute = i16::try_from(local.hour() * 60 + local.minute()).unwrap_or(DAY);
    if !hours.contain(minute) {
        return None;
    }
    let seconds = u32::try_from(hours.to).unwrap_or_default() * 60;
    let time = NaiveTime::from_num_seconds_from_midnight_opt(seconds, 0)?;
    let date = local.date() + Duration::days(i64::from(minute >= hours.to));
    instant_of(date.and_time(time), zone, now)
}

/// The first moment after `now` at which the clock shows `local`, or the first it shows at all after skipping that.
fn instant_of(local: NaiveDateTime, zone: Tz, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    (0..JUMP_LONGEST).find_map(|skipped| {
        let candidates = match zone.from_local_datetime(&(local + Duration::minutes(skipped))) {
            MappedLocalTime::Single(at) => [Some(at), None],
            MappedLocalTime::Ambiguous(first, second) => [Some(first), Some(second)],
            MappedLocalTime::None => [None, None],
        };
        candidates.into_iter().flatten().map(|at| at.to_utc()).find(|at| *at > now)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono_tz::{America::New_York, Europe::Paris, Pacific::Apia};

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn hours_end_on_the_readers_clock() {
        let night = QuietTimes { from: 22 * 60, to: 7 * 60 };
        let nap = QuietTimes { from: 13 * 60, to: 14 * 60 + 30 };
        for (hours, zone, now, expected) in [
            // Before midnight, after it, at both edges.
            (night, Paris, "2027-05-10T20:00:00Z", Some("2027-05-11T05:00:00Z")),
            (night, Paris, "2027-05-10T23:30:00Z", Some("2027-05-11T05:00:00Z")),
            (night, Paris, "2027-05-10T19:59:59Z", None),
            (night, Paris, "2027-05-11T05:00:00Z", None),
            (night, Paris, "2027-05-11T04:59:59Z", Some("2027-05-11T05:00:00Z")),
            (night, New_York, "2027-05-10T20:00:00Z", None),
            (nap, Paris, "2027-05-10T11:15:00Z", Some("2027-05-10T12:30:00Z")),
            (nap, Paris, "2027-05-10T12:30:00Z", None),
            // The night in which clocks go forward is an hour shorter, the other an hour longer.
            (night, Paris, "2027-03-27T22:00:00Z", Some("2027-03-28T05:00:00Z")),
            (night, Paris, "2027-10-30T21:00:00Z", Some("2027-10-31T06:00:00Z")),
        ] {
            assert_eq!(
                end_of_quiet(hours, zone, at(now)),
                expected.map(at),
                "{hours:?} {zone} {now}"
            );
        }
    }

    #[test]
    fn an_end_that_the_clock_skips_is_the_end_of_the_jump() {
        let hours = QuietTimes { from: 23 * 60, to: 2 * 60 + 30 };
        // 02:00 becomes 03:00 in Paris on 28 March 2027.
        assert_eq!(
            end_of_quiet(hours, Paris, at("2027-03-28T00:10:00Z")),
            Some(at("2027-03-28T01:00:00Z"))
        );
        assert_eq!(end_of_quiet(hours, Paris, at("2027-03-28T01:00:00Z")), None);
        // Samoa had no 30 December 2011.
        let day = QuietTimes { from: 20 * 60, to: 6 * 60 };
        let skipped = end_of_quiet(day, Apia, at("2011-12-30T08:00:00Z"));
        assert_eq!(skipped, Some(at("2011-12-30T10:00:00Z")));
    }

    #[test]
    fn an_end_that_the_clock_shows_twice_is_the_next_of_the_two() {
        let hours = QuietTimes { from: 23 * 60, to: 2 * 60 + 30 };
        // 03:00 becomes 02:00 in Paris on 31 October 2027: 02:30 is at 00:30 and at 01:30 UTC.
        assert_eq!(
            end_of_quiet(hours, Paris, at("2027-10-30T22:00:00Z")),
            Some(at("2027-10-31T00:30:00Z"))
        );
        assert_eq!(
            end_of_quiet(hours, Paris, at("2027-10-31T01:10:00Z")),
            Some(at("2027-10-31T01:30:00Z"))
        );
        assert_eq!(end_of_quiet(hours, Paris, at("2027-10-31T01:30:00Z")), None);
    }

    #[test]
    fn clock_times_are_read_and_written() {
        for (text, expected) in
            [("00:00", Some(0)), ("23:59", Some(DAY - 1)), ("24:00", None), ("7", None), ("", None)]
        {
            assert_eq!(minutes_of(text), expected, "{text}");
        }
        assert_eq!(clock_time(7 * 60 + 5), "07:05");
    }
}
