//! Answers to questions of consent.

use super::{Repository, lock_signed_in};
use crate::{
    domain::{Consent, Error, UserId},
    entity::consent,
};
use kit::{Tx, storage::page::Page};
use sea_orm::{IntoActiveModel, entity::prelude::*};

/// Adds an answer.
pub async fn insert(tx: &Tx, new: Consent) -> Result<Consent, Error> {
    lock_signed_in(tx, new.user_id).await?;
    consent::Entity::insert(new.clone().into_active_model()).exec_without_returning(&**tx).await?;
    Ok(new)
}

impl Repository {
    /// Answers of the account, the newest first.
    pub async fn consents(&self, user_id: UserId, page: Page) -> Result<Vec<Consent>, Error> {
        let all = consent::Entity::find().filter(consent::Column::UserId.eq(user_id));
        Ok(page.of(all, consent::Column::Id).all(self.db.read()).await?)
    }
}
