//! What orders, accounts and the passing of time do to profiles.

use super::{Providers, store};
use crate::{
    domain::{
        DocumentId, Error, Provider, ProviderId,
        document::{self, Action},
        profile,
        score::Outcome,
    },
    entity::{document as documents, member, provider, time_off},
    events,
};
use kit::{Event, Tx, messaging::inbox};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect,
    sea_query::Expr,
};
use uuid::Uuid;

/// The name under which facts are remembered.
const CONSUMER: &str = "provider";

impl Providers {
    /// Counts what an order says of its provider, once for each fact.
    pub async fn count(
        &self,
        event: &Event,
        id: ProviderId,
        outcome: Outcome,
    ) -> Result<(), Error> {
        let event = event.clone();
        self.db
            .write(move |tx| async move {
                if !inbox::first_time(&tx, CONSUMER, &event).await? {
                    return Ok(());
                }
                let Some(mut provider) = locked(&tx, id).await? else { return Ok(()) };
                provider.count(outcome);
                provider.version += 1;
                provider.updated_at = tx.now();
                store(&*tx, provider).await
            })
            .await
    }

    /// Ends the profile of an erased account and forgets the person.
    pub async fn erase(&self, event: &Event, user_id: Uuid) -> Result<(), Error> {
        let forget = |tx: Tx, mut provider: Provider| async move {
            provider.erase();
            let id = provider.id;
            documents::Entity::update_many()
                .col_expr(documents::Column::Number, Expr::value(""))
                .col_expr(documents::Column::FileSha256, Expr::value(""))
                .filter(documents::Column::ProviderId.eq(id))
                .exec(&*tx)
                .await?;
            let members = member::Entity::delete_many();
            members.filter(member::Column::ProviderId.eq(id)).exec(&*tx).await?;
            let off = time_off::Entity::delete_many();
            off.filter(time_off::Column::ProviderId.eq(id)).exec(&*tx).await?;
            Ok(provider)
        };
        self.of_account(event, user_id, forget).await
    }

    /// Blocks the profile of a suspended account.
    pub async fn suspend(&self, event: &Event, user_id: Uuid) -> Result<(), Error> {
        let block = |tx: Tx, mut provider: Provider| async move {
            let reason = "ACCOUNT_SUSPENDED";
            // A profile that is blocked or has ended stays as it is.
            if provider.block(reason.to_owned(), None).is_ok() {
                events::record(&tx, &mut provider, events::BLOCKED, reason).await?;
            }
            Ok(provider)
        };
        self.of_account(event, user_id, block).await
    }

    async fn of_account<F, Fut>(&self, event: &Event, user_id: Uuid, work: F) -> Result<(), Error>
    where
        F: FnOnce(Tx, Provider) -> Fut + Send + 'static,
        Fut: Future<Output = Result<Provider, Error>> + Send + 'static,
    {
        let event = event.clone();
        let changed = self.db.write(move |tx| async move {
            if !inbox::first_time(&tx, CONSUMER, &event).await? {
                return Ok(None);
            }
            let found = provider::Entity::find()
                .filter(provider::Column::UserId.eq(user_id))
                .lock_exclusive()
                .one(&*tx)
                .await?;
            let Some(provider) = found else { return Ok(None) };
            let changed = touched(work(tx.clone(), provider).await?, &tx);
            let id = changed.id;
            store(&*tx, changed).await?;
            Ok::<_, Error>(Some(id))
        });
        if let Some(id) = changed.await? {
            self.forget_standing(id).await;
        }
        Ok(())
    }

    /// Tells the provider of a verified document that it expires soon.
    pub async fn warn_of_expiry(&self, id: DocumentId) -> Result<(), Error> {
        self.db
            .write(move |tx| async move {
                let Some((document, mut provider)) = verified(&tx, id).await? else {
                    return Ok(());
                };
                events::record(&tx, &mut provider, events::DOCUMENT_EXPIRING, &document.kind)
                    .await?;
                store(&*tx, provider).await
            })
            .await
    }

    /// Puts a document away whose last day is over.
    pub async fn expire(&self, id: DocumentId) -> Result<(), Error> {
        let expired = self.db.write(move |tx| async move {
            let Some((mut document, provider)) = verified(&tx, id).await? else { return Ok(None) };
            document.act(Action::Expire, tx.now())?;
            document.into_active_model().reset_all().update(&*tx).await?;
            let provider_id = provider.id;
            store(&*tx, touched(provider, &tx)).await?;
            Ok::<_, Error>(Some(provider_id))
        });
        if let Some(id) = expired.await? {
            self.forget_standing(id).await;
        }
        Ok(())
    }

    /// Unblocks a profile whose block is over.
    pub async fn end_block(&self, id: ProviderId) -> Result<(), Error> {
        let over = self.db.write(move |tx| async move {
            let found = locked(&tx, id).await?;
            let Some(mut provider) = found.filter(|it| it.block_is_over(tx.now())) else {
                return Ok(());
            };
            provider.unblock()?;
            store(&*tx, touched(provider, &tx)).await
        });
        over.await?;
        self.forget_standing(id).await;
        Ok(())
    }
}

async fn locked(tx: &Tx, id: ProviderId) -> Result<Option<Provider>, Error> {
    Ok(provider::Entity::find_by_id(id).lock_exclusive().one(&**tx).await?)
}

/// A verified document and its profile, the profile locked first as everywhere.
async fn verified(tx: &Tx, id: DocumentId) -> Result<Option<(documents::Model, Provider)>, Error> {
    let Some(document) = documents::Entity::find_by_id(id).one(&**tx).await? else {
        return Ok(None);
    };
    let Some(provider) = locked(tx, document.provider_id).await? else { return Ok(None) };
    let current = documents::Entity::find_by_id(id).one(&**tx).await?;
    let document = current.filter(|it| it.state == document::State::Verified);
    let gone = provider.state == profile::State::Offboarded;
    Ok(document.filter(|_| !gone).map(|document| (document, provider)))
}

fn touched(mut provider: Provider, tx: &Tx) -> Provider {
    provider.standing += 1;
    provider.version += 1;
    provider.updated_at = tx.now();
    provider
}
