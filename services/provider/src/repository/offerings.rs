//! Offerings: one a vertical for each provider.

use super::Providers;
use crate::domain::{
    Error, Offering, OfferingId, ProviderId,
    records::offering::{Column, Entity},
};
use kit::{
    Tx,
    storage::{db_error::is_duplicate, page::Page},
};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter};

/// Inserts an offering; a provider has one a vertical.
pub async fn insert_offering(tx: &Tx, offering: &Offering) -> Result<(), Error> {
    let row = offering.clone().into_active_model();
    match Entity::insert(row).exec_without_returning(&**tx).await {
        Ok(_) => Ok(()),
        Err(error) if is_second_of_vertical(&error) => Err(Error::OfferingExists),
        Err(error) => Err(error.into()),
    }
}

/// An offering of a provider.
pub async fn find_offering(
    tx: &Tx,
    provider_id: ProviderId,
    id: OfferingId,
) -> Result<Offering, Error> {
    let own = Entity::find_by_id(id).filter(Column::ProviderId.eq(provider_id));
    own.one(&**tx).await?.ok_or(Error::OfferingNotFound)
}

/// Saves a changed offering.
pub async fn save_offering(tx: &Tx, offering: &Offering) -> Result<(), Error> {
    super::update_row(&**tx, offering.clone()).await
}

/// Deletes an offering of a provider.
pub async fn delete_offering(
    tx: &Tx,
    provider_id: ProviderId,
    id: OfferingId,
) -> Result<(), Error> {
    let own = Entity::delete_by_id(id).filter(Column::ProviderId.eq(provider_id));
    match own.exec(&**tx).await?.rows_affected {
        0 => Err(Error::OfferingNotFound),
        _ => Ok(()),
    }
}

/// Deletes all offerings of a provider.
pub async fn delete_all(tx: &Tx, provider_id: ProviderId) -> Result<(), Error> {
    Entity::delete_many().filter(Column::ProviderId.eq(provider_id)).exec(&**tx).await?;
    Ok(())
}

impl Providers {
    /// A page of the offerings of a profile, and the token of the next page.
    pub async fn offerings(
        &self,
        id: ProviderId,
        page: Page,
    ) -> Result<(Vec<Offering>, String), Error> {
        let all = Entity::find().filter(Column::ProviderId.eq(id));
        let mut rows = page.of(all, Column::Id).all(self.db.connection()).await?;
        let token = page.cut(&mut rows, |row| row.id.uuid());
        Ok((rows, token))
    }
}

fn is_second_of_vertical(error: &DbErr) -> bool {
    is_duplicate(
        error,
        "offerings_provider_id_vertical",
        "offerings.provider_id, offerings.vertical",
    )
}
