//! Addresses that accounts keep.

use super::user;
use kit::Id;
use sea_orm::{FromJsonQueryResult, entity::prelude::*};
use serde::{Deserialize, Serialize};
use std::fmt;

/// An address, as one value in its column.
#[derive(Clone, PartialEq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct PostalAddress {
    pub lines: Vec<String>,
    pub postcode: String,
    pub city: String,
    pub country: String,
    pub lat: f64,
    pub lng: f64,
    pub access_notes: String,
}

impl fmt::Debug for PostalAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostalAddress").field("country", &self.country).finish_non_exhaustive()
    }
}

#[derive(Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "addresses")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Id<Model>,
    pub user_id: Id<user::Model>,
    pub label: String,
    #[sea_orm(column_type = "Json")]
    pub address: PostalAddress,
    pub version: i64,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address")
            .field("id", &self.id)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
