//! Every query. Ownership is in the query: what belongs to somebody else is not found.

pub mod accounts;
pub mod addresses;
mod codes;
pub mod consents;
mod sessions;
mod sweep;

pub use accounts::NewAccount;
pub use codes::Issuable;
pub use sessions::NewSession;

use crate::{
    cache::Hot,
    domain::{Error, User, UserId, account::Status},
    entity::user,
};
use kit::{Db, Tx};
use sea_orm::{IntoActiveModel, QuerySelect, entity::prelude::*};

/// The tables of the service.
#[derive(Clone)]
pub struct Repository {
    db: Db,
    /// Accounts kept for hot reads.
    pub hot: Hot,
}

impl Repository {
    /// The tables in `db`.
    pub const fn new(db: Db, hot: Hot) -> Self {
        Self { db, hot }
    }

    /// The service's clock.
    pub const fn clock(&self) -> &kit::Clock {
        self.db.clock()
    }

    /// The database, for work that spans several kinds of rows.
    pub const fn db(&self) -> &Db {
        &self.db
    }

    /// The account, if there is one.
    pub async fn user(&self, id: UserId) -> Result<Option<User>, Error> {
        Ok(user::Entity::find_by_id(id).one(self.db.read()).await?)
    }
}

/// The account, for this transaction alone to change.
async fn lock(tx: &Tx, id: UserId) -> Result<User, Error> {
    let found = user::Entity::find_by_id(id).lock_exclusive().one(&**tx).await?;
    found.ok_or(Error::UserNotFound)
}

/// As [`lock`], for the account that is signed in: one that was closed meanwhile has no session any more.
async fn lock_signed_in(tx: &Tx, id: UserId) -> Result<User, Error> {
    match lock(tx, id).await {
        Ok(user) if user.status == Status::Active => Ok(user),
        Ok(_) | Err(Error::UserNotFound) => Err(Error::SessionRevoked),
        Err(error) => Err(error),
    }
}

/// Writes a locked account back.
async fn save(tx: &Tx, user: User) -> Result<User, Error> {
    Ok(user.into_active_model().reset_all().update(&**tx).await?)
}

/// Writes a locked account back as a new version.
async fn save_version(tx: &Tx, mut user: User) -> Result<User, Error> {
    user.version += 1;
    user.updated_at = tx.now();
    save(tx, user).await
}

/// Refuses a change of another version than the one its caller saw; 0 stands for any.
fn check_version(seen: i64, current: i64) -> Result<(), Error> {
    if seen == 0 || seen == current { Ok(()) } else { Err(kit::Error::VersionMismatch.into()) }
}
