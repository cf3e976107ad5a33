//! Standing: everything that decides whether a provider may take a job, in one piece, so that it can be kept at hand.

use super::{
    Document, Offering, Provider, ProviderId, Span, TimeOff,
    calendar::Calendar,
    document,
    geo::GeoPlace,
    profile::{BackgroundCheck, State},
    reservation::JobRequest,
};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The profile takes no bookings in its state.
const NOT_ACTIVE: &str = "NOT_ACTIVE";

/// What decides about a provider. `revision` is the count of changes that it was read at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    pub provider_id: ProviderId,
    pub user_id: Uuid,
    pub name: String,
    /// The country in which it works: its documents and its taxes are of this country.
    pub country: String,
    /// Count of changes.
    pub revision: i64,
    /// Where it stands.
    pub state: State,
    /// Its background check.
    pub background_check: BackgroundCheck,
    /// What it offers.
    pub offerings: Vec<Offered>,
    /// Its verified documents.
    pub documents: Vec<Verified>,
    /// When it works.
    pub calendar: Calendar,
}

/// An offering as far as it decides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Offered {
    pub vertical: String,
    pub skills: Vec<String>,
    /// Centre of its area.
    pub centre: GeoPlace,
    /// Radius of its area.
    pub radius_km: f64,
}

/// A verified document as far as it decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    pub kind: String,
    /// First day it is valid.
    pub issued_on: NaiveDate,
    /// Last day it is valid.
    pub expires_on: Option<NaiveDate>,
}

impl Verified {
    fn is_valid_on(&self, date: NaiveDate) -> bool {
        self.issued_on <= date && self.expires_on.is_none_or(|last| date <= last)
    }
}

impl Standing {
    /// Puts together what decides about `provider`; of the documents only the verified ones.
    pub fn of(
        provider: &Provider,
        offerings: &[Offering],
        documents: &[Document],
        time_off: &[TimeOff],
    ) -> Self {
        let verified = documents.iter().filter(|it| it.state == document::State::Verified);
        Self {
            provider_id: provider.id,
            user_id: provider.user_id,
            name: provider.name.clone(),
            country: provider.country.clone(),
            revision: provider.standing,
            state: provider.state,
            background_check: provider.background_check,
            offerings: offerings.iter().map(Offered::from).collect(),
            documents: verified.map(Verified::from).collect(),
            calendar: Calendar {
                time_off: time_off.iter().map(|off| (off.start_local, off.end_local)).collect(),
                ..provider.usual_calendar()
            },
        }
    }

    /// What speaks against booking the provider for `job` of `customer`, as stable codes; nothing means eligible.
    pub fn objections(&self, job: &JobRequest, customer: Option<Uuid>) -> Vec<String> {
        let mut causes = self.objections_to_booked(job, customer);
        if self.state == State::Paused {
            causes.insert(0, NOT_ACTIVE.to_owned());
        }
        if job.country.as_ref().is_some_and(|country| *country != self.country) {
            causes.push("OTHER_COUNTRY".to_owned());
        }
        if self.offering(&job.vertical).zip(job.place).is_some_and(|(it, to)| !it.reaches(&to)) {
            causes.push("OUT_OF_AREA".to_owned());
        }
        if !self.calendar.covers(&job.work()) {
            causes.push("OUTSIDE_AVAILABILITY".to_owned());
        }
        causes
    }

    /// What speaks against the provider taking or rendering `job`, which was booked with it. A pause, other hours and a
    /// smaller area keep new bookings away and take nothing back that was booked before.
    pub fn objections_to_booked(&self, job: &JobRequest, customer: Option<Uuid>) -> Vec<String> {
        let mut causes = Vec::new();
        if !matches!(self.state, State::Active | State::Paused) {
            causes.push(NOT_ACTIVE.to_owned());
        }
        if self.background_check != BackgroundCheck::Clear {
            causes.push("BACKGROUND_CHECK".to_owned());
        }
        if customer == Some(self.user_id) {
            causes.push("OWN_PROFILE".to_owned());
        }
        match self.offering(&job.vertical) {
            None => causes.push("NO_OFFERING".to_owned()),
            Some(offering) => {
                let missing = job.skills.iter().filter(|skill| !offering.skills.contains(skill));
                causes.extend(missing.map(|skill| format!("SKILL:{skill}")));
            }
        }
        let missing = job.documents.iter().filter(|kind| !self.has_document(kind, job));
        causes.extend(missing.map(|kind| format!("DOCUMENT:{kind}")));
        causes
    }

    /// What it offers in a vertical.
    pub fn offering(&self, vertical: &str) -> Option<&Offered> {
        self.offerings.iter().find(|offering| offering.vertical == vertical)
    }

    /// Whether a document of the kind is valid on every day of the job, as the clock at its place counts days.
    fn has_document(&self, kind: &str, job: &JobRequest) -> bool {
        let (first, last) = job.dates();
        first.iter_days().take_while(|day| *day <= last).all(|day| {
            self.documents.iter().any(|document| document.kind == kind && document.is_valid_on(day))
        })
    }

    /// When it works between two moments.
    pub fn open(&self, between: &Span) -> Vec<Span> {
        self.calendar.open(between.start, between.end)
    }
}

impl Offered {
    /// Whether a place lies in the area.
    pub fn reaches(&self, place: &GeoPlace) -> bool {
        self.centre.km_to(place) <= self.radius_km
    }
}

impl From<&Offering> for Offered {
    fn from(offering: &Offering) -> Self {
        Self {
            vertical: offering.vertical.clone(),
            skills: offering.skills.0.clone(),
            centre: GeoPlace { lat: offering.lat, lng: offering.lng },
            radius_km: offering.radius_km,
        }
    }
}

impl From<&Document> for Verified {
    fn from(document: &Document) -> Self {
        let Document { kind, issued_on, expires_on, .. } = document;
        Self { kind: kind.clone(), issued_on: *issued_on, expires_on: *expires_on }
    }
}

#[cfg(test)]
mod tests;
