//! Rules of strings.

use super::{Checker, Format};
use regex::Regex;
use std::{fmt::Display, sync::OnceLock};

/// The rules of a string field. Lengths count Unicode code points unless they say bytes.
#[derive(Debug)]
pub struct StringRules {
    /// The only value that is allowed.
    pub equals: Option<&'static str>,
    /// Exactly so many characters.
    pub len: Option<u64>,
    /// At least so many characters.
    pub min_len: Option<u64>,
    /// At most so many characters.
    pub max_len: Option<u64>,
    /// At least so many bytes.
    pub min_bytes: Option<u64>,
    /// At most so many bytes.
    pub max_bytes: Option<u64>,
    /// A pattern that must match somewhere in the text.
    pub pattern: Option<&'static Pattern>,
    /// Starts with this.
    pub prefix: Option<&'static str>,
    /// Ends with this.
    pub suffix: Option<&'static str>,
    /// One of these, unless empty.
    pub one_of: &'static [&'static str],
    /// None of these.
    pub none_of: &'static [&'static str],
    /// A format known by name.
    pub format: Option<Format>,
}

impl StringRules {
    /// Rules that every value keeps.
    pub const NONE: Self = Self {
        equals: None,
        len: None,
        min_len: None,
        max_len: None,
        min_bytes: None,
        max_bytes: None,
        pattern: None,
        prefix: None,
        suffix: None,
        one_of: &[],
        none_of: &[],
        format: None,
    };

    /// Checks a value.
    pub fn check(&self, value: &str, at: &mut Checker<'_>) {
        self.check_length(value, at);
        self.check_content(value, at);
        if let Some(format) = self.format
            && !format.matches(value)
        {
            at.refuse(format.rule(), format.words());
        }
    }

    fn check_length(&self, value: &str, at: &mut Checker<'_>) {
        let bytes = value.len() as u64;
        if self.len.is_some() || self.min_len.is_some() || self.max_len.is_some() {
            let characters = value.chars().count() as u64;
            exactly_one("string.len", "character", self.len, characters, at);
            at_least("string.min_len", "character", self.min_len, characters, at);
            at_most("string.max_len", "character", self.max_len, characters, at);
        }
        at_least("string.min_bytes", "byte", self.min_bytes, bytes, at);
        at_most("string.max_bytes", "byte", self.max_bytes, bytes, at);
    }

    fn check_content(&self, value: &str, at: &mut Checker<'_>) {
        if let Some(only) = self.equals
            && value != only
        {
            at.refuse("string.const", format!("must be `{only}`"));
        }
        if let Some(prefix) = self.prefix
            && !value.starts_with(prefix)
        {
            at.refuse("string.prefix", format!("must start with `{prefix}`"));
        }
        if let Some(suffix) = self.suffix
            && !value.ends_with(suffix)
        {
            at.refuse("string.suffix", format!("must end with `{suffix}`"));
        }
        if let Some(pattern) = self.pattern
            && !pattern.matches(value)
        {
            at.refuse("string.pattern", format!("must match `{}`", pattern.shown));
        }
        if !self.one_of.is_empty() && !self.one_of.contains(&value) {
            at.refuse("string.in", format!("must be one of {}", list_values(self.one_of)));
        }
        if self.none_of.contains(&value) {
            at.refuse("string.not_in", format!("must be none of {}", list_values(self.none_of)));
        }
    }
}

/// An expression compiled at its first use. The build has compiled it once already, so that only a valid one gets here.
#[derive(Debug)]
pub struct Pattern {
    shown: &'static str,
    source: &'static str,
    compiled: OnceLock<Option<Regex>>,
}

impl Pattern {
    /// `shown` is the expression of the contract, `source` the same for the regex crate.
    pub const fn new(shown: &'static str, source: &'static str) -> Self {
        Self { shown, source, compiled: OnceLock::new() }
    }

    fn matches(&self, value: &str) -> bool {
        let compiled = self.compiled.get_or_init(|| Regex::new(self.source).ok());
        compiled.as_ref().is_some_and(|pattern| pattern.is_match(value))
    }
}

pub(super) fn exactly_one(
    rule: &'static str,
    unit: &str,
    limit: Option<u64>,
    size: u64,
    at: &mut Checker<'_>,
) {
    if let Some(limit) = limit
        && size != limit
    {
        at.refuse(rule, format!("must have exactly {}", count_chars(limit, unit)));
    }
}

pub(super) fn at_least(
    rule: &'static str,
    unit: &str,
    limit: Option<u64>,
    size: u64,
    at: &mut Checker<'_>,
) {
    match limit {
        Some(1) if size < 1 => at.refuse(rule, "must not be empty"),
        Some(limit) if size < limit => {
            at.refuse(rule, format!("must have at least {}", count_chars(limit, unit)));
        }
        _ => {}
    }
}

pub(super) fn at_most(
    rule: &'static str,
    unit: &str,
    limit: Option<u64>,
    size: u64,
    at: &mut Checker<'_>,
) {
    if let Some(limit) = limit
        && size > limit
    {
        at.refuse(rule, format!("must have at most {}", count_chars(limit, unit)));
    }
}

/// A count with its unit in the right number.
fn count_chars(number: u64, unit: &str) -> String {
    match (number, unit) {
        (1, unit) => format!("1 {unit}"),
        (number, "entry") => format!("{number} entries"),
        (number, unit) => format!("{number} {unit}s"),
    }
}

/// The values that a rule allows or forbids; they come from the contract.
pub(super) fn list_values<T: Display>(values: &[T]) -> String {
    let shown: Vec<String> = values.iter().map(|value| format!("`{value}`")).collect();
    shown.join(", ")
}
