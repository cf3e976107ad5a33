//! Between the rows of provider and the messages of its contract.

mod jobs;

pub use jobs::parse_job;

use crate::domain::{
    Asset, Document, Error, Member, MemberId, Offering, Presence, Provider, ProviderId,
    Reservation, TimeOff,
    block::Block,
    calendar::{Hours, Weekly, refuse_overlaps},
    document,
    geo::GeoPlace,
    offering::{OfferingTerms, Rate},
    profile::{BackgroundCheck, ProviderKind, State},
    reservation,
};
use chrono::{NaiveDate, NaiveDateTime, Weekday};
use kit::{Money, values::time::timestamp};
use proto::quickserve::provider::v1 as pb;

/// The form of local times without a zone.
const LOCAL_MINUTE: &str = "%Y-%m-%dT%H:%M";

/// How much of a profile to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// All of it.
    Full,
    /// What strangers may see.
    Public,
}

/// The message for a profile.
pub fn provider(provider: &Provider, offerings: &[Offering], view: View) -> pb::Provider {
    let mut message = pb::Provider {
        id: provider.id.to_string(),
        kind: kind(provider.kind).into(),
        name: provider.name.clone(),
        bio: provider.bio.clone(),
        city: provider.city.clone(),
        country: provider.country.clone(),
        time_zone: provider.time_zone.clone(),
        state: state(provider.state).into(),
        score: Some(score(provider)),
        offerings: offerings.iter().map(|it| offering(it, view)).collect(),
        version: provider.version,
        created_at: Some(timestamp(provider.created_at)),
        updated_at: Some(timestamp(provider.updated_at)),
        ..Default::default()
    };
    if view == View::Full {
        message.user_id = provider.user_id.to_string();
        let longest = provider.blocks.longest();
        message.blocked_reason = longest.map(|block| block.reason.clone()).unwrap_or_default();
        message.blocked_until = longest.and_then(|block| block.until).map(timestamp);
        message.blocks = provider.blocks.0.iter().map(block).collect();
        message.background_check = background_check(provider.background_check).into();
    }
    message
}

fn block(block: &Block) -> pb::ProviderBlock {
    pb::ProviderBlock {
        reason: block.reason.clone(),
        until: block.until.map(timestamp),
        since: Some(timestamp(block.since)),
    }
}

fn score(provider: &Provider) -> pb::Score {
    pb::Score {
        rating: provider.rating(),
        reviews: provider.reviews,
        accept_ratio: provider.accept_ratio(),
        cancel_ratio: provider.cancel_ratio(),
        on_time_ratio: provider.on_time_ratio(),
        completed: provider.completed,
    }
}

const fn kind(kind: ProviderKind) -> pb::ProviderKind {
    match kind {
        ProviderKind::Solo => pb::ProviderKind::Solo,
        ProviderKind::Company => pb::ProviderKind::Company,
    }
}

/// Reads a kind.
pub fn parse_kind(kind: pb::ProviderKind) -> Result<ProviderKind, Error> {
    match kind {
        pb::ProviderKind::Solo => Ok(ProviderKind::Solo),
        pb::ProviderKind::Company => Ok(ProviderKind::Company),
        pb::ProviderKind::Unspecified => Err(Error::invalid("kind", "must be given")),
    }
}

const fn state(state: State) -> pb::ProviderState {
    match state {
        State::Applied => pb::ProviderState::Applied,
        State::InReview => pb::ProviderState::InReview,
        State::Active => pb::ProviderState::Active,
        State::Paused => pb::ProviderState::Paused,
        State::Blocked => pb::ProviderState::Blocked,
        State::Offboarded => pb::ProviderState::Offboarded,
    }
}

/// Reads a state; unspecified is none.
pub const fn parse_state(state: pb::ProviderState) -> Option<State> {
    match state {
        pb::ProviderState::Unspecified => None,
        pb::ProviderState::Applied => Some(State::Applied),
        pb::ProviderState::InReview => Some(State::InReview),
        pb::ProviderState::Active => Some(State::Active),
        pb::ProviderState::Paused => Some(State::Paused),
        pb::ProviderState::Blocked => Some(State::Blocked),
        pb::ProviderState::Offboarded => Some(State::Offboarded),
    }
}

