//! Reads and writes the time off of providers.

use super::Providers;
use crate::domain::{
    Error, MAX_ENTRIES, ProviderId, TimeOff, TimeOffId,
    records::time_off::{Column, Entity},
};
use kit::{Tx, storage::page::Page};
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter};

/// Inserts time off, unless its provider has entered as much as it may.
pub async fn insert_time_off(tx: &Tx, time_off: &TimeOff) -> Result<(), Error> {
    let count = Entity::find()
        .filter(Column::ProviderId.eq(time_off.provider_id))
        .filter(Column::EndLocal.gt(tx.now().naive_utc()))
        .count(&**tx)
        .await?;
    if count >= MAX_ENTRIES {
        return Err(Error::TooMany(MAX_ENTRIES));
    }
    Entity::insert(time_off.clone().into_active_model()).exec_without_returning(&**tx).await?;
    Ok(())
}

/// Deletes time off of a provider.
pub async fn delete_time_off(tx: &Tx, provider_id: ProviderId, id: TimeOffId) -> Result<(), Error> {
    let own = Entity::delete_by_id(id).filter(Column::ProviderId.eq(provider_id));
    match own.exec(&**tx).await?.rows_affected {
        0 => Err(Error::TimeOffNotFound),
        _ => Ok(()),
    }
}

/// Deletes all time off of a provider.
pub async fn delete_all(tx: &Tx, provider_id: ProviderId) -> Result<(), Error> {
    Entity::delete_many().filter(Column::ProviderId.eq(provider_id)).exec(&**tx).await?;
    Ok(())
}

impl Providers {
    /// A page of the time off of a profile, and the token of the next page.
    pub async fn time_off(
        &self,
        id: ProviderId,
        page: Page,
    ) -> Result<(Vec<TimeOff>, String), Error> {
        let all = Entity::find().filter(Column::ProviderId.eq(id));
        let mut rows = page.of(all, Column::Id).all(self.db.connection()).await?;
        let token = page.cut(&mut rows, |row| row.id.uuid());
        Ok((rows, token))
    }
}
