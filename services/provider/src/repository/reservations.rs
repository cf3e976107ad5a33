//! Reservations: found, taken, changed and let go.

use super::{
    Providers,
    reservation_sql::{self, active, overlapping, release_row, set_state},
};
use crate::domain::{
    Error, ProviderId, Reservation, ReservationId, Span,
    records::reservation::{Column, Entity},
    reservation::{self, State},
};
use kit::Tx;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

/// Locks a reservation until the transaction ends, if it exists.
pub async fn lock(tx: &Tx, id: ReservationId) -> Result<Option<Reservation>, Error> {
    Ok(Entity::find_by_id(id).lock_exclusive().one(&**tx).await?)
}

/// Whether the order let go of every provider, so that a late hold is refused.
pub async fn is_order_released(tx: &Tx, order_id: Uuid) -> Result<bool, Error> {
    let tombstone = reservation::id_of(order_id, reservation::EVERY_PROVIDER);
    Ok(Entity::find_by_id(tombstone).one(&**tx).await?.is_some())
}

/// Releases every reservation of an order and refuses all that are still to come.
pub async fn release_order(tx: &Tx, order_id: Uuid) -> Result<(), Error> {
    release_row(&**tx, order_id, reservation::EVERY_PROVIDER, tx.now()).await?;
    set_state(State::Released, false, tx.now())
        .filter(Column::OrderId.eq(order_id))
        .exec(&**tx)
        .await?;
    Ok(())
}

impl Providers {
    /// Takes the time of a new reservation, together with others that are asked for at this moment, if its provider's
    /// standing is still at `revision`. False when it is not, when the reservation exists, or when the time is taken.
    pub async fn insert_reservation(&self, row: Reservation, revision: i64) -> Result<bool, Error> {
        match self.inserts.run((row, revision)).await {
            Err(Error::SlotTaken) => Ok(false),
            inserted => inserted,
        }
    }

    /// A reservation, if it exists.
    pub async fn find_reservation(&self, id: ReservationId) -> Result<Option<Reservation>, Error> {
        Ok(Entity::find_by_id(id).one(self.db.connection()).await?)
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

    /// Lets go of one provider's time. What was never held is refused from now on.
    pub async fn release(&self, order_id: Uuid, provider_id: ProviderId) -> Result<(), Error> {
        release_row(self.db.connection(), order_id, provider_id, self.clock().now()).await
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

    /// The active reservations of some profiles that touch a span, earliest first, at most `limit`.
    pub async fn busy(
        &self,
        ids: &[ProviderId],
        between: Span,
        limit: u64,
    ) -> Result<Vec<Reservation>, Error> {
        let rows = Entity::find()
            .filter(Column::ProviderId.is_in(ids.iter().copied()))
            .filter(active(self.clock().now()))
            .filter(overlapping(&between))
            .order_by_asc(Column::StartsAt)
            .limit(limit)
            .all(self.db.connection())
            .await?;
        Ok(rows)
    }
}

pub use reservation_sql::{expire_holds_in_the_way, insert, overwrite, revision_of};
