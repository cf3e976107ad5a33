//! Every query of provider. `mod` has the doors to a profile; the other files have what hangs on it.

mod calendar;
mod documents;
mod members;
mod offerings;
mod profiles;
pub mod reservations;
mod rows;
mod search;
mod standings;
mod upkeep;

pub use calendar::NewTimeOff;
pub use profiles::{Filter, Seen};
pub use search::Candidate;

use crate::{
    domain::{Error, Offering, Provider, ProviderId, Reservation, profile::Action},
    entity,
};
use kit::{Batch, Db, Tx, rpc::caller::Caller, storage::cache::Cache, storage::idempotency::Key};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect, Select,
};
use std::{future::Future, sync::Arc};
use uuid::Uuid;

/// The profiles and all that hangs on them.
#[derive(Clone)]
pub struct Providers {
    db: Db,
    cache: Arc<dyn Cache>,
    taking: Batch<(Reservation, i64), bool, Error>,
}

/// Which profiles a caller reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Its own.
    Owner(Uuid),
    /// Every one.
    All,
}

impl Reach {
    /// What `caller` reaches: operators everything, others their own.
    pub fn of(caller: &Caller) -> Result<Self, kit::Error> {
        if caller.is_operator() {
            return Ok(Self::All);
        }
        Ok(Self::Owner(caller.subject()?.user_id))
    }

    /// The profile `id` as far as it is in reach.
    fn profile(self, id: ProviderId) -> Select<entity::provider::Entity> {
        let query = entity::provider::Entity::find_by_id(id);
        match self {
            Self::All => query,
            Self::Owner(user_id) => query.filter(entity::provider::Column::UserId.eq(user_id)),
        }
    }
}

impl Providers {
    /// The profiles in `db`; what decides about bookings is kept in `cache`.
    pub fn new(db: Db, cache: Arc<dyn Cache>) -> Self {
        let taking = Batch::new(db.clone(), |db, holds: Vec<_>| async move {
            rows::insert_all(db.read(), &holds).await
        });
        Self { db, cache, taking }
    }

    /// The service's clock.
    pub const fn clock(&self) -> &kit::Clock {
        self.db.clock()
    }

    /// The profile `id`, when it is in reach.
    pub async fn find(&self, id: ProviderId, reach: Reach) -> Result<Provider, Error> {
        reach.profile(id).one(self.db.read()).await?.ok_or(Error::ProviderNotFound)
    }

    /// Changes the profile `id`, or what hangs on it, in one transaction that has the profile to itself. `work` gets the
    /// profile with its new version and hands it back to be stored.
    async fn within<T, F, Fut>(
        &self,
        key: Option<Key>,
        id: ProviderId,
        reach: Reach,
        work: F,
    ) -> Result<T, Error>
    where
        T: prost::Message + Default + 'static,
        F: FnOnce(Tx, Provider) -> Fut + Send + 'static,
        Fut: Future<Output = Result<(T, Provider), Error>> + Send + 'static,
    {
        let answer = self
            .db
            .write_once(key, move |tx| async move {
                let found = reach.profile(id).lock_exclusive().one(&*tx).await?;
                let mut provider = found.ok_or(Error::ProviderNotFound)?;
                provider.standing += 1;
                provider.version += 1;
                provider.updated_at = tx.now();
                let (answer, provider) = work(tx.clone(), provider).await?;
                store(&*tx, provider).await?;
                Ok::<_, Error>(answer)
            })
            .await?;
        self.forget_standing(id).await;
        Ok(answer)
    }

    /// As [`Providers::within`] for what hangs on the profile: refused when the profile has ended.
    async fn below<T, F, Fut>(
        &self,
        key: Option<Key>,
        id: ProviderId,
        reach: Reach,
        work: F,
    ) -> Result<T, Error>
    where
        T: prost::Message + Default + 'static,
        F: FnOnce(Tx, Provider) -> Fut + Send + 'static,
        Fut: Future<Output = Result<(T, Provider), Error>> + Send + 'static,
    {
        self.within(key, id, reach, |tx, mut provider| async move {
            provider.act(Action::Change)?;
            work(tx, provider).await
        })
        .await
    }
}

/// Writes every column of a profile.
async fn store<C: ConnectionTrait>(connection: &C, provider: Provider) -> Result<(), Error> {
    provider.into_active_model().reset_all().update(connection).await?;
    Ok(())
}

/// The offerings of some profiles, newest first.
async fn offerings_of<C: ConnectionTrait>(
    connection: &C,
    ids: &[ProviderId],
) -> Result<Vec<Offering>, Error> {
    let offerings = entity::offering::Entity::find()
        .filter(entity::offering::Column::ProviderId.is_in(ids.iter().copied()))
        .order_by_desc(entity::offering::Column::Id)
        .all(connection)
        .await?;
    Ok(offerings)
}
