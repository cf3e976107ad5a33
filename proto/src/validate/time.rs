//! Rules of timestamps and durations. Beside what the contract says, both must be within what protobuf allows, so that no
//! service meets a date it cannot represent.

use super::{Checker, FieldPath, Range, Scale, Validate, Violation};
use prost_types::{Duration, Timestamp};

/// 0001-01-01T00:00:00Z, in seconds since 1970 (google/protobuf/timestamp.proto).
const FIRST_SECOND: i64 = -62_135_596_800;
/// 9999-12-31T23:59:59Z, in seconds since 1970.
const LAST_SECOND: i64 = 253_402_300_799;
/// Longest duration in seconds, about 10,000 years (google/protobuf/duration.proto).
const LONGEST: i64 = 315_576_000_000;
const NANOS: i32 = 1_000_000_000;

/// The rules of a timestamp or a duration field.
#[derive(Debug)]
pub struct TimeRules<T> {
    /// Type, `timestamp` or `duration`; identifiers of rules start with it.
    pub kind: &'static str,
    /// Within these bounds.
    pub range: Range<T>,
}

impl<T: Scale> TimeRules<T> {
    /// Checks a value.
    pub fn check(&self, value: &T, at: &mut Checker<'_>) {
        if !self.range.contains(value) {
            at.refuse(self.range.rule(self.kind), self.range.words());
        }
    }
}

impl Scale for Timestamp {
    type Key = (i64, i32);

    fn key(&self) -> (i64, i32) {
        (self.seconds, self.nanos)
    }
}

impl Scale for Duration {
    type Key = (i64, i32);

    fn key(&self) -> (i64, i32) {
        (self.seconds, self.nanos)
    }
}

impl Validate for Timestamp {
    fn validate(&self, path: &mut FieldPath, violations: &mut Vec<Violation>) {
        let seconds = (FIRST_SECOND..=LAST_SECOND).contains(&self.seconds);
        if !seconds || !(0..NANOS).contains(&self.nanos) {
            let mut at = Checker::new(path, violations);
            at.refuse("timestamp.valid", "must be a time in the years 1 to 9999");
        }
    }
}

impl Validate for Duration {
    fn validate(&self, path: &mut FieldPath, violations: &mut Vec<Violation>) {
        let seconds = (-LONGEST..=LONGEST).contains(&self.seconds);
        let nanos = (1 - NANOS..NANOS).contains(&self.nanos);
        let same_sign =
            self.seconds == 0 || self.nanos == 0 || (self.seconds < 0) == (self.nanos < 0);
        if !seconds || !nanos || !same_sign {
            let mut at = Checker::new(path, violations);
            at.refuse("duration.valid", "must be a duration of at most 10,000 years");
        }
    }
}
