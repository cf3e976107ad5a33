//! Crews and vehicles: what a job takes of a provider, and which of its people and vehicles do.

mod staffing;

use super::{
    Asset, AssetId, Member, MemberId,
    profile::ProviderKind,
    reservation::{JobRequest, ResourceKind},
    standing::{Standing, Verified},
};
use chrono::NaiveDateTime;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashSet};
use uuid::Uuid;

/// What a job takes beside the profile's skills and documents.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Needs {
    /// Whether what the job takes does no other exclusive one while it runs.
    pub exclusive: bool,
    /// People by role; empty for one person who brings the job's skills.
    pub crew: Vec<CrewRole>,
    /// Vehicles that the work needs.
    pub assets: Vec<AssetNeed>,
    /// Whether the provider is found by being online and near, whatever its weekly hours are.
    pub live: bool,
}

/// People who do the same in a job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrewRole {
    pub role: String,
    pub skills: Vec<String>,
    /// Kinds of document that each of them has.
    pub documents: Vec<String>,
    pub count: usize,
}

/// Vehicles of a size.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssetNeed {
    /// Kinds that do; empty for any.
    pub kinds: Vec<String>,
    pub seats: i32,
    pub volume_l: i32,
    pub payload_kg: i32,
    pub count: usize,
}

/// A member as far as it decides about bookings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TeamMember {
    pub id: MemberId,
    pub skills: Vec<String>,
    /// The verified documents of the member.
    pub documents: Vec<Verified>,
    /// When the member does not work, in local time of the provider's zone.
    pub time_off: Vec<(NaiveDateTime, NaiveDateTime)>,
}

/// A vehicle as far as it decides about bookings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vehicle {
    pub id: AssetId,
    pub kind: String,
    pub seats: i32,
    pub volume_l: i32,
    pub payload_kg: i32,
}

/// What a member is judged by; each has what is before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Demand {
    Skills,
    Documents,
    /// No time off during the work.
    Time,
}

/// Something whose time a job takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobResource {
    pub id: Uuid,
    pub kind: ResourceKind,
    /// What a member does in the job; empty for the others.
    pub role: String,
}

impl TeamMember {
    /// Puts together what decides about `member`.
    pub fn of(
        member: &Member,
        documents: &[Verified],
        time_off: &[(NaiveDateTime, NaiveDateTime)],
    ) -> Self {
        Self {
            id: member.id,
            skills: member.skills.0.clone(),
            documents: documents.to_vec(),
            time_off: time_off.to_vec(),
        }
    }

    fn has_skills(&self, skills: &[String]) -> bool {
        skills.iter().all(|skill| self.skills.contains(skill))
    }

    fn has_documents(&self, kinds: &[String], job: &JobRequest) -> bool {
        kinds.iter().all(|kind| job.is_covered_by(kind, &self.documents))
    }
}

impl From<&Asset> for Vehicle {
    fn from(asset: &Asset) -> Self {
        Self {
            id: asset.id,
            kind: asset.kind.clone(),
            seats: asset.seats,
            volume_l: asset.volume_l,
            payload_kg: asset.payload_kg,
        }
    }
}

impl AssetNeed {
    fn is_met_by(&self, vehicle: &Vehicle) -> bool {
        (self.kinds.is_empty() || self.kinds.contains(&vehicle.kind))
            && vehicle.seats >= self.seats
            && vehicle.volume_l >= self.volume_l
            && vehicle.payload_kg >= self.payload_kg
    }
}

impl JobRequest {
    /// The people that the job takes, one entry for each.
    fn places(&self) -> Vec<CrewRole> {
        if self.needs.crew.is_empty() {
            let skills = self.skills.clone();
            return vec![CrewRole { skills, count: 1, ..CrewRole::default() }];
        }
        let crew = self.needs.crew.iter();
        crew.flat_map(|role| std::iter::repeat_n(role.clone(), role.count)).collect()
    }

    /// The vehicles that the job takes, one entry for each.
    fn vehicle_places(&self) -> Vec<AssetNeed> {
        let assets = self.needs.assets.iter();
        assets.flat_map(|need| std::iter::repeat_n(need.clone(), need.count)).collect()
    }
}

impl Standing {
    /// Whether the job takes the time of the profile and of nothing else.
    pub fn gives_profile_only(&self, job: &JobRequest) -> bool {
        job.needs.assets.is_empty() && self.works_as_a_whole(job)
    }

