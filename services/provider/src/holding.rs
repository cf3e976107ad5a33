//! How order takes a provider's time: judged by the provider's standing, then taken by one INSERT that the database
//! itself refuses when the time is not free. A job of several people and vehicles takes all of them or none.

use crate::{
    domain::{
        Error, Reservation, ReservationId,
        profile::ProviderKind,
        reservation::{JobRequest, RepeatedHold, ReservationKey},
        standing::Standing,
    },
    repository::{Providers, presences, reservations},
};
use chrono::{DateTime, Utc};
use kit::{Tx, Window};
use uuid::Uuid;

/// How often a hold is judged anew because the provider's standing changed between the judgement and the INSERT.
const MAX_JUDGEMENTS: u32 = 3;
/// How often members and vehicles are chosen for a hold, while other orders are faster.
const MAX_CHOICES: u32 = 4;

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
    /// The row that takes the profile.
    fn row(&self, now: DateTime<Utc>) -> Result<Reservation, Error> {
        let mut row = Reservation::hold(self.key, self.job.clone(), self.expires_at, now);
        if self.begin {
            row.begin()?;
        }
        Ok(row)
    }

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

impl Held {
    fn of(id: ReservationId, standing: Standing) -> Self {
        Self { id, user_id: standing.user_id, name: standing.name }
    }
}

/// What became of resources that were chosen.
enum HoldResult {
    /// Their time is held now.
    Held,
    /// They were judged by a standing that has changed since.
    Stale,
    /// Another order was faster with one of them.
    Lost,
}

/// Takes a hold. At best this is one statement: the standing is in the cache, the job takes the profile alone, and the
/// INSERT checks that the standing still is what it was.
pub async fn hold_time(providers: &Providers, hold: Hold) -> Result<Held, Error> {
    for judgement in 0..MAX_JUDGEMENTS {
        let mut standing = check_eligibility(providers, &hold, judgement > 0).await?;
        if hold.job.needs.live && standing.kind == ProviderKind::Solo {
            let online = providers.online_of(&[standing.provider_id]).await?;
            if let Some(presence) = online.get(&standing.provider_id) {
                standing.keep_vehicle(presence.asset_id);
            }
        }
        let row = hold.row(providers.clock().now())?;
        let profile_only = standing.gives_profile_only(&hold.job);
        if profile_only && providers.insert_reservation(row.clone(), standing.revision).await? {
            return Ok(Held::of(row.id, standing));
        }
        let choices = if profile_only { 1 } else { MAX_CHOICES };
        match hold_a_choice(providers, &hold, &standing, choices).await? {
            HoldResult::Held => return Ok(Held::of(row.id, standing)),
            HoldResult::Stale => providers.forget_standing(hold.key.provider_id).await,
            HoldResult::Lost => return Err(Error::SlotTaken),
        }
    }
    Err(kit::Error::VersionMismatch.into())
}

