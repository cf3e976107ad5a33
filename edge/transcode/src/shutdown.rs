//! The end of what a server would serve for ever: streams and WebSockets.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long WebSockets may take to close once the server stops.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);

/// A request extension: ends the streams and WebSockets of a server that stops. Clones belong to one server.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    stop: CancellationToken,
    sockets: TaskTracker,
}

impl Shutdown {
    /// The streams end with UNAVAILABLE, and the WebSockets are closed with 1001, once the token is cancelled.
    pub fn token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Ends the streams, and waits for the WebSockets to close: the connections of a WebSocket are no longer those of
    /// the listener that accepted them.
    pub async fn finish(&self) {
        self.stop.cancel();
        self.sockets.close();
        if tokio::time::timeout(CLOSE_LIMIT, self.sockets.wait()).await.is_err() {
            tracing::warn!(
                dropped = self.sockets.len(),
                "dropping WebSockets that did not close in time"
            );
        }
    }

    /// Serves a WebSocket, which [`finish`](Self::finish) waits for.
    pub(crate) fn spawn(&self, socket: impl Future<Output = ()> + Send + 'static) {
        self.sockets.spawn(socket);
    }

    /// Whether the server stops.
    pub(crate) fn has_begun(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Ready when the server stops.
    pub(crate) async fn begun(&self) {
        self.stop.cancelled().await;
    }
}