    /// Whether the job takes the profile rather than single members: always of a person, and of a company none of whose
    /// members has the skills.
    fn works_as_a_whole(&self, job: &JobRequest) -> bool {
        let places = job.places();
        let mut skilled = self.team.iter().filter(|member| {
            !member.skills.is_empty() && places.iter().any(|place| member.has_skills(&place.skills))
        });
        self.kind == ProviderKind::Solo || skilled.next().is_none()
    }

    /// What speaks against the job in the provider's people and vehicles, whatever time is taken. Of a job that is `booked`
    /// time off takes nothing back.
    pub fn crew_objections(&self, job: &JobRequest, booked: bool) -> Vec<String> {
        let mut causes = match self.works_as_a_whole(job) {
            true => self.objections_as_a_whole(job),
            false => self.objections_to_members(job, booked),
        };
        let vehicles = self.vehicles_by_size();
        if self.choose_vehicles(job, &vehicles).is_none() {
            let needs = job.needs.assets.iter();
            causes.extend(needs.map(|need| format!("ASSET:{}", need.kinds.join("|"))));
        }
        causes
    }

    fn objections_as_a_whole(&self, job: &JobRequest) -> Vec<String> {
        let people: usize = job.needs.crew.iter().map(|role| role.count).sum();
        if people > 1 && self.kind == ProviderKind::Solo {
            return vec![format!("CREW:{people}")];
        }
        let Some(offered) = self.offering(&job.vertical) else { return Vec::new() };
        let mut causes = BTreeSet::new();
        for role in &job.needs.crew {
            for skill in &role.skills {
                if !job.skills.contains(skill) && !offered.skills.contains(skill) {
                    causes.insert(format!("SKILL:{skill}"));
                }
            }
            for kind in &role.documents {
                if !job.documents.contains(kind) && !job.is_covered_by(kind, &self.documents) {
                    causes.insert(format!("DOCUMENT:{kind}"));
                }
            }
        }
        causes.into_iter().collect()
    }

    fn objections_to_members(&self, job: &JobRequest, booked: bool) -> Vec<String> {
        let places = job.places();
        if !self.can_fill(&places, job, Demand::Skills) {
            return vec![format!("CREW:{}", places.len())];
        }
        if !self.can_fill(&places, job, Demand::Documents) {
            let kinds: BTreeSet<&String> =
                places.iter().flat_map(|place| &place.documents).collect();
            return kinds.into_iter().map(|kind| format!("DOCUMENT:{kind}")).collect();
        }
        if !booked && !self.can_fill(&places, job, Demand::Time) {
            return vec!["OUTSIDE_AVAILABILITY".to_owned()];
        }
        Vec::new()
    }

    /// Whether the members are enough for `places`.
    fn can_fill(&self, places: &[CrewRole], job: &JobRequest, demand: Demand) -> bool {
        let mut options = Vec::with_capacity(places.len());
        for place in places {
            options.push(indexes(&self.team, |member| self.fits(member, place, job, demand)));
        }
        fill_places(&options).is_some()
    }

    /// Whether a member fits a place of the job.
    fn fits(
        &self,
        member: &TeamMember,
        place: &CrewRole,
        job: &JobRequest,
        demand: Demand,
    ) -> bool {
        member.has_skills(&place.skills)
            && (demand < Demand::Documents || member.has_documents(&place.documents, job))
            && (demand < Demand::Time || !self.is_off(member, job))
    }

    fn is_off(&self, member: &TeamMember, job: &JobRequest) -> bool {
        let work = job.work();
        let mut off = member.time_off.iter();
        off.any(|(start, end)| self.calendar.instants(*start, *end).overlaps(&work))
    }

    /// What the job takes of the provider's people and vehicles that are not `taken` then: a member for each place, and for
    /// each vehicle the smallest that suffices. None when too few are free. Of members who do equally well `spread` picks,
    /// so that orders that ask at the same time do not all want the same ones.
    pub fn choose_resources(
        &self,
        job: &JobRequest,
        taken: &HashSet<Uuid>,
        spread: Uuid,
    ) -> Option<Vec<JobResource>> {
        let mut chosen = match self.works_as_a_whole(job) {
            true if taken.contains(&self.provider_id.uuid()) => return None,
            true => vec![self.whole(job)],
            false => self.choose_members(job, taken, spread)?,
        };
        let free: Vec<&Vehicle> = self
            .vehicles_by_size()
            .into_iter()
            .filter(|vehicle| !taken.contains(&vehicle.id.uuid()))
            .collect();
        chosen.extend(self.choose_vehicles(job, &free)?);
        chosen.sort_unstable_by_key(|resource| resource.id);
        Some(chosen)
    }

