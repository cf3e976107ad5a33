//! Accepts connections, no more than are allowed, and drains them when the edge stops.

use crate::{connection::Peers, front::Front, metrics, places::Places};
use std::{convert::Infallible, io, sync::Arc, time::Duration};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long accepting pauses when it fails for want of file descriptors: others have to close theirs first.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long streams may go on once the edge drains.
const STREAM_GRACE: Duration = Duration::from_secs(1);
/// How long connections that were cut may take to go.
const CUT_LIMIT: Duration = Duration::from_secs(1);

/// Serves `front` until `stop`, then drains: readiness goes off, new clients are refused, open requests may end, and
/// what is left after the limit is dropped.
pub async fn serve(
    listener: TcpListener,
    front: Arc<Front>,
    tls: Option<TlsAcceptor>,
    stop: CancellationToken,
) {
    let notice = Duration::from_millis(front.core().config.notice_ms);
    let places = Places::new(&front.core().config);
    let peers = Arc::new(Peers::new(front, tls));
    let tracker = TaskTracker::new();
    tokio::select! {
        never = accept(&listener, &peers, &tracker, &places) => match never {},
        () = async {
            stop.cancelled().await;
            peers.front().core().health().stopping();
            tokio::time::sleep(notice).await;
        } => {}
    }
    drop(listener);
    drain(&peers, &tracker).await;
}

async fn accept(
    listener: &TcpListener,
    peers: &Arc<Peers>,
    tracker: &TaskTracker,
    places: &Places,
) -> Infallible {
    loop {
        let free = places.free().await;
        match listener.accept().await {
            Ok((socket, peer)) => {
                let Some(place) = places.take(free, peer.ip()) else {
                    metrics::refused();
                    continue;
                };
                let peers = Arc::clone(peers);
                let open = metrics::Connection::open();
                tracker.spawn(async move {
                    peers.serve(socket, peer.ip()).await;
                    drop((open, place));
                });
            }
            Err(error) if is_of_the_peer(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Whether accepting failed for one peer, who is gone, and not for us.
fn is_of_the_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

async fn drain(peers: &Peers, tracker: &TaskTracker) {
    tracker.close();
    peers.stop.cancel();
    let limit = Duration::from_millis(peers.front().core().config.drain_ms);
    let ended = async {
        tokio::select! {
            () = tracker.wait() => return,
            () = tokio::time::sleep(STREAM_GRACE.min(limit / 2)) => {
                peers.front().end_streams.cancel();
            }
        }
        tracker.wait().await;
    };
    if tokio::time::timeout(limit, ended).await.is_ok() {
        return;
    }
    tracing::warn!(dropped = tracker.len(), "dropping connections that did not end in time");
    peers.cut.cancel();
    let _ = tokio::time::timeout(CUT_LIMIT, tracker.wait()).await;
}
