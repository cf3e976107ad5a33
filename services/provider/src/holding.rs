//! How order takes a provider's time: judged by the provider's standing, then taken by one INSERT that the database
//! itself refuses when the time is not free.

use crate::{
    domain::{
        Error, Reservation, ReservationId,
        reservation::{JobRequest, RepeatedHold, ReservationKey},
        standing::Standing,
    },
    repository::{Providers, reservations},
};
use chrono::{DateTime, Utc};
use kit::Window;
use uuid::Uuid;

/// How often a hold is judged anew because the provider's standing changed between the judgement and the INSERT.
const MAX_JUDGEMENTS: u32 = 3;

/// A hold to take.
#[derive(Clone, Debug)]
pub struct Hold {
    /// For which order and round it takes whose time.
    pub key: ReservationKey,
    pub job: JobRequest,
    /// When it lapses by itself.
    pub expires_at: DateTime<Utc>,
    /// The customer's account.
    pub customer: Option<Uuid>,
    /// Whether the order had the time before and lost it with a restore.
    pub booked: bool,
    /// Whether the job begins at once.
    pub begin: bool,
}

impl Hold {
    /// What speaks against it, as stable codes. What was booked before is judged as such.
    fn objections(&self, standing: &Standing) -> Vec<String> {
        match self.booked {
            true => standing.objections_to_booked(&self.job, self.customer),
            false => standing.objections(&self.job, self.customer),
        }
    }
}

/// A hold that was taken.
#[derive(Clone, Debug)]
pub struct Held {
    pub id: ReservationId,
    /// The provider's account.
    pub user_id: Uuid,
    /// The provider's name.
    pub name: String,
}

/// What became of a hold whose first INSERT took no effect.
enum HoldResult {
    /// It stands now.
    Held,
    /// It was judged by a standing that has changed since.
    Stale,
}

/// Takes a hold. At best this is one statement: the standing is in the cache, and the INSERT checks that it still is
/// what it was.
pub async fn hold_time(providers: &Providers, hold: Hold) -> Result<Held, Error> {
    for judgement in 0..MAX_JUDGEMENTS {
        let standing = check_eligibility(providers, &hold, judgement > 0).await?;
        let Hold { key, job, expires_at, begin, .. } = hold.clone();
        let mut row = Reservation::hold(key, job, expires_at, providers.clock().now());
        if begin {
            row.begin()?;
        }
        let held = Held { id: row.id, user_id: standing.user_id, name: standing.name };
        if providers.insert_reservation(row.clone(), standing.revision).await? {
            return Ok(held);
        }
        match hold_again(providers, key, row, standing.revision).await? {
            HoldResult::Held => return Ok(held),
            HoldResult::Stale => providers.forget_standing(key.provider_id).await,
        }
    }
    Err(kit::Error::VersionMismatch.into())
}

/// The standing by which the provider may take the job. The cache can only say yes: before a refusal the standing is
/// read anew, and a hold that was taken earlier still stands.
async fn check_eligibility(
    providers: &Providers,
    hold: &Hold,
    read_anew: bool,
) -> Result<Standing, Error> {
    let key = hold.key;
    if !read_anew {
        let known = providers.known_standing(key.provider_id).await?;
        if hold.objections(&known).is_empty() {
            return Ok(known);
        }
    }
    let standing = providers.fresh_standing(key.provider_id).await?;
    let objections = hold.objections(&standing);
    if objections.is_empty() {
        return Ok(standing);
    }
    let existing = providers.find_reservation(key.id()).await?;
    match existing.map(|row| row.asked_again(&hold.job, hold.expires_at)) {
        Some(Ok(RepeatedHold::Stands)) => Ok(standing),
        _ => Err(Error::NotEligible(objections)),
    }
}

