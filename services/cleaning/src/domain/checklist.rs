//! The checklist: what is to be done, derived from what was asked for.

use super::{
    Details,
    details::{CleaningType, Size},
};
use chrono::{DateTime, Utc};
use sea_orm::FromJsonQueryResult;
use serde::{Deserialize, Serialize};

/// What is to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct Checklist(pub Vec<Item>);

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
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
pub struct Tick {
    /// Code of the item.
    pub code: String,
    /// Whether it is done.
    pub done: bool,
    /// What the provider says of it; absent keeps what is there.
    pub note: Option<String>,
}

impl Checklist {
    /// What is to be done for `details`.
    pub fn of(details: &Details) -> Self {
        let mut codes = Vec::new();
        match details.size {
            Size::Rooms { rooms, bathrooms } => {
                codes.extend(each_room("room", rooms, &["dust", "floor"]));
                codes.extend(each_room("bathroom", bathrooms, &["sanitary", "floor"]));
            }
            Size::Area(_) => {
                codes.extend(["all.dust", "all.floors", "bathroom.sanitary"].map(str::to_owned));
            }
        }
        codes.extend(of_type(details.kind).iter().map(|code| (*code).to_owned()));
        codes.extend(details.extras.iter().map(|extra| format!("extra.{}", extra.code)));
        Self(codes.into_iter().map(Item::open).collect())
    }

    /// Whether all of it is done.
    pub fn is_complete(&self) -> bool {
        self.0.iter().all(|item| item.done_at.is_some())
    }

    /// The item with that code.
    pub fn item_mut(&mut self, code: &str) -> Option<&mut Item> {
        self.0.iter_mut().find(|item| item.code == code)
    }

    /// Opens all of it again, for rework.
    pub fn reopen(&mut self) {
        for item in &mut self.0 {
            item.done_at = None;
            item.reopened += 1;
        }
    }

    /// What is to be done for other details; what is there in both keeps its state.
    #[must_use]
    pub fn changed_to(&self, details: &Details) -> Self {
        let mut changed = Self::of(details);
        for item in &self.0 {
            if let Some(kept) = changed.item_mut(&item.code) {
                *kept = item.clone();
            }
        }
        changed
    }
}

impl Item {
    fn open(code: String) -> Self {
        Self { code, done_at: None, note: String::new(), reopened: 0 }
    }
}

fn each_room<'a>(
    place: &'a str,
    count: i64,
    tasks: &'a [&'a str],
) -> impl Iterator<Item = String> + 'a {
    (1..=count).flat_map(move |n| tasks.iter().map(move |task| format!("{place}.{n}.{task}")))
}

const fn of_type(kind: CleaningType) -> &'static [&'static str] {
    match kind {
        CleaningType::Standard => &["kitchen.surfaces", "kitchen.sink", "all.bins"],
        CleaningType::Deep => &[
            "kitchen.surfaces",
            "kitchen.sink",
            "kitchen.appliances",
            "all.bins",
            "all.limescale",
            "all.skirting_boards",
            "all.doors_and_switches",
        ],
        CleaningType::MoveOut => &[
            "kitchen.surfaces",
            "kitchen.sink",
            "kitchen.appliances",
            "all.bins",
            "all.limescale",
            "all.skirting_boards",
            "all.doors_and_switches",
            "all.cupboards_inside",
            "all.windows_inside",
        ],
        CleaningType::Office => &["office.desks", "office.kitchenette", "all.bins"],
    }
}
