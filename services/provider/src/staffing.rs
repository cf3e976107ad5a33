//! Whether a provider still does what is booked with it: the people and vehicles whose time is reserved are judged, and
//! others take the place of those that are gone or do not do any more.

use crate::{
    domain::{
        Error, Provider, ProviderId, Reservation, Span,
        reservation::{JobRequest, ReservationKey},
        standing::Standing,
    },
    events,
    repository::{Providers, profiles, reservations},
};
use kit::{Scope, Tx};
use std::collections::HashSet;
use uuid::Uuid;

/// How often others are chosen, while the provider changes or other orders are faster.
const MAX_CHOICES: u32 = 4;

/// A job that is booked with a provider.
#[derive(Clone, Debug)]
pub struct BookedJob {
    pub provider_id: ProviderId,
    pub job: JobRequest,
    /// The customer's account.
    pub customer: Option<Uuid>,
    /// The reservation that takes the time of people and vehicles for it; none where nothing is reserved yet.
    pub key: Option<ReservationKey>,
}

/// What became of choosing others.
enum Restaffing {
    /// They come now.
    Done,
    /// Too few are left, as stable codes.
    Short(Vec<String>),
    /// The provider has changed meanwhile, or another order was faster.
    Again,
}

/// What speaks against a provider taking or doing a job that is booked with it, as stable codes; nothing means that it may.
pub async fn check_booked_job(
    providers: &Providers,
    booked: BookedJob,
) -> Result<Vec<String>, Error> {
    let BookedJob { provider_id, job, customer, key } = booked;
    for _ in 0..MAX_CHOICES {
        let standing = providers.fresh_standing(provider_id).await?;
        let reserved = match key {
            Some(key) => providers.active_rows_meant(key).await?,
            None => Vec::new(),
        };
        let (Some(key), false) = (key, reserved.is_empty()) else {
            return Ok(standing.objections_to_booked(&job, customer));
        };
        let causes = standing.profile_objections(&job, customer);
        if !causes.is_empty() || standing.is_staffed_by(&job, &resources_of(&reserved)) {
            return Ok(causes);
        }
        match restaff(providers, key, &job, &standing).await? {
            Restaffing::Done => return Ok(Vec::new()),
            Restaffing::Short(causes) => return Ok(causes),
            Restaffing::Again => {}
        }
    }
    Err(kit::Error::VersionMismatch.into())
}

/// Chooses others for those of a reservation that do not do any more, and tells who depends on it. All of them come, or
/// nothing changes.
async fn restaff(
    providers: &Providers,
    key: ReservationKey,
    job: &JobRequest,
    standing: &Standing,
) -> Result<Restaffing, Error> {
    let tx = providers.db.begin().await?;
    // The profile is locked first, as everywhere.
    let mut provider = profiles::lock_profile(&tx, key.provider_id, Scope::All).await?;
    let rows = reservations::lock_meant(&tx, key).await?;
    let Some(first) = rows.first().filter(|_| provider.standing == standing.revision) else {
        return Ok(Restaffing::Again);
    };
    let reserved = resources_of(&rows);
    let span = Span { start: first.starts_at, end: first.ends_at };
    let mut taken = reservations::taken_resources(&tx, key.provider_id, span).await?;
    if rows.iter().any(|row| row.running) {
        taken.extend(reservations::running_resources(&tx, key.provider_id).await?);
    }
    let staff = match standing.restaff(job, &reserved, &taken) {
        Ok(staff) => staff,
        Err(causes) => return Ok(Restaffing::Short(causes)),
    };
    for row in Reservation::restaffed_rows(&rows, staff) {
        match reservations::overwrite_reservation(&tx, row).await {
            Err(Error::SlotTaken | Error::DriverBusy) => return Ok(Restaffing::Again),
            written => written?,
        }
    }
    events::record_crew_replaced(&tx, &mut provider, key.order_id).await?;
    profiles::save_event_count(&tx, &provider).await?;
    tx.commit().await?;
    Ok(Restaffing::Done)
}

/// Publishes that a member or a vehicle is gone or does less, when jobs that are still to end take its time: `what` it is.
/// Orders then ask whether they are done all the same.
pub async fn tell_of_lost_resource(
    tx: &Tx,
    provider: &mut Provider,
    resource_id: Uuid,
    what: &str,
) -> Result<(), Error> {
    if reservations::is_reserved(tx, provider.id, resource_id).await? {
        events::record_event(tx, provider, events::RESOURCE_LOST, what).await?;
    }
    Ok(())
}

fn resources_of(rows: &[Reservation]) -> HashSet<Uuid> {
    rows.iter().map(|row| row.resource_id).collect()
}
