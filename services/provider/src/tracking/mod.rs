//! Tracking: positions come in ([`intake`]), are written together ([`writer`]), are shown to those who wait for a provider
//! ([`watch`]) and are forgotten ([`upkeep`]). Who is on which way follows from the facts of orders ([`follow`]).

pub mod facts;
pub mod follow;
pub mod intake;
pub mod upkeep;
pub mod watch;
pub mod writer;

use crate::domain::Error;
use std::sync::Arc;
use tokio::sync::broadcast;
use uuid::Uuid;

/// Wake-ups that a slow watcher may be behind before it must look by itself.
const WAKE_UPS: usize = 1_024;

/// Does work to its end, whether or not the stream that wants it is read on meanwhile: half done, it would keep a
/// connection to the database, or the trail of a device, from all others.
pub async fn finish<T: Send + 'static>(
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    tokio::spawn(work).await.map_err(kit::Error::internal)?
}

/// Wakes the watchers of this process after a commit: the orders whose tracks have changed.
#[derive(Clone)]
pub struct TrackSignals(broadcast::Sender<Arc<[Uuid]>>);

impl Default for TrackSignals {
    fn default() -> Self {
        Self(broadcast::Sender::new(WAKE_UPS))
    }
}

impl TrackSignals {
    /// Wakes who watches one of these orders.
    pub fn wake(&self, orders: impl Into<Arc<[Uuid]>>) {
        // This fails when no stream is open, which is fine.
        let _ = self.0.send(orders.into());
    }

    /// Wake-ups from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<[Uuid]>> {
        self.0.subscribe()
    }
}
