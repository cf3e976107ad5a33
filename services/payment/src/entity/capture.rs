//! How an order's capture was split.

use super::{AttemptId, IntentId, ProviderId, UserId};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "captures")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub intent_id: IntentId,
    pub attempt_id: AttemptId,
    pub kind: String,
    pub amount: i64,
    pub provider_id: Option<ProviderId>,
    pub provider_user_id: Option<UserId>,
    pub vertical: String,
    pub payable: i64,
    pub commission: i64,
    pub vat: i64,
    pub payable_refunded: i64,
    pub commission_refunded: i64,
    pub vat_refunded: i64,
    pub payout_due_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
