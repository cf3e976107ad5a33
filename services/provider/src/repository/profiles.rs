//! Profiles: applied for, read, listed, moved along.

use super::{Providers, Reach, offerings_of, standings::group};
use crate::{
    convert::{self, View},
    domain::{
        Error, Provider, ProviderId,
        profile::{Application, State},
    },
    entity::provider::{Column, Entity},
    events, worker,
};
use chrono::{DateTime, Utc};
use kit::{Caller, Id, Tx, messaging::timers, storage::idempotency::Key, storage::page::Page};
use proto::quickserve::provider::v1 as pb;
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter, sea_query::Query,
};
use uuid::Uuid;

/// A profile as far as a caller may see it.
pub struct Seen(pub pb::Provider);

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

impl Providers {
    /// Stores an application and says so.
    pub async fn apply(
        &self,
        key: Option<Key>,
        user_id: Uuid,
        application: Application,
    ) -> Result<pb::Provider, Error> {
        self.db
            .write_once(key, move |tx| async move {
                let id = Id::new(tx.clock());
                let mut provider = Provider::apply(id, user_id, application, tx.now());
                events::record(&tx, &mut provider, events::APPLIED, "").await?;
                let answer = convert::provider(&provider, &[], View::Full);
                let inserted =
                    Entity::insert(provider.into_active_model()).exec_without_returning(&*tx).await;
                match inserted {
                    Ok(_) => Ok(answer),
                    Err(error)
                        if kit::storage::db::violates(
                            &error,
                            "providers_user_id",
                            "providers.user_id",
                        ) =>
                    {
                        Err(Error::ProviderExists)
                    }
                    Err(error) => Err(error.into()),
                }
            })
            .await
    }

    /// The profile `id` as `caller` may see it.
    pub async fn see(&self, id: ProviderId, caller: &Caller) -> Result<Seen, Error> {
        let found = Entity::find_by_id(id).one(self.db.read()).await?;
        let provider = found.ok_or(Error::ProviderNotFound)?;
        let view = view(&provider, caller).ok_or(Error::ProviderNotFound)?;
        self.with_offerings(provider, view).await
    }

    /// The profile of an account.
    pub async fn of_user(&self, user_id: Uuid) -> Result<Seen, Error> {
        let found = Entity::find().filter(Column::UserId.eq(user_id)).one(self.db.read()).await?;
        self.with_offerings(found.ok_or(Error::ProviderNotFound)?, View::Full).await
    }

    async fn with_offerings(&self, provider: Provider, view: View) -> Result<Seen, Error> {
        let offerings = offerings_of(self.db.read(), &[provider.id]).await?;
        Ok(Seen(convert::provider(&provider, &offerings, view)))
    }

    /// A page of profiles as `caller` may see them, and the token of the next.
    pub async fn list(
        &self,
        filter: Filter,
        page: Page,
        caller: &Caller,
    ) -> Result<(Vec<pb::Provider>, String), Error> {
        let Filter { vertical, city_key, state } = filter;
        let mut condition = Condition::all();
        if let Some(vertical) = vertical {
            condition = condition.add(Column::Id.in_subquery(offering(&vertical)));
        }
        let conditions = [
            city_key.map(|key| Column::CityKey.eq(key)),
            state.map(|state| Column::State.eq(state)),
        ];
        let condition = conditions.into_iter().flatten().fold(condition, Condition::add);
        let all = Entity::find().filter(condition);
        let mut rows = page.of(all, Column::Id).all(self.db.read()).await?;
        let token = page.cut(&mut rows, |row| row.id.uuid());
        let ids: Vec<ProviderId> = rows.iter().map(|row| row.id).collect();
        let offerings = group(offerings_of(self.db.read(), &ids).await?, |it| it.provider_id);
        let seen = rows.iter().filter_map(|row| {
            let offerings = offerings.get(&row.id).map(Vec::as_slice).unwrap_or_default();
            Some(convert::provider(row, offerings, view(row, caller)?))
        });
        Ok((seen.collect(), token))
    }

    /// Changes the profile `id` by a rule and answers with all of it. A fact that `act` returns is published.
    pub async fn change<F>(
        &self,
        key: Option<Key>,
        id: ProviderId,
        reach: Reach,
        act: F,
    ) -> Result<pb::Provider, Error>
    where
        F: FnOnce(&mut Provider) -> Result<Option<events::Fact>, Error> + Send + 'static,
    {
        self.within(key, id, reach, move |tx, mut provider| async move {
            let until = provider.blocked_until;
            if let Some(events::Fact { kind, reason }) = act(&mut provider)? {
                events::record(&tx, &mut provider, kind, &reason).await?;
            }
            if provider.blocked_until != until {
                remember_end_of_block(&tx, id, provider.blocked_until).await?;
            }
            let offerings = offerings_of(&*tx, &[id]).await?;
            Ok((convert::provider(&provider, &offerings, View::Full), provider))
        })
        .await
    }
}

async fn remember_end_of_block(
    tx: &Tx,
    id: ProviderId,
    until: Option<DateTime<Utc>>,
) -> Result<(), Error> {
    match until {
        Some(until) => timers::schedule(tx, worker::BLOCK_OVER, id.uuid(), until).await?,
        None => timers::cancel(tx, worker::BLOCK_OVER, id.uuid()).await?,
    }
    Ok(())
}

/// How much of a profile a caller sees, if any of it.
fn view(provider: &Provider, caller: &Caller) -> Option<View> {
    if caller.is_operator() || caller.is(provider.user_id) {
        return Some(View::Full);
    }
    provider.is_public().then_some(View::Public)
}

/// The profiles that offer a vertical.
fn offering(vertical: &str) -> sea_orm::sea_query::SelectStatement {
    use crate::entity::offering;
    Query::select()
        .column(offering::Column::ProviderId)
        .from(offering::Entity)
        .and_where(offering::Column::Vertical.eq(vertical))
        .to_owned()
}
