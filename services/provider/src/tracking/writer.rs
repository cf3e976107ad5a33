//! Writes the points of all tracks of the process together: at most one transaction each quarter of a second.

use super::facts;
use crate::{
    domain::{Error, TrackPoint},
    repository::{
        Providers,
        tracks::{self, TrackWrite},
    },
};
use kit::{Tx, messaging::wake_ups::WakeUps};
use std::{sync::Arc, time::Duration};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The time in which writes are collected.
const ROUND: Duration = Duration::from_millis(250);
/// Writes of a round at most, so that its statements stay within what databases take.
const ROUND_MOST: usize = 500;
/// Points of one statement at most: each has nine values, and databases take some ten thousands.
const STATEMENT_MOST: usize = 1_000;

/// Hands writes over to the round.
#[derive(Clone)]
pub struct TrackWriter {
    queue: mpsc::Sender<QueuedWrite>,
}

struct QueuedWrite {
    write: TrackWrite,
    answer: oneshot::Sender<Result<bool, Error>>,
}

impl TrackWriter {
    /// A writer, and the work that goes on until `stop`.
    pub fn new(
        providers: Providers,
        signals: WakeUps,
        stop: CancellationToken,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (queue, waiting) = mpsc::channel(ROUND_MOST);
        (Self { queue }, write_rounds(providers, signals, waiting, stop))
    }

    /// Writes a step of a track. False when the track has moved on meanwhile, so that nothing was written.
    pub async fn write(&self, write: TrackWrite) -> Result<bool, Error> {
        let (answer, answered) = oneshot::channel();
        if self.queue.send(QueuedWrite { write, answer }).await.is_ok()
            && let Ok(written) = answered.await
        {
            return written;
        }
        Err(kit::Error::internal("tracks are not written any more").into())
    }
}

async fn write_rounds(
    providers: Providers,
    signals: WakeUps,
    mut queue: mpsc::Receiver<QueuedWrite>,
    stop: CancellationToken,
) {
    loop {
        let first = tokio::select! {
            first = queue.recv() => first,
            () = stop.cancelled() => return,
        };
        let Some(first) = first else { return };
        let mut round = vec![first];
        let end = tokio::time::Instant::now() + ROUND;
        while round.len() < ROUND_MOST {
            match tokio::time::timeout_at(end, queue.recv()).await {
                Ok(Some(next)) => round.push(next),
                Ok(None) | Err(_) => break,
            }
        }
        // One order at all replicas, so that transactions do not wait for each other in a circle.
        round.sort_by_key(|waiting| waiting.write.order_id);
        write_round(&providers, &signals, round).await;
    }
}

/// Writes a round; when it fails as a whole, each write is done alone, so that none fails for another.
async fn write_round(providers: &Providers, signals: &WakeUps, round: Vec<QueuedWrite>) {
    let writes: Vec<&TrackWrite> = round.iter().map(|waiting| &waiting.write).collect();
    match write_together(providers, &writes).await {
        Ok(written) => {
            let moved = round.iter().zip(&written).filter(|(_, written)| **written);
            signals.wake(moved.map(|(it, _)| it.write.order_id).collect::<Arc<[Uuid]>>());
            for (waiting, written) in round.into_iter().zip(written) {
                let _ = waiting.answer.send(Ok(written));
            }
        }
        Err(error) => match <[QueuedWrite; 1]>::try_from(round) {
            Ok([only]) => drop(only.answer.send(Err(error))),
            Err(round) => {
                tracing::warn!(%error, "points were not written together, each track is tried by itself");
                for waiting in round {
                    let written = write_together(providers, &[&waiting.write]).await;
                    if matches!(written.as_deref(), Ok([true])) {
                        signals.wake([waiting.write.order_id]);
                    }
                    let _ = waiting.answer.send(written.map(|written| written == [true]));
                }
            }
        },
    }
}

/// Writes all or nothing; says for each write whether its track was where its writer thought.
async fn write_together(providers: &Providers, writes: &[&TrackWrite]) -> Result<Vec<bool>, Error> {
    let tx = providers.db.begin().await?;
    let mut written = Vec::with_capacity(writes.len());
    let mut points: Vec<TrackPoint> = Vec::new();
    for write in writes {
        let advanced = tracks::advance_track(&tx, write).await?;
        if advanced {
            points.extend(write.points.iter().cloned());
            if write.arriving {
                tell_arriving(&tx, write.order_id).await?;
            }
        }
        written.push(advanced);
    }
    for part in points.chunks(STATEMENT_MOST) {
        tracks::insert_points(&tx, part.to_vec()).await?;
    }
    tx.commit().await?;
    Ok(written)
}

/// Publishes that a provider is almost there, unless that was done on this leg.
async fn tell_arriving(tx: &Tx, order_id: Uuid) -> Result<(), Error> {
    let Some(mut track) = tracks::lock_track(tx, order_id).await? else { return Ok(()) };
    if track.arriving_told {
        return Ok(());
    }
    track.arriving_told = true;
    facts::record_fact(tx, &mut track, facts::ARRIVING).await?;
    tracks::save_track(tx, &mut track).await
}
