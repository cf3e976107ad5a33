//! Timers of documents, blocks and presences, and the sweep of holds that ran out.

use crate::{
    domain::{Document, DocumentId, Error, Provider, ProviderId, document, profile},
    events, live,
    repository::{Providers, documents, profiles},
};
use async_trait::async_trait;
use chrono_tz::Tz;
use kit::{
    Scope, Tx,
    messaging::timers::{self, Timer, TimerHandler},
};

/// A verified document expires soon.
pub const DOCUMENT_EXPIRING: &str = "document_expiring";
/// The last day of a verified document is over.
pub const DOCUMENT_EXPIRED: &str = "document_expired";
/// A block ends by itself.
pub const BLOCK_OVER: &str = "block_over";

/// No position of a provider who is online has come for too long, unless one has come since.
pub const PRESENCE_SILENT: &str = "presence_silent";

/// Sets the timers of a verified document; any other document has none.
pub async fn schedule_document_end(tx: &Tx, document: &Document, zone: Tz) -> Result<(), Error> {
    let id = document.id.uuid();
    let ends = (document.notice_at(zone), document.expires_at(zone));
    match ends {
        (Some(notice), Some(end)) if document.state == document::State::Verified => {
            timers::schedule_timer(tx, DOCUMENT_EXPIRING, id, notice).await?;
            timers::schedule_timer(tx, DOCUMENT_EXPIRED, id, end).await?;
        }
        _ => timers::cancel_all(tx, id).await?,
    }
    Ok(())
}

/// Sets the timer for the next block that ends by itself, if there is one.
pub async fn schedule_block_end(tx: &Tx, provider: &Provider) -> Result<(), Error> {
    let id = provider.id.uuid();
    match provider.blocks.next_end() {
        Some(until) => timers::schedule_timer(tx, BLOCK_OVER, id, until).await?,
        None => timers::cancel_timer(tx, BLOCK_OVER, id).await?,
    }
    Ok(())
}

/// Acts on the timers of provider.
pub struct ProviderTimers {
    providers: Providers,
}

impl ProviderTimers {
    /// Timers that change `providers`.
    pub const fn new(providers: Providers) -> Self {
        Self { providers }
    }

    /// Tells the provider of a verified document that it expires soon.
    async fn warn_of_expiry(&self, id: DocumentId) -> Result<(), Error> {
        let tx = self.providers.db.begin().await?;
        if let Some((document, mut provider)) = lock_verified(&tx, id).await? {
            let kind = &document.kind;
            events::record_event(&tx, &mut provider, events::DOCUMENT_EXPIRING, kind).await?;
            profiles::save_event_count(&tx, &provider).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Expires a document whose last day is over. Who depends on it is told, and so is its provider.
    async fn expire_document(&self, id: DocumentId) -> Result<(), Error> {
        let tx = self.providers.db.begin().await?;
        let Some((mut document, mut provider)) = lock_verified(&tx, id).await? else {
            return Ok(());
        };
        document.act(document::DocumentAction::Expire, tx.now())?;
        documents::save_document(&tx, &document).await?;
        let kind = &document.kind;
        events::record_event(&tx, &mut provider, events::DOCUMENT_EXPIRED, kind).await?;
        profiles::save_profile(&tx, &mut provider).await?;
        tx.commit().await?;
        self.providers.forget_standing(provider.id).await;
        Ok(())
    }

    /// Lifts the blocks of a profile that are over.
    async fn end_blocks(&self, id: ProviderId) -> Result<(), Error> {
        let tx = self.providers.db.begin().await?;
        let mut provider = match profiles::lock_profile(&tx, id, Scope::All).await {
            Err(Error::ProviderNotFound) => return Ok(()),
            found => found?,
        };
        for reason in provider.lift_blocks_over(tx.now())? {
            events::record_event(&tx, &mut provider, events::UNBLOCKED, &reason).await?;
        }
        schedule_block_end(&tx, &provider).await?;
        profiles::save_profile(&tx, &mut provider).await?;
        tx.commit().await?;
        self.providers.forget_standing(id).await;
        Ok(())
    }
}

/// Locks a document and its profile, if the document is verified and the provider has not left. The profile is locked
/// first, as everywhere.
async fn lock_verified(tx: &Tx, id: DocumentId) -> Result<Option<(Document, Provider)>, Error> {
    let Some(provider_id) = documents::provider_of(tx, id).await? else { return Ok(None) };
    let provider = match profiles::lock_profile(tx, provider_id, Scope::All).await {
        Err(Error::ProviderNotFound) => return Ok(None),
        found => found?,
    };
    let document = documents::lock_document(tx, provider_id, id).await?;
    let verified = document.state == document::State::Verified;
    let left = provider.state == profile::State::Offboarded;
    Ok((verified && !left).then_some((document, provider)))
}

#[async_trait]
impl TimerHandler for ProviderTimers {
    async fn fire(&self, timer: &Timer) -> Result<(), kit::Error> {
        let document = DocumentId::from_uuid(timer.aggregate);
        let done = match timer.kind.as_str() {
            DOCUMENT_EXPIRING => self.warn_of_expiry(document).await,
            DOCUMENT_EXPIRED => self.expire_document(document).await,
            BLOCK_OVER => self.end_blocks(ProviderId::from_uuid(timer.aggregate)).await,
            PRESENCE_SILENT => {
                live::end_silent_presence(&self.providers, ProviderId::from_uuid(timer.aggregate))
                    .await
            }
            other => Err(kit::Error::internal(format!("no timer is called {other}")).into()),
        };
        done.map_err(Into::into)
    }
}

/// Releases holds that ran out. One that did gives way to a new one before it is released, too.
pub async fn release_expired_holds(providers: Providers) -> Result<(), Error> {
    let count = providers.release_expired_holds().await?;
    if count > 0 {
        tracing::debug!(count, "released holds that ran out");
    }
    Ok(())
}
