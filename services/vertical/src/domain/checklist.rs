//! The checklist: what is to be done, each thing with a stable code, and what is missing before the work is delivered.

use super::error::Error;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// What is missing while something on a checklist is not done.
pub const INCOMPLETE: &str = "checklist.incomplete";

/// What is to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checklist(pub Vec<Item>);

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Stable code, unique within its checklist.
    pub code: String,
    /// Since when it is done.
    pub done_at: Option<DateTime<Utc>>,
    /// What the provider says of it.
    pub note: String,
    /// How often the customer had it opened again.
    pub reopened: i32,
}

/// A change of one thing.
#[derive(Clone, Debug)]
pub struct ItemChange {
    /// Code of the item that changes.
    pub code: String,
    /// Whether it is done.
    pub done: bool,
    /// What the provider says of it; absent keeps what is there.
    pub note: Option<String>,
}

impl Checklist {
    /// A checklist of which nothing is done.
    pub fn of(codes: Vec<String>) -> Self {
        Self(codes.into_iter().map(Item::open).collect())
    }

    /// Whether all of it is done.
    pub fn is_complete(&self) -> bool {
        self.0.iter().all(|item| item.done_at.is_some())
    }

    /// Ticks items off or opens them again.
    pub fn change(&mut self, changes: Vec<ItemChange>, now: DateTime<Utc>) -> Result<(), Error> {
        for (index, ItemChange { code, done, note }) in changes.into_iter().enumerate() {
            let item = self.item_mut(&code).ok_or_else(|| {
                Error::invalid(format!("items[{index}].code"), "is not on the checklist")
            })?;
            item.done_at = match done {
                true => item.done_at.or(Some(now)),
                false => None,
            };
            if let Some(note) = note {
                item.note = note;
            }
        }
        Ok(())
    }

    /// Opens all of it again, for rework.
    pub fn reopen(&mut self) {
        for item in &mut self.0 {
            item.done_at = None;
            item.reopened += 1;
        }
    }

    /// Replaces what is to be done; what is there before and after keeps its state.
    pub fn replace(&mut self, codes: Vec<String>) {
        let mut replaced = Self::of(codes);
        for item in &self.0 {
            if let Some(kept) = replaced.item_mut(&item.code) {
                *kept = item.clone();
            }
        }
        *self = replaced;
    }

    /// Forgets what the provider wrote.
    pub fn forget_notes(&mut self) {
        for item in &mut self.0 {
            item.note.clear();
        }
    }

    fn item_mut(&mut self, code: &str) -> Option<&mut Item> {
        self.0.iter_mut().find(|item| item.code == code)
    }
}

impl Item {
    fn open(code: String) -> Self {
        Self { code, done_at: None, note: String::new(), reopened: 0 }
    }
}

/// The kinds of proof that are `required` and not on file.
pub fn missing_proofs(
    required: &[&'static str],
    on_file: &[String],
) -> impl Iterator<Item = &'static str> {
    required.iter().copied().filter(|kind| !on_file.iter().any(|proof| proof == kind))
}
