//! Standings: what decides about bookings, read in a few queries for many profiles or kept at hand for one.

use super::{Providers, offerings_of};
use crate::{
    domain::{Document, Error, Provider, ProviderId, TimeOff, document, standing::Standing},
    entity,
};
use chrono::Days;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use std::{collections::HashMap, time::Duration};

/// How long a standing is kept. It may be used meanwhile because a hold states the revision it was judged by.
const KEPT: Duration = Duration::from_secs(300);

/// A standing and whether it comes from the cache.
pub struct Known {
    /// The standing.
    pub standing: Standing,
    /// Whether it may be out of date.
    pub kept: bool,
}

impl Providers {
    /// What decides about the profile `id`, out of the cache when it is there.
    pub async fn known_standing(&self, id: ProviderId) -> Result<Known, Error> {
        if let Some(bytes) = self.cache.get(&key(id)).await
            && let Ok(standing) = serde_json::from_slice(&bytes)
        {
            return Ok(Known { standing, kept: true });
        }
        Ok(Known { standing: self.fresh_standing(id).await?, kept: false })
    }

    /// What decides about the profile `id` now.
    pub async fn fresh_standing(&self, id: ProviderId) -> Result<Standing, Error> {
        let provider = self.find(id, super::Reach::All).await?;
        let mut standings = self.standings(&[provider]).await?;
        let standing = standings.pop().ok_or(Error::ProviderNotFound)?;
        if let Ok(bytes) = serde_json::to_vec(&standing) {
            self.cache.put(&key(id), bytes.into(), KEPT).await;
        }
        Ok(standing)
    }

    /// Forgets what was kept of the profile `id`.
    pub async fn forget_standing(&self, id: ProviderId) {
        self.cache.remove(&key(id)).await;
    }

    /// What decides about `providers`, in their order: three queries, however many there are.
    pub async fn standings(&self, providers: &[Provider]) -> Result<Vec<Standing>, Error> {
        let ids: Vec<ProviderId> = providers.iter().map(|provider| provider.id).collect();
        let offerings = group(offerings_of(self.db.read(), &ids).await?, |row| row.provider_id);
        let documents = group(self.verified_documents(&ids).await?, |row| row.provider_id);
        let time_off = group(self.time_off_ahead(&ids).await?, |row| row.provider_id);
        let standings = providers.iter().map(|provider| {
            let id = &provider.id;
            Standing::of(provider, of(&offerings, id), of(&documents, id), of(&time_off, id))
        });
        Ok(standings.collect())
    }

    async fn verified_documents(&self, ids: &[ProviderId]) -> Result<Vec<Document>, Error> {
        use entity::document::{Column, Entity};
        let documents = Entity::find()
            .filter(Column::ProviderId.is_in(ids.iter().copied()))
            .filter(Column::State.eq(document::State::Verified))
            .all(self.db.read())
            .await?;
        Ok(documents)
    }

    /// Time off that is not over on anybody's clock.
    async fn time_off_ahead(&self, ids: &[ProviderId]) -> Result<Vec<TimeOff>, Error> {
        use entity::time_off::{Column, Entity};
        let yesterday = self.clock().now().naive_utc() - Days::new(1);
        let time_off = Entity::find()
            .filter(Column::ProviderId.is_in(ids.iter().copied()))
            .filter(Column::EndLocal.gt(yesterday))
            .all(self.db.read())
            .await?;
        Ok(time_off)
    }
}

fn key(id: ProviderId) -> String {
    format!("provider:standing:{id}")
}

/// Rows by the profile they hang on.
pub fn group<T>(rows: Vec<T>, id: impl Fn(&T) -> ProviderId) -> HashMap<ProviderId, Vec<T>> {
    let mut groups: HashMap<ProviderId, Vec<T>> = HashMap::new();
    for row in rows {
        groups.entry(id(&row)).or_default().push(row);
    }
    groups
}

fn of<'a, T>(groups: &'a HashMap<ProviderId, Vec<T>>, id: &ProviderId) -> &'a [T] {
    groups.get(id).map(Vec::as_slice).unwrap_or_default()
}
