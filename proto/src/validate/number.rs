//! Rules of numbers.

use super::{Checker, Range, Scale, text::list_values};
use std::fmt::Display;

/// The rules of a number field.
#[derive(Debug)]
pub struct NumberRules<T: 'static> {
    /// Type as the contract names it, such as `int32`; identifiers of rules start with it.
    pub kind: &'static str,
    /// The only value that is allowed.
    pub equals: Option<T>,
    /// Within these bounds.
    pub range: Range<T>,
    /// One of these, unless empty.
    pub one_of: &'static [T],
    /// None of these.
    pub none_of: &'static [T],
    /// Neither infinite nor NaN.
    pub finite: bool,
}

/// A number type of protobuf.
pub trait Number: Copy + PartialOrd + Display {
    /// Whether it is neither infinite nor NaN.
    fn finite(self) -> bool;
}

impl<T: Number> Scale for T {
    type Key = T;

    fn key(&self) -> T {
        *self
    }
}

impl Number for i32 {
    fn finite(self) -> bool {
        true
    }
}
impl Number for i64 {
    fn finite(self) -> bool {
        true
    }
}
impl Number for u32 {
    fn finite(self) -> bool {
        true
    }
}
impl Number for u64 {
    fn finite(self) -> bool {
        true
    }
}
impl Number for f32 {
    fn finite(self) -> bool {
        self.is_finite()
    }
}
impl Number for f64 {
    fn finite(self) -> bool {
        self.is_finite()
    }
}

impl<T: Number> NumberRules<T> {
    /// Rules that every value keeps.
    pub const NONE: Self = Self {
        kind: "",
        equals: None,
        range: Range::ALL,
        one_of: &[],
        none_of: &[],
        finite: false,
    };

    /// Checks a value.
    pub fn check(&self, value: T, at: &mut Checker<'_>) {
        let kind = self.kind;
        if let Some(only) = self.equals
            && value != only
        {
            at.refuse(format!("{kind}.const"), format!("must be {only}"));
        }
        if !self.range.contains(&value) {
            at.refuse(self.range.rule(kind), self.range.words());
        }
        if !self.one_of.is_empty() && !self.one_of.contains(&value) {
            at.refuse(format!("{kind}.in"), format!("must be one of {}", list_values(self.one_of)));
        }
        if self.none_of.contains(&value) {
            at.refuse(
                format!("{kind}.not_in"),
                format!("must be none of {}", list_values(self.none_of)),
            );
        }
        if self.finite && !value.finite() {
            at.refuse(format!("{kind}.finite"), "must be a finite number");
        }
    }
}
