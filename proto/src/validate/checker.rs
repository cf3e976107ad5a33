//! Collects what breaks a rule while generated code walks through a message.

use super::{FieldPath, Validate};
use std::{borrow::Cow, collections::HashSet, hash::Hash};

/// Most violations that one request is told of; checking stops there.
pub const MAX_VIOLATIONS: usize = 50;

/// One broken rule. It never contains the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Path of the field in the contract's names.
    pub field: String,
    /// What the field must be, in plain words.
    pub description: Cow<'static, str>,
    /// Identifier of the rule as buf.validate names it, such as `string.min_len`.
    pub rule: Cow<'static, str>,
}

/// The state of one walk.
#[derive(Debug)]
pub struct Checker<'a> {
    path: &'a mut FieldPath,
    violations: &'a mut Vec<Violation>,
}

impl<'a> Checker<'a> {
    /// Starts at the message that `path` leads to.
    pub fn new(path: &'a mut FieldPath, violations: &'a mut Vec<Violation>) -> Self {
        Self { path, violations }
    }

    /// Steps into a field.
    pub fn field(&mut self, name: &'static str) {
        self.path.field(name);
    }

    /// Steps into a member of a `google.protobuf.Struct`.
    pub fn member(&mut self, name: &str) {
        self.path.member(name);
    }

    /// Steps back to the message that holds the field, member or entry.
    pub fn leave(&mut self) {
        self.path.leave();
    }

    /// Whether nothing more is collected.
    pub fn full(&self) -> bool {
        self.violations.len() >= MAX_VIOLATIONS
    }

    /// Reports that the current field breaks a rule.
    pub fn refuse(
        &mut self,
        rule: impl Into<Cow<'static, str>>,
        description: impl Into<Cow<'static, str>>,
    ) {
        if !self.full() {
            let (rule, description) = (rule.into(), description.into());
            self.violations.push(Violation { field: self.path.to_string(), description, rule });
        }
    }

    /// Reports that the current field is missing.
    pub fn missing(&mut self) {
        self.refuse("required", "is required");
    }

    /// Checks a message by its own rules.
    pub fn message(&mut self, message: &impl Validate) {
        if !self.full() {
            message.validate(self.path, self.violations);
        }
    }

    /// Checks each item of a list.
    pub fn items<T>(&mut self, items: &[T], check: impl Fn(&T, &mut Checker<'_>)) {
        for (index, item) in items.iter().enumerate() {
            if self.full() {
                return;
            }
            self.path.index(index);
            check(item, self);
            self.path.leave();
        }
    }

    /// Checks each entry of a map; `shown` says whether a path may name its key.
    pub fn entries<'m, K, V>(
        &mut self,
        entries: impl IntoIterator<Item = (&'m K, &'m V)>,
        shown: bool,
        check: impl Fn(&K, &V, &mut Checker<'_>),
    ) where
        K: std::fmt::Display + 'm,
        V: 'm,
    {
        for (key, value) in entries {
            if self.full() {
                return;
            }
            if shown {
                self.path.key(key);
            } else {
                self.path.any_key();
            }
            check(key, value, self);
            self.path.leave();
        }
    }

    /// Checks that no item is there twice.
    pub fn unique<T: Eq + Hash>(&mut self, items: &[T]) {
        let mut seen = HashSet::with_capacity(items.len());
        if !items.iter().all(|item| seen.insert(item)) {
            self.refuse("repeated.unique", "must not have an item twice");
        }
    }
}
