//! Addresses that accounts keep.

use super::{Repository, check_version, lock_signed_in};
use crate::{
    domain::{
        Address, AddressId, Error, UserId,
        address::{self as rules, Changes},
    },
    entity::address,
};
use kit::{Tx, storage::page::Page};
use sea_orm::{IntoActiveModel, QuerySelect, entity::prelude::*};

/// Keeps one more address of an account.
pub async fn insert(tx: &Tx, new: Address) -> Result<Address, Error> {
    lock_signed_in(tx, new.user_id).await?;
    let count = of(new.user_id).count(&**tx).await?;
    rules::room(count)?;
    address::Entity::insert(new.clone().into_active_model()).exec_without_returning(&**tx).await?;
    Ok(new)
}

/// Forgets the addresses of an account.
pub async fn delete_all(tx: &Tx, user_id: UserId) -> Result<(), Error> {
    address::Entity::delete_many().filter(address::Column::UserId.eq(user_id)).exec(&**tx).await?;
    Ok(())
}

fn of(user_id: UserId) -> Select<address::Entity> {
    address::Entity::find().filter(address::Column::UserId.eq(user_id))
}

impl Repository {
    /// The address, if it is the account's.
    pub async fn address(&self, user_id: UserId, id: AddressId) -> Result<Address, Error> {
        let found = of(user_id).filter(address::Column::Id.eq(id)).one(self.db.read()).await?;
        found.ok_or(Error::AddressNotFound)
    }

    /// Addresses of the account, the newest first.
    pub async fn addresses(&self, user_id: UserId, page: Page) -> Result<Vec<Address>, Error> {
        Ok(page.of(of(user_id), address::Column::Id).all(self.db.read()).await?)
    }

    /// Changes an address of the account.
    pub async fn update_address(
        &self,
        user_id: UserId,
        id: AddressId,
        seen: i64,
        paths: Vec<String>,
        changes: Changes,
    ) -> Result<Address, Error> {
        self.db
            .write(move |tx| async move {
                let query = of(user_id).filter(address::Column::Id.eq(id)).lock_exclusive();
                let mut address = query.one(&*tx).await?.ok_or(Error::AddressNotFound)?;
                check_version(seen, address.version)?;
                let before = address.clone();
                changes.apply(&paths, &mut address)?;
                if address == before {
                    return Ok(address);
                }
                address.version += 1;
                address.updated_at = tx.now();
                Ok(address.into_active_model().reset_all().update(&*tx).await?)
            })
            .await
    }

    /// Forgets an address of the account.
    pub async fn delete_address(&self, user_id: UserId, id: AddressId) -> Result<(), Error> {
        self.db
            .write(move |tx| async move {
                let deleted = address::Entity::delete_many()
                    .filter(address::Column::UserId.eq(user_id))
                    .filter(address::Column::Id.eq(id))
                    .exec(&*tx)
                    .await?;
                if deleted.rows_affected == 0 { Err(Error::AddressNotFound) } else { Ok(()) }
            })
            .await
    }
}
