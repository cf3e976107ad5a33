//! Every query of provider, a file for each noun.

pub mod assets;
pub mod documents;
pub mod members;
pub mod offerings;
pub mod presences;
pub mod profiles;
pub mod reservation_sql;
pub mod reservations;
pub mod search;
mod standings;
pub mod time_off;
pub mod tracks;

pub use profiles::Filter;
pub use search::{Candidate, Search};

use crate::domain::{Error, Reservation};
use kit::{Batch, Db, storage::cache::Cache};
use sea_orm::{ActiveModelTrait, ConnectionTrait, IntoActiveModel};
use std::sync::Arc;

/// The tables of provider, and what is kept at hand of them.
#[derive(Clone)]
pub struct Providers {
    pub db: Db,
    cache: Arc<dyn Cache>,
    inserts: Batch<(Reservation, i64), bool, Error>,
}

impl Providers {
    /// The profiles in `db`; what decides about bookings is kept in `cache`.
    pub fn new(db: Db, cache: Arc<dyn Cache>) -> Self {
        let inserts = Batch::new(db.clone(), |db, holds: Vec<_>| async move {
            reservation_sql::insert_all(db.connection(), &holds).await
        });
        Self { db, cache, inserts }
    }

    /// The service's clock.
    pub const fn clock(&self) -> &kit::Clock {
        self.db.clock()
    }
}

/// Writes every column of a row that exists.
async fn update_row<C, M, A>(connection: &C, row: M) -> Result<(), Error>
where
    C: ConnectionTrait,
    A: ActiveModelTrait<Entity: sea_orm::EntityTrait<Model = M>>
        + sea_orm::ActiveModelBehavior
        + Send,
    M: sea_orm::ModelTrait + IntoActiveModel<A>,
{
    row.into_active_model().reset_all().update(connection).await?;
    Ok(())
}
