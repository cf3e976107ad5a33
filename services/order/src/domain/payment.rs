//! The payment of an order, as payment told it.

use super::{AccountId, PriceLine, ProviderId};
use chrono::{DateTime, Utc};
use sea_orm::FromJsonQueryResult;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Where the payment stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PaymentState {
    /// Nothing was asked.
    #[default]
    None,
    /// Not known yet.
    Pending,
    /// The customer must confirm.
    ConfirmationRequired,
    Declined,
    MethodSaved,
    Authorized,
    Captured,
    /// The capture was declined: the customer owes the amount.
    Due,
    /// Nothing is kept.
    Released,
}

/// The payment of an order, as its answers told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
#[serde(default)]
pub struct Payment {
    /// Where it stands.
    pub state: PaymentState,
    pub payment_id: Option<Uuid>,
    /// The method the customer chose, if not their default.
    pub method_id: Option<Uuid>,
    /// Counts the attempts from 0; part of their key.
    pub attempt: u32,
    /// The key of the last attempt; empty for the first.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// Attempts to authorise a method on file close to the start.
    pub late_attempts: u32,
    /// Why it was declined.
    pub decline_reason: String,
    /// Where the customer confirms.
    pub confirmation_url: String,
    /// What the customer owes after the capture, or a part of it, was declined.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_id: Option<Uuid>,
    /// What the customer owes for work beyond the cap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beyond_cap_due_id: Option<Uuid>,
    /// What was captured, refunded and taken back by the customer's bank so far.
    #[serde(skip_serializing_if = "Amounts::is_zero")]
    pub amounts: Amounts,
}

/// What payment has moved for an order in all, in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Amounts {
    /// Taken from the customer.
    pub captured: i64,
    /// Given back, or on its way back.
    pub refunded: i64,
    /// Taken back by the customer's bank, or held by it during a dispute.
    pub charged_back: i64,
}

impl Amounts {
    /// Whether nothing was moved yet.
    pub fn is_zero(&self) -> bool {
        *self == Self::default()
    }

    /// What has gone back to the customer, one way or the other.
    pub const fn returned(&self) -> i64 {
        self.refunded + self.charged_back
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CaptureTerms {
    /// How much, in minor units.
    pub amount: i64,
    /// What the provider earns of it before commission.
    pub provider_gross: i64,
    /// The part of that which carries commission; none means all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commission_base: Option<i64>,
    /// What the customer owes beyond it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub due: Vec<PriceLine>,
    /// Whether it is a fee rather than the price.
    pub fee: bool,
    /// The provider whose work it pays.
    pub provider_id: Option<ProviderId>,
    /// The provider's account.
    pub provider_user_id: Option<AccountId>,
    /// When the payout falls due.
    pub payout_due_at: DateTime<Utc>,
}
