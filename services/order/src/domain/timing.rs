//! How long things take. Seconds, so that a configuration can say them.

use super::Error;
use chrono::{DateTime, Duration, Utc};
use serde::Deserialize;

/// The times of the marketplace.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Timing {
    /// How long a quote can be booked.
    pub quote_s: i64,
    /// The longest window of a booking, in percent of the time that the work takes.
    pub window_percent: i64,
    /// How long before its start an order is booked, or moved there, at the latest.
    pub notice_s: i64,
    /// How long before its start an order is booked, or moved there, at the earliest.
    pub horizon_s: i64,
    /// How long a booking may take before its timer takes it up.
    pub booking_lease_s: i64,
    /// How long a slot is held for the payment.
    pub hold_s: i64,
    /// How long a named provider may take to answer.
    pub request_s: i64,
    /// How long offers of a wave stand.
    pub offer_s: i64,
    /// Waves before the search is given up.
    pub waves: i32,
    /// Providers in a wave.
    pub wave_size: i32,
    /// How often an assignment may be given up.
    pub reassignments: u32,
    /// How long before the start a provider may set out.
    pub departure_s: i64,
    /// How far from the place an arrival is not flagged, in metres.
    pub arrival_m: f64,
    /// How long a provider waits at the door, from the start on.
    pub waiting_s: i64,
    /// Attempts to reach the customer before they count as absent.
    pub contact_attempts: u32,
    /// How long after an attempt to reach the customer the next one counts.
    pub contact_gap_s: i64,
    /// How long after the start a provider who is not there is at fault.
    pub grace_s: i64,
    /// Wrong start codes before no more are taken for a while.
    pub start_codes: u32,
    /// How long no start code is taken after too many wrong ones.
    pub start_lock_s: i64,
    /// How long a change order can be approved.
    pub change_s: i64,
    /// How long a delivery can be looked at before it counts as accepted.
    pub acceptance_s: i64,
    /// How long after a delivery that only people accept the customer is reminded; the last time the operators are told.
    pub acceptance_reminders_s: Vec<i64>,
    /// How long after its end work that is not delivered is shown to an operator.
    pub overdue_s: i64,
    /// How long rework may take before it is shown to an operator.
    pub rework_s: i64,
    /// How long reviews can be written.
    pub review_s: i64,
    /// How long after its end an order can be disputed.
    pub dispute_s: i64,
    /// How many disputes each side of an order may open.
    pub disputes: u32,
    /// How long after the completion the payout falls due.
    pub payout_s: i64,
    /// How long a preview of a cancellation is good.
    pub cancel_token_s: i64,
    /// How long before the start an order can be moved.
    pub reschedule_s: i64,
    /// How often an order can be moved.
    pub reschedules: u32,
    /// How long after its end an order that was not rendered is cancelled.
    pub abandoned_s: i64,
    /// How close the start must be for the price to be authorised at once.
    pub authorize_within_s: i64,
    /// How long before the start a method on file is authorised, asked for again, and at last the order cancelled.
    pub authorize_late_s: Vec<i64>,
    /// How many days ahead visits of a series are booked.
    pub series_horizon_days: u64,
    /// How long before its start a visit of a series is left out free of charge.
    pub skip_s: i64,
    /// How long before its start a visit of a series is priced by the time since the visit before.
    pub reprice_s: i64,
}

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

impl Default for Timing {
    fn default() -> Self {
        Self {
            quote_s: 30 * MINUTE,
            window_percent: 150,
            notice_s: 2 * HOUR,
            horizon_s: 90 * DAY,
            booking_lease_s: 30,
            hold_s: 15 * MINUTE,
            request_s: 6 * DAY,
            offer_s: 10 * MINUTE,
            waves: 3,
            wave_size: 3,
            reassignments: 3,
            departure_s: 3 * HOUR,
            arrival_m: 150.0,
            waiting_s: 15 * MINUTE,
            contact_attempts: 2,
            contact_gap_s: 5 * MINUTE,
            grace_s: 30 * MINUTE,
            start_codes: 5,
            start_lock_s: 15 * MINUTE,
            change_s: 30 * MINUTE,
            acceptance_s: 2 * DAY,
            acceptance_reminders_s: vec![DAY, 2 * DAY, 3 * DAY],
            overdue_s: 4 * HOUR,
            rework_s: 2 * DAY,
            review_s: 7 * DAY,
            dispute_s: 7 * DAY,
            disputes: 3,
            payout_s: 2 * DAY,
            cancel_token_s: 10 * MINUTE,
            reschedule_s: DAY,
            reschedules: 3,
            abandoned_s: DAY,
            authorize_within_s: 6 * DAY,
            authorize_late_s: vec![DAY, 18 * HOUR, 12 * HOUR, 6 * HOUR, 3 * HOUR],
            series_horizon_days: 28,
            skip_s: DAY,
            reprice_s: 2 * DAY,
        }
    }
}

impl Timing {
    /// Refuses a start that leaves the provider too little notice, or lies farther ahead than work is booked.
    pub fn check_start(&self, start: DateTime<Utc>, now: DateTime<Utc>) -> Result<(), Error> {
        self.check_start_in("window.start", start, now)
    }

    /// As [`Self::check_start`], where `field` says the start.
    pub fn check_start_in(
        &self,
        field: &str,
        start: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let problem = if start < now + seconds_of(self.notice_s) {
            format!("must be at least {} minutes from now", self.notice_s / MINUTE)
        } else if start > now + seconds_of(self.horizon_s) {
            format!("must be at most {} days from now", self.horizon_s / DAY)
        } else {
            return Ok(());
        };
        Err(kit::Error::invalid(field, problem).into())
    }
}

/// The span of so many seconds; a configured one is bounded, so that no sum leaves the calendar.
pub fn seconds_of(count: i64) -> Duration {
    Duration::seconds(count.clamp(-3650 * DAY, 3650 * DAY))
}
