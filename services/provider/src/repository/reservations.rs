//! Reservations: found, taken, changed and let go.

use super::{
    Providers,
    reservation_sql::{
        self, active_reservations, overlapping_reservations, release_row, set_state,
    },
    update_row,
};
use crate::domain::{
    Asset, Error, Member, ProviderId, Reservation, ReservationId, Span,
    records::{
        asset, member,
        reservation::{Column, Entity},
    },
    reservation::{ReservationKey, State},
    slots::Taken,
};
use chrono::{DateTime, Utc};
use kit::{Tx, storage::page::Page};
use sea_orm::{
    ColumnTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect, Select,
    sea_query::Expr,
};
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// Locks the rows of a reservation until the transaction ends, in the order of their resources; none if there is none.
pub async fn lock_rows(tx: &Tx, id: ReservationId) -> Result<Vec<Reservation>, Error> {
    let rows = Entity::find()
        .filter(Column::ReservationId.eq(id))
        .order_by_asc(Column::ResourceId)
        .lock_exclusive()
        .all(&**tx)
        .await?;
    Ok(rows)
}

/// Locks the rows of the reservation that an order means by `key` until the transaction ends, at least one, in the order of
/// their resources.
pub async fn lock_meant(tx: &Tx, key: ReservationKey) -> Result<Vec<Reservation>, Error> {
    let mut rows = meant(key).lock_exclusive().all(&**tx).await?;
    let round = rows.first().ok_or(Error::ReservationNotFound)?.round;
    rows.retain(|row| row.round == round);
    Ok(rows)
}

/// Deletes the rows of a reservation, for others to take their place.
pub async fn delete_rows(tx: &Tx, id: ReservationId) -> Result<(), Error> {
    Entity::delete_many().filter(Column::ReservationId.eq(id)).exec(&**tx).await?;
    Ok(())
}

/// The resources of a provider whose time in `span` is taken.
pub async fn taken_resources(
    tx: &Tx,
    provider: ProviderId,
    span: Span,
) -> Result<HashSet<Uuid>, Error> {
    let taken = Entity::find()
        .filter(active_reservations(tx.now()))
        .filter(overlapping_reservations(&span));
    resources_of(tx, provider, taken).await
}

/// The resources of a provider that do an exclusive job now.
pub async fn running_resources(tx: &Tx, provider: ProviderId) -> Result<HashSet<Uuid>, Error> {
    let running =
        Entity::find().filter(active_reservations(tx.now())).filter(Column::Running.eq(true));
    resources_of(tx, provider, running).await
}

/// Whether jobs that are still to end take the time of a resource.
pub async fn is_reserved(tx: &Tx, provider: ProviderId, resource_id: Uuid) -> Result<bool, Error> {
    let reserved = Entity::find()
        .filter(Column::ProviderId.eq(provider))
        .filter(Column::ResourceId.eq(resource_id))
        .filter(Column::EndsAt.gt(tx.now()))
        .filter(active_reservations(tx.now()));
    Ok(reserved.one(&**tx).await?.is_some())
}

async fn resources_of(
    tx: &Tx,
    provider: ProviderId,
    reservations: Select<Entity>,
) -> Result<HashSet<Uuid>, Error> {
    let ids: Vec<Uuid> = reservations
        .filter(Column::ProviderId.eq(provider))
        .select_only()
        .column(Column::ResourceId)
        .into_tuple()
        .all(&**tx)
        .await?;
    Ok(ids.into_iter().collect())
}

/// The reservation of `key`. What was held before there were rounds has round 0, whatever the order's round is.
fn meant(key: ReservationKey) -> Select<Entity> {
    Entity::find()
        .filter(Column::OrderId.eq(key.order_id))
        .filter(Column::ProviderId.eq(key.provider_id))
        .filter(Column::Round.is_in([0, key.round]))
        .order_by_desc(Column::Round)
        .order_by_asc(Column::ResourceId)
}

/// Lets go of the time that a provider has for an order in a round or from one before. A hold of the same round that
/// arrives later is refused.
pub async fn release(tx: &Tx, key: ReservationKey) -> Result<(), Error> {
    release_row(&**tx, key, tx.now()).await?;
    let others = set_state(State::Released, false, tx.now());
    others.filter(Column::ReservationId.eq(key.id())).exec(&**tx).await?;
    release_earlier_rounds(&**tx, key, tx.now()).await
}

/// Whether the order let go of every provider, so that a late hold is refused.
pub async fn is_order_released(tx: &Tx, order_id: Uuid) -> Result<bool, Error> {
    let tombstone = ReservationKey::every_provider(order_id).id();
    Ok(Entity::find_by_id(tombstone).one(&**tx).await?.is_some())
}

/// Releases every reservation of an order and refuses all that are still to come.
pub async fn release_order(tx: &Tx, order_id: Uuid) -> Result<(), Error> {
    release_row(&**tx, ReservationKey::every_provider(order_id), tx.now()).await?;
    set_state(State::Released, false, tx.now())
        .filter(Column::OrderId.eq(order_id))
        .exec(&**tx)
        .await?;
    Ok(())
}

/// Forgets where the work of an order was to be done.
pub async fn forget_place(tx: &Tx, order_id: Uuid) -> Result<(), Error> {
    let of_order = Entity::find().filter(Column::OrderId.eq(order_id)).lock_exclusive();
    for mut row in of_order.all(&**tx).await? {
        row.job.place = None;
        update_row(&**tx, row).await?;
    }
    Ok(())
}

/// The first row of each reservation, which stands for it in lists.
fn first_rows() -> Select<Entity> {
    Entity::find().filter(Expr::col(Column::Id).equals(Column::ReservationId))
}

