//! Rules of bytes, booleans, enums, and of the size of lists and maps.

use super::{
    Checker,
    text::{at_least, at_most, exactly_one},
};

/// The rules of a bytes field.
#[derive(Debug)]
pub struct BytesRules {
    /// Exactly so many.
    pub len: Option<u64>,
    /// At least so many.
    pub min_len: Option<u64>,
    /// At most so many.
    pub max_len: Option<u64>,
}

impl BytesRules {
    /// Rules that every value keeps.
    pub const NONE: Self = Self { len: None, min_len: None, max_len: None };

    /// Checks a value.
    pub fn check(&self, value: &[u8], at: &mut Checker<'_>) {
        let size = value.len() as u64;
        exactly_one("bytes.len", "byte", self.len, size, at);
        at_least("bytes.min_len", "byte", self.min_len, size, at);
        at_most("bytes.max_len", "byte", self.max_len, size, at);
    }
}

/// The rules of a bool field.
#[derive(Debug)]
pub struct BoolRules {
    /// The only value that is allowed.
    pub equals: Option<bool>,
}

impl BoolRules {
    /// Rules that every value keeps.
    pub const NONE: Self = Self { equals: None };

    /// Checks a value.
    pub fn check(&self, value: bool, at: &mut Checker<'_>) {
        if let Some(only) = self.equals
            && value != only
        {
            at.refuse("bool.const", format!("must be {only}"));
        }
    }
}

/// The rules of an enum field; values are numbers with their names.
#[derive(Debug)]
pub struct EnumRules {
    /// Whether the enum has a number.
    pub is_defined: fn(i32) -> bool,
    /// Only numbers that the enum has.
    pub defined_only: bool,
    /// The only value that is allowed.
    pub equals: Option<(i32, &'static str)>,
    /// One of these, unless empty.
    pub one_of: &'static [(i32, &'static str)],
    /// None of these.
    pub none_of: &'static [(i32, &'static str)],
}

impl EnumRules {
    /// Checks a value.
    pub fn check(&self, value: i32, at: &mut Checker<'_>) {
        let has = |set: &[(i32, &str)]| set.iter().any(|(number, _)| *number == value);
        if self.defined_only && !(self.is_defined)(value) {
            at.refuse("enum.defined_only", "must be a value of the enum");
        }
        if let Some((only, name)) = self.equals
            && value != only
        {
            at.refuse("enum.const", format!("must be `{name}`"));
        }
        if !self.one_of.is_empty() && !has(self.one_of) {
            at.refuse("enum.in", format!("must be one of {}", list_names(self.one_of)));
        }
        if has(self.none_of) {
            at.refuse("enum.not_in", format!("must be none of {}", list_names(self.none_of)));
        }
    }
}

fn list_names(set: &[(i32, &'static str)]) -> String {
    let names: Vec<&str> = set.iter().map(|(_, name)| *name).collect();
    super::text::list_values(&names)
}

/// The rules of the size of a list or a map.
#[derive(Debug)]
pub struct SizeRules {
    /// Identifier of the rule for too few.
    pub min_rule: &'static str,
    /// Identifier of the rule for too many.
    pub max_rule: &'static str,
    /// What is counted.
    pub unit: &'static str,
    /// At least so many.
    pub min: Option<u64>,
    /// At most so many.
    pub max: Option<u64>,
}

impl SizeRules {
    /// A list of any size.
    pub const LIST: Self = Self {
        min_rule: "repeated.min_items",
        max_rule: "repeated.max_items",
        unit: "item",
        min: None,
        max: None,
    };

    /// A map of any size.
    pub const MAP: Self = Self {
        min_rule: "map.min_pairs",
        max_rule: "map.max_pairs",
        unit: "entry",
        min: None,
        max: None,
    };

    /// Checks a size.
    pub fn check(&self, size: usize, at: &mut Checker<'_>) {
        at_least(self.min_rule, self.unit, self.min, size as u64, at);
        at_most(self.max_rule, self.unit, self.max, size as u64, at);
    }
}
