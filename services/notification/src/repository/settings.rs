//! How accounts want to be told.

use super::Repository;
use crate::{
    domain::{Error, Settings},
    entity::settings::{Column, Entity},
};
use sea_orm::{IntoActiveModel, QuerySelect, entity::prelude::*, sea_query::OnConflict};

impl Repository {
    /// The settings of an account.
    pub async fn settings(&self, user_id: Uuid) -> Result<Settings, Error> {
        let found = Entity::find_by_id(user_id).one(self.db.read()).await?;
        Ok(found.unwrap_or(Settings::of(user_id)))
    }

    /// Changes the settings of an account.
    pub async fn update_settings(
        &self,
        user_id: Uuid,
        change: impl FnOnce(&mut Settings) -> Result<(), Error> + Send + 'static,
    ) -> Result<Settings, Error> {
        self.db
            .write(move |tx| async move {
                // There is a row to lock from now on, so that of two first changes one sees the other.
                let first = Settings::of(user_id).into_active_model();
                let kept = OnConflict::column(Column::UserId).do_nothing().to_owned();
                Entity::insert(first).on_conflict(kept).exec_without_returning(&*tx).await?;
                let found = Entity::find_by_id(user_id).lock_exclusive().one(&*tx).await?;
                let mut settings = found.unwrap_or(Settings::of(user_id));
                change(&mut settings)?;
                Ok(settings.into_active_model().reset_all().update(&*tx).await?)
            })
            .await
    }
}
