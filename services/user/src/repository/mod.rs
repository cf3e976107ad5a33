//! Every query. Ownership is in the query: what belongs to another account is not found.

pub mod accounts;
pub mod addresses;
pub mod codes;
pub mod consents;
pub mod known_clients;
pub mod sessions;
mod sweep;

pub use accounts::NewAccount;

use crate::{
    cache::Hot,
    domain::records::user,
    domain::{Error, User, UserId, account::Status},
};
use kit::{Db, Tx, messaging::wake_ups::WakeUps};
use sea_orm::{IntoActiveModel, QuerySelect, entity::prelude::*};

/// The tables of the service.
#[derive(Clone)]
pub struct Repository {
    pub db: Db,
    /// Accounts kept for hot reads.
    pub hot: Hot,
    /// Wakes those who follow which access tokens are void.
    pub revocations: WakeUps,
}

impl Repository {
    /// Says in every process that tokens of an account are void, which a committed transaction has noted.
    pub fn announce_revocation(&self, user_id: UserId) {
        self.revocations.wake([user_id.uuid()]);
    }

    /// The service's clock.
    pub const fn clock(&self) -> &kit::Clock {
        self.db.clock()
    }

    /// The account, if there is one.
    pub async fn user(&self, id: UserId) -> Result<Option<User>, Error> {
        Ok(user::Entity::find_by_id(id).one(self.db.connection()).await?)
    }
}

/// Locks the account until the transaction ends.
pub async fn lock_user(tx: &Tx, id: UserId) -> Result<User, Error> {
    let found = user::Entity::find_by_id(id).lock_exclusive().one(&**tx).await?;
    found.ok_or(Error::UserNotFound)
}

/// As [`lock_user`], for the account that is signed in: one that was closed meanwhile has no session any more.
pub async fn lock_signed_in(tx: &Tx, id: UserId) -> Result<User, Error> {
    match lock_user(tx, id).await {
        Ok(user) if user.status == Status::Active => Ok(user),
        Ok(_) | Err(Error::UserNotFound) => Err(Error::SessionRevoked),
        Err(error) => Err(error),
    }
}

/// Saves what is no change of the account as its owner sees it: a count of facts, a token version.
pub async fn save_quietly(tx: &Tx, user: &User) -> Result<(), Error> {
    user.clone().into_active_model().reset_all().update(&**tx).await?;
    Ok(())
}

/// Saves a locked account as its next version.
pub async fn save_user(tx: &Tx, user: &mut User) -> Result<(), Error> {
    user.version += 1;
    user.updated_at = tx.now();
    save_quietly(tx, user).await
}
