//! Holds: why payouts are held back. Each reason ends on its own, and a payout is frozen as long as there is one.

use super::{AttemptId, OrderId, Payout, PayoutId, ProviderId, UserId, payout::HELD};
use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;

/// A reason that holds the payouts of its subject back: of a payout, an order, a provider or a provider's account.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "payout_holds")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub subject: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub reason: Reason,
    #[sea_orm(primary_key, auto_increment = false)]
    pub reference: String,
    pub amount: Option<i64>,
    pub held_by: Option<UserId>,
    pub held_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Why payouts are held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum Reason {
    /// The order is in dispute.
    #[sea_orm(string_value = "ORDER_DISPUTE")]
    OrderDispute,
    /// The customer's bank looks at a dispute; the reference is the charge.
    #[sea_orm(string_value = "CHARGEBACK")]
    Chargeback,
    /// An operator holds the payout back.
    #[sea_orm(string_value = "OPERATOR")]
    Operator,
    /// The provider is blocked for fraud or the like, or its account is suspended; the reference says which.
    #[sea_orm(string_value = "PROVIDER_STANDING")]
    ProviderStanding,
    /// The customer claims damage; the reference is the claim. It holds its amount only, as a payout of its own.
    #[sea_orm(string_value = "CLAIM")]
    Claim,
}

impl Reason {
    /// The reason as the contract names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OrderDispute => "ORDER_DISPUTE",
            Self::Chargeback => "CHARGEBACK",
            Self::Operator => "OPERATOR",
            Self::ProviderStanding => "PROVIDER_STANDING",
            Self::Claim => "CLAIM",
        }
    }
}

/// The reference of the hold while an account is suspended.
const ACCOUNT_SUSPENDED: &str = "ACCOUNT_SUSPENDED";

impl Model {
    /// The dispute of an order.
    pub fn of_dispute(order: OrderId, now: DateTime<Utc>) -> Self {
        Self::new(order.uuid(), Reason::OrderDispute, now)
    }

    /// The dispute of a charge of an order at the customer's bank.
    pub fn of_chargeback(order: OrderId, charge: AttemptId, now: DateTime<Utc>) -> Self {
        let hold = Self::new(order.uuid(), Reason::Chargeback, now);
        Self { reference: charge.to_string(), ..hold }
    }

    /// The disputes of an order at the customer's bank as earlier versions wrote them: one hold for all charges.
    pub fn of_any_chargeback(order: OrderId, now: DateTime<Utc>) -> Self {
        Self::new(order.uuid(), Reason::Chargeback, now)
    }

    /// An operator's hold of a payout.
    pub fn of_operator(payout: PayoutId, operator: UserId, now: DateTime<Utc>) -> Self {
        Self { held_by: Some(operator), ..Self::new(payout.uuid(), Reason::Operator, now) }
    }

    /// A provider that is blocked for `reason`.
    pub fn of_block(provider: ProviderId, reason: &str, now: DateTime<Utc>) -> Self {
        let hold = Self::new(provider.uuid(), Reason::ProviderStanding, now);
        Self { reference: reason.to_owned(), ..hold }
    }

    /// A provider whose account is suspended.
    pub fn of_suspension(account: UserId, now: DateTime<Utc>) -> Self {
        let hold = Self::new(account.uuid(), Reason::ProviderStanding, now);
        Self { reference: ACCOUNT_SUSPENDED.to_owned(), ..hold }
    }

    /// A claim about an order, which holds `amount` back.
    pub fn of_claim(order: OrderId, claim: Uuid, amount: i64, now: DateTime<Utc>) -> Self {
        let hold = Self::new(order.uuid(), Reason::Claim, now);
        Self { reference: claim.to_string(), amount: Some(amount), ..hold }
    }

    fn new(subject: Uuid, reason: Reason, now: DateTime<Utc>) -> Self {
        let reference = String::new();
        Self { subject, reason, reference, amount: None, held_by: None, held_at: now }
    }

    /// Whether it holds `payout` back. A claim holds what was split off for it.
    pub fn covers(&self, payout: &Payout) -> bool {
        let is_about = payout.hold_subjects().contains(&self.subject);
        is_about && (self.reason != Reason::Claim || payout.kind == HELD)
    }
}
