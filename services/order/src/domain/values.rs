//! The values that orders are made of: ids, prices, places, payment and progress.

use super::{
    LineOrigin, Requirements, policy::Policy, requirements::is_false, reschedule::MovePrice,
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use chrono::{DateTime, Utc};
use sea_orm::{DeriveActiveEnum, DeriveValueType, EnumIter, FromJsonQueryResult};
use serde::{Deserialize, Serialize};
use std::fmt;

/// An account, owned by user.
pub enum UserAccount {}
/// A provider profile, owned by provider.
pub enum Profile {}
/// The id of an account.
pub type AccountId = kit::Id<UserAccount>;
/// The id of a provider profile.
pub type ProviderId = kit::Id<Profile>;
/// The id of a quote.
pub type QuoteId = kit::Id<super::records::quote::Model>;
/// The id of an order.
pub type OrderId = kit::Id<super::records::order::Model>;
/// The id of an offer.
pub type OfferId = kit::Id<super::records::offer::Model>;
/// The id of a further visit.
pub type VisitId = kit::Id<super::records::visit::Model>;
/// The id of a change order.
pub type ChangeId = kit::Id<super::records::change_order::Model>;

/// A person's own words: never printed.
#[derive(Clone, Default, PartialEq, Eq, DeriveValueType)]
pub struct Private(pub String);

impl fmt::Debug for Private {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Inputs of a vertical, as the bytes of a `google.protobuf.Struct`. They may hold personal data: never printed.
#[derive(Clone, Default, PartialEq, Eq, DeriveValueType)]
pub struct JobDetails(pub Vec<u8>);

impl Serialize for JobDetails {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for JobDetails {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        BASE64.decode(text).map(Self).map_err(serde::de::Error::custom)
    }
}

impl fmt::Debug for JobDetails {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

/// A postal address with its position: never printed.
#[derive(Clone, PartialEq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct Address {
    pub lines: Vec<String>,
    pub postcode: String,
    pub city: String,
    /// ISO 3166-1 alpha-2 code.
    pub country: String,
    pub lat: f64,
    pub lng: f64,
    /// How to get in.
    pub access_notes: String,
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Who pays or earns a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Party {
    Customer,
    Provider,
    Platform,
}

/// One line of a price.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PriceLine {
    pub code: String,
    /// How many units.
    pub quantity: f64,
    /// What is counted.
    pub unit: String,
    /// Total in minor units; negative for a discount.
    pub total: i64,
    /// Who pays it.
    pub payer: Party,
    /// Who earns it before commission.
    pub earner: Party,
    /// Whether the line carries no commission.
    #[serde(default, skip_serializing_if = "is_false")]
    pub pass_through: bool,
    /// Where it comes from. Lines of earlier versions are taken for quoted ones, approved changes too.
    #[serde(default, skip_serializing_if = "LineOrigin::is_quote")]
    pub origin: LineOrigin,
}

/// What was agreed, as the quote had it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct Terms {
    pub place: Address,
    /// For how much.
    pub lines: Vec<PriceLine>,
    pub requirements: Requirements,
    /// What cancelling costs.
    pub policy: Policy,
    /// The most that the customer pays unasked for the quoted work, in minor units; none where the price is binding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap: Option<i64>,
    /// Whether only people accept the delivery, and never a timer.
    #[serde(default, skip_serializing_if = "is_false")]
    pub manual_acceptance: bool,
    /// Whether the customer may propose changes, which the vertical prices.
    #[serde(default, skip_serializing_if = "is_false")]
    pub customer_changes: bool,
    /// Whether the work begins as soon as a provider can be there.
    #[serde(default, skip_serializing_if = "is_false")]
    pub asap: bool,
    /// The order that this one makes good; none unless it is a recall.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<super::ParentOrder>,
    /// The visit of a series that it is; none of a single job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub series: Option<super::SeriesLink>,
}

/// How an order was cancelled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancellation {
    pub actor: super::Actor,
    pub reason: String,
    pub fault: super::policy::LiableParty,
    /// What the customer pays, in minor units.
    pub fee: i64,
    pub at: DateTime<Utc>,
}

/// Who made a change of which the vertical is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastActor {
    pub side: super::Actor,
    /// The account; none of a timer, a process or an event.
    pub account: Option<AccountId>,
}

/// A change order as the vertical is told of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownChange {
    pub id: ChangeId,
    pub state: ChangeState,
    /// What the vertical priced it on; none for plain lines, and once the home is forgotten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<JobDetails>,
}

/// A change order that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingChange {
    pub id: ChangeId,
    /// What it adds, in minor units.
    pub amount: i64,
    /// Until when it can be approved.
    pub valid_till: DateTime<Utc>,
}

