//! Tracks and their points: found, written, measured and forgotten.

use super::{Providers, update_row};
use crate::domain::{
    Error, ProviderId, Track, TrackPoint,
    records::reservation,
    reservation::State,
    track_records::{
        point::{Column as PointColumn, Entity as Points},
        track::{Column, Entity},
    },
    way::Way,
};
use chrono::{DateTime, Utc};
use kit::{Tx, values::coordinates::Coordinates};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect, Select,
    sea_query::{Expr, OnConflict},
};
use uuid::Uuid;

/// How many orders a provider may be at work on whose tracks are kept.
const OPEN_MOST: u64 = 8;
/// Tracks that one round of upkeep looks at.
const ROUND_MOST: u64 = 200;

/// The next step of a track, to be written together with those of others.
#[derive(Clone, Debug)]
pub struct TrackWrite {
    /// The order and the leg that the points belong to.
    pub order_id: Uuid,
    pub leg: i32,
    /// Time of the newest point that its writer knew of, 0 for none.
    pub known_at_ms: i64,
    /// The points, the earliest first.
    pub points: Vec<TrackPoint>,
    /// Whether the provider is almost there.
    pub arriving: bool,
}

/// Locks a track until the transaction ends, if there is one.
pub async fn lock_track(tx: &Tx, order_id: Uuid) -> Result<Option<Track>, Error> {
    Ok(Entity::find_by_id(order_id).lock_exclusive().one(&**tx).await?)
}

/// Inserts a track, unless there is one.
pub async fn insert_track(tx: &Tx, track: &Track) -> Result<(), Error> {
    Entity::insert(track.clone().into_active_model())
        .on_conflict(OnConflict::column(Column::OrderId).do_nothing().to_owned())
        .exec_without_returning(&**tx)
        .await?;
    Ok(())
}

/// Saves a changed track.
pub async fn save_track(tx: &Tx, track: &mut Track) -> Result<(), Error> {
    track.updated_at = tx.now();
    update_row(&**tx, track.clone()).await
}

/// Moves a track on to its newest point. False when it has moved on meanwhile, or is not open any more.
pub async fn advance_track(tx: &Tx, write: &TrackWrite) -> Result<bool, Error> {
    let Some(newest) = write.points.last() else { return Ok(true) };
    let moved = Entity::update_many()
        .col_expr(Column::LastAtMs, Expr::value(newest.at_ms))
        .col_expr(Column::StaleTold, Expr::value(false))
        .col_expr(Column::UpdatedAt, Expr::value(tx.now()))
        .filter(Column::OrderId.eq(write.order_id))
        .filter(Column::Leg.eq(write.leg))
        .filter(Column::LastAtMs.eq(write.known_at_ms))
        .filter(Column::IsOpen.eq(true))
        .exec(&**tx)
        .await?;
    Ok(moved.rows_affected == 1)
}

/// Inserts points of several tracks in one statement.
pub async fn insert_points(tx: &Tx, points: Vec<TrackPoint>) -> Result<(), Error> {
    if points.is_empty() {
        return Ok(());
    }
    let key =
        OnConflict::columns([PointColumn::OrderId, PointColumn::AtMs]).do_nothing().to_owned();
    Points::insert_many(points.into_iter().map(IntoActiveModel::into_active_model))
        .on_conflict(key)
        .exec_without_returning(&**tx)
        .await?;
    Ok(())
}

/// Deletes the points of a track.
pub async fn delete_points(tx: &Tx, order_id: Uuid) -> Result<(), Error> {
    Points::delete_many().filter(PointColumn::OrderId.eq(order_id)).exec(&**tx).await?;
    Ok(())
}

/// Where the work of an order is, by the reservation of its provider.
pub async fn address_of(
    tx: &Tx,
    order_id: Uuid,
    provider_id: ProviderId,
) -> Result<Option<Coordinates>, Error> {
    let held = reservation::Entity::find()
        .filter(reservation::Column::OrderId.eq(order_id))
        .filter(reservation::Column::ProviderId.eq(provider_id))
        .filter(reservation::Column::State.ne(State::Released))
        .one(&**tx)
        .await?;
    let place = held.and_then(|row| row.job.place);
    Ok(place.and_then(|place| Coordinates::checked(place.lat, place.lng)))
}

