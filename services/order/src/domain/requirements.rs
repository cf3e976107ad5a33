//! What a job requires of its provider, as the quote had it.

use super::timing::seconds_of;
use chrono::Duration;
use serde::{Deserialize, Serialize};

/// What a job requires of its provider. Spans in seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requirements {
    pub skills: Vec<String>,
    /// Skills that put those who offer one before the others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub preferred_skills: Vec<String>,
    /// Documents that must be valid on the date.
    pub documents: Vec<String>,
    pub crew_size: i32,
    /// Time the work takes.
    pub duration_s: i64,
    /// Time kept free before.
    pub buffer_before_s: i64,
    /// Time kept free after.
    pub buffer_after_s: i64,
    /// People by role, each reserved.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub crew: Vec<RequiredCrew>,
    /// Vehicles, each reserved.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assets: Vec<RequiredAsset>,
    /// How providers are looked for; none where the usual waves do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dispatch: Option<DispatchPlan>,
    /// Whether the provider, the people and the vehicles do no other job meanwhile.
    #[serde(default, skip_serializing_if = "is_false")]
    pub exclusive: bool,
}

/// People that a job requires, as the contract's message of that name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequiredCrew {
    pub role: String,
    pub skills: Vec<String>,
    pub documents: Vec<String>,
    pub count: i32,
}

/// Vehicles that a job requires, as the contract's message of that name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequiredAsset {
    pub kinds: Vec<String>,
    pub seats: i32,
    pub volume_l: i32,
    pub payload_kg: i32,
    pub count: i32,
}

/// How providers are looked for, as the contract's message of that name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DispatchPlan {
    /// Whether only those who are online are asked.
    pub live: bool,
    pub wave_size: i32,
    /// How long an offer can be accepted.
    pub answer_s: i64,
    /// How far the first wave reaches, in metres; each following one reaches twice as far.
    pub radius_m: i32,
    /// How far the last wave reaches, in metres.
    pub max_radius_m: i32,
    /// How long is searched in all.
    pub search_s: i64,
    /// Whether the customer's favourites are asked alone before others.
    #[serde(default, skip_serializing_if = "is_false")]
    pub favourites_first: bool,
}

/// Whether a flag is not stored, because it is not set.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
pub const fn is_false(value: &bool) -> bool {
    !*value
}

impl Requirements {
    /// Time the work takes.
    pub fn duration(&self) -> Duration {
        seconds_of(self.duration_s)
    }

    /// Time kept free before and after the work.
    pub fn buffers(&self) -> Duration {
        seconds_of(self.buffer_before_s) + seconds_of(self.buffer_after_s)
    }
}