const fn background_check(check: BackgroundCheck) -> pb::BackgroundCheck {
    match check {
        BackgroundCheck::Pending => pb::BackgroundCheck::Pending,
        BackgroundCheck::Clear => pb::BackgroundCheck::Clear,
        BackgroundCheck::Consider => pb::BackgroundCheck::Consider,
        BackgroundCheck::Suspended => pb::BackgroundCheck::Suspended,
        BackgroundCheck::Disputed => pb::BackgroundCheck::Disputed,
    }
}

/// Reads the outcome of a background check.
pub fn parse_background_check(check: pb::BackgroundCheck) -> Result<BackgroundCheck, Error> {
    match check {
        pb::BackgroundCheck::Pending => Ok(BackgroundCheck::Pending),
        pb::BackgroundCheck::Clear => Ok(BackgroundCheck::Clear),
        pb::BackgroundCheck::Consider => Ok(BackgroundCheck::Consider),
        pb::BackgroundCheck::Suspended => Ok(BackgroundCheck::Suspended),
        pb::BackgroundCheck::Disputed => Ok(BackgroundCheck::Disputed),
        pb::BackgroundCheck::Unspecified => {
            Err(Error::invalid("background_check", "must be given"))
        }
    }
}

/// The message for an offering; the centre of the area, often a home, only in full.
pub fn offering(offering: &Offering, view: View) -> pb::Offering {
    let (lat, lng) = match view {
        View::Full => (Some(offering.lat), Some(offering.lng)),
        View::Public => (None, None),
    };
    let rates = offering.rate_card.0.iter().map(|rate| pb::Rate {
        code: rate.code.clone(),
        unit: rate.unit.clone(),
        price: Some(rate.price.into()),
    });
    pb::Offering {
        id: offering.id.to_string(),
        vertical: offering.vertical.clone(),
        skills: offering.skills.0.clone(),
        rate_card: rates.collect(),
        area: Some(pb::ServiceArea { lat, lng, radius_km: offering.radius_km }),
        created_at: Some(timestamp(offering.created_at)),
        updated_at: Some(timestamp(offering.updated_at)),
    }
}

/// Reads the terms of an offering.
pub fn parse_terms(
    skills: Vec<String>,
    rate_card: &[pb::Rate],
    area: Option<pb::ServiceArea>,
) -> Result<OfferingTerms, Error> {
    let pb::ServiceArea { lat, lng, radius_km } =
        area.ok_or_else(|| Error::invalid("area", "must be given"))?;
    let lat = lat.ok_or_else(|| Error::invalid("area.lat", "must be given"))?;
    let lng = lng.ok_or_else(|| Error::invalid("area.lng", "must be given"))?;
    let rates = rate_card.iter().enumerate().map(|(index, rate)| {
        let pb::Rate { code, unit, price } = rate;
        let price = Money::parse(&format!("rate_card[{index}].price"), price.as_ref())?;
        if price.minor_units < 0 {
            let field = format!("rate_card[{index}].price.minor_units");
            return Err(Error::invalid(field, "must not be negative"));
        }
        Ok(Rate { code: code.clone(), unit: unit.clone(), price })
    });
    let rate_card = rates.collect::<Result<_, Error>>()?;
    Ok(OfferingTerms { skills, rate_card, centre: GeoPlace { lat, lng }, radius_km })
}