/// The points of one leg, the earliest first.
fn points_of(order_id: Uuid, leg: i32) -> Select<Points> {
    Points::find()
        .filter(PointColumn::OrderId.eq(order_id))
        .filter(PointColumn::Leg.eq(leg))
        .order_by_asc(PointColumn::AtMs)
}

/// All points of one leg between two moments.
pub async fn points_between<C: ConnectionTrait>(
    connection: &C,
    track: &Track,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Vec<TrackPoint>, Error> {
    let between = points_of(track.order_id, track.leg)
        .filter(PointColumn::AtMs.gte(from.timestamp_millis()))
        .filter(PointColumn::AtMs.lte(to.timestamp_millis()));
    Ok(between.all(connection).await?)
}

/// Keeps of a track what it comes to, and deletes its points.
pub async fn sum_up(tx: &Tx, track: &mut Track, way: Way) -> Result<(), Error> {
    delete_points(tx, track.order_id).await?;
    track.metres = Some(way.metres);
    track.seconds = Some(way.seconds);
    track.gaps = Some(way.gaps);
    track.covered_percent = Some(way.covered_percent);
    track.forget_places();
    save_track(tx, track).await
}

impl Providers {
    /// The track of an order.
    pub async fn find_track(&self, order_id: Uuid) -> Result<Track, Error> {
        let found = Entity::find_by_id(order_id).one(self.db.connection()).await?;
        found.ok_or(Error::TrackNotFound)
    }

    /// The tracks of the orders that a provider is at work on.
    pub async fn open_tracks(&self, id: ProviderId) -> Result<Vec<Track>, Error> {
        let open = Entity::find()
            .filter(Column::ProviderId.eq(id))
            .filter(Column::IsOpen.eq(true))
            .order_by_asc(Column::OrderId)
            .limit(OPEN_MOST);
        Ok(open.all(self.db.connection()).await?)
    }

    /// The points of a leg behind a moment, the earliest first, at most `most`.
    pub async fn points_after(
        &self,
        track: &Track,
        after_ms: i64,
        most: u64,
    ) -> Result<Vec<TrackPoint>, Error> {
        let behind = points_of(track.order_id, track.leg).filter(PointColumn::AtMs.gt(after_ms));
        Ok(behind.limit(most).all(self.db.connection()).await?)
    }

    /// Whether a leg has a point of this time.
    pub async fn has_point(&self, track: &Track, at_ms: i64) -> Result<bool, Error> {
        let point = Points::find_by_id((track.order_id, at_ms)).one(self.db.connection()).await?;
        Ok(point.is_some_and(|point| point.leg == track.leg))
    }

    /// The newest point of a leg.
    pub async fn newest_point(&self, track: &Track) -> Result<Option<TrackPoint>, Error> {
        let newest = Points::find_by_id((track.order_id, track.last_at_ms));
        Ok(newest.one(self.db.connection()).await?)
    }

    /// The orders whose providers are on the way and have not been heard of since `moment`, though they had been before.
    pub async fn silent_tracks(&self, moment: DateTime<Utc>) -> Result<Vec<Uuid>, Error> {
        let silent = Entity::find()
            .select_only()
            .column(Column::OrderId)
            .filter(Column::IsOpen.eq(true))
            .filter(Column::StaleTold.eq(false))
            .filter(Column::LastAtMs.gt(0))
            .filter(Column::LastAtMs.lt(moment.timestamp_millis()))
            .limit(ROUND_MOST);
        Ok(silent.into_tuple().all(self.db.connection()).await?)
    }

    /// The orders whose points have been kept for long enough.
    pub async fn tracks_to_purge(&self, now: DateTime<Utc>) -> Result<Vec<Uuid>, Error> {
        let due = Entity::find()
            .select_only()
            .column(Column::OrderId)
            .filter(Column::PurgeAt.lte(now))
            .limit(ROUND_MOST);
        Ok(due.into_tuple().all(self.db.connection()).await?)
    }
}
