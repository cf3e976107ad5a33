//! Profiles: found, listed, locked and saved.

use super::Providers;
use crate::domain::{
    Error, Offering, Provider, ProviderId,
    profile::State,
    records::{
        offering,
        provider::{Column, Entity},
    },
};
use kit::{
    Scope, Tx,
    storage::{db_error::is_duplicate, page::Page},
};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect, Select,
    sea_query::{Query, SelectStatement},
};
use std::collections::HashMap;
use uuid::Uuid;

/// The profile `id`, when it is within `scope`.
fn select_profile(id: ProviderId, scope: Scope) -> Select<Entity> {
    let query = Entity::find_by_id(id);
    match scope {
        Scope::All => query,
        Scope::Account(user_id) => query.filter(Column::UserId.eq(user_id)),
    }
}

/// Which profiles to list.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only those that offer this vertical.
    pub vertical: Option<String>,
    /// Only those of this town.
    pub city_key: Option<String>,
    /// Only those in this state.
    pub state: Option<State>,
}

/// Locks the profile `id` until the transaction ends, when `scope` reaches it.
pub async fn lock_profile(tx: &Tx, id: ProviderId, scope: Scope) -> Result<Provider, Error> {
    select_profile(id, scope).lock_exclusive().one(&**tx).await?.ok_or(Error::ProviderNotFound)
}

/// Locks the profile of an account until the transaction ends, if it has one.
pub async fn lock_of_user(tx: &Tx, user_id: Uuid) -> Result<Option<Provider>, Error> {
    let query = Entity::find().filter(Column::UserId.eq(user_id)).lock_exclusive();
    Ok(query.one(&**tx).await?)
}

/// Inserts a new profile; an account has one at most.
pub async fn insert_profile(tx: &Tx, provider: &Provider) -> Result<(), Error> {
    let row = provider.clone().into_active_model();
    match Entity::insert(row).exec_without_returning(&**tx).await {
        Ok(_) => Ok(()),
        Err(error) if is_second_profile(&error) => Err(Error::ProviderExists),
        Err(error) => Err(error.into()),
    }
}

fn is_second_profile(error: &sea_orm::DbErr) -> bool {
    is_duplicate(error, "providers_user_id", "providers.user_id")
}

/// Saves a changed profile under its next version. Decisions about bookings that were made on an earlier version are void.
pub async fn save_profile(tx: &Tx, provider: &mut Provider) -> Result<(), Error> {
    provider.standing += 1;
    save_score(tx, provider).await
}

/// As [`save_profile`] for a change that decides about no booking.
pub async fn save_score(tx: &Tx, provider: &mut Provider) -> Result<(), Error> {
    provider.version += 1;
    provider.updated_at = tx.now();
    save_event_count(tx, provider).await
}

/// Saves that a fact of the profile was published, which is no change of the profile.
pub async fn save_event_count(tx: &Tx, provider: &Provider) -> Result<(), Error> {
    super::update_row(&**tx, provider.clone()).await
}

/// The offerings of some profiles, newest first.
pub async fn offerings_of<C: ConnectionTrait>(
    connection: &C,
    ids: &[ProviderId],
) -> Result<Vec<Offering>, Error> {
    let offerings = offering::Entity::find()
        .filter(offering::Column::ProviderId.is_in(ids.iter().copied()))
        .order_by_desc(offering::Column::Id)
        .all(connection)
        .await?;
    Ok(offerings)
}

impl Providers {
    /// The profile `id`, when `scope` reaches it.
    pub async fn find(&self, id: ProviderId, scope: Scope) -> Result<Provider, Error> {
        select_profile(id, scope).one(self.db.connection()).await?.ok_or(Error::ProviderNotFound)
    }

    /// The profile of an account.
    pub async fn find_of_user(&self, user_id: Uuid) -> Result<Provider, Error> {
        let query = Entity::find().filter(Column::UserId.eq(user_id));
        query.one(self.db.connection()).await?.ok_or(Error::ProviderNotFound)
    }

    /// What a profile offers, newest first.
    pub async fn offerings_of(&self, id: ProviderId) -> Result<Vec<Offering>, Error> {
        offerings_of(self.db.connection(), &[id]).await
    }

    /// A page of profiles with their offerings, and the token of the next page.
    pub async fn list(
        &self,
        filter: Filter,
        page: Page,
    ) -> Result<(Vec<(Provider, Vec<Offering>)>, String), Error> {
        let Filter { vertical, city_key, state } = filter;
        let mut condition = Condition::all();
        if let Some(vertical) = vertical {
            condition = condition.add(Column::Id.in_subquery(providers_offering(&vertical)));
        }
        if let Some(city_key) = city_key {
            condition = condition.add(Column::CityKey.eq(city_key));
        }
        if let Some(state) = state {
            condition = condition.add(Column::State.eq(state));
        }
        let all = Entity::find().filter(condition);
        let mut rows = page.of(all, Column::Id).all(self.db.connection()).await?;
        let token = page.cut(&mut rows, |row| row.id.uuid());
        let ids: Vec<ProviderId> = rows.iter().map(|row| row.id).collect();
        let offerings = offerings_of(self.db.connection(), &ids).await?;
        let mut offerings = group_by_provider(offerings, |it| it.provider_id);
        let mut profiles = Vec::with_capacity(rows.len());
        for row in rows {
            let of_row = offerings.remove(&row.id).unwrap_or_default();
            profiles.push((row, of_row));
        }
        Ok((profiles, token))
    }
}

/// Rows by the profile they belong to.
pub fn group_by_provider<T>(
    rows: Vec<T>,
    provider_id: impl Fn(&T) -> ProviderId,
) -> HashMap<ProviderId, Vec<T>> {
    let mut groups: HashMap<ProviderId, Vec<T>> = HashMap::new();
    for row in rows {
        groups.entry(provider_id(&row)).or_default().push(row);
    }
    groups
}

/// The profiles that offer a vertical.
fn providers_offering(vertical: &str) -> SelectStatement {
    Query::select()
        .column(offering::Column::ProviderId)
        .from(offering::Entity)
        .and_where(offering::Column::Vertical.eq(vertical))
        .to_owned()
}
