//! Working hours and time off.

use super::{Providers, Reach};
use crate::{
    convert,
    domain::{
        ENTRIES_MOST, Error, ProviderId, TimeOff, TimeOffId,
        calendar::{Hours, Weekly},
    },
    entity::time_off::{Column, Entity},
};
use chrono::{Days, NaiveDate, NaiveDateTime};
use chrono_tz::Tz;
use kit::{Id, storage::idempotency::Key, storage::page::Page};
use proto::quickserve::provider::v1 as pb;
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter};

/// Time off to enter.
#[derive(Clone)]
pub struct NewTimeOff {
    /// First local minute.
    pub start_local: NaiveDateTime,
    /// First local minute after.
    pub end_local: NaiveDateTime,
    /// Note to oneself.
    pub note: String,
}

impl Providers {
    /// Replaces the weekly hours of a profile.
    pub async fn replace_hours(
        &self,
        id: ProviderId,
        reach: Reach,
        weekly: Weekly,
        zone: Option<Tz>,
        version: i64,
    ) -> Result<pb::Availability, Error> {
        self.below(None, id, reach, move |_, mut provider| async move {
            // The profile comes with its new version.
            if version != 0 && version != provider.version - 1 {
                return Err(kit::Error::VersionMismatch.into());
            }
            provider.weekly = weekly;
            if let Some(zone) = zone {
                provider.time_zone = zone.name().to_owned();
            }
            Ok((convert::availability(&provider), provider))
        })
        .await
    }

    /// Gives a date hours of its own, or takes them back. Exceptions that are long over are forgotten on the way.
    pub async fn set_exception(
        &self,
        id: ProviderId,
        reach: Reach,
        date: NaiveDate,
        hours: Option<Vec<Hours>>,
    ) -> Result<pb::Availability, Error> {
        self.below(None, id, reach, move |tx, mut provider| async move {
            let exceptions = &mut provider.exceptions.0;
            let long_ago = tx.now().date_naive() - Days::new(30);
            exceptions.retain(|date, _| *date >= long_ago);
            exceptions.remove(&date);
            if let Some(hours) = hours {
                if exceptions.len() as u64 >= ENTRIES_MOST {
                    return Err(Error::TooMany(ENTRIES_MOST));
                }
                exceptions.insert(date, hours);
            }
            Ok((convert::availability(&provider), provider))
        })
        .await
    }

    /// Enters time off.
    pub async fn create_time_off(
        &self,
        key: Option<Key>,
        id: ProviderId,
        reach: Reach,
        new: NewTimeOff,
    ) -> Result<pb::TimeOff, Error> {
        self.below(key, id, reach, move |tx, provider| async move {
            let count = Entity::find()
                .filter(Column::ProviderId.eq(id))
                .filter(Column::EndLocal.gt(tx.now().naive_utc()))
                .count(&*tx)
                .await?;
            if count >= ENTRIES_MOST {
                return Err(Error::TooMany(ENTRIES_MOST));
            }
            let NewTimeOff { start_local, end_local, note } = new;
            let (id, provider_id) = (Id::new(tx.clock()), id);
            let row =
                TimeOff { id, provider_id, start_local, end_local, note, created_at: tx.now() };
            let answer = convert::time_off(&row);
            Entity::insert(row.into_active_model()).exec_without_returning(&*tx).await?;
            Ok((answer, provider))
        })
        .await
    }

    /// A page of the time off of a profile, and the token of the next.
    pub async fn time_off(
        &self,
        id: ProviderId,
        reach: Reach,
        page: Page,
    ) -> Result<(Vec<TimeOff>, String), Error> {
        self.find(id, reach).await?;
        let all = Entity::find().filter(Column::ProviderId.eq(id));
        let mut rows = page.of(all, Column::Id).all(self.db.read()).await?;
        let token = page.cut(&mut rows, |row| row.id.uuid());
        Ok((rows, token))
    }

    /// Takes time off back.
    pub async fn delete_time_off(
        &self,
        id: ProviderId,
        reach: Reach,
        time_off_id: TimeOffId,
    ) -> Result<pb::DeleteTimeOffResponse, Error> {
        self.below(None, id, reach, move |tx, provider| async move {
            let deleted = Entity::delete_by_id(time_off_id)
                .filter(Column::ProviderId.eq(id))
                .exec(&*tx)
                .await?;
            if deleted.rows_affected == 0 {
                return Err(Error::TimeOffNotFound);
            }
            Ok((pb::DeleteTimeOffResponse {}, provider))
        })
        .await
    }
}
