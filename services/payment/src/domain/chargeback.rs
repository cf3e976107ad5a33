//! Chargebacks: disputes of a charge at the customer's bank, which takes the money back while it looks at them.

use super::{AttemptId, Error, Intent, IntentId};
use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;

/// The dispute of a charge.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "chargebacks")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub charge_id: AttemptId,
    pub intent_id: IntentId,
    pub amount: i64,
    pub fee: i64,
    pub reason: String,
    pub state: State,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Where a chargeback stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum State {
    /// The bank has the money and looks at the dispute.
    #[sea_orm(string_value = "OPEN")]
    Open,
    /// The bank gave the money back. Final.
    #[sea_orm(string_value = "WON")]
    Won,
    /// The customer keeps the money. Final.
    #[sea_orm(string_value = "LOST")]
    Lost,
}

/// What a payment provider says of a dispute when it begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dispute {
    /// How much it is about, in minor units; none means all that is left of the capture.
    pub amount: Option<i64>,
    /// What the payment provider takes for it, in minor units.
    pub fee: i64,
    /// Why the customer disputes the charge, a code of the payment provider.
    pub reason: String,
}

impl Model {
    /// Begins the dispute of a charge of `intent`. Of the amount counts what is `left` of what was captured of the charge:
    /// what was refunded is with the customer already.
    pub fn open(
        charge: AttemptId,
        intent: &mut Intent,
        dispute: Dispute,
        left: i64,
        now: DateTime<Utc>,
    ) -> Self {
        let left = left.min(intent.refundable());
        let amount = dispute.amount.unwrap_or(left).clamp(0, left);
        intent.charged_back += amount;
        Self {
            charge_id: charge,
            intent_id: intent.id,
            amount,
            fee: dispute.fee,
            reason: dispute.reason,
            state: State::Open,
            created_at: now,
            updated_at: now,
        }
    }

    /// Ends the dispute. Money that was won back may be refunded again.
    pub fn close(
        &mut self,
        intent: &mut Intent,
        won: bool,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        if self.state != State::Open {
            return Err(kit::Error::internal("the chargeback is closed").into());
        }
        self.state = if won { State::Won } else { State::Lost };
        self.updated_at = now;
        if won {
            intent.charged_back -= self.amount;
        }
        Ok(())
    }
}
