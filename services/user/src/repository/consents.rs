//! Answers to questions of consent.

use super::Repository;
use crate::domain::{Consent, Error, UserId, records::consent};
use kit::{Tx, storage::page::Page};
use sea_orm::{IntoActiveModel, entity::prelude::*};

/// Inserts an answer.
pub async fn insert_consents(tx: &Tx, consent: &Consent) -> Result<(), Error> {
    let row = consent.clone().into_active_model();
    consent::Entity::insert(row).exec_without_returning(&**tx).await?;
    Ok(())
}

impl Repository {
    /// Answers of the account, the newest first.
    pub async fn consents(&self, user_id: UserId, page: Page) -> Result<Vec<Consent>, Error> {
        let all = consent::Entity::find().filter(consent::Column::UserId.eq(user_id));
        Ok(page.of(all, consent::Column::Id).all(self.db.connection()).await?)
    }
}
