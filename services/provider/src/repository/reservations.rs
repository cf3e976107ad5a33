//! Reservations: time is taken by one INSERT that the database itself refuses when the time is not free.

use super::{
    Providers,
    rows::{
        NOBODY, active, insert, lapse, occupy, overlapping, release_row, revision_of, set_state,
    },
};
use crate::{
    domain::{
        Error, ProviderId, Reservation, ReservationId, Span,
        reservation::{self, Again, Job, State},
        standing::Standing,
    },
    entity::reservation::{Column, Entity},
};
use chrono::{DateTime, Utc};
use kit::Window;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

/// Who judges by a standing that changes meanwhile judges again, this often.
const TRIES: u32 = 3;

/// A hold to take.
#[derive(Clone, Debug)]
pub struct Hold {
    /// The order it is for.
    pub order_id: Uuid,
    /// Whose time.
    pub provider_id: ProviderId,
    /// What for.
    pub job: Job,
    /// When it lapses by itself.
    pub expires_at: DateTime<Utc>,
    /// The customer's account.
    pub customer: Option<Uuid>,
}

/// A hold that was taken.
#[derive(Clone, Debug)]
pub struct Held {
    /// The reservation.
    pub id: ReservationId,
    /// The provider's account.
    pub user_id: Uuid,
    /// The provider's name.
    pub name: String,
}

/// What became of a hold that did not succeed at once.
enum Second {
    /// It stands now.
    Held,
    /// It was judged by a standing that has changed.
    Stale,
}

impl Providers {
    /// Takes a hold. At best this is one statement: the standing is at hand, and the INSERT checks that it still is
    /// what it was.
    pub async fn hold(&self, hold: Hold) -> Result<Held, Error> {
        for attempt in 0..TRIES {
            let standing = self.judge(&hold, attempt > 0).await?;
            let Hold { order_id, provider_id, job, expires_at, .. } = hold.clone();
            let now = self.clock().now();
            let row = Reservation::hold(order_id, provider_id, job, expires_at, now);
            let held = Held { id: row.id, user_id: standing.user_id, name: standing.name };
            if self.take(row.clone(), standing.revision).await? {
                return Ok(held);
            }
            match self.hold_again(row, standing.revision).await? {
                Second::Held => return Ok(held),
                Second::Stale => self.forget_standing(provider_id).await,
            }
        }
        Err(kit::Error::VersionMismatch.into())
    }

    async fn take(&self, row: Reservation, revision: i64) -> Result<bool, Error> {
        match self.taking.run((row, revision)).await {
            Err(Error::SlotTaken) => Ok(false),
            taken => taken,
        }
    }

    /// The standing by which the provider may take the job. A refusal is never judged by what was kept; one that comes
    /// after the hold was taken changes nothing.
    async fn judge(&self, hold: &Hold, fresh: bool) -> Result<Standing, Error> {
        let Hold { provider_id, job, customer, .. } = hold;
        if !fresh {
            let known = self.known_standing(*provider_id).await?;
            let objections = known.standing.objections(job, *customer);
            if objections.is_empty() {
                return Ok(known.standing);
            }
            if !known.kept {
                return self.unless_held(hold, known.standing, objections).await;
            }
        }
        let standing = self.fresh_standing(*provider_id).await?;
        let objections = standing.objections(job, *customer);
        if objections.is_empty() {
            return Ok(standing);
        }
        self.unless_held(hold, standing, objections).await
    }

    async fn unless_held(
        &self,
        hold: &Hold,
        standing: Standing,
        objections: Vec<String>,
    ) -> Result<Standing, Error> {
        let id = reservation::id_of(hold.order_id, hold.provider_id);
        let found = Entity::find_by_id(id).one(self.db.read()).await?;
        match found.map(|row| row.asked_again(&hold.job, hold.expires_at)) {
            Some(Ok(Again::Stands)) => Ok(standing),
            _ => Err(Error::NotEligible(objections)),
        }
    }

    /// Finds out why an INSERT took no effect: the order has a reservation, the standing has changed, or the time is
    /// taken – by holds that ran out, perhaps, which give way.
    async fn hold_again(&self, row: Reservation, revision: i64) -> Result<Second, Error> {
        self.db
            .write(move |tx| async move {
                let nobody = reservation::id_of(row.order_id, NOBODY);
                if Entity::find_by_id(nobody).one(&*tx).await?.is_some() {
                    return Err(Error::ReservationReleased);
                }
                let existing = Entity::find_by_id(row.id).lock_exclusive().one(&*tx).await?;
                if let Some(existing) = existing {
                    match existing.asked_again(&row.job, row.hold_expires_at)? {
                        Again::Stands => {}
                        Again::Renew => occupy(&tx, row).await?,
                    }
                    return Ok(Second::Held);
                }
                if revision_of(&tx, row.provider_id).await? != revision {
                    return Ok(Second::Stale);
                }
                lapse(&tx, &row).await?;
                match insert(&*tx, row, revision).await? {
                    true => Ok(Second::Held),
                    false => Err(Error::SlotTaken),
                }
            })
            .await
    }

