//! The table of cleanings as rows; its columns are documented where it is migrated.

use crate::domain::{checklist::Checklist, cleaning::Attempts};
use sea_orm::entity::prelude::*;

#[derive(Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "cleanings")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub order_id: Uuid,
    pub customer_id: Uuid,
    pub provider_user_id: Option<Uuid>,
    pub order_version: i64,
    pub state: i32,
    pub delivered_at: Option<DateTimeUtc>,
    pub details: Vec<u8>,
    pub starts_at: DateTimeUtc,
    pub ends_at: DateTimeUtc,
    pub time_zone: String,
    pub visit_on: Date,
    pub visited: bool,
    pub checklist: Checklist,
    pub recleans: i32,
    pub access_failed_at: Option<DateTimeUtc>,
    pub contact_attempts: Attempts,
    pub version: i64,
    pub event_seq: i64,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

/// Says which cleaning it is, not what people wrote about their homes.
impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cleaning").field("order_id", &self.order_id).finish_non_exhaustive()
    }
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