    fn whole(&self, job: &JobRequest) -> JobResource {
        let role = job.needs.crew.first().map(|role| role.role.clone()).unwrap_or_default();
        JobResource { id: self.provider_id.uuid(), kind: ResourceKind::Profile, role }
    }

    fn choose_members(
        &self,
        job: &JobRequest,
        taken: &HashSet<Uuid>,
        spread: Uuid,
    ) -> Option<Vec<JobResource>> {
        let mut free: Vec<&TeamMember> =
            self.team.iter().filter(|member| !taken.contains(&member.id.uuid())).collect();
        let first = spread.as_u128() % (free.len().max(1) as u128);
        free.rotate_left(usize::try_from(first).unwrap_or_default());
        let places = job.places();
        let mut options = Vec::with_capacity(places.len());
        for place in &places {
            options.push(indexes(&free, |member| self.fits(member, place, job, Demand::Time)));
        }
        let chosen = fill_places(&options)?.into_iter().zip(places);
        let members = chosen.map(|(index, place)| JobResource {
            id: free[index].id.uuid(),
            kind: ResourceKind::Member,
            role: place.role,
        });
        Some(members.collect())
    }

    fn choose_vehicles(&self, job: &JobRequest, free: &[&Vehicle]) -> Option<Vec<JobResource>> {
        let options: Vec<Vec<usize>> = job
            .vehicle_places()
            .iter()
            .map(|need| indexes(free, |vehicle| need.is_met_by(vehicle)))
            .collect();
        let chosen = fill_places(&options)?.into_iter().map(|index| JobResource {
            id: free[index].id.uuid(),
            kind: ResourceKind::Asset,
            role: String::new(),
        });
        Some(chosen.collect())
    }

    fn vehicles_by_size(&self) -> Vec<&Vehicle> {
        let mut vehicles: Vec<&Vehicle> = self.vehicles.iter().collect();
        vehicles.sort_by_key(|it| (it.volume_l, it.payload_kg, it.seats, it.id.uuid()));
        vehicles
    }
}

/// The indexes of those that fit, in order.
fn indexes<T>(all: &[T], fits: impl Fn(&T) -> bool) -> Vec<usize> {
    all.iter().enumerate().filter(|(_, it)| fits(it)).map(|(index, _)| index).collect()
}

/// Fills each place with one of its options, each of them used once, earlier options preferred. None when that cannot be. A
/// place whose options are all used asks those that use them to move on, which finds a way if there is one.
fn fill_places(options: &[Vec<usize>]) -> Option<Vec<usize>> {
    let mut used_by: Vec<(usize, usize)> = Vec::new();
    for place in 0..options.len() {
        let mut tried = HashSet::new();
        if !find_option(options, place, &mut used_by, &mut tried) {
            return None;
        }
    }
    let mut filled = vec![0; options.len()];
    for (option, place) in used_by {
        filled[place] = option;
    }
    Some(filled)
}

/// Gives `place` an option, and moves other places on where it has to.
fn find_option(
    options: &[Vec<usize>],
    place: usize,
    used_by: &mut Vec<(usize, usize)>,
    tried: &mut HashSet<usize>,
) -> bool {
    for &option in &options[place] {
        if !tried.insert(option) {
            continue;
        }
        let user = used_by.iter().position(|(used, _)| *used == option);
        match user {
            None => used_by.push((option, place)),
            Some(index) => {
                let other = used_by[index].1;
                if !find_option(options, other, used_by, tried) {
                    continue;
                }
                // The other place has a new option in a row of its own; its old one is free for this place.
                used_by.retain(|row| *row != (option, other));
                used_by.push((option, place));
            }
        }
        return true;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_filled_by_moving_others_on() {
        type Row = (&'static [&'static [usize]], Option<&'static [usize]>);
        let table: [Row; 6] = [
            (&[], Some(&[])),
            (&[&[2, 1]], Some(&[2])),
            (&[&[0, 1], &[0]], Some(&[1, 0])),
            (&[&[0, 1], &[1, 2], &[0]], Some(&[1, 2, 0])),
            (&[&[0], &[0]], None),
            (&[&[0, 1], &[0, 1], &[0, 1]], None),
        ];
        for (options, filled) in table {
            let options: Vec<Vec<usize>> = options.iter().map(|it| it.to_vec()).collect();
            assert_eq!(fill_places(&options).as_deref(), filled, "{options:?}");
        }
    }
}
