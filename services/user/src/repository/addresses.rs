//! Addresses that accounts keep.

use super::Repository;
use crate::domain::{Address, AddressId, Error, UserId, address as rules, records::address};
use kit::{Tx, storage::page::Page};
use sea_orm::{IntoActiveModel, QuerySelect, entity::prelude::*};

/// Inserts an address, unless its account keeps as many as it may.
pub async fn insert_address(tx: &Tx, address: &Address) -> Result<(), Error> {
    rules::check_room(addresses_of(address.user_id).count(&**tx).await?)?;
    let row = address.clone().into_active_model();
    address::Entity::insert(row).exec_without_returning(&**tx).await?;
    Ok(())
}

/// Locks an address of an account.
pub async fn lock_address(tx: &Tx, user_id: UserId, id: AddressId) -> Result<Address, Error> {
    let query = addresses_of(user_id).filter(address::Column::Id.eq(id)).lock_exclusive();
    query.one(&**tx).await?.ok_or(Error::AddressNotFound)
}

/// Saves a locked address as its next version.
pub async fn save_address(tx: &Tx, address: &mut Address) -> Result<(), Error> {
    address.version += 1;
    address.updated_at = tx.now();
    address.clone().into_active_model().reset_all().update(&**tx).await?;
    Ok(())
}

/// Deletes the addresses of an account.
pub async fn delete_all(tx: &Tx, user_id: UserId) -> Result<(), Error> {
    address::Entity::delete_many().filter(address::Column::UserId.eq(user_id)).exec(&**tx).await?;
    Ok(())
}

fn addresses_of(user_id: UserId) -> Select<address::Entity> {
    address::Entity::find().filter(address::Column::UserId.eq(user_id))
}

impl Repository {
    /// The address, if it is the account's.
    pub async fn address(&self, user_id: UserId, id: AddressId) -> Result<Address, Error> {
        let found = addresses_of(user_id)
            .filter(address::Column::Id.eq(id))
            .one(self.db.connection())
            .await?;
        found.ok_or(Error::AddressNotFound)
    }

    /// Addresses of the account, the newest first.
    pub async fn addresses(&self, user_id: UserId, page: Page) -> Result<Vec<Address>, Error> {
        Ok(page.of(addresses_of(user_id), address::Column::Id).all(self.db.connection()).await?)
    }

    /// Deletes an address of the account.
    pub async fn delete_address(&self, user_id: UserId, id: AddressId) -> Result<(), Error> {
        let deleted = address::Entity::delete_many()
            .filter(address::Column::UserId.eq(user_id))
            .filter(address::Column::Id.eq(id))
            .exec(self.db.connection())
            .await?;
        if deleted.rows_affected == 0 { Err(Error::AddressNotFound) } else { Ok(()) }
    }
}
