//! Reservations: found, taken, changed and let go.

use super::{
    Providers,
    reservation_sql::{
        self, active_reservations, overlapping_reservations, release_row, set_state,
    },
    update_row,
};
use crate::domain::{
    Error, ProviderId, Reservation, ReservationId, Span,
    records::reservation::{Column, Entity},
    reservation::{ReservationKey, State},
};
use chrono::{DateTime, Utc};
use kit::{Tx, storage::page::Page};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select};
use std::collections::HashMap;
use uuid::Uuid;

/// Locks a reservation until the transaction ends, if it exists.
pub async fn lock_reservations(tx: &Tx, id: ReservationId) -> Result<Option<Reservation>, Error> {
    Ok(Entity::find_by_id(id).lock_exclusive().one(&**tx).await?)
}

/// Locks the reservation that an order means by `key`, until the transaction ends.
pub async fn lock_meant(tx: &Tx, key: ReservationKey) -> Result<Reservation, Error> {
    meant(key).lock_exclusive().one(&**tx).await?.ok_or(Error::ReservationNotFound)
}

/// The reservation of `key`. What was held before there were rounds has round 0, whatever the order's round is.
fn meant(key: ReservationKey) -> Select<Entity> {
    Entity::find()
        .filter(Column::OrderId.eq(key.order_id))
        .filter(Column::ProviderId.eq(key.provider_id))
        .filter(Column::Round.is_in([0, key.round]))
        .order_by_desc(Column::Round)
}

/// Lets go of the time that a provider has for an order in a round or from one before. A hold of the same round that
/// arrives later is refused.
pub async fn release(tx: &Tx, key: ReservationKey) -> Result<(), Error> {
    release_row(&**tx, key, tx.now()).await?;
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

    /// A reservation, if it exists.
    pub async fn find_reservation(&self, id: ReservationId) -> Result<Option<Reservation>, Error> {
        Ok(Entity::find_by_id(id).one(self.db.connection()).await?)
    }

    /// The reservation that an order means by `key`.
    pub async fn find_meant(&self, key: ReservationKey) -> Result<Reservation, Error> {
        meant(key).one(self.db.connection()).await?.ok_or(Error::ReservationNotFound)
    }

    /// Confirms a hold in one statement. False when there is none, or it is no hold any more.
    pub async fn confirm_hold(&self, id: ReservationId) -> Result<bool, Error> {
        let confirmed = set_state(State::Confirmed, false, self.clock().now())
            .filter(Column::Id.eq(id))
            .filter(Column::State.eq(State::Hold))
            .exec(self.db.connection())
            .await?;
        Ok(confirmed.rows_affected == 1)
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
        let mut active = Entity::find().filter(active_reservations(self.clock().now()));
        if !orders.is_empty() {
            active = active.filter(Column::OrderId.is_in(orders.iter().copied()));
        }
        Ok(page.of(active, Column::Id).all(self.db.connection()).await?)
    }

    /// The spans in which the time of some profiles is taken, as far as they touch `between`.
    pub async fn taken_by(
        &self,
        ids: &[ProviderId],
        between: Span,
    ) -> Result<HashMap<ProviderId, Vec<Span>>, Error> {
        let rows: Vec<(ProviderId, DateTime<Utc>, DateTime<Utc>)> = Entity::find()
            .select_only()
            .columns([Column::ProviderId, Column::StartsAt, Column::EndsAt])
            .filter(Column::ProviderId.is_in(ids.iter().copied()))
            .filter(active_reservations(self.clock().now()))
            .filter(overlapping_reservations(&between))
            .into_tuple()
            .all(self.db.connection())
            .await?;
        let mut taken: HashMap<ProviderId, Vec<Span>> = HashMap::new();
        for (id, start, end) in rows {
            taken.entry(id).or_default().push(Span { start, end });
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
        let rows = Entity::find()
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
    expire_holds_in_the_way, insert_reservation, is_busy, overwrite_reservation,
    release_earlier_rounds, revision_of,
};