/// The message for a document.
pub fn document(document: &Document) -> pb::Document {
    let state = match document.state {
        document::State::Submitted => pb::DocumentState::Submitted,
        document::State::Verified => pb::DocumentState::Verified,
        document::State::Rejected => pb::DocumentState::Rejected,
        document::State::Expired => pb::DocumentState::Expired,
        document::State::Revoked => pb::DocumentState::Revoked,
    };
    pb::Document {
        id: document.id.to_string(),
        provider_id: document.provider_id.to_string(),
        kind: document.kind.clone(),
        number: document.number.clone(),
        issued_on: document.issued_on.to_string(),
        expires_on: document.expires_on.map(|date| date.to_string()).unwrap_or_default(),
        file_sha256: document.file_sha256.clone(),
        state: state.into(),
        reason: document.reason.clone(),
        version: document.version,
        created_at: Some(timestamp(document.created_at)),
        updated_at: Some(timestamp(document.updated_at)),
        member_id: member_id(document.member_id),
    }
}

fn member_id(id: Option<MemberId>) -> String {
    id.map(|id| id.to_string()).unwrap_or_default()
}

/// Reads a date.
pub fn parse_date(field: &str, text: &str) -> Result<NaiveDate, Error> {
    text.parse().map_err(|_| Error::invalid(field, "must be a date such as 2027-05-24"))
}

/// Reads a local time without a zone.
pub fn parse_local(field: &str, text: &str) -> Result<NaiveDateTime, Error> {
    NaiveDateTime::parse_from_str(text, LOCAL_MINUTE)
        .map_err(|_| Error::invalid(field, "must be a local time such as 2027-05-24T09:00"))
}

/// The message for a member.
pub fn member(member: &Member) -> pb::Member {
    pb::Member {
        id: member.id.to_string(),
        name: member.name.clone(),
        role: member.role.clone(),
        created_at: Some(timestamp(member.created_at)),
        skills: member.skills.0.clone(),
        user_id: member.user_id.map(|id| id.to_string()).unwrap_or_default(),
        active: member.active,
    }
}

/// The message for a vehicle.
pub fn asset(asset: &Asset) -> pb::Asset {
    pb::Asset {
        id: asset.id.to_string(),
        provider_id: asset.provider_id.to_string(),
        kind: asset.kind.clone(),
        seats: asset.seats,
        volume_l: asset.volume_l,
        payload_kg: asset.payload_kg,
        plate: asset.plate.clone(),
        active: asset.active,
        created_at: Some(timestamp(asset.created_at)),
        updated_at: Some(timestamp(asset.updated_at)),
    }
}

/// The message for a presence.
pub fn presence(presence: &Presence) -> pb::Presence {
    pb::Presence {
        online: presence.online,
        asset_id: presence.asset_id.map(|id| id.to_string()).unwrap_or_default(),
        updated_at: Some(timestamp(presence.updated_at)),
    }
}

/// The message for time off.
pub fn time_off(off: &TimeOff) -> pb::TimeOff {
    pb::TimeOff {
        id: off.id.to_string(),
        start_local: off.start_local.format(LOCAL_MINUTE).to_string(),
        end_local: off.end_local.format(LOCAL_MINUTE).to_string(),
        note: off.note.clone(),
        created_at: Some(timestamp(off.created_at)),
        member_id: member_id(off.member_id),
    }
}

/// The message for the working hours of a profile.
pub fn availability(provider: &Provider) -> pb::Availability {
    let weekly = provider.weekly.0.iter().map(|(day, hours)| pb::WeeklyRule {
        weekday: i32::try_from(day.number_from_monday()).unwrap_or_default(),
        hours: Some(local_hours(*hours)),
    });
    let exceptions = provider.exceptions.0.iter().map(|(date, hours)| pb::DateException {
        date: date.to_string(),
        hours: hours.iter().map(|hours| local_hours(*hours)).collect(),
    });
    pb::Availability {
        provider_id: provider.id.to_string(),
        time_zone: provider.time_zone.clone(),
        weekly: weekly.collect(),
        exceptions: exceptions.collect(),
        version: provider.version,
        updated_at: Some(timestamp(provider.updated_at)),
    }
}

fn local_hours(hours: Hours) -> pb::LocalHours {
    let (start, end) = hours.texts();
    pb::LocalHours { start, end }
}

