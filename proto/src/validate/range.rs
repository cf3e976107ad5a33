//! A range of values with open or closed ends, in words and as a rule's identifier.

use std::fmt::{Display, Write};

/// A value with an order. The key makes protobuf's times comparable, which have none of their own.
pub trait Scale: Display {
    /// What is compared.
    type Key: PartialOrd;
    /// The position of the value.
    fn key(&self) -> Self::Key;
}

/// One end of a range.
#[derive(Debug, Clone, Copy)]
pub enum Bound<T> {
    /// The range reaches up to the value without it.
    Open(T),
    /// The range includes the value.
    Closed(T),
}

/// The values from a lower to an upper bound.
#[derive(Debug, Clone, Copy)]
pub struct Range<T> {
    /// Lower bound, if any.
    pub lower: Option<Bound<T>>,
    /// Upper bound, if any.
    pub upper: Option<Bound<T>>,
}

impl<T> Range<T> {
    /// A range without bounds.
    pub const ALL: Self = Self { lower: None, upper: None };
}

impl<T: Scale> Range<T> {
    /// Whether the value is in the range. What has no order, such as NaN, is in none that has a bound.
    pub fn contains(&self, value: &T) -> bool {
        let value = value.key();
        let above = match &self.lower {
            None => true,
            Some(Bound::Open(bound)) => value > bound.key(),
            Some(Bound::Closed(bound)) => value >= bound.key(),
        };
        let below = match &self.upper {
            None => true,
            Some(Bound::Open(bound)) => value < bound.key(),
            Some(Bound::Closed(bound)) => value <= bound.key(),
        };
        above && below
    }

    /// The rule's identifier, such as `int32.gte_lt`.
    pub fn rule(&self, kind: &str) -> String {
        let lower = match &self.lower {
            None => "",
            Some(Bound::Open(_)) => "gt",
            Some(Bound::Closed(_)) => "gte",
        };
        let upper = match &self.upper {
            None => "",
            Some(Bound::Open(_)) => "lt",
            Some(Bound::Closed(_)) => "lte",
        };
        let joint = if lower.is_empty() || upper.is_empty() { "" } else { "_" };
        format!("{kind}.{lower}{joint}{upper}")
    }

    /// What a value must be, such as `must be at least 1 and less than 10`.
    pub fn words(&self) -> String {
        let mut words = String::from("must be ");
        let written = match &self.lower {
            None => Ok(()),
            Some(Bound::Open(bound)) => write!(words, "greater than {bound}"),
            Some(Bound::Closed(bound)) => write!(words, "at least {bound}"),
        };
        let joint = if self.lower.is_some() { " and " } else { "" };
        let written = written.and_then(|()| match &self.upper {
            None => Ok(()),
            Some(Bound::Open(bound)) => write!(words, "{joint}less than {bound}"),
            Some(Bound::Closed(bound)) => write!(words, "{joint}at most {bound}"),
        });
        debug_assert!(written.is_ok(), "a String takes everything");
        words
    }
}
