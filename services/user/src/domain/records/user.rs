//! Rows of `users`: one for each account.

use crate::domain::account::Status;
use kit::Id;
use sea_orm::entity::prelude::*;
use std::fmt;

#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "users")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Id<Model>,
    pub email: Option<String>,
    pub name: String,
    pub phone: String,
    pub status: Status,
    pub suspension_reason: String,
    pub role: String,
    pub roles: i16,
    pub locale: String,
    pub time_zone: String,
    pub email_verified_at: Option<DateTimeUtc>,
    pub repetition_noticed_at: Option<DateTimeUtc>,
    pub token_version: i64,
    pub event_seq: i64,
    pub version: i64,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("id", &self.id)
            .field("status", &self.status)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(has_one = "super::credential::Entity")]
    Credential,
}

impl Related<super::credential::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Credential.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}
