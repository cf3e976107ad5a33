//! How a provider has done: what customers and orders say, weighed into one number.

use super::Provider;
use chrono::{DateTime, Duration, Utc};

/// An arrival counts as in time up to this much after the start.
pub const GRACE: Duration = Duration::minutes(10);

/// What an order says of its provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderOutcome {
    /// The customer gave stars, 1 to 5.
    Reviewed(i32),
    /// The provider took the order.
    Accepted,
    /// The provider said no, or nothing.
    Declined,
    /// The provider let the customer down.
    Cancelled,
    /// The provider is at the door.
    Arrived {
        /// Whether it came in time.
        on_time: bool,
    },
    /// The work is accepted.
    Completed,
}

/// Whether an arrival at `at` is in time for work from `start`.
pub fn is_on_time(start: DateTime<Utc>, at: DateTime<Utc>) -> bool {
    at <= start + GRACE
}

/// The share of `part` in `whole` in ten-thousandths, drawn towards `prior` fifths while there is little to go by.
fn share_of(part: i32, whole: i32, prior: i64) -> i64 {
    (i64::from(part) + prior) * 10_000 / (i64::from(whole) + 5)
}

fn ratio_of(part: i32, whole: i32, without: f64) -> f64 {
    if whole == 0 { without } else { f64::from(part) / f64::from(whole) }
}

impl Provider {
    /// Counts what an order says.
    pub fn count(&mut self, outcome: OrderOutcome) {
        match outcome {
            OrderOutcome::Reviewed(stars) => {
                self.stars_sum += stars.clamp(1, 5);
                self.reviews += 1;
            }
            OrderOutcome::Accepted => self.accepted += 1,
            OrderOutcome::Declined => self.declined += 1,
            OrderOutcome::Cancelled => self.cancelled += 1,
            OrderOutcome::Arrived { on_time } => {
                self.arrivals += 1;
                self.on_time += i32::from(on_time);
            }
            OrderOutcome::Completed => self.completed += 1,
        }
        self.rescore();
    }

    /// Weighs the counts: half the stars, a fifth each accepting and keeping orders, a tenth being in time.
    pub fn rescore(&mut self) {
        // A new provider starts as if five customers had given 4.2 stars.
        let stars = (i64::from(self.stars_sum) * 10 + 210) * 10_000;
        let rating = stars / ((i64::from(self.reviews) + 5) * 50);
        let accept = share_of(self.accepted, self.accepted + self.declined, 4);
        let kept = (10_000 - share_of(self.cancelled, self.accepted, 0)).max(0);
        let on_time = share_of(self.on_time, self.arrivals, 4);
        let score = (5 * rating + 2 * accept + 2 * kept + on_time) / 10;
        self.score = i32::try_from(score).unwrap_or(i32::MAX);
    }

    /// Mean of the stars; 0 before the first review.
    pub fn rating(&self) -> f64 {
        ratio_of(self.stars_sum, self.reviews, 0.0)
    }

    /// Share of the requests that it accepted.
    pub fn accept_ratio(&self) -> f64 {
        ratio_of(self.accepted, self.accepted + self.declined, 1.0)
    }

    /// Share of the accepted orders that it cancelled.
    pub fn cancel_ratio(&self) -> f64 {
        ratio_of(self.cancelled, self.accepted, 0.0).min(1.0)
    }

    /// Share of its arrivals that were in time.
    pub fn on_time_ratio(&self) -> f64 {
        ratio_of(self.on_time, self.arrivals, 1.0)
    }
}