/// Chooses resources for a hold and takes them, and chooses anew when another order is faster.
async fn hold_a_choice(
    providers: &Providers,
    hold: &Hold,
    standing: &Standing,
    choices: u32,
) -> Result<HoldResult, Error> {
    for _ in 0..choices {
        match hold_chosen(providers, hold, standing).await? {
            HoldResult::Lost => {}
            done @ (HoldResult::Held | HoldResult::Stale) => return Ok(done),
        }
    }
    Ok(HoldResult::Lost)
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

/// Chooses free resources for a hold and takes all of them, or none. A hold of the order that is there already stands, or
/// gives way if it ran out or is about to; so do holds of others that ran out, and earlier rounds of the order itself.
async fn hold_chosen(
    providers: &Providers,
    hold: &Hold,
    standing: &Standing,
) -> Result<HoldResult, Error> {
    let tx = providers.db.begin().await?;
    let row = hold.row(tx.now())?;
    if reservations::is_order_released(&tx, row.order_id).await? {
        return Err(Error::ReservationReleased);
    }
    let existing = reservations::lock_rows(&tx, row.id).await?;
    if let Some(first) = existing.first() {
        match first.asked_again(&row.job, row.hold_expires_at)? {
            RepeatedHold::Renew => reservations::delete_rows(&tx, row.id).await?,
            RepeatedHold::Stands => {
                begin_rows(&tx, existing, hold.begin).await?;
                tx.commit().await?;
                return Ok(HoldResult::Held);
            }
        }
    }
    if reservations::revision_of(&tx, row.provider_id).await? != standing.revision {
        return Ok(HoldResult::Stale);
    }
    reservations::release_earlier_rounds(&*tx, hold.key, tx.now()).await?;
    let rows = choose_rows(&tx, hold, standing, &row).await?;
    for row in &rows {
        reservations::expire_holds_in_the_way(&tx, row).await?;
    }
    let rows: Vec<_> = rows.into_iter().map(|row| (row, standing.revision)).collect();
    match reservations::insert_all(&*tx, &rows).await {
        Err(Error::SlotTaken | Error::DriverBusy) => Ok(HoldResult::Lost),
        Err(error) => Err(error),
        Ok(inserted) if inserted.iter().all(|done| *done) => {
            tx.commit().await?;
            Ok(HoldResult::Held)
        }
        Ok(_) => Ok(HoldResult::Stale),
    }
}

/// The rows of a hold, for resources that are free.
async fn choose_rows(
    tx: &Tx,
    hold: &Hold,
    standing: &Standing,
    first: &Reservation,
) -> Result<Vec<Reservation>, Error> {
    let spread = hold.key.order_id;
    let mut taken =
        reservations::taken_resources(tx, standing.provider_id, hold.job.busy()).await?;
    if first.running {
        let running = reservations::running_resources(tx, standing.provider_id).await?;
        if standing.choose_resources(&hold.job, &running, spread).is_none() {
            return Err(Error::DriverBusy);
        }
        taken.extend(running);
    }
    let chosen = standing.choose_resources(&hold.job, &taken, spread).ok_or(Error::SlotTaken)?;
    Ok(Reservation::hold_resources(first, chosen))
}

/// Begins the job of a hold that stands, if it is to begin and does not run yet.
async fn begin_rows(tx: &Tx, rows: Vec<Reservation>, begin: bool) -> Result<(), Error> {
    for mut row in rows {
        if begin && !row.running {
            row.begin()?;
            reservations::overwrite_reservation(tx, row).await?;
        }
    }
    Ok(())
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
    let rows = reservations::lock_meant(&tx, key).await?;
    let id = rows[0].reservation_id;
    for mut row in rows {
        row.confirm()?;
        reservations::overwrite_reservation(&tx, row).await?;
    }
    tx.commit().await?;
    Ok(id)
}

/// Begins the job of an order. Where it is exclusive, what it takes does no other job until it is finished.
pub async fn begin_job(providers: &Providers, key: ReservationKey) -> Result<ReservationId, Error> {
    let tx = providers.db.begin().await?;
    let rows = reservations::lock_meant(&tx, key).await?;
    let id = rows[0].reservation_id;
    for mut row in rows {
        row.begin()?;
        reservations::overwrite_reservation(&tx, row).await?;
    }
    tx.commit().await?;
    Ok(id)
}

/// Ends the job of an order and gives the rest of its time back. What was never held has nothing to give.
pub async fn finish_job(providers: &Providers, key: ReservationKey) -> Result<(), Error> {
    let tx = providers.db.begin().await?;
    let rows = match reservations::lock_meant(&tx, key).await {
        Err(Error::ReservationNotFound) => return Ok(()),
        found => found?,
    };
    presences::begin_idle(&tx, key.provider_id).await?;
    for mut row in rows {
        row.finish(tx.now());
        reservations::overwrite_reservation(&tx, row).await?;
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

/// Moves the reservation of an order to another window with all that it takes, or leaves it where it is.
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
    let rows = reservations::lock_meant(&tx, key).await?;
    let id = rows[0].reservation_id;
    for mut row in rows {
        row.move_to(window, hold_expires_at)?;
        reservations::overwrite_reservation(&tx, row).await?;
    }
    tx.commit().await?;
    Ok(id)
}
