//! The payment methods that customers keep on file.

use super::{MethodId, UserId};
use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use std::fmt;

/// Most payment methods of a customer.
pub const MAX_METHODS: usize = 20;

/// A saved payment method; one that was deleted keeps its row for the payments that used it.
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "payment_methods")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: MethodId,
    pub customer_id: UserId,
    pub token: String,
    pub brand: String,
    pub last4: String,
    pub expiry_month: i32,
    pub expiry_year: i32,
    pub is_default: bool,
    pub version: i64,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    pub deleted_at: Option<DateTimeUtc>,
}

impl Model {
    /// A method that is saved now.
    pub fn new(
        id: MethodId,
        customer: UserId,
        token: String,
        card: Card,
        is_default: bool,
        now: DateTime<Utc>,
    ) -> Self {
        let Card { brand, last4, expiry_month, expiry_year } = card;
        Self {
            id,
            customer_id: customer,
            token,
            brand,
            last4,
            expiry_month,
            expiry_year,
            is_default,
            version: 1,
            created_at: now,
            updated_at: now,
            deleted_at: None,
        }
    }

    /// Forgets the method: nothing new is charged to it.
    pub fn forget(&mut self, now: DateTime<Utc>) {
        self.is_default = false;
        self.deleted_at = Some(now);
    }
}

/// What is known of a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// Its brand, for example `visa`.
    pub brand: String,
    /// Its last four digits.
    pub last4: String,
    /// The month in which it expires.
    pub expiry_month: i32,
    /// The year in which it expires.
    pub expiry_year: i32,
}

impl fmt::Debug for Model {
    /// Shows which method it is, never the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Method({})", self.id)
    }
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
