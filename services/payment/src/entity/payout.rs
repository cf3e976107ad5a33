//! What a provider earns with an order.

use super::{IntentId, OrderId, PayoutId, ProviderId, UserId};
use crate::domain::payout::State;
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "payouts")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: PayoutId,
    pub order_id: OrderId,
    pub intent_id: IntentId,
    pub provider_id: ProviderId,
    pub provider_user_id: UserId,
    pub kind: String,
    pub currency: String,
    pub gross: i64,
    pub amount: i64,
    pub paid: i64,
    pub recovered: i64,
    pub state: State,
    pub reason: String,
    pub due_at: DateTimeUtc,
    pub transfers: i32,
    pub transfer_id: Option<Uuid>,
    pub version: i64,
    pub event_seq: i64,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    pub paid_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
