//! Secret links to the calendars of accounts.

use crate::domain::{AccountId, Error, Resource, series_records::calendar_link};
use kit::Tx;
use sea_orm::{IntoActiveModel, entity::prelude::*, sea_query::OnConflict};

/// Gives an account a link, in place of the one that it has.
pub async fn replace_link(
    tx: &Tx,
    account: AccountId,
    secret_sha256: Vec<u8>,
) -> Result<calendar_link::Model, Error> {
    let link = calendar_link::Model { account_id: account, secret_sha256, created_at: tx.now() };
    let changed = [calendar_link::Column::SecretSha256, calendar_link::Column::CreatedAt];
    calendar_link::Entity::insert(link.clone().into_active_model())
        .on_conflict(
            OnConflict::column(calendar_link::Column::AccountId).update_columns(changed).to_owned(),
        )
        .exec_without_returning(&**tx)
        .await?;
    Ok(link)
}

/// The link of an account.
pub async fn get_link(
    db: &impl ConnectionTrait,
    account: AccountId,
) -> Result<calendar_link::Model, Error> {
    let found = calendar_link::Entity::find_by_id(account).one(db).await?;
    found.ok_or(Error::NotFound(Resource::Calendar))
}

/// The account whose link has a secret with this SHA-256.
pub async fn account_of(
    db: &impl ConnectionTrait,
    secret_sha256: Vec<u8>,
) -> Result<AccountId, Error> {
    let found = calendar_link::Entity::find()
        .filter(calendar_link::Column::SecretSha256.eq(secret_sha256))
        .one(db)
        .await?;
    found.map(|link| link.account_id).ok_or(Error::NotFound(Resource::Calendar))
}

/// Takes the link of an account back, if it has one.
pub async fn remove_link(tx: &Tx, account: AccountId) -> Result<(), Error> {
    calendar_link::Entity::delete_by_id(account).exec(&**tx).await?;
    Ok(())
}
