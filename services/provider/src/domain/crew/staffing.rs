//! Who and what comes for a job that is booked: the same as before, and others in place of those that do not do any more.

use super::{Demand, JobResource, TeamMember, Vehicle, fill_places, find_option};
use crate::domain::{
    Asset, Member, Reservation,
    reservation::{JobRequest, ResourceKind},
    standing::Standing,
};
use std::collections::HashSet;
use uuid::Uuid;

/// The options of each place of a job: those that it has already, and those that are free.
struct PlaceOptions {
    kept: Vec<Vec<usize>>,
    free: Vec<Vec<usize>>,
}

impl Standing {
    /// Whether those whose time a booked job takes still do it, without any others.
    pub fn is_staffed_by(&self, job: &JobRequest, reserved: &HashSet<Uuid>) -> bool {
        let members = self.team.iter().map(|member| member.id.uuid());
        let vehicles = self.vehicles.iter().map(|vehicle| vehicle.id.uuid());
        let all: HashSet<Uuid> = members.chain(vehicles).collect();
        self.restaff(job, reserved, &all).is_ok()
    }

    /// Who and what does a booked job: those whose time it takes, and others that are not `taken` in place of those that are
    /// gone or do not do any more. Fails with stable codes when too few are left. Time off takes back nothing that was
    /// booked, and keeps those away who were not.
    pub fn restaff(
        &self,
        job: &JobRequest,
        reserved: &HashSet<Uuid>,
        taken: &HashSet<Uuid>,
    ) -> Result<Vec<JobResource>, Vec<String>> {
        let mut causes = Vec::new();
        let mut staff = Vec::new();
        if reserved.contains(&self.provider_id.uuid()) {
            causes.extend(self.objections_as_a_whole(job));
            staff.push(self.whole(job));
        } else {
            match self.restaff_members(job, reserved, taken) {
                Some(members) => staff.extend(members),
                None => causes.extend(self.causes_of_a_short_crew(job)),
            }
        }
        match self.restaff_vehicles(job, reserved, taken) {
            Some(vehicles) => staff.extend(vehicles),
            None => {
                let needs = job.needs.assets.iter();
                causes.extend(needs.map(|need| format!("ASSET:{}", need.kinds.join("|"))));
            }
        }
        if causes.is_empty() { Ok(staff) } else { Err(causes) }
    }

    /// Why no crew can be made up: nobody would do, or those who would are taken.
    fn causes_of_a_short_crew(&self, job: &JobRequest) -> Vec<String> {
        let causes = self.objections_to_members(job, true);
        if causes.is_empty() { vec![format!("CREW:{}", job.places().len())] } else { causes }
    }

    fn restaff_members(
        &self,
        job: &JobRequest,
        reserved: &HashSet<Uuid>,
        taken: &HashSet<Uuid>,
    ) -> Option<Vec<JobResource>> {
        let places = job.places();
        let is_kept = |member: &TeamMember| reserved.contains(&member.id.uuid());
        let is_free = |member: &TeamMember| !is_kept(member) && !taken.contains(&member.id.uuid());
        let mut options = PlaceOptions { kept: Vec::new(), free: Vec::new() };
        for place in &places {
            let fits = |member: &TeamMember, demand| self.fits(member, place, job, demand);
            options.kept.push(super::indexes(&self.team, |member| {
                is_kept(member) && fits(member, Demand::Documents)
            }));
            options.free.push(super::indexes(&self.team, |member| {
                is_free(member) && fits(member, Demand::Time)
            }));
        }
        let chosen = options.fill()?.into_iter().zip(places);
        let members = chosen.map(|(index, place)| JobResource {
            id: self.team[index].id.uuid(),
            kind: ResourceKind::Member,
            role: place.role,
        });
        Some(members.collect())
    }

    fn restaff_vehicles(
        &self,
        job: &JobRequest,
        reserved: &HashSet<Uuid>,
        taken: &HashSet<Uuid>,
    ) -> Option<Vec<JobResource>> {
        let vehicles = self.vehicles_by_size();
        let is_kept = |vehicle: &Vehicle| reserved.contains(&vehicle.id.uuid());
        let mut options = PlaceOptions { kept: Vec::new(), free: Vec::new() };
        for need in &job.vehicle_places() {
            options.kept.push(super::indexes(&vehicles, |vehicle| {
                is_kept(vehicle) && need.is_met_by(vehicle)
            }));
            options.free.push(super::indexes(&vehicles, |vehicle| {
                let id = vehicle.id.uuid();
                !is_kept(vehicle) && !taken.contains(&id) && need.is_met_by(vehicle)
            }));
        }
        let chosen = options.fill()?.into_iter().map(|index| JobResource {
            id: vehicles[index].id.uuid(),
            kind: ResourceKind::Asset,
            role: String::new(),
        });
        Some(chosen.collect())
    }
}

