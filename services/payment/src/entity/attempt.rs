//! A request to the payment provider.

use super::{AttemptId, IntentId, MethodId};
use crate::domain::attempt::{Kind, State};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "attempts")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AttemptId,
    pub intent_id: IntentId,
    pub kind: Kind,
    pub key: String,
    pub confirm_key: String,
    pub charge_id: Option<AttemptId>,
    pub method_id: Option<MethodId>,
    pub amount: i64,
    pub state: State,
    pub reason: String,
    pub note: String,
    pub confirmation_url: String,
    pub fee: i64,
    pub tries: i32,
    pub deadline_at: DateTimeUtc,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
