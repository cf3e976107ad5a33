//! What a job requires, from its message.

use crate::domain::{
    Error,
    crew::{AssetNeed, CrewRole, Needs},
    geo::GeoPlace,
    reservation::JobRequest,
};
use kit::{Window, values::time::span};
use proto::quickserve::{
    common::v1::Address,
    fulfilment::v1::{self as fulfilment, Requirements},
};

/// Longest time kept free on one side of the work.
const BUFFER_MOST_S: i64 = 24 * 3600;
/// Most people, and most vehicles, that a job takes.
const MAX_RESOURCES: usize = 50;

/// Reads what a job requires.
pub fn parse_job(
    vertical: String,
    window: Window,
    address: Option<&Address>,
    requirements: Option<Requirements>,
) -> Result<JobRequest, Error> {
    let requirements =
        requirements.ok_or_else(|| Error::invalid("requirements", "must be given"))?;
    let needs = parse_needs(&requirements)?;
    let Requirements { skills, preferred_skills, documents, buffer_before, buffer_after, .. } =
        requirements;
    Ok(JobRequest {
        vertical,
        window,
        buffer_before_s: parse_buffer("requirements.buffer_before", buffer_before.as_ref())?,
        buffer_after_s: parse_buffer("requirements.buffer_after", buffer_after.as_ref())?,
        skills,
        preferred_skills,
        documents,
        place: address.and_then(|it| Some(GeoPlace { lat: it.lat?, lng: it.lng? })),
        country: address.map(|address| address.country.clone()),
        needs,
    })
}

/// Reads the people and vehicles that a job takes. A size without roles means people who all bring the job's skills.
fn parse_needs(requirements: &Requirements) -> Result<Needs, Error> {
    let Requirements { skills, crew_size, crew, assets, dispatch, exclusive, .. } = requirements;
    let mut roles: Vec<CrewRole> = crew.iter().map(parse_role).collect();
    let size = usize::try_from(*crew_size).unwrap_or_default();
    if roles.is_empty() && size > 1 {
        roles.push(CrewRole { skills: skills.clone(), count: size, ..CrewRole::default() });
    }
    let assets: Vec<AssetNeed> = assets.iter().map(parse_asset).collect();
    if roles.iter().map(|role| role.count).sum::<usize>() > MAX_RESOURCES {
        let problem = format!("must be at most {MAX_RESOURCES} people");
        return Err(Error::invalid("requirements.crew", problem));
    }
    if assets.iter().map(|need| need.count).sum::<usize>() > MAX_RESOURCES {
        let problem = format!("must be at most {MAX_RESOURCES} vehicles");
        return Err(Error::invalid("requirements.assets", problem));
    }
    let live = dispatch.as_ref().is_some_and(|dispatch| dispatch.live);
    Ok(Needs { exclusive: *exclusive, crew: roles, assets, live })
}

fn parse_role(member: &fulfilment::CrewMember) -> CrewRole {
    let fulfilment::CrewMember { role, skills, documents, count } = member.clone();
    CrewRole { role, skills, documents, count: usize::try_from(count).unwrap_or_default() }
}

fn parse_asset(asset: &fulfilment::Asset) -> AssetNeed {
    let fulfilment::Asset { kinds, seats, volume_l, payload_kg, count } = asset.clone();
    let count = usize::try_from(count).unwrap_or_default();
    AssetNeed { kinds, seats, volume_l, payload_kg, count }
}

/// Reads time that is kept free beside a job, in seconds.
fn parse_buffer(field: &str, buffer: Option<&prost_types::Duration>) -> Result<i64, Error> {
    let seconds = span(field, buffer)?.num_seconds();
    if (0..=BUFFER_MOST_S).contains(&seconds) {
        return Ok(seconds);
    }
    Err(Error::invalid(field, "must be between 0 and 24 hours"))
}
