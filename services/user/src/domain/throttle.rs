//! How long a client waits after failures: nothing for the first few, then twice as long each time.

use chrono::{DateTime, Duration, Utc};

/// How failures are answered.
#[derive(Clone, Copy, Debug)]
pub struct ThrottlePolicy {
    /// Failures without any wait.
    pub free: u32,
    /// The first wait.
    pub first: Duration,
    /// The longest wait.
    pub longest: Duration,
}

impl ThrottlePolicy {
    /// How many attempts may fail within the longest wait.
    pub fn attempts_in_longest_wait(&self) -> u32 {
        let (mut attempts, mut waited) = (self.free, Duration::zero());
        loop {
            waited += wait_after(self, attempts);
            if waited > self.longest {
                return attempts;
            }
            attempts = attempts.saturating_add(1);
        }
    }
}

/// Failures are forgotten this long after the last wait was over.
pub const FORGOTTEN_AFTER: Duration = Duration::minutes(15);

/// The failures of one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    pub failures: u32,
    /// When the next attempt may be made.
    pub open_at: DateTime<Utc>,
}

impl Record {
    /// No failures yet.
    pub const fn new(now: DateTime<Utc>) -> Self {
        Self { failures: 0, open_at: now }
    }

    /// Whether the record says nothing any more.
    pub fn is_stale(&self, now: DateTime<Utc>) -> bool {
        self.open_at + FORGOTTEN_AFTER <= now
    }

    /// Counts an attempt as failed before it is made, so that parallel ones cannot slip through.
    ///
    /// # Errors
    /// How long to wait, when the attempt may not be made.
    pub fn attempt(self, policy: &ThrottlePolicy, now: DateTime<Utc>) -> Result<Self, Duration> {
        if now < self.open_at {
            return Err(self.open_at - now);
        }
        let failures = if self.is_stale(now) { 1 } else { self.failures.saturating_add(1) };
        Ok(Self { failures, open_at: now + wait_after(policy, failures) })
    }

    /// Takes an attempt back that turned out well, or was not made.
    pub fn forgive(self, policy: &ThrottlePolicy, now: DateTime<Utc>) -> Self {
        let failures = self.failures.saturating_sub(1);
        let open_at = if failures < policy.free { now.min(self.open_at) } else { self.open_at };
        Self { failures, open_at }
    }
}

/// The wait after so many failures.
fn wait_after(policy: &ThrottlePolicy, failures: u32) -> Duration {
    match failures.checked_sub(policy.free) {
        None => Duration::zero(),
        Some(beyond) => {
            let factor = 1_i32.checked_shl(beyond.min(30)).unwrap_or(i32::MAX);
            policy.first.checked_mul(factor).map_or(policy.longest, |wait| wait.min(policy.longest))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: ThrottlePolicy =
        ThrottlePolicy { free: 3, first: Duration::seconds(1), longest: Duration::seconds(60) };

    #[test]
    fn waits_double_up_to_the_longest() {
        let waits: Vec<i64> = (1..12).map(|n| wait_after(&POLICY, n).num_seconds()).collect();
        assert_eq!(waits, [0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(wait_after(&POLICY, u32::MAX), POLICY.longest);
        // Three at once, then after 1, 3, 7, 15 and 31 seconds.
        assert_eq!(POLICY.attempts_in_longest_wait(), 8);
    }

    #[test]
    fn parallel_attempts_are_counted_before_they_are_made() {
        let now = DateTime::UNIX_EPOCH + Duration::days(20_000);
        let mut record = Record::new(now);
        let mut made = 0;
        for _ in 0..10_000 {
            if let Ok(next) = record.attempt(&POLICY, now) {
                record = next;
                made += 1;
            }
        }
        assert_eq!(made, 3);
        assert_eq!(record.attempt(&POLICY, now).unwrap_err(), Duration::seconds(1));
        assert!(record.attempt(&POLICY, now + Duration::seconds(1)).is_ok());
    }

    #[test]
    fn failures_are_forgotten_and_success_counts_for_nothing() {
        let now = DateTime::UNIX_EPOCH + Duration::days(20_000);
        let once = Record::new(now).attempt(&POLICY, now).unwrap();
        assert_eq!(once.forgive(&POLICY, now).failures, 0);
        let many = Record { failures: 9, open_at: now };
        let later = now + FORGOTTEN_AFTER;
        assert_eq!(many.attempt(&POLICY, later).unwrap().failures, 1);
    }
}