    /// Turns a hold into a confirmed reservation. A hold that ran out does too, while the time is free.
    pub async fn confirm(
        &self,
        order_id: Uuid,
        provider_id: ProviderId,
    ) -> Result<ReservationId, Error> {
        let id = reservation::id_of(order_id, provider_id);
        let now = self.clock().now();
        let confirmed = set_state(State::Confirmed, false, now)
            .filter(Column::Id.eq(id))
            .filter(Column::State.eq(State::Hold))
            .exec(self.db.read())
            .await?;
        if confirmed.rows_affected == 1 {
            return Ok(id);
        }
        self.db
            .write(move |tx| async move {
                let found = Entity::find_by_id(id).lock_exclusive().one(&*tx).await?;
                let row = found.ok_or(Error::ReservationNotFound)?;
                match row.state {
                    State::Confirmed => {}
                    State::Released if !row.lapsed => return Err(Error::ReservationNotFound),
                    State::Hold | State::Released => {
                        occupy(&tx, Reservation { state: State::Confirmed, ..row }).await?;
                    }
                }
                Ok::<_, Error>(id)
            })
            .await
    }

    /// Lets go of a provider's time, or of every provider's. What was never held is refused from now on.
    pub async fn release(&self, order_id: Uuid, provider: Option<ProviderId>) -> Result<(), Error> {
        let now = self.clock().now();
        if let Some(provider) = provider {
            return release_row(self.db.read(), order_id, provider, now).await;
        }
        self.db
            .write(move |tx| async move {
                release_row(&*tx, order_id, NOBODY, now).await?;
                set_state(State::Released, false, now)
                    .filter(Column::OrderId.eq(order_id))
                    .exec(&*tx)
                    .await?;
                Ok(())
            })
            .await
    }

    /// Moves the reservation of an order to another window, or leaves it where it is.
    pub async fn move_to(
        &self,
        order_id: Uuid,
        provider_id: ProviderId,
        window: Window,
        hold_expires_at: Option<DateTime<Utc>>,
    ) -> Result<ReservationId, Error> {
        let id = reservation::id_of(order_id, provider_id);
        let found = Entity::find_by_id(id).one(self.db.read()).await?;
        let row = found.filter(|row| row.state != State::Released || row.lapsed);
        let row = row.ok_or(Error::ReservationNotFound)?;
        let job = row.job.moved_to(window);
        let objections = self.fresh_standing(provider_id).await?.objections(&job, None);
        if !objections.is_empty() && row.job.window != window {
            return Err(Error::NotEligible(objections));
        }
        let Span { start, end } = job.busy();
        self.db
            .write(move |tx| async move {
                let found = Entity::find_by_id(id).lock_exclusive().one(&*tx).await?;
                let row = found.ok_or(Error::ReservationNotFound)?;
                let state = match row.state {
                    State::Released if !row.lapsed => return Err(Error::ReservationNotFound),
                    State::Released | State::Hold => State::Hold,
                    State::Confirmed => State::Confirmed,
                };
                let hold_expires_at = hold_expires_at.unwrap_or(row.hold_expires_at);
                let moved = Reservation {
                    state,
                    job,
                    starts_at: start,
                    ends_at: end,
                    hold_expires_at,
                    ..row
                };
                occupy(&tx, moved).await?;
                Ok::<_, Error>(id)
            })
            .await
    }

    /// Releases the holds that ran out, and returns how many.
    pub async fn sweep(&self) -> Result<u64, Error> {
        let now = self.clock().now();
        let swept = set_state(State::Released, true, now)
            .filter(Column::State.eq(State::Hold))
            .filter(Column::HoldExpiresAt.lte(now))
            .exec(self.db.read())
            .await?;
        Ok(swept.rows_affected)
    }

    /// The active reservations of some profiles that touch a span, earliest first.
    pub async fn busy(
        &self,
        ids: &[ProviderId],
        between: Span,
        most: u64,
    ) -> Result<Vec<Reservation>, Error> {
        let rows = Entity::find()
            .filter(Column::ProviderId.is_in(ids.iter().copied()))
            .filter(active(self.clock().now()))
            .filter(overlapping(&between))
            .order_by_asc(Column::StartsAt)
            .limit(most)
            .all(self.db.read())
            .await?;
        Ok(rows)
    }
}
