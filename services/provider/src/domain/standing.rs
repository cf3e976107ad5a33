//! Standing: everything that decides whether a provider may take a job, in one piece, so that it can be kept at hand.

use super::{
    Asset, Document, Member, MemberId, Offering, Provider, ProviderId, Span, TimeOff,
    calendar::Calendar,
    crew::{TeamMember, Vehicle},
    document,
    geo::GeoPlace,
    profile::{BackgroundCheck, ProviderKind, State},
    reservation::JobRequest,
};
use chrono::{NaiveDate, NaiveDateTime};
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
    pub kind: ProviderKind,
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
    /// Its own verified documents.
    pub documents: Vec<Verified>,
    /// Its active members.
    pub team: Vec<TeamMember>,
    /// Its active vehicles.
    pub vehicles: Vec<Vehicle>,
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
    pub fn is_valid_on(&self, date: NaiveDate) -> bool {
        self.issued_on <= date && self.expires_on.is_none_or(|last| date <= last)
    }
}

/// The rows that make up a standing beside the profile's own.
#[derive(Clone, Copy, Debug, Default)]
pub struct StandingParts<'a> {
    pub offerings: &'a [Offering],
    pub documents: &'a [Document],
    pub time_off: &'a [TimeOff],
    pub members: &'a [Member],
    pub assets: &'a [Asset],
}

impl StandingParts<'_> {
    /// The verified documents of a member, or of the provider itself.
    fn verified_of(&self, member: Option<MemberId>) -> Vec<Verified> {
        let documents = self.documents.iter();
        documents
            .filter(|it| it.member_id == member && it.state == document::State::Verified)
            .map(Verified::from)
            .collect()
    }

    /// The time off of a member, or of the provider itself.
    fn time_off_of(&self, member: Option<MemberId>) -> Vec<(NaiveDateTime, NaiveDateTime)> {
        let time_off = self.time_off.iter().filter(|off| off.member_id == member);
        time_off.map(|off| (off.start_local, off.end_local)).collect()
    }
}

impl Standing {
    /// Puts together what decides about `provider`; of the documents only the verified ones, of members and vehicles only
    /// the active ones.
    pub fn of(provider: &Provider, parts: &StandingParts<'_>) -> Self {
        let members = parts.members.iter().filter(|member| member.active);
        let team = members.map(|member| {
            let id = Some(member.id);
            TeamMember::of(member, &parts.verified_of(id), &parts.time_off_of(id))
        });
        let vehicles = parts.assets.iter().filter(|asset| asset.active);
        Self {
            provider_id: provider.id,
            user_id: provider.user_id,
            name: provider.name.clone(),
            kind: provider.kind,
            country: provider.country.clone(),
            revision: provider.standing,
            state: provider.state,
            background_check: provider.background_check,
            offerings: parts.offerings.iter().map(Offered::from).collect(),
            documents: parts.verified_of(None),
            team: team.collect(),
            vehicles: vehicles.map(Vehicle::from).collect(),
            calendar: Calendar { time_off: parts.time_off_of(None), ..provider.usual_calendar() },
        }
    }

    /// What speaks against booking the provider for `job` of `customer`, as stable codes; nothing means eligible.
    pub fn objections(&self, job: &JobRequest, customer: Option<Uuid>) -> Vec<String> {
        let mut causes = self.profile_objections(job, customer);
        if self.state == State::Paused {
            causes.insert(0, NOT_ACTIVE.to_owned());
        }
        if job.country.as_ref().is_some_and(|country| *country != self.country) {
            causes.push("OTHER_COUNTRY".to_owned());
        }
        if self.offering(&job.vertical).zip(job.place).is_some_and(|(it, to)| !it.reaches(&to)) {
            causes.push("OUT_OF_AREA".to_owned());
        }
        if !job.needs.live && !self.calendar.covers(&job.work()) {
            causes.push("OUTSIDE_AVAILABILITY".to_owned());
        }
        for cause in self.crew_objections(job, false) {
            if !causes.contains(&cause) {
                causes.push(cause);
            }
        }
        causes
    }

    /// What speaks against the provider taking or rendering `job`, which was booked with it. A pause, other hours and a
    /// smaller area keep new bookings away and take nothing back that was booked before.
    pub fn objections_to_booked(&self, job: &JobRequest, customer: Option<Uuid>) -> Vec<String> {
        let mut causes = self.profile_objections(job, customer);
        causes.extend(self.crew_objections(job, true));
        causes
    }

    /// What speaks against the profile itself, its people and vehicles left out.
    pub fn profile_objections(&self, job: &JobRequest, customer: Option<Uuid>) -> Vec<String> {
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
        let missing = job.documents.iter().filter(|kind| !job.is_covered_by(kind, &self.documents));
        causes.extend(missing.map(|kind| format!("DOCUMENT:{kind}")));
        causes
    }

    /// What it offers in a vertical.
    pub fn offering(&self, vertical: &str) -> Option<&Offered> {
        self.offerings.iter().find(|offering| offering.vertical == vertical)
    }

    /// How far the centre of its area is from the job, when both are known.
    pub fn metres_to_job(&self, job: &JobRequest) -> Option<f64> {
        let offering = self.offering(&job.vertical)?;
        Some(offering.centre.km_to(job.place.as_ref()?) * 1_000.0)
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