impl Providers {
    /// Takes the time of a new reservation, together with others that are asked for at this moment, if its provider's
    /// standing is still at `revision`. False when it is not, when the reservation exists, when the time is taken, or when the
    /// provider does another job.
    pub async fn insert_reservation(&self, row: Reservation, revision: i64) -> Result<bool, Error> {
        match self.inserts.run((row, revision)).await {
            Err(Error::SlotTaken | Error::DriverBusy) => Ok(false),
            inserted => inserted,
        }
    }

    /// The first row of a reservation, if it exists.
    pub async fn find_reservation(&self, id: ReservationId) -> Result<Option<Reservation>, Error> {
        Ok(Entity::find_by_id(id).one(self.db.connection()).await?)
    }

    /// The first row of the reservation that an order means by `key`.
    pub async fn find_meant(&self, key: ReservationKey) -> Result<Reservation, Error> {
        meant(key).one(self.db.connection()).await?.ok_or(Error::ReservationNotFound)
    }

    /// The rows of the reservation that an order means by `key`, at least one.
    pub async fn rows_meant(&self, key: ReservationKey) -> Result<Vec<Reservation>, Error> {
        let mut rows = meant(key).all(self.db.connection()).await?;
        let round = rows.first().ok_or(Error::ReservationNotFound)?.round;
        rows.retain(|row| row.round == round);
        Ok(rows)
    }

    /// As [`Providers::rows_meant`], those that take time now; none where nothing is reserved or it was let go.
    pub async fn active_rows_meant(&self, key: ReservationKey) -> Result<Vec<Reservation>, Error> {
        let active = meant(key).filter(active_reservations(self.clock().now()));
        let mut rows = active.all(self.db.connection()).await?;
        let round = rows.first().map(|row| row.round);
        rows.retain(|row| Some(row.round) == round);
        Ok(rows)
    }

    /// The members and vehicles whose time some rows take.
    pub async fn people_and_vehicles(
        &self,
        rows: &[Reservation],
    ) -> Result<(Vec<Member>, Vec<Asset>), Error> {
        let ids: Vec<Uuid> = rows.iter().map(|row| row.resource_id).collect();
        let members = member::Entity::find()
            .filter(member::Column::Id.is_in(ids.iter().copied()))
            .order_by_asc(member::Column::Id)
            .all(self.db.connection())
            .await?;
        let assets = asset::Entity::find()
            .filter(asset::Column::Id.is_in(ids))
            .order_by_asc(asset::Column::Id)
            .all(self.db.connection())
            .await?;
        Ok((members, assets))
    }

    /// Confirms a hold in one statement. False when there is none, or it is no hold any more.
    pub async fn confirm_hold(&self, id: ReservationId) -> Result<bool, Error> {
        let confirmed = set_state(State::Confirmed, false, self.clock().now())
            .filter(Column::ReservationId.eq(id))
            .filter(Column::State.eq(State::Hold))
            .exec(self.db.connection())
            .await?;
        Ok(confirmed.rows_affected > 0)
    }

    /// Releases the holds that ran out, and returns how many.
    pub async fn release_expired_holds(&self) -> Result<u64, Error> {
        let now = self.clock().now();
        let released = set_state(State::Released, true, now)
            .filter(Column::State.eq(State::Hold))
            .filter(Column::HoldExpiresAt.lte(now))
            .exec(self.db.connection())
            .await?;
        Ok(released.rows_affected)
    }

    /// A page of the active reservations of some orders, or of all when none is named.
    pub async fn active_of_orders(
        &self,
        orders: &[Uuid],
        page: &Page,
    ) -> Result<Vec<Reservation>, Error> {
        let mut active = first_rows().filter(active_reservations(self.clock().now()));
        if !orders.is_empty() {
            active = active.filter(Column::OrderId.is_in(orders.iter().copied()));
        }
        Ok(page.of(active, Column::Id).all(self.db.connection()).await?)
    }

    /// The spans in which the time of some profiles' resources is taken, as far as they touch `between`.
    pub async fn taken_by(
        &self,
        ids: &[ProviderId],
        between: Span,
    ) -> Result<HashMap<ProviderId, Vec<Taken>>, Error> {
        let rows: Vec<(ProviderId, Uuid, DateTime<Utc>, DateTime<Utc>)> = Entity::find()
            .select_only()
            .columns([Column::ProviderId, Column::ResourceId, Column::StartsAt, Column::EndsAt])
            .filter(Column::ProviderId.is_in(ids.iter().copied()))
            .filter(active_reservations(self.clock().now()))
            .filter(overlapping_reservations(&between))
            .into_tuple()
            .all(self.db.connection())
            .await?;
        let mut taken: HashMap<ProviderId, Vec<Taken>> = HashMap::new();
        for (id, resource, start, end) in rows {
            taken.entry(id).or_default().push(Taken { resource, span: Span { start, end } });
        }
        Ok(taken)
    }

    /// The active reservations of a profile that touch a span, earliest first, at most `limit`.
    pub async fn busy(
        &self,
        id: ProviderId,
        between: Span,
        limit: u64,
    ) -> Result<Vec<Reservation>, Error> {
        let rows = first_rows()
            .filter(Column::ProviderId.eq(id))
            .filter(active_reservations(self.clock().now()))
            .filter(overlapping_reservations(&between))
            .order_by_asc(Column::StartsAt)
            .limit(limit)
            .all(self.db.connection())
            .await?;
        Ok(rows)
    }
}

pub use reservation_sql::{
    expire_holds_in_the_way, insert_all, overwrite_reservation, release_earlier_rounds, revision_of,
};