/// Reads weekly hours; those of one day must not overlap.
pub fn parse_weekly(rules: &[pb::WeeklyRule]) -> Result<Weekly, Error> {
    let mut weekly = Vec::with_capacity(rules.len());
    for (index, rule) in rules.iter().enumerate() {
        let day = u8::try_from(rule.weekday - 1).ok().and_then(|day| Weekday::try_from(day).ok());
        let day =
            day.ok_or_else(|| Error::invalid(format!("weekly[{index}].weekday"), "must be a day"))?;
        let field = format!("weekly[{index}].hours");
        let hours = parse_hours(&field, rule.hours.as_ref())?;
        let mut same_day: Vec<Hours> =
            weekly.iter().filter(|(other, _)| *other == day).map(|(_, hours)| *hours).collect();
        same_day.push(hours);
        refuse_overlaps(&same_day, |_| field.clone())?;
        weekly.push((day, hours));
    }
    Ok(Weekly(weekly))
}

/// Reads the hours of a date; they must not overlap.
pub fn parse_day(hours: &[pb::LocalHours]) -> Result<Vec<Hours>, Error> {
    let parsed = hours.iter().enumerate();
    let parsed = parsed.map(|(index, it)| parse_hours(&format!("hours[{index}]"), Some(it)));
    let parsed = parsed.collect::<Result<Vec<_>, _>>()?;
    refuse_overlaps(&parsed, |index| format!("hours[{index}]"))?;
    Ok(parsed)
}

fn parse_hours(field: &str, hours: Option<&pb::LocalHours>) -> Result<Hours, Error> {
    let pb::LocalHours { start, end } =
        hours.ok_or_else(|| Error::invalid(field, "must be given"))?;
    Hours::parse(field, start, end)
}

const fn reservation_state(state: reservation::State) -> pb::ReservationState {
    match state {
        reservation::State::Hold => pb::ReservationState::Hold,
        reservation::State::Confirmed => pb::ReservationState::Confirmed,
        reservation::State::Released => pb::ReservationState::Released,
    }
}

/// Who and what comes with the rows of a reservation. What does not exist any more is left out.
pub fn described_reservation(
    rows: &[Reservation],
    members: Vec<Member>,
    assets: Vec<Asset>,
) -> pb::DescribeReservationResponse {
    let members = members.into_iter().map(|member| {
        let row = rows.iter().find(|row| row.resource_id == member.id.uuid());
        let role = row.map(|row| row.role.clone()).filter(|role| !role.is_empty());
        pb::ReservedMember { name: member.name, role: role.unwrap_or(member.role) }
    });
    let assets = assets.into_iter().map(|it| pb::ReservedAsset { kind: it.kind, plate: it.plate });
    pb::DescribeReservationResponse { members: members.collect(), assets: assets.collect() }
}

/// The message for a reservation as its order sees it.
pub fn order_reservation(reservation: &Reservation) -> pb::OrderReservation {
    pb::OrderReservation {
        reservation_id: reservation.id.to_string(),
        order_id: reservation.order_id.to_string(),
        provider_id: reservation.provider_id.to_string(),
        round: reservation.round,
        window: Some(reservation.job.window.into()),
        state: reservation_state(reservation.state).into(),
    }
}

/// The message for a reservation as its provider sees it.
pub fn reservation(reservation: &Reservation) -> pb::Reservation {
    let held = reservation.state == reservation::State::Hold;
    pb::Reservation {
        id: reservation.id.to_string(),
        order_id: reservation.order_id.to_string(),
        vertical: reservation.job.vertical.clone(),
        window: Some(reservation.job.window.into()),
        busy_from_at: Some(timestamp(reservation.starts_at)),
        busy_until_at: Some(timestamp(reservation.ends_at)),
        state: reservation_state(reservation.state).into(),
        hold_expires_at: held.then(|| timestamp(reservation.hold_expires_at)),
    }
}

/// Reads the ids of profiles.
pub fn parse_provider_ids(field: &'static str, ids: &[String]) -> Result<Vec<ProviderId>, Error> {
    ids.iter().map(|id| Ok(ProviderId::parse(field, id)?)).collect()
}
