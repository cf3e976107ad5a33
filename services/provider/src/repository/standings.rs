//! Standings: what decides about bookings, read in a few queries for many profiles or kept at hand for one.

use super::{
    Providers,
    profiles::{group_by_provider as group, offerings_of},
};
use crate::domain::{
    Asset, Document, Error, Member, Provider, ProviderId, TimeOff, document,
    profile::ProviderKind,
    standing::{Standing, StandingParts},
};
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

    /// What decides about `providers`, in their order: four queries at a time, however many there are, and one for companies.
    pub async fn standings(&self, providers: &[Provider]) -> Result<Vec<Standing>, Error> {
        let ids: Vec<ProviderId> = providers.iter().map(|provider| provider.id).collect();
        let companies = providers.iter().filter(|it| it.kind == ProviderKind::Company);
        let companies: Vec<ProviderId> = companies.map(|company| company.id).collect();
        let (offerings, documents, time_off, assets, members) = tokio::try_join!(
            offerings_of(self.db.connection(), &ids),
            self.verified_documents(&ids),
            self.time_off_ahead(&ids),
            self.active_assets(&ids),
            self.active_members(&companies),
        )?;
        let offerings = group(offerings, |row| row.provider_id);
        let documents = group(documents, |row| row.provider_id);
        let time_off = group(time_off, |row| row.provider_id);
        let assets = group(assets, |row| row.provider_id);
        let members = group(members, |row| row.provider_id);
        let standings = providers.iter().map(|provider| {
            let id = &provider.id;
            let parts = StandingParts {
                offerings: rows_of(&offerings, id),
                documents: rows_of(&documents, id),
                time_off: rows_of(&time_off, id),
                members: rows_of(&members, id),
                assets: rows_of(&assets, id),
            };
            Standing::of(provider, &parts)
        });
        Ok(standings.collect())
    }

    async fn active_assets(&self, ids: &[ProviderId]) -> Result<Vec<Asset>, Error> {
        use crate::domain::records::asset::{Column, Entity};
        let assets = Entity::find()
            .filter(Column::ProviderId.is_in(ids.iter().copied()))
            .filter(Column::Active.eq(true))
            .all(self.db.connection())
            .await?;
        Ok(assets)
    }

    async fn active_members(&self, companies: &[ProviderId]) -> Result<Vec<Member>, Error> {
        use crate::domain::records::member::{Column, Entity};
        if companies.is_empty() {
            return Ok(Vec::new());
        }
        let members = Entity::find()
            .filter(Column::ProviderId.is_in(companies.iter().copied()))
            .filter(Column::Active.eq(true))
            .all(self.db.connection())
            .await?;
        Ok(members)
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

fn rows_of<'a, T>(groups: &'a HashMap<ProviderId, Vec<T>>, id: &ProviderId) -> &'a [T] {
    groups.get(id).map(Vec::as_slice).unwrap_or_default()
}
