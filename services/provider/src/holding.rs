//! How order takes a provider's time: judged by the provider's standing, then taken by one INSERT that the database
//! itself refuses when the time is not free.

use crate::{
    domain::{
        Error, ProviderId, Reservation, ReservationId,
        reservation::{self, Job, RepeatedHold},
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
    /// The order it is for.
    pub order_id: Uuid,
    /// The provider whose time it takes.
    pub provider_id: ProviderId,
    pub job: Job,
    /// When it lapses by itself.
    pub expires_at: DateTime<Utc>,
    /// The customer's account.
    pub customer: Option<Uuid>,
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
pub async fn hold(providers: &Providers, hold: Hold) -> Result<Held, Error> {
    for judgement in 0..MAX_JUDGEMENTS {
        let standing = check_eligibility(providers, &hold, judgement > 0).await?;
        let Hold { order_id, provider_id, job, expires_at, .. } = hold.clone();
        let now = providers.clock().now();
        let row = Reservation::hold(order_id, provider_id, job, expires_at, now);
        let held = Held { id: row.id, user_id: standing.user_id, name: standing.name };
        if providers.insert_reservation(row.clone(), standing.revision).await? {
            return Ok(held);
        }
        match hold_again(providers, row, standing.revision).await? {
            HoldResult::Held => return Ok(held),
            HoldResult::Stale => providers.forget_standing(provider_id).await,
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
    let Hold { provider_id, job, customer, .. } = hold;
    if !read_anew {
        let known = providers.known_standing(*provider_id).await?;
        if known.objections(job, *customer).is_empty() {
            return Ok(known);
        }
    }
    let standing = providers.fresh_standing(*provider_id).await?;
    let objections = standing.objections(job, *customer);
    if objections.is_empty() {
        return Ok(standing);
    }
    let id = reservation::id_of(hold.order_id, hold.provider_id);
    let existing = providers.find_reservation(id).await?;
    match existing.map(|row| row.asked_again(&hold.job, hold.expires_at)) {
        Some(Ok(RepeatedHold::Stands)) => Ok(standing),
        _ => Err(Error::NotEligible(objections)),
    }
}

/// Finds out why an INSERT took no effect: the order has a reservation, the standing has changed, or the time is taken,
/// perhaps by holds that ran out, which give way.
async fn hold_again(
    providers: &Providers,
    row: Reservation,
    revision: i64,
) -> Result<HoldResult, Error> {
    let tx = providers.db.begin().await?;
    if reservations::is_order_released(&tx, row.order_id).await? {
        return Err(Error::ReservationReleased);
    }
    if let Some(existing) = reservations::lock(&tx, row.id).await? {
        if existing.asked_again(&row.job, row.hold_expires_at)? == RepeatedHold::Renew {
            reservations::overwrite(&tx, row).await?;
        }
        tx.commit().await?;
        return Ok(HoldResult::Held);
    }
    if reservations::revision_of(&tx, row.provider_id).await? != revision {
        return Ok(HoldResult::Stale);
    }
    reservations::expire_holds_in_the_way(&tx, &row).await?;
    if !reservations::insert(&*tx, row, revision).await? {
        return Err(Error::SlotTaken);
    }
    tx.commit().await?;
    Ok(HoldResult::Held)
}

/// Turns a hold into a confirmed reservation. A hold that ran out is confirmed too, while the time is free.
pub async fn confirm(
    providers: &Providers,
    order_id: Uuid,
    provider_id: ProviderId,
) -> Result<ReservationId, Error> {
    let id = reservation::id_of(order_id, provider_id);
    if providers.confirm_hold(id).await? {
        return Ok(id);
    }
    let tx = providers.db.begin().await?;
    let mut row = reservations::lock(&tx, id).await?.ok_or(Error::ReservationNotFound)?;
    row.confirm()?;
    reservations::overwrite(&tx, row).await?;
    tx.commit().await?;
    Ok(id)
}

/// Lets go of a provider's time, or of every provider's. What was never held is refused from now on.
pub async fn release(
    providers: &Providers,
    order_id: Uuid,
    provider_id: Option<ProviderId>,
) -> Result<(), Error> {
    if let Some(provider_id) = provider_id {
        return providers.release(order_id, provider_id).await;
    }
    let tx = providers.db.begin().await?;
    reservations::release_order(&tx, order_id).await?;
    Ok(tx.commit().await?)
}

/// Moves the reservation of an order to another window, or leaves it where it is.
pub async fn move_to(
    providers: &Providers,
    order_id: Uuid,
    provider_id: ProviderId,
    window: Window,
    hold_expires_at: Option<DateTime<Utc>>,
) -> Result<ReservationId, Error> {
    let id = reservation::id_of(order_id, provider_id);
    let existing = providers.find_reservation(id).await?.ok_or(Error::ReservationNotFound)?;
    existing.clone().move_to(window, hold_expires_at)?;
    if existing.job.window != window {
        let job = existing.job.moved_to(window);
        let objections = providers.fresh_standing(provider_id).await?.objections(&job, None);
        if !objections.is_empty() {
            return Err(Error::NotEligible(objections));
        }
    }
    let tx = providers.db.begin().await?;
    let mut row = reservations::lock(&tx, id).await?.ok_or(Error::ReservationNotFound)?;
    row.move_to(window, hold_expires_at)?;
    reservations::overwrite(&tx, row).await?;
    tx.commit().await?;
    Ok(id)
}
