//! Times and windows of time between rows, rules and messages.

use crate::rpc::error::Error;
use chrono::{DateTime, Duration, LocalResult, NaiveDateTime, SubsecRound, TimeZone, Utc};
use chrono_tz::Tz;
use prost_types::{Duration as PbDuration, Timestamp};
use proto::quickserve::common::v1 as pb;
use serde::{Deserialize, Serialize};

/// How far clocks are looked ahead for a local time that exists.
const MAX_SKIPPED_MINUTES: i64 = 2 * 24 * 60;

/// The message for a moment.
pub fn timestamp(at: DateTime<Utc>) -> Timestamp {
    let nanos = i32::try_from(at.timestamp_subsec_nanos()).unwrap_or_default();
    Timestamp { seconds: at.timestamp(), nanos }
}

/// Reads the moment in `field` of a request, in whole microseconds.
pub fn moment(field: &str, timestamp: Option<&Timestamp>) -> Result<DateTime<Utc>, Error> {
    let Timestamp { seconds, nanos } =
        timestamp.ok_or_else(|| Error::invalid(field, "must be given"))?;
    u32::try_from(*nanos)
        .ok()
        .and_then(|nanos| DateTime::from_timestamp(*seconds, nanos))
        .map(|at| at.trunc_subsecs(6))
        .ok_or_else(|| Error::invalid(field, "is out of range"))
}

/// The message for a span.
pub fn duration(span: Duration) -> PbDuration {
    PbDuration { seconds: span.num_seconds(), nanos: span.subsec_nanos() }
}

/// Reads a span; an absent one is zero.
pub fn span(field: &str, duration: Option<&PbDuration>) -> Result<Duration, Error> {
    let Some(PbDuration { seconds, nanos }) = duration else { return Ok(Duration::zero()) };
    Duration::try_seconds(*seconds)
        .and_then(|span| span.checked_add(&Duration::nanoseconds(i64::from(*nanos))))
        .ok_or_else(|| Error::invalid(field, "is out of range"))
}

/// Reads the IANA time zone in `field` of a request.
pub fn zone(field: &str, name: &str) -> Result<Tz, Error> {
    name.parse()
        .map_err(|_| Error::invalid(field, "must be an IANA time zone such as Europe/Paris"))
}

/// The instant of a local time: the first when it comes twice, the next that exists when clocks skip it.
pub fn resolve_local(zone: Tz, local: NaiveDateTime) -> DateTime<Utc> {
    // No change of clocks has skipped more than a day and a bit.
    for minutes in 0..=MAX_SKIPPED_MINUTES {
        match zone.from_local_datetime(&(local + Duration::minutes(minutes))) {
            LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => return at.to_utc(),
            LocalResult::None => {}
        }
    }
    local.and_utc()
}

/// A span of time at a place whose wall clock matters. The end comes after the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// The first instant that is inside.
    pub start: DateTime<Utc>,
    /// The first instant that is outside again.
    pub end: DateTime<Utc>,
    /// Zone of the place.
    pub zone: Tz,
}

impl Window {
    /// Reads the window in `field` of a request.
    pub fn parse(field: &str, window: Option<&pb::TimeWindow>) -> Result<Self, Error> {
        let pb::TimeWindow { start, end, time_zone } =
            window.ok_or_else(|| Error::invalid(field, "must be given"))?;
        let start = moment(&format!("{field}.start"), start.as_ref())?;
        let end = moment(&format!("{field}.end"), end.as_ref())?;
        if end <= start {
            return Err(Error::invalid(format!("{field}.end"), "must be after the start"));
        }
        Ok(Self { start, end, zone: zone(&format!("{field}.time_zone"), time_zone)? })
    }

    /// Reads the window in `field` of a request for an address in `place`, whose clock counts. A client may leave the zone
    /// out; one whose clock shows other times is refused, since the client means another moment then.
    pub fn parse_at(
        field: &str,
        window: Option<&pb::TimeWindow>,
        place: Tz,
    ) -> Result<Self, Error> {
        let mut window = window.cloned();
        if let Some(window) = window.as_mut().filter(|window| window.time_zone.is_empty()) {
            place.name().clone_into(&mut window.time_zone);
        }
        let parsed = Self::parse(field, window.as_ref())?;
        let shows_same_times = [parsed.start, parsed.end].into_iter().all(|at| {
            at.with_timezone(&parsed.zone).naive_local() == at.with_timezone(&place).naive_local()
        });
        if shows_same_times {
            return Ok(Self { zone: place, ..parsed });
        }
        let problem = format!("must be {place}, the zone of the address, or be left out");
        Err(Error::invalid(format!("{field}.time_zone"), problem))
    }

