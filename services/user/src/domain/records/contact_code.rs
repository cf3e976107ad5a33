//! Codes that prove a mailbox.

use super::user;
use crate::domain::code::Purpose;
use kit::Id;
use sea_orm::entity::prelude::*;
use std::fmt;

#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "contact_codes")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: Id<user::Model>,
    #[sea_orm(primary_key, auto_increment = false)]
    pub purpose: Purpose,
    pub requested_at: DateTimeUtc,
    pub selector: Option<String>,
    pub code_hash: String,
    pub expires_at: DateTimeUtc,
    pub attempts: i32,
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContactCode")
            .field("user_id", &self.user_id)
            .field("purpose", &self.purpose)
            .finish_non_exhaustive()
    }
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
