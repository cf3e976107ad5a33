//! How accounts want to be told.

use super::Repository;
use crate::{
    domain::records::settings::{Column, Entity},
    domain::{Error, Settings},
};
use kit::Tx;
use sea_orm::{IntoActiveModel, QuerySelect, entity::prelude::*, sea_query::OnConflict};

impl Repository {
    /// The settings of an account.
    pub async fn settings(&self, user_id: Uuid) -> Result<Settings, Error> {
        let found = Entity::find_by_id(user_id).one(self.db.connection()).await?;
        Ok(found.unwrap_or(Settings::of(user_id)))
    }
}

/// Locks the settings of an account until the transaction ends. The row is inserted first where there is none, so that of
/// two first changes the second waits for the first.
pub async fn lock_settings(tx: &Tx, user_id: Uuid) -> Result<Settings, Error> {
    let first = Settings::of(user_id).into_active_model();
    let existing = OnConflict::column(Column::UserId).do_nothing().to_owned();
    Entity::insert(first).on_conflict(existing).exec_without_returning(&**tx).await?;
    let found = Entity::find_by_id(user_id).lock_exclusive().one(&**tx).await?;
    Ok(found.unwrap_or(Settings::of(user_id)))
}

/// Saves locked settings.
pub async fn save_settings(tx: &Tx, settings: &Settings) -> Result<(), Error> {
    settings.clone().into_active_model().reset_all().update(&**tx).await?;
    Ok(())
}

/// Deletes the settings of an account.
pub async fn delete_settings(tx: &Tx, user_id: Uuid) -> Result<(), Error> {
    Entity::delete_by_id(user_id).exec(&**tx).await?;
    Ok(())
}
