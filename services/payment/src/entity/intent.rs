//! The money of an order.

use super::{IntentId, MethodId, OrderId, UserId};
use crate::domain::intent::State;
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "intents")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: IntentId,
    pub order_id: OrderId,
    pub customer_id: Option<UserId>,
    pub currency: String,
    pub amount: i64,
    pub authorized: i64,
    pub captured: i64,
    pub refunded: i64,
    pub state: State,
    pub method_id: Option<MethodId>,
    pub frozen: bool,
    pub closed_reason: String,
    pub version: i64,
    pub event_seq: i64,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
