//! Standings: what decides about bookings, read in a few queries for many profiles or kept at hand for one.

use super::{
    Providers,
    profiles::{group_by_provider as group, offerings_of},
};
use crate::domain::{Document, Error, Provider, ProviderId, TimeOff, document, standing::Standing};
use chrono::Days;
use kit::Scope;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use std::{collections::HashMap, time::Duration};

/// How long a standing is kept. It may be used meanwhile because a hold states the revision it was judged by.
const KEPT: Duration = Duration::from_secs(300);

impl Providers {
    /// What decides about the profile `id`, from the cache when it is there: it may have changed since.
    pub async fn known_standing(&self, id: ProviderId) -> Result<Standing, Error> {
        if let Some(bytes) = self.cache.get(&cache_key(id)).await
            && let Ok(standing) = serde_json::from_slice(&bytes)
        {
            return Ok(standing);
        }
        self.fresh_standing(id).await
    }

    /// What decides about the profile `id` now.
    pub async fn fresh_standing(&self, id: ProviderId) -> Result<Standing, Error> {
        let provider = self.find(id, Scope::All).await?;
        let mut standings = self.standings(&[provider]).await?;
        let standing = standings.pop().ok_or(Error::ProviderNotFound)?;
        if let Ok(bytes) = serde_json::to_vec(&standing) {
            self.cache.put(&cache_key(id), bytes.into(), KEPT).await;
        }
        Ok(standing)
    }

    /// Forgets what was kept of the profile `id`.
    pub async fn forget_standing(&self, id: ProviderId) {
        self.cache.remove(&cache_key(id)).await;
    }

    /// What decides about `providers`, in their order: three queries, however many there are.
    pub async fn standings(&self, providers: &[Provider]) -> Result<Vec<Standing>, Error> {
        let ids: Vec<ProviderId> = providers.iter().map(|provider| provider.id).collect();
        let offerings =
            group(offerings_of(self.db.connection(), &ids).await?, |row| row.provider_id);
        let documents = group(self.verified_documents(&ids).await?, |row| row.provider_id);
        let time_off = group(self.time_off_ahead(&ids).await?, |row| row.provider_id);
        let standings = providers.iter().map(|provider| {
            let id = &provider.id;
            Standing::of(
                provider,
                standing_of(&offerings, id),
                standing_of(&documents, id),
                standing_of(&time_off, id),
            )
        });
        Ok(standings.collect())
    }

    async fn verified_documents(&self, ids: &[ProviderId]) -> Result<Vec<Document>, Error> {
        use crate::domain::records::document::{Column, Entity};
        let documents = Entity::find()
            .filter(Column::ProviderId.is_in(ids.iter().copied()))
            .filter(Column::State.eq(document::State::Verified))
            .all(self.db.connection())
            .await?;
        Ok(documents)
    }

    /// Time off that is not over on anybody's clock.
    async fn time_off_ahead(&self, ids: &[ProviderId]) -> Result<Vec<TimeOff>, Error> {
        use crate::domain::records::time_off::{Column, Entity};
        let yesterday = self.clock().now().naive_utc() - Days::new(1);
        let time_off = Entity::find()
            .filter(Column::ProviderId.is_in(ids.iter().copied()))
            .filter(Column::EndLocal.gt(yesterday))
            .all(self.db.connection())
            .await?;
        Ok(time_off)
    }
}

fn cache_key(id: ProviderId) -> String {
    format!("provider:standing:{id}")
}

fn standing_of<'a, T>(groups: &'a HashMap<ProviderId, Vec<T>>, id: &ProviderId) -> &'a [T] {
    groups.get(id).map(Vec::as_slice).unwrap_or_default()
}
