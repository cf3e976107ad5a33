//! Reservations: time that is held, taken and let go.

use super::{
    Error, ProviderId, Reservation, ReservationId, Span,
    crew::{JobResource, Needs},
    geo::GeoPlace,
    standing::Verified,
};
use chrono::{DateTime, Duration, NaiveDate, Utc};
use chrono_tz::Tz;
use kit::Window;
use sea_orm::{DeriveActiveEnum, EnumIter, FromJsonQueryResult};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Where a reservation stands. A hold that ran out is released and marked as lapsed: it may come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum State {
    /// Is held until a moment.
    #[sea_orm(string_value = "HOLD")]
    Hold,
    #[sea_orm(string_value = "CONFIRMED")]
    Confirmed,
    #[sea_orm(string_value = "RELEASED")]
    Released,
}

/// What a reservation takes the time of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum ResourceKind {
    /// A person who works alone, or a company as a whole.
    #[sea_orm(string_value = "PROFILE")]
    Profile,
    /// A member of a company.
    #[sea_orm(string_value = "MEMBER")]
    Member,
    /// A vehicle of the provider.
    #[sea_orm(string_value = "ASSET")]
    Asset,
}

/// What is to be done, kept with the reservation so that it can be judged again when it moves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct JobRequest {
    /// Key of the vertical.
    pub vertical: String,
    /// When the work happens.
    pub window: Window,
    /// Seconds kept free before the work.
    pub buffer_before_s: i64,
    /// Seconds kept free after the work.
    pub buffer_after_s: i64,
    /// Skills it takes.
    pub skills: Vec<String>,
    /// Skills that put those who offer one before the others.
    #[serde(default)]
    pub preferred_skills: Vec<String>,
    /// Documents it takes.
    pub documents: Vec<String>,
    /// Where it happens, as far as known.
    pub place: Option<GeoPlace>,
    /// In which country, as far as known.
    #[serde(default)]
    pub country: Option<String>,
    /// What it takes beside skills and documents of the profile.
    #[serde(default)]
    pub needs: Needs,
}

impl JobRequest {
    /// The time of the work.
    pub fn work(&self) -> Span {
        Span { start: self.window.start, end: self.window.end }
    }

    /// The time it takes from its provider, buffers included.
    pub fn busy(&self) -> Span {
        self.busy_around(self.work())
    }

    /// The time it would take if the work were then.
    pub fn busy_around(&self, work: Span) -> Span {
        Span {
            start: work.start - Duration::seconds(self.buffer_before_s),
            end: work.end + Duration::seconds(self.buffer_after_s),
        }
    }

    /// The first and the last day of the work, as the clock at its place counts days.
    pub fn dates(&self) -> (NaiveDate, NaiveDate) {
        let Window { start, end, zone } = self.window;
        let last = end - Duration::microseconds(1);
        (start.with_timezone(&zone).date_naive(), last.with_timezone(&zone).date_naive())
    }

    /// Whether one of `documents` is of the kind and valid, on every day of the job.
    pub fn is_covered_by(&self, kind: &str, documents: &[Verified]) -> bool {
        let (first, last) = self.dates();
        first.iter_days().take_while(|day| *day <= last).all(|day| {
            documents.iter().any(|document| document.kind == kind && document.is_valid_on(day))
        })
    }

    /// The same job at another time.
    #[must_use]
    pub fn moved_to(&self, window: Window) -> Self {
        Self { window, ..self.clone() }
    }
}

/// Stands for every provider in the row that refuses late holds of an order that let go of them all.
const EVERY_PROVIDER: ProviderId = ProviderId::from_uuid(Uuid::nil());

/// What a reservation is for: asking again with the same key finds the same reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReservationKey {
    pub order_id: Uuid,
    /// The provider whose time it takes.
    pub provider_id: ProviderId,
    /// The round of the order's search; 0 for a provider whom the customer named.
    pub round: i32,
}

impl ReservationKey {
    /// Stands for every provider that `order_id` could ask for.
    pub const fn every_provider(order_id: Uuid) -> Self {
        Self { order_id, provider_id: EVERY_PROVIDER, round: 0 }
    }

    /// The id of the reservation.
    pub fn id(&self) -> ReservationId {
        let Self { order_id, provider_id, round } = self;
        match round {
            0 => ReservationId::derived(*order_id, &provider_id.to_string()),
            round => ReservationId::derived(*order_id, &format!("{provider_id}:{round}")),
        }
    }
}

