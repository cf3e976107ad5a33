//! Providers whom customers like to have again.

use crate::domain::{AccountId, Error, ProviderId, Resource, records::favourite};
use kit::Tx;
use sea_orm::{IntoActiveModel, PaginatorTrait, entity::prelude::*, sea_query::OnConflict};

/// Favourites that one customer may have.
const MAX_FAVOURITES: u64 = 100;

/// Keeps a favourite, also one that there is already. Returns it as it is kept.
pub async fn add_favourite(
    tx: &Tx,
    customer: AccountId,
    provider: ProviderId,
) -> Result<favourite::Model, Error> {
    let new =
        favourite::Model { customer_id: customer, provider_id: provider, created_at: tx.now() };
    favourite::Entity::insert(new.into_active_model())
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(&**tx)
        .await?;
    let own = favourite::Entity::find().filter(favourite::Column::CustomerId.eq(customer));
    if own.count(&**tx).await? > MAX_FAVOURITES {
        return Err(Error::FavouriteLimit);
    }
    get_favourite(&**tx, customer, provider).await
}

/// A favourite of a customer.
pub async fn get_favourite(
    db: &impl ConnectionTrait,
    customer: AccountId,
    provider: ProviderId,
) -> Result<favourite::Model, Error> {
    let found = favourite::Entity::find_by_id((customer, provider)).one(db).await?;
    found.ok_or(Error::NotFound(Resource::Favourite))
}

/// The favourites of a customer.
pub async fn list_favourites(
    db: &impl ConnectionTrait,
    customer: AccountId,
) -> Result<Vec<favourite::Model>, Error> {
    let own = favourite::Entity::find().filter(favourite::Column::CustomerId.eq(customer));
    Ok(own.all(db).await?)
}

/// Deletes a favourite, if it is one.
pub async fn remove_favourite(
    db: &impl ConnectionTrait,
    customer: AccountId,
    provider: ProviderId,
) -> Result<(), Error> {
    favourite::Entity::delete_by_id((customer, provider)).exec(db).await?;
    Ok(())
}

/// Deletes the favourites of a customer.
pub(super) async fn remove_all(tx: &Tx, customer: AccountId) -> Result<(), Error> {
    favourite::Entity::delete_many()
        .filter(favourite::Column::CustomerId.eq(customer))
        .exec(&**tx)
        .await?;
    Ok(())
}
