//! Waiting: one clock, which begins with the first position close to a place and not with what is pressed on a phone.

use super::{Ride, tables::WaitingRates, way::started_minutes};
use chrono::{DateTime, Utc};

/// What was measured of a ride, from the pick-up to its last stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackMeasure {
    pub metres: i64,
    pub seconds: i64,
    /// How much of the time the positions cover, in percent.
    pub covered_percent: i32,
    /// The first position close to the pick-up and to each stop; none where the provider came to none.
    pub near_at: Vec<Option<DateTime<Utc>>>,
}

/// When the provider waited, and until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitingSpan {
    pub from: DateTime<Utc>,
    /// None while the provider waits.
    pub until: Option<DateTime<Utc>>,
    /// Minutes that cost nothing.
    pub free_minutes: i64,
}

/// When the order began, as far as waiting minds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PickUpTimes {
    /// When the customer expects the provider.
    pub expected_at: DateTime<Utc>,
    /// When the provider said to be at the pick-up.
    pub arrived_at: Option<DateTime<Utc>>,
    /// When the ride began.
    pub started_at: Option<DateTime<Utc>>,
}

impl WaitingSpan {
    /// The minutes that cost something: each one begun after the free ones.
    pub fn billed_minutes(&self) -> i64 {
        let waited = self.until.map_or(0, |until| (until - self.from).num_seconds().max(0));
        (started_minutes(waited) - self.free_minutes).max(0)
    }
}

/// Where the provider waited: at the pick-up first, then at each stop that was reached; none where it did not. No one waits
/// for a customer before the time that was agreed.
pub fn waiting_spans(
    ride: &Ride,
    rates: WaitingRates,
    times: PickUpTimes,
    measure: Option<&TrackMeasure>,
) -> Vec<Option<WaitingSpan>> {
    let at_pick_up = times.arrived_at.and_then(|said_at| begin_waiting(measure, 0, said_at, None));
    let mut spans = vec![at_pick_up.map(|from| WaitingSpan {
        from: from.max(times.expected_at),
        until: times.started_at,
        free_minutes: rates.pick_up_free_minutes,
    })];
    let mut since = times.started_at;
    for (index, visit) in ride.visits.iter().enumerate() {
        let from = begin_waiting(measure, index + 1, visit.reached_at, since);
        spans.push(from.map(|from| WaitingSpan {
            from,
            until: visit.left_at,
            free_minutes: rates.stop_free_minutes,
        }));
        since = visit.left_at;
    }
    spans
}

/// When waiting begins at a place to which the provider came after `since` and where it said to be at `said_at`: with the
/// first position close to it, or then where nothing is measured.
fn begin_waiting(
    measure: Option<&TrackMeasure>,
    place: usize,
    said_at: DateTime<Utc>,
    since: Option<DateTime<Utc>>,
) -> Option<DateTime<Utc>> {
    let Some(measure) = measure else { return Some(said_at) };
    let near_at = measure.near_at.get(place).copied().flatten()?;
    // The provider may have been there before, on the way to another stop.
    let was_before = since.is_some_and(|since| near_at < since);
    Some(if was_before { said_at } else { near_at })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ride::StopTimes;
    use kit::testing::at;

    const RATES: WaitingRates =
        WaitingRates { minute: 30, pick_up_free_minutes: 3, stop_free_minutes: 2 };

    fn clock(time: &str) -> DateTime<Utc> {
        at(&format!("2027-05-24T{time}Z"))
    }

    fn times() -> PickUpTimes {
        PickUpTimes {
            expected_at: clock("10:00:00"),
            arrived_at: Some(clock("10:02:00")),
            started_at: Some(clock("10:08:01")),
        }
    }

    fn ride() -> Ride {
        let reached_at = clock("10:30:00");
        let visit = StopTimes { reached_at, left_at: Some(clock("10:35:00")) };
        Ride { visits: vec![visit], ..Ride::begin(None) }
    }

    fn measure(near_at: [Option<&str>; 2]) -> TrackMeasure {
        let near_at = near_at.map(|time| time.map(clock)).to_vec();
        TrackMeasure { metres: 8_200, seconds: 1_260, covered_percent: 100, near_at }
    }

    fn billed(measure: Option<&TrackMeasure>) -> Vec<Option<i64>> {
        let spans = waiting_spans(&ride(), RATES, times(), measure);
        spans.iter().map(|span| span.map(|span| span.billed_minutes())).collect()
    }

    #[test]
    fn each_minute_begun_after_the_free_ones_counts() {
        // 6:01 at the pick-up, 5:00 at the stop.
        assert_eq!(billed(None), [Some(4), Some(3)]);
    }

    #[test]
    fn arrived_pressed_far_away_starts_no_clock() {
        let late = measure([Some("10:06:00"), Some("10:34:00")]);
        assert_eq!(billed(Some(&late)), [Some(0), Some(0)]);
        let never = measure([None, None]);
        assert_eq!(billed(Some(&never)), [None, None]);
        let forgot_to_press = measure([Some("10:00:30"), Some("10:28:00")]);
        assert_eq!(billed(Some(&forgot_to_press)), [Some(5), Some(5)]);
    }

    #[test]
    fn a_provider_who_is_early_waits_from_the_agreed_time_on() {
        let early = measure([Some("09:40:00"), Some("10:30:00")]);
        let spans = waiting_spans(&ride(), RATES, times(), Some(&early));
        assert_eq!(spans[0].unwrap().from, clock("10:00:00"));
    }

    #[test]
    fn a_place_passed_before_is_waited_at_from_the_arrival_on() {
        // The stop is where the pick-up was.
        let round_trip = measure([Some("10:02:00"), Some("10:02:00")]);
        let spans = waiting_spans(&ride(), RATES, times(), Some(&round_trip));
        assert_eq!(spans[1].unwrap().from, clock("10:30:00"));
    }

    #[test]
    fn the_clock_runs_while_the_provider_waits() {
        let waiting = PickUpTimes { started_at: None, ..times() };
        let spans = waiting_spans(&Ride::begin(None), RATES, waiting, None);
        let span = WaitingSpan { from: clock("10:02:00"), until: None, free_minutes: 3 };
        assert_eq!(spans, [Some(span)]);
        assert_eq!(span.billed_minutes(), 0);
        let on_the_way = PickUpTimes { arrived_at: None, ..waiting };
        assert_eq!(waiting_spans(&Ride::begin(None), RATES, on_the_way, None), [None]);
    }
}