/// What to do about a hold that is asked for when there is a reservation already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RepeatedHold {
    /// It stands: answer as before.
    Stands,
    /// It ran out or is about to: hold it anew.
    Renew,
}

impl Reservation {
    pub fn hold(
        key: ReservationKey,
        job: JobRequest,
        expires_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Self {
        let ReservationKey { order_id, provider_id, round } = key;
        let Span { start, end } = job.busy();
        Self {
            id: key.id(),
            provider_id,
            order_id,
            round,
            reservation_id: key.id(),
            resource_id: provider_id.uuid(),
            resource_kind: ResourceKind::Profile,
            role: String::new(),
            running: false,
            state: State::Hold,
            lapsed: false,
            starts_at: start,
            ends_at: end,
            hold_expires_at: expires_at,
            job,
            created_at: now,
            updated_at: now,
        }
    }

    /// The rows of a hold that takes several resources: the first one has the reservation's own id.
    pub fn hold_resources(first: &Self, resources: Vec<JobResource>) -> Vec<Self> {
        let mut rows = Vec::with_capacity(resources.len());
        for resource in resources {
            let id = match rows.is_empty() {
                true => first.id,
                false => ReservationId::derived(first.id.uuid(), &resource.id.to_string()),
            };
            let JobResource { id: resource_id, kind: resource_kind, role } = resource;
            rows.push(Self { id, resource_id, resource_kind, role, ..first.clone() });
        }
        rows
    }

    /// What is left when an order lets go of a provider: no time, and no way back in the same round.
    pub fn released(key: ReservationKey, now: DateTime<Utc>) -> Self {
        let window = Window { start: now, end: now, zone: Tz::UTC };
        let job = JobRequest {
            vertical: String::new(),
            window,
            buffer_before_s: 0,
            buffer_after_s: 0,
            skills: Vec::new(),
            preferred_skills: Vec::new(),
            documents: Vec::new(),
            place: None,
            country: None,
            needs: Needs::default(),
        };
        Self { state: State::Released, ..Self::hold(key, job, now, now) }
    }

    /// Judges a hold for `job` until `expires_at` that is asked for again.
    pub fn asked_again(
        &self,
        job: &JobRequest,
        expires_at: DateTime<Utc>,
    ) -> Result<RepeatedHold, Error> {
        let same =
            self.job.window.start == job.window.start && self.job.window.end == job.window.end;
        match self.state {
            State::Released if !self.lapsed => Err(Error::ReservationReleased),
            State::Released => Ok(RepeatedHold::Renew),
            State::Hold | State::Confirmed if !same => Err(Error::ReservationDiffers),
            State::Hold if expires_at > self.hold_expires_at => Ok(RepeatedHold::Renew),
            State::Hold | State::Confirmed => Ok(RepeatedHold::Stands),
        }
    }

    /// Confirms it. A hold that ran out may come back, one that was released may not.
    pub fn confirm(&mut self) -> Result<(), Error> {
        self.state = match self.state {
            State::Released if !self.lapsed => return Err(Error::ReservationNotFound),
            State::Hold | State::Released | State::Confirmed => State::Confirmed,
        };
        Ok(())
    }

    /// Begins the job: where it is exclusive, the resource does no other one until it is finished.
    pub fn begin(&mut self) -> Result<(), Error> {
        if self.state == State::Released {
            return Err(Error::ReservationNotFound);
        }
        self.running = self.job.needs.exclusive;
        Ok(())
    }

    /// Ends the job at `now`, and gives back what is left of its time but for the buffer after it.
    pub fn finish(&mut self, now: DateTime<Utc>) {
        self.running = false;
        let free_from = now + Duration::seconds(self.job.buffer_after_s);
        self.ends_at = self.ends_at.min(free_from).max(self.starts_at);
    }

    /// Moves it to another window. A hold that ran out is held again; one that was released stays so.
    pub fn move_to(
        &mut self,
        window: Window,
        hold_expires_at: Option<DateTime<Utc>>,
    ) -> Result<(), Error> {
        self.state = match self.state {
            State::Released if !self.lapsed => return Err(Error::ReservationNotFound),
            State::Released | State::Hold => State::Hold,
            State::Confirmed => State::Confirmed,
        };
        self.job = self.job.moved_to(window);
        let Span { start, end } = self.job.busy();
        (self.starts_at, self.ends_at) = (start, end);
        self.hold_expires_at = hold_expires_at.unwrap_or(self.hold_expires_at);
        Ok(())
    }
}