    /// How long it is.
    pub fn length(&self) -> Duration {
        self.end - self.start
    }
}

impl From<Window> for pb::TimeWindow {
    fn from(window: Window) -> Self {
        Self {
            start: Some(timestamp(window.start)),
            end: Some(timestamp(window.end)),
            time_zone: window.zone.name().to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono_tz::{Australia::Lord_Howe, Europe::Paris};

    #[test]
    fn a_skipped_local_time_is_the_next_that_exists_and_a_double_one_the_first() {
        // In 2027 Paris skips 02:00 to 03:00 on 28 March and repeats it on 31 October. Lord Howe moves by half an hour:
        // it repeats 01:30 to 02:00 on 4 April and skips 02:00 to 02:30 on 3 October.
        for (zone, time, instant) in [
            (Paris, "2027-03-28T01:59:00", "2027-03-28T00:59:00Z"),
            (Paris, "2027-03-28T02:00:00", "2027-03-28T01:00:00Z"),
            (Paris, "2027-03-28T02:30:00", "2027-03-28T01:00:00Z"),
            (Paris, "2027-03-28T03:00:00", "2027-03-28T01:00:00Z"),
            (Paris, "2027-10-31T02:30:00", "2027-10-31T00:30:00Z"),
            (Paris, "2027-10-31T03:00:00", "2027-10-31T02:00:00Z"),
            (Lord_Howe, "2027-04-04T01:45:00", "2027-04-03T14:45:00Z"),
            (Lord_Howe, "2027-04-04T02:00:00", "2027-04-03T15:30:00Z"),
            (Lord_Howe, "2027-10-03T02:15:00", "2027-10-02T15:30:00Z"),
            (Lord_Howe, "2027-10-03T02:30:00", "2027-10-02T15:30:00Z"),
        ] {
            let instant: DateTime<Utc> = instant.parse().unwrap();
            assert_eq!(resolve_local(zone, time.parse().unwrap()), instant, "{zone} {time}");
        }
    }

    #[test]
    fn a_window_survives_the_way_there_and_back() {
        let start = DateTime::from_timestamp(1_800_000_000, 123_456_000).unwrap();
        let zone = chrono_tz::Europe::Paris;
        let window = Window { start, end: start + Duration::hours(2), zone };
        assert_eq!(Window::parse("window", Some(&window.into())).unwrap(), window);
    }

    #[test]
    fn the_zone_of_the_place_counts() {
        let start = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let place = chrono_tz::Europe::Paris;
        let window = Window { start, end: start + Duration::hours(2), zone: place };
        let said = |zone: &str| {
            let window = pb::TimeWindow { time_zone: zone.to_owned(), ..window.into() };
            Window::parse_at("window", Some(&window), place)
        };
        for same in ["Europe/Paris", "", "Europe/Brussels", "CET"] {
            assert_eq!(said(same).unwrap(), window, "{same}");
        }
        for other in ["America/Los_Angeles", "UTC", "Europe/London"] {
            let error = said(other).unwrap_err().to_string();
            assert!(error.starts_with("window.time_zone must be Europe/Paris"), "{error}");
        }
        assert!(said("Mars/Olympus").is_err());
    }

    #[test]
    fn a_bad_window_names_its_field() {
        let window = |start, end, zone: &str| pb::TimeWindow {
            start: Some(Timestamp { seconds: start, nanos: 0 }),
            end: Some(Timestamp { seconds: end, nanos: 0 }),
            time_zone: zone.to_owned(),
        };
        for (bad, field) in [
            (window(5, 5, "UTC"), "window.end"),
            (window(i64::MAX, 5, "UTC"), "window.start"),
            (window(1, 5, "Mars/Olympus"), "window.time_zone"),
        ] {
            let error = Window::parse("window", Some(&bad)).unwrap_err();
            assert!(error.to_string().starts_with(field), "{error}");
        }
    }
}
