//! Where the owners of accounts are known to come from: guesses from elsewhere never keep them out.

use super::Repository;
use crate::domain::{Error, UserId, records::known_client};
use chrono::Duration;
use kit::Tx;
use sea_orm::{ActiveValue::Set, entity::prelude::*, sea_query::OnConflict};

/// How long a client is known after the owner came from there last.
pub const KNOWN_FOR: Duration = Duration::days(90);

/// Notes that the owner of the account came from `client`.
pub async fn remember(tx: &Tx, user_id: UserId, client: String) -> Result<(), Error> {
    let row = known_client::ActiveModel {
        client: Set(client),
        user_id: Set(user_id),
        seen_at: Set(tx.now()),
    };
    let again = OnConflict::column(known_client::Column::Client)
        .update_columns([known_client::Column::UserId, known_client::Column::SeenAt])
        .to_owned();
    known_client::Entity::insert(row).on_conflict(again).exec_without_returning(&**tx).await?;
    Ok(())
}

/// Forgets where the owner of the account came from.
pub async fn forget_all(tx: &Tx, user_id: UserId) -> Result<(), Error> {
    known_client::Entity::delete_many()
        .filter(known_client::Column::UserId.eq(user_id))
        .exec(&**tx)
        .await?;
    Ok(())
}

impl Repository {
    /// Whether an owner came from this client before.
    pub async fn is_known_client(&self, client: String) -> Result<bool, Error> {
        let found = known_client::Entity::find_by_id(client).one(self.db.connection()).await?;
        let since = self.clock().now() - KNOWN_FOR;
        Ok(found.is_some_and(|found| found.seen_at > since))
    }
}
