//! Timers of documents and blocks, and the sweep of holds that ran out.

use crate::{
    domain::{DocumentId, ProviderId},
    events::plain,
    repository::Providers,
};
use async_trait::async_trait;
use chrono::Duration;
use kit::messaging::timers::{OnTimer, Timer};
use tokio_util::sync::CancellationToken;

/// A verified document expires soon.
pub const DOCUMENT_EXPIRING: &str = "document_expiring";
/// The last day of a verified document is over.
pub const DOCUMENT_EXPIRED: &str = "document_expired";
/// A block ends.
pub const BLOCK_OVER: &str = "block_over";

/// Acts on the timers of provider.
pub struct Timers {
    providers: Providers,
}

impl Timers {
    /// Timers that change `providers`.
    pub const fn new(providers: Providers) -> Self {
        Self { providers }
    }
}

#[async_trait]
impl OnTimer for Timers {
    async fn fire(&self, timer: &Timer) -> Result<(), kit::Error> {
        let document = DocumentId::from_uuid(timer.aggregate);
        let done = match timer.kind.as_str() {
            DOCUMENT_EXPIRING => self.providers.warn_of_expiry(document).await,
            DOCUMENT_EXPIRED => self.providers.expire(document).await,
            BLOCK_OVER => self.providers.end_block(ProviderId::from_uuid(timer.aggregate)).await,
            other => Err(kit::Error::internal(format!("no timer is called {other}")).into()),
        };
        done.map_err(plain)
    }
}

/// Releases holds that ran out, again and again. They block nobody meanwhile: who needs their time takes it.
pub async fn sweep_holds(providers: Providers, every: Duration, stop: CancellationToken) {
    let clock = providers.clock().clone();
    loop {
        match providers.sweep().await {
            Ok(0) => {}
            Ok(count) => tracing::debug!(count, "holds ran out"),
            Err(error) => tracing::warn!(%error, "the sweep of holds failed"),
        }
        tokio::select! {
            () = clock.sleep(every) => {}
            () = stop.cancelled() => return,
        }
    }
}
