//! Waiting: one clock, which begins with the first position close to a place and not with what is pressed on a phone.

use super::{Ride, tables::WaitingRates, way::started_minutes};
use chrono::{DateTime, Utc};

/// What the positions of the provider say of a span of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrackMeasure {
    pub metres: i64,
    pub seconds: i64,
    /// How much of the time they cover, in percent.
    pub covered_percent: i32,
    /// The first of them that is close to the place that was asked for.
    pub reached_at: Option<DateTime<Utc>>,
}

/// When the order reached its steps, as far as waiting minds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PickUpTimes {
    /// When the customer expects the provider.
    pub expected_at: DateTime<Utc>,
    /// When the provider set out.
    pub departed_at: Option<DateTime<Utc>>,
    /// When the provider said to be at the pick-up.
    pub arrived_at: Option<DateTime<Utc>>,
    /// When the ride began.
    pub started_at: Option<DateTime<Utc>>,
}

/// A stay of the provider at the pick-up or at a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stay {
    /// 0 for the pick-up, else the number of the stop.
    pub place: usize,
    /// Since when the provider was on the way there.
    pub since: DateTime<Utc>,
    /// When the provider said to be there.
    pub said_at: DateTime<Utc>,
    /// When the provider went on; none while it is there.
    pub until: Option<DateTime<Utc>>,
    /// Before that, no one waits for a customer.
    pub expected_at: DateTime<Utc>,
    /// Minutes that cost nothing.
    pub free_minutes: i64,
}

impl Stay {
    /// Since when the provider waits: since the first position close to the place, or since it said so where its positions
    /// do not cover the time. None where they do and it was not there.
    pub fn waiting_from(
        &self,
        measure: Option<&TrackMeasure>,
        min_covered_percent: i32,
    ) -> Option<DateTime<Utc>> {
        let is_covered = measure.is_some_and(|it| it.covered_percent >= min_covered_percent);
        let from = match measure.and_then(|it| it.reached_at) {
            Some(reached_at) => reached_at,
            None if is_covered => return None,
            None => self.said_at,
        };
        Some(from.max(self.expected_at))
    }

    /// The minutes that cost something after waiting began: each one begun after the free ones.
    pub fn billed_minutes(&self, from: DateTime<Utc>) -> i64 {
        let waited = self.until.map_or(0, |until| (until - from).num_seconds().max(0));
        (started_minutes(waited) - self.free_minutes).max(0)
    }
}

/// Where the provider was: at the pick-up first, then at each stop that was reached.
pub fn list_stays(ride: &Ride, rates: WaitingRates, times: PickUpTimes) -> Vec<Stay> {
    let at_pick_up = times.arrived_at.map(|said_at| Stay {
        place: 0,
        since: times.departed_at.unwrap_or(said_at),
        said_at,
        until: times.started_at,
        expected_at: times.expected_at,
        free_minutes: rates.pick_up_free_minutes,
    });
    let mut stays: Vec<Stay> = at_pick_up.into_iter().collect();
    let mut left_at = times.started_at;
    for (index, visit) in ride.visits.iter().enumerate() {
        let since = left_at.unwrap_or(visit.reached_at);
        stays.push(Stay {
            place: index + 1,
            since,
            said_at: visit.reached_at,
            until: visit.left_at,
            expected_at: since,
            free_minutes: rates.stop_free_minutes,
        });
        left_at = visit.left_at;
    }
    stays
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
            departed_at: Some(clock("09:45:00")),
            arrived_at: Some(clock("10:02:00")),
            started_at: Some(clock("10:08:01")),
        }
    }

    fn ride() -> Ride {
        let reached_at = clock("10:30:00");
        let visit = StopTimes { reached_at, left_at: Some(clock("10:35:00")) };
        Ride { visits: vec![visit], ..Ride::begin(None) }
    }

    fn measure(covered_percent: i32, reached_at: Option<&str>) -> TrackMeasure {
        let reached_at = reached_at.map(clock);
        TrackMeasure { metres: 8_200, seconds: 1_260, covered_percent, reached_at }
    }

    /// The minutes that cost something at the pick-up and at the stop, and none where no one waited.
    fn billed(measures: [Option<TrackMeasure>; 2]) -> Vec<Option<i64>> {
        let stays = list_stays(&ride(), RATES, times());
        let billed = stays.iter().zip(&measures).map(|(stay, measure)| {
            stay.waiting_from(measure.as_ref(), 80).map(|from| stay.billed_minutes(from))
        });
        billed.collect()
    }

    #[test]
    fn each_minute_begun_after_the_free_ones_counts() {
        // 6:01 at the pick-up, 5:00 at the stop.
        assert_eq!(billed([None, None]), [Some(4), Some(3)]);
    }

    #[test]
    fn arrived_pressed_far_away_starts_no_clock() {
        let late = [measure(95, Some("10:06:00")), measure(95, Some("10:34:00"))];
        assert_eq!(billed(late.map(Some)), [Some(0), Some(0)]);
        let never = measure(95, None);
        assert_eq!(billed([Some(never), Some(never)]), [None, None]);
        let forgot_to_press = [measure(20, Some("10:00:30")), measure(20, Some("10:28:00"))];
        assert_eq!(billed(forgot_to_press.map(Some)), [Some(5), Some(5)]);
    }

    #[test]
    fn where_positions_are_missing_what_was_pressed_counts() {
        assert_eq!(billed([Some(measure(79, None)), Some(measure(0, None))]), [Some(4), Some(3)]);
    }

    #[test]
    fn a_provider_who_is_early_waits_from_the_agreed_time_on() {
        let stay = list_stays(&ride(), RATES, times())[0];
        let early = measure(95, Some("09:50:00"));
        assert_eq!(stay.waiting_from(Some(&early), 80), Some(clock("10:00:00")));
    }

    #[test]
    fn a_stay_begins_where_the_one_before_ends() {
        let stays = list_stays(&ride(), RATES, times());
        let spans: Vec<_> = stays.iter().map(|stay| (stay.place, stay.since, stay.until)).collect();
        let expected = [
            (0, clock("09:45:00"), Some(clock("10:08:01"))),
            (1, clock("10:08:01"), Some(clock("10:35:00"))),
        ];
        assert_eq!(spans, expected);
        let waits = PickUpTimes { started_at: None, ..times() };
        let waiting = list_stays(&Ride::begin(None), RATES, waits);
        assert_eq!((waiting.len(), waiting[0].until), (1, None));
        assert_eq!(waiting[0].billed_minutes(clock("10:02:00")), 0, "it is not over");
        let on_the_way = PickUpTimes { arrived_at: None, ..waits };
        assert_eq!(list_stays(&Ride::begin(None), RATES, on_the_way), []);
    }
}
