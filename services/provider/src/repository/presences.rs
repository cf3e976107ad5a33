//! Who is online.

use super::{Providers, reservation_sql::active_reservations};
use crate::domain::{
    Error, Presence, ProviderId,
    records::{
        presence::{Column, Entity},
        reservation,
    },
};
use chrono::{DateTime, Duration, Utc};
use kit::Tx;
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect,
    sea_query::{Expr, OnConflict},
};
use std::collections::{HashMap, HashSet};

/// How often it is noted that a provider was seen.
const SEEN_NOTED_EVERY: Duration = Duration::minutes(1);

/// The presence of a provider whose profile is locked.
pub async fn find_presence(tx: &Tx, id: ProviderId) -> Result<Presence, Error> {
    let known = Entity::find_by_id(id).one(&**tx).await?;
    Ok(known.unwrap_or_else(|| Presence::absent(id, tx.now())))
}

/// Saves a presence, new or changed.
pub async fn save_presence(tx: &Tx, presence: &Presence) -> Result<(), Error> {
    let all =
        [Column::Online, Column::AssetId, Column::IdleSince, Column::SeenAt, Column::UpdatedAt];
    Entity::insert(presence.clone().into_active_model())
        .on_conflict(OnConflict::column(Column::ProviderId).update_columns(all).to_owned())
        .exec_without_returning(&**tx)
        .await?;
    Ok(())
}

/// Writes down that the provider has done its job and waits for another one.
pub async fn begin_idle(tx: &Tx, id: ProviderId) -> Result<(), Error> {
    Entity::update_many()
        .col_expr(Column::IdleSince, Expr::value(tx.now()))
        .filter(Column::ProviderId.eq(id))
        .exec(&**tx)
        .await?;
    Ok(())
}

/// Deletes the presence of a provider.
pub async fn delete_presence(tx: &Tx, id: ProviderId) -> Result<(), Error> {
    Entity::delete_many().filter(Column::ProviderId.eq(id)).exec(&**tx).await?;
    Ok(())
}

/// Those of `ids` who do an exclusive job now.
pub async fn running_of<C: ConnectionTrait>(
    connection: &C,
    ids: &[ProviderId],
    now: DateTime<Utc>,
) -> Result<HashSet<ProviderId>, Error> {
    let running: Vec<ProviderId> = reservation::Entity::find()
        .select_only()
        .column(reservation::Column::ProviderId)
        .filter(reservation::Column::ProviderId.is_in(ids.iter().copied()))
        .filter(reservation::Column::Running.eq(true))
        .filter(active_reservations(now))
        .into_tuple()
        .all(connection)
        .await?;
    Ok(running.into_iter().collect())
}

impl Providers {
    /// Whether a provider of whom a position has come is online. That it was seen is noted once a minute at most.
    pub async fn is_seen_online(&self, id: ProviderId) -> Result<bool, Error> {
        let Some(presence) = self.online_of(&[id]).await?.remove(&id) else { return Ok(false) };
        let now = self.clock().now();
        if presence.seen_at > now - SEEN_NOTED_EVERY {
            return Ok(true);
        }
        let seen = Entity::update_many()
            .col_expr(Column::SeenAt, Expr::value(now))
            .filter(Column::ProviderId.eq(id))
            .filter(Column::Online.eq(true))
            .exec(self.db.connection())
            .await?;
        Ok(seen.rows_affected == 1)
    }

    /// The presences of those of `ids` who are online.
    pub async fn online_of(
        &self,
        ids: &[ProviderId],
    ) -> Result<HashMap<ProviderId, Presence>, Error> {
        let rows = Entity::find()
            .filter(Column::ProviderId.is_in(ids.iter().copied()))
            .filter(Column::Online.eq(true))
            .all(self.db.connection())
            .await?;
        Ok(rows.into_iter().map(|row| (row.provider_id, row)).collect())
    }
}
