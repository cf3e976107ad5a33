//! What happens to tracks by themselves: those that have gone silent are told of, and points are deleted in time.

use super::facts;
use crate::{
    domain::{
        Error, Track,
        fix::Fix,
        track::TrackState,
        way::{Point, Way},
    },
    repository::{
        Providers,
        tracks::{self, points_between},
    },
};
use chrono::{DateTime, Duration, Utc};
use sea_orm::ConnectionTrait;
use uuid::Uuid;

/// A provider on the way who has not been heard of for so long is silent.
const SILENT: Duration = Duration::seconds(60);

/// Tells of the providers who are on the way and have gone silent, once each silence.
pub async fn tell_silent(providers: Providers) -> Result<(), Error> {
    let since = providers.clock().now() - SILENT;
    for order_id in providers.silent_tracks(since).await? {
        tell_silent_track(&providers, order_id, since).await?;
    }
    Ok(())
}

async fn tell_silent_track(
    providers: &Providers,
    order_id: Uuid,
    since: DateTime<Utc>,
) -> Result<(), Error> {
    let tx = providers.db.begin().await?;
    let Some(mut track) = tracks::lock_track(&tx, order_id).await? else { return Ok(()) };
    if track.stale_told || !track.is_open || track.last_at_ms >= since.timestamp_millis() {
        return Ok(());
    }
    track.stale_told = true;
    // Who is at the door or at work need not send positions.
    if track.state == TrackState::EnRoute {
        facts::record_fact(&tx, &mut track, facts::STALE).await?;
    }
    tracks::save_track(&tx, &mut track).await?;
    Ok(tx.commit().await?)
}

/// Deletes the points that have been kept for long enough. What each track comes to stays.
pub async fn purge_points(providers: Providers) -> Result<(), Error> {
    let now = providers.clock().now();
    for order_id in providers.tracks_to_purge(now).await? {
        let tx = providers.db.begin().await?;
        let Some(mut track) = tracks::lock_track(&tx, order_id).await? else { continue };
        if track.purge_at.is_none_or(|purge_at| purge_at > now) {
            continue;
        }
        if track.metres.is_some() {
            // They were summed up before, and what came later is not the way of the order.
            tracks::delete_points(&tx, order_id).await?;
            track.forget_places();
            tracks::save_track(&tx, &mut track).await?;
            tx.commit().await?;
            continue;
        }
        let way = measure_whole(&*tx, &track).await?;
        tracks::sum_up(&tx, &mut track, way).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// The way from the departure to the end.
async fn measure_whole<C: ConnectionTrait>(connection: &C, track: &Track) -> Result<Way, Error> {
    let to = track.ended_at.unwrap_or(track.updated_at);
    let from = track.departed_at.unwrap_or(to);
    let points = measured_points(connection, track, from, to).await?;
    Ok(Way::measure(&points, from, to))
}

/// The points of a track between two moments, as they are measured.
pub async fn measured_points<C: ConnectionTrait>(
    connection: &C,
    track: &Track,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Vec<Point>, Error> {
    let points = points_between(connection, track, from, to).await?;
    Ok(points.iter().map(|point| (Fix::from(point), point.gap)).collect())
}
