//! Reads and writes the vehicles of providers.

use super::Providers;
use crate::domain::{
    Asset, AssetId, Error, MAX_ENTRIES, ProviderId,
    records::asset::{Column, Entity},
};
use kit::{Tx, storage::page::Page};
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter};

/// Inserts a vehicle, unless the provider has as many as it may.
pub async fn insert_asset(tx: &Tx, asset: &Asset) -> Result<(), Error> {
    let own = Entity::find().filter(Column::ProviderId.eq(asset.provider_id));
    if own.count(&**tx).await? >= MAX_ENTRIES {
        return Err(Error::TooMany(MAX_ENTRIES));
    }
    Entity::insert(asset.clone().into_active_model()).exec_without_returning(&**tx).await?;
    Ok(())
}

/// A vehicle of a provider, in the transaction that changes it.
pub async fn lock_asset(tx: &Tx, provider_id: ProviderId, id: AssetId) -> Result<Asset, Error> {
    let own = Entity::find_by_id(id).filter(Column::ProviderId.eq(provider_id));
    own.one(&**tx).await?.ok_or(Error::AssetNotFound)
}

/// Saves a changed vehicle.
pub async fn save_asset(tx: &Tx, asset: &Asset) -> Result<(), Error> {
    super::update_row(&**tx, asset.clone()).await
}

/// Deletes a vehicle of a provider.
pub async fn delete_asset(tx: &Tx, provider_id: ProviderId, id: AssetId) -> Result<(), Error> {
    let own = Entity::delete_by_id(id).filter(Column::ProviderId.eq(provider_id));
    match own.exec(&**tx).await?.rows_affected {
        0 => Err(Error::AssetNotFound),
        _ => Ok(()),
    }
}

/// Deletes all vehicles of a provider.
pub async fn delete_all(tx: &Tx, provider_id: ProviderId) -> Result<(), Error> {
    Entity::delete_many().filter(Column::ProviderId.eq(provider_id)).exec(&**tx).await?;
    Ok(())
}

impl Providers {
    /// A vehicle of a profile.
    pub async fn find_asset(&self, provider: ProviderId, id: AssetId) -> Result<Asset, Error> {
        let own = Entity::find_by_id(id).filter(Column::ProviderId.eq(provider));
        own.one(self.db.connection()).await?.ok_or(Error::AssetNotFound)
    }

    /// A page of the vehicles of a profile, and the token of the next page.
    pub async fn assets(&self, id: ProviderId, page: Page) -> Result<(Vec<Asset>, String), Error> {
        let all = Entity::find().filter(Column::ProviderId.eq(id));
        let mut rows = page.of(all, Column::Id).all(self.db.connection()).await?;
        let token = page.cut(&mut rows, |row| row.id.uuid());
        Ok((rows, token))
    }
}
