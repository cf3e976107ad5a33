//! Documents: handed in, reviewed, out of date.

use super::{Providers, Reach};
use crate::{
    convert,
    domain::{
        Document, DocumentId, ENTRIES_MOST, Error, ProviderId,
        document::{Action, Submission},
    },
    entity::document::{Column, Entity},
    worker,
};
use kit::{Id, Tx, messaging::timers, storage::idempotency::Key, storage::page::Page};
use proto::quickserve::provider::v1 as pb;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter,
    QuerySelect,
};
use uuid::Uuid;

impl Providers {
    /// Takes a document in.
    pub async fn submit_document(
        &self,
        key: Option<Key>,
        id: ProviderId,
        reach: Reach,
        submission: Submission,
    ) -> Result<pb::Document, Error> {
        self.below(key, id, reach, move |tx, provider| async move {
            let count = Entity::find().filter(Column::ProviderId.eq(id)).count(&*tx).await?;
            if count >= ENTRIES_MOST {
                return Err(Error::TooMany(ENTRIES_MOST));
            }
            let document = Document::submit(Id::new(tx.clock()), id, submission, tx.now())?;
            let answer = convert::document(&document);
            Entity::insert(document.into_active_model()).exec_without_returning(&*tx).await?;
            Ok((answer, provider))
        })
        .await
    }

    /// A page of the documents of a profile, and the token of the next.
    pub async fn documents(
        &self,
        id: ProviderId,
        reach: Reach,
        page: Page,
    ) -> Result<(Vec<Document>, String), Error> {
        self.find(id, reach).await?;
        let all = Entity::find().filter(Column::ProviderId.eq(id));
        let mut rows = page.of(all, Column::Id).all(self.db.read()).await?;
        let token = page.cut(&mut rows, |row| row.id.uuid());
        Ok((rows, token))
    }

    /// Takes an operator's decision on a document.
    pub async fn review_document(
        &self,
        key: Option<Key>,
        provider_id: ProviderId,
        id: DocumentId,
        action: Action,
        reason: String,
        by: Uuid,
    ) -> Result<pb::Document, Error> {
        let reviewed = self.within(key, provider_id, Reach::All, move |tx, provider| async move {
            let found = Entity::find_by_id(id)
                .filter(Column::ProviderId.eq(provider_id))
                .lock_exclusive()
                .one(&*tx)
                .await?;
            let mut document = found.ok_or(Error::DocumentNotFound)?;
            document.review(action, reason, by, tx.now())?;
            remember_its_end(&tx, &document, provider.zone()).await?;
            let answer = convert::document(&document);
            document.into_active_model().reset_all().update(&*tx).await?;
            Ok((answer, provider))
        });
        match reviewed.await {
            // The document is what the caller asked for.
            Err(Error::ProviderNotFound) => Err(Error::DocumentNotFound),
            other => other,
        }
    }
}

/// Sets the timers of a verified document, takes back those of any other.
async fn remember_its_end(tx: &Tx, document: &Document, zone: chrono_tz::Tz) -> Result<(), Error> {
    let id = document.id.uuid();
    let verified = document.state == crate::domain::document::State::Verified;
    let ends = (document.notice_at(zone), document.expires_at(zone));
    match ends {
        (Some(notice), Some(end)) if verified => {
            timers::schedule(tx, worker::DOCUMENT_EXPIRING, id, notice).await?;
            timers::schedule(tx, worker::DOCUMENT_EXPIRED, id, end).await?;
        }
        _ => timers::cancel_all(tx, id).await?,
    }
    Ok(())
}