impl PlaceOptions {
    /// Fills each place with one of its options, each of them used once. As many as can be keep a place; the places that are
    /// left go to those that are free. None when a place stays empty.
    fn fill(&self) -> Option<Vec<usize>> {
        let mut used_by: Vec<(usize, usize)> = Vec::new();
        let mut open = Vec::new();
        for place in 0..self.kept.len() {
            if !find_option(&self.kept, place, &mut used_by, &mut HashSet::new()) {
                open.push(place);
            }
        }
        let free: Vec<Vec<usize>> = open.iter().map(|place| self.free[*place].clone()).collect();
        if let Some(filled) = fill_places(&free) {
            let mut chosen = vec![0; self.kept.len()];
            used_by.extend(filled.into_iter().zip(open));
            for (option, place) in used_by {
                chosen[place] = option;
            }
            return Some(chosen);
        }
        // One who is kept may have to change places, so that another one fits the place that is left.
        let both = self.kept.iter().zip(&self.free);
        let both: Vec<Vec<usize>> =
            both.map(|(kept, free)| [&kept[..], &free[..]].concat()).collect();
        fill_places(&both)
    }
}

impl Member {
    /// Whether it does less than it did before: it does not work any more, or lacks a skill.
    pub fn does_less_than(&self, before: &Self) -> bool {
        let lacks_a_skill = before.skills.0.iter().any(|skill| !self.skills.0.contains(skill));
        before.active && (!self.active || lacks_a_skill)
    }
}

impl Asset {
    /// Whether it does less than it did before: it is out of use, smaller or of another kind.
    pub fn does_less_than(&self, before: &Self) -> bool {
        let is_smaller = self.seats < before.seats
            || self.volume_l < before.volume_l
            || self.payload_kg < before.payload_kg;
        before.active && (!self.active || is_smaller || self.kind != before.kind)
    }
}

impl Reservation {
    /// Those of a reservation's rows that change when `staff` does its job: they take the time of another resource, or of
    /// the same one in another role.
    pub fn restaffed_rows(rows: &[Self], staff: Vec<JobResource>) -> Vec<Self> {
        let is_new =
            |resource: &JobResource| !rows.iter().any(|row| row.resource_id == resource.id);
        let mut new: Vec<JobResource> = staff.iter().filter(|it| is_new(it)).cloned().collect();
        let mut changed = Vec::new();
        for row in rows {
            let next = match staff.iter().find(|resource| resource.id == row.resource_id) {
                Some(kept) if kept.role == row.role => continue,
                Some(kept) => kept.clone(),
                None => match new.iter().position(|resource| resource.kind == row.resource_kind) {
                    Some(index) => new.swap_remove(index),
                    None => continue,
                },
            };
            changed.push(Self { resource_id: next.id, role: next.role, ..row.clone() });
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(kept: &[&[usize]], free: &[&[usize]]) -> Option<Vec<usize>> {
        let owned = |all: &[&[usize]]| all.iter().map(|it| it.to_vec()).collect();
        PlaceOptions { kept: owned(kept), free: owned(free) }.fill()
    }

    #[test]
    fn who_can_stays_and_the_free_fill_what_is_left() {
        assert_eq!(fill(&[&[0], &[1]], &[&[2], &[2]]), Some(vec![0, 1]), "nothing changes");
        assert_eq!(fill(&[&[], &[1]], &[&[2], &[2]]), Some(vec![2, 1]));
        // 0 is gone, 1 could lead or carry, and 2 can carry only: 1 leads from now on.
        assert_eq!(fill(&[&[1], &[1]], &[&[], &[2]]), Some(vec![1, 2]));
        assert_eq!(fill(&[&[1], &[1]], &[&[2], &[]]), Some(vec![2, 1]), "1 changes places");
        assert_eq!(fill(&[&[1], &[]], &[&[], &[]]), None);
    }
}