/// Finds out why an INSERT took no effect: the order has a reservation, the standing has changed, or the time is taken,
/// perhaps by holds that ran out or by an earlier round of the order itself, which give way.
async fn hold_again(
    providers: &Providers,
    key: ReservationKey,
    row: Reservation,
    revision: i64,
) -> Result<HoldResult, Error> {
    let tx = providers.db.begin().await?;
    if reservations::is_order_released(&tx, row.order_id).await? {
        return Err(Error::ReservationReleased);
    }
    if let Some(existing) = reservations::lock_reservations(&tx, row.id).await? {
        match existing.asked_again(&row.job, row.hold_expires_at)? {
            RepeatedHold::Renew => reservations::overwrite_reservation(&tx, row).await?,
            RepeatedHold::Stands if row.running && !existing.running => {
                let begun = Reservation { running: true, ..existing };
                reservations::overwrite_reservation(&tx, begun).await?;
            }
            RepeatedHold::Stands => {}
        }
        tx.commit().await?;
        return Ok(HoldResult::Held);
    }
    if reservations::revision_of(&tx, row.provider_id).await? != revision {
        return Ok(HoldResult::Stale);
    }
    reservations::release_earlier_rounds(&*tx, key, tx.now()).await?;
    reservations::expire_holds_in_the_way(&tx, &row).await?;
    if row.running && reservations::is_busy(&tx, &row).await? {
        return Err(Error::DriverBusy);
    }
    if !reservations::insert_reservation(&*tx, row, revision).await? {
        return Err(Error::SlotTaken);
    }
    tx.commit().await?;
    Ok(HoldResult::Held)
}

/// Turns a hold into a confirmed reservation. A hold that ran out is confirmed too, while the time is free.
pub async fn confirm_hold(
    providers: &Providers,
    key: ReservationKey,
) -> Result<ReservationId, Error> {
    if providers.confirm_hold(key.id()).await? {
        return Ok(key.id());
    }
    let tx = providers.db.begin().await?;
    let mut row = reservations::lock_meant(&tx, key).await?;
    let id = row.id;
    row.confirm()?;
    reservations::overwrite_reservation(&tx, row).await?;
    tx.commit().await?;
    Ok(id)
}

/// Begins the job of an order. Where it is exclusive, what it takes does no other job until it is finished.
pub async fn begin_job(providers: &Providers, key: ReservationKey) -> Result<ReservationId, Error> {
    let tx = providers.db.begin().await?;
    let mut row = reservations::lock_meant(&tx, key).await?;
    let id = row.id;
    row.begin()?;
    reservations::overwrite_reservation(&tx, row).await?;
    tx.commit().await?;
    Ok(id)
}

/// Ends the job of an order and gives the rest of its time back. What was never held has nothing to give.
pub async fn finish_job(providers: &Providers, key: ReservationKey) -> Result<(), Error> {
    let tx = providers.db.begin().await?;
    match reservations::lock_meant(&tx, key).await {
        Err(Error::ReservationNotFound) => return Ok(()),
        found => {
            let mut row = found?;
            row.finish(tx.now());
            reservations::overwrite_reservation(&tx, row).await?;
        }
    }
    Ok(tx.commit().await?)
}

/// Lets go of a provider's time. What was never held in the round is refused from now on.
pub async fn release_hold(providers: &Providers, key: ReservationKey) -> Result<(), Error> {
    let tx = providers.db.begin().await?;
    reservations::release(&tx, key).await?;
    Ok(tx.commit().await?)
}

/// Lets go of every provider's time. Whatever is still to come for the order is refused.
pub async fn release_order(providers: &Providers, order_id: Uuid) -> Result<(), Error> {
    let tx = providers.db.begin().await?;
    reservations::release_order(&tx, order_id).await?;
    Ok(tx.commit().await?)
}

/// Moves the reservation of an order to another window, or leaves it where it is.
pub async fn move_to(
    providers: &Providers,
    key: ReservationKey,
    window: Window,
    hold_expires_at: Option<DateTime<Utc>>,
) -> Result<ReservationId, Error> {
    let existing = providers.find_meant(key).await?;
    existing.clone().move_to(window, hold_expires_at)?;
    if existing.job.window != window {
        let job = existing.job.moved_to(window);
        let objections = providers.fresh_standing(key.provider_id).await?.objections(&job, None);
        if !objections.is_empty() {
            return Err(Error::NotEligible(objections));
        }
    }
    let tx = providers.db.begin().await?;
    let mut row = reservations::lock_meant(&tx, key).await?;
    let id = row.id;
    row.move_to(window, hold_expires_at)?;
    reservations::overwrite_reservation(&tx, row).await?;
    tx.commit().await?;
    Ok(id)
}
