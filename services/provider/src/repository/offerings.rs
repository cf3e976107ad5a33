//! Offerings: made, replaced, withdrawn.

use super::{Providers, Reach};
use crate::{
    convert,
    domain::{Error, Offering, OfferingId, ProviderId, offering::Terms},
    entity::offering::{Column, Entity},
};
use kit::{Id, storage::idempotency::Key, storage::page::Page};
use proto::quickserve::provider::v1 as pb;
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter};

impl Providers {
    /// Offers services of a vertical.
    pub async fn create_offering(
        &self,
        key: Option<Key>,
        id: ProviderId,
        reach: Reach,
        vertical: String,
        terms: Terms,
    ) -> Result<pb::Offering, Error> {
        self.below(key, id, reach, move |tx, provider| async move {
            let offering = Offering::new(Id::new(tx.clock()), id, vertical, terms, tx.now());
            let answer = convert::offering(&offering, convert::View::Full);
            let row = offering.into_active_model();
            match Entity::insert(row).exec_without_returning(&*tx).await {
                Ok(_) => Ok((answer, provider)),
                Err(error) if is_second(&error) => Err(Error::OfferingExists),
                Err(error) => Err(error.into()),
            }
        })
        .await
    }

    /// A page of the offerings of a profile, and the token of the next.
    pub async fn offerings(
        &self,
        id: ProviderId,
        reach: Reach,
        page: Page,
    ) -> Result<(Vec<Offering>, String), Error> {
        self.find(id, reach).await?;
        let all = Entity::find().filter(Column::ProviderId.eq(id));
        let mut rows = page.of(all, Column::Id).all(self.db.read()).await?;
        let token = page.cut(&mut rows, |row| row.id.uuid());
        Ok((rows, token))
    }

    /// Replaces the terms of an offering.
    pub async fn replace_offering(
        &self,
        id: ProviderId,
        reach: Reach,
        offering_id: OfferingId,
        terms: Terms,
    ) -> Result<pb::Offering, Error> {
        self.below(None, id, reach, move |tx, provider| async move {
            let found =
                Entity::find_by_id(offering_id).filter(Column::ProviderId.eq(id)).one(&*tx).await?;
            let mut offering = found.ok_or(Error::OfferingNotFound)?;
            offering.replace(terms, tx.now());
            let answer = convert::offering(&offering, convert::View::Full);
            offering.into_active_model().reset_all().update(&*tx).await?;
            Ok((answer, provider))
        })
        .await
    }

    /// Withdraws an offering.
    pub async fn delete_offering(
        &self,
        id: ProviderId,
        reach: Reach,
        offering_id: OfferingId,
    ) -> Result<pb::DeleteOfferingResponse, Error> {
        self.below(None, id, reach, move |tx, provider| async move {
            let deleted = Entity::delete_by_id(offering_id)
                .filter(Column::ProviderId.eq(id))
                .exec(&*tx)
                .await?;
            if deleted.rows_affected == 0 {
                return Err(Error::OfferingNotFound);
            }
            Ok((pb::DeleteOfferingResponse {}, provider))
        })
        .await
    }
}

fn is_second(error: &sea_orm::DbErr) -> bool {
    kit::storage::db::violates(
        error,
        "offerings_provider_id_vertical",
        "offerings.provider_id, offerings.vertical",
    )
}