/// A move to another window that was begun and not finished.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Moving {
    pub start: DateTime<Utc>,
    pub end: DateTime<Utc>,
    /// Zone of the place.
    pub time_zone: String,
    /// When it began.
    pub since: DateTime<Utc>,
    /// The price at that time, when it is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<MovePrice>,
    /// What the job requires at that time; none of a move that an earlier version began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requirements: Option<Requirements>,
    /// Whether nothing but the price and the length of a visit change, which the customer has not asked for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reprices: bool,
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// How far an order has come, beyond what its state says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, FromJsonQueryResult)]
#[serde(default)]
pub struct Progress {
    /// When the named provider was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requested_at: Option<DateTime<Utc>>,
    /// When a provider took it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assigned_at: Option<DateTime<Utc>>,
    /// When the provider set out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub departed_at: Option<DateTime<Utc>>,
    /// When the provider reached the door.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arrived_at: Option<DateTime<Utc>>,
    /// When the work began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<DateTime<Utc>>,
    /// When it was delivered last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivered_at: Option<DateTime<Utc>>,
    /// What the last delivery came to beyond the cap: the customer owes it once the delivery is accepted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub beyond_cap: Vec<PriceLine>,
    /// How often it was told that the last delivery waits for its acceptance.
    #[serde(skip_serializing_if = "is_zero")]
    pub reminders: u32,
    /// When rework was asked for last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rework_since: Option<DateTime<Utc>>,
    /// Whether an operator was told that the work, or the rework, does not end.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub escalated: bool,
    /// When it was accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<DateTime<Utc>>,
    /// Whether the arrival was too far from the place, or without a position.
    pub arrival_flagged: bool,
    /// Attempts to reach the customer at the door.
    pub contact_attempts: u32,
    /// When the last of them was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_contact_at: Option<DateTime<Utc>>,
    /// Wrong start codes since the assignment, the last lock or the last reset.
    pub wrong_codes: u32,
    /// Until when no start code is taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_locked_until: Option<DateTime<Utc>>,
    /// How often the start code was reset; each reset makes another one.
    #[serde(skip_serializing_if = "is_zero")]
    pub code_resets: u32,
    /// Assignments so far: each has a start code of its own.
    pub assignments: u32,
    /// Searches so far.
    pub round: i32,
    /// Waves of the present search.
    pub wave: i32,
    /// When the next wave falls due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wave_until: Option<DateTime<Utc>>,
    /// When the present search is over; none when the start decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub search_until: Option<DateTime<Utc>>,
    /// Providers that are not asked again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub excluded: Vec<ProviderId>,
    /// How often the assignment was given up.
    pub reassigned: u32,
    /// How it was cancelled, or what not being there costs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancellation: Option<Cancellation>,
    /// The change order that waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<PendingChange>,
    /// The change orders of which the vertical is told, oldest first. Those of earlier versions are left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<KnownChange>,
    /// The move that is under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moving: Option<Moving>,
    /// Stars the customer gave.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stars_by_customer: Option<i32>,
    /// Stars the provider gave.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stars_by_provider: Option<i32>,
    /// Whether the reviews are published.
    pub published: bool,
    /// Whether the time for reviews is over.
    pub reviews_over: bool,
    /// Whether the provider has their money, or earns none.
    pub paid_out: bool,
    /// What resolved disputes take off the price before the capture, in minor units.
    pub reduction: i64,
    /// The sides that have called for help since the last dispute was resolved.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub in_danger: Vec<super::Actor>,
    /// Further visits of the provider.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub visits: Vec<super::Visit>,
    /// Disputes that the customer has opened.
    pub disputes_by_customer: u32,
    /// Disputes that the provider has opened.
    pub disputes_by_provider: u32,
    /// Whether the customer's account is erased.
    pub erased: bool,
    /// Whether the account of the provider who did the work is erased.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub provider_erased: bool,
    /// Whether nothing of the erased customer's home is left.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub forgotten: bool,
    /// How often its state has changed.
    pub moves: u32,
    /// Who made the last change of which the vertical is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_actor: Option<LastActor>,
    /// How often it was moved to another window.
    #[serde(skip_serializing_if = "is_zero")]
    pub reschedules: u32,
    /// The start for which a visit of a series was priced by the time since the visit before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priced_for: Option<DateTime<Utc>>,
}

/// Lines of a change order: label and minor units.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct ChangeLines(pub Vec<(String, i64)>);

/// Lines of a change order as they join those of the order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct PriceLines(pub Vec<PriceLine>);

/// How a change order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ChangeState {
    Proposed,
    /// Agreed and authorised.
    Approved,
    /// Refused or taken back.
    Rejected,
    /// Out of time.
    Expired,
}

/// How an offer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OfferState {
    /// It can be accepted.
    Open,
    /// Taken by this provider.
    Accepted,
    Declined,
    /// Out of time.
    Expired,
    /// Taken by another, or not searched for any more.
    Revoked,
}

/// How a dispute stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DisputeState {
    /// It was opened, and no evidence was added yet.
    Open,
    /// Evidence was added.
    Evidence,
    /// The customer was right.
    ResolvedCustomer,
    /// The provider was right.
    ResolvedProvider,
    /// Both were, in part.
    ResolvedSplit,
}
