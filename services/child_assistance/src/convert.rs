//! Between the rows and rules of child_assistance and the messages of its contract.

use crate::domain::{
    Error,
    age::parse_birth_date,
    care::{CareState, ChildInCare, ChildState, Handover, Proof, Release},
    details::{AskedChild, CareInputs},
    profile::{AdultProfile, ChildProfile, EmergencyContact},
    records::{Adult, Guardian},
};
use chrono::{DateTime, NaiveDate, Utc};
use kit::values::time::timestamp;
use prost::Message;
use proto::quickserve::{child_assistance::v1 as pb, fulfilment::v1::OrderState};
use uuid::Uuid;

pub use crate::domain::care::CareJob;

/// The states, by number, in which an order has a carer and is not over.
pub const OPEN_STATES: [i32; 6] = [
    OrderState::Assigned as i32,
    OrderState::EnRoute as i32,
    OrderState::Arrived as i32,
    OrderState::InProgress as i32,
    OrderState::AwaitingApproval as i32,
    OrderState::ChangesRequested as i32,
];

/// The details that an order was priced on; empty ones once it is erased.
pub fn stored_details(bytes: &[u8]) -> Result<pb::CareDetails, Error> {
    Ok(pb::CareDetails::decode(bytes).map_err(kit::Error::internal)?)
}

/// Reads the details of an order as a whole.
pub fn read_details(message: &pb::CareDetails) -> Result<CareInputs, Error> {
    let pb::CareDetails { children, special_care, languages: _ } = message;
    let children = children
        .iter()
        .enumerate()
        .map(|(index, child)| AskedChild::parse(index, &child.child_id, child.age_months));
    CareInputs::new(children.collect::<Result<_, _>>()?, *special_care)
}

/// Reads what is told of a child.
pub fn read_child_profile(
    profile: Option<pb::ChildProfile>,
    today: NaiveDate,
) -> Result<ChildProfile, Error> {
    let profile = profile.ok_or_else(|| Error::invalid("profile", "must be given"))?;
    let pb::ChildProfile { name, born_on, allergies, notes, contacts } = profile;
    let contacts =
        contacts.into_iter().map(|it| EmergencyContact { name: it.name, phone: it.phone });
    Ok(ChildProfile {
        name,
        born_on: parse_birth_date("profile.born_on", &born_on, today)?,
        allergies,
        notes,
        contacts: contacts.collect(),
    })
}

/// The message for what is told of a child.
pub fn child_profile(profile: ChildProfile) -> pb::ChildProfile {
    let ChildProfile { name, born_on, allergies, notes, contacts } = profile;
    let contacts =
        contacts.into_iter().map(|it| pb::EmergencyContact { name: it.name, phone: it.phone });
    pb::ChildProfile {
        name,
        born_on: born_on.to_string(),
        allergies,
        notes,
        contacts: contacts.collect(),
    }
}

/// Reads what is told of an adult.
pub fn read_adult_profile(profile: Option<pb::AdultProfile>) -> Result<AdultProfile, Error> {
    let profile = profile.ok_or_else(|| Error::invalid("profile", "must be given"))?;
    let pb::AdultProfile { name, relation, photo_sha256, phone } = profile;
    Ok(AdultProfile { name, relation, photo_sha256, phone })
}

/// The message for an adult, with what the reader may know of them.
pub fn adult(adult: &Adult, profile: Option<AdultProfile>) -> pb::AuthorizedAdult {
    let profile = profile.map(|AdultProfile { name, relation, photo_sha256, phone }| {
        pb::AdultProfile { name, relation, photo_sha256, phone }
    });
    pb::AuthorizedAdult {
        id: adult.id.to_string(),
        child_id: adult.child_id.to_string(),
        profile,
        valid_from: Some(timestamp(adult.valid_from)),
        valid_to: adult.valid_to.map(timestamp),
        revoked_at: adult.revoked_at.map(timestamp),
        has_code: !adult.code_hash.is_empty(),
        has_account: adult.user_id.is_some(),
    }
}

/// The message for a guardian.
pub fn guardian(guardian: &Guardian) -> pb::Guardian {
    pb::Guardian {
        user_id: guardian.user_id.to_string(),
        right: right_of(guardian.can_manage).into(),
        since: Some(timestamp(guardian.since)),
    }
}

/// The right of a guardian.
pub const fn right_of(can_manage: bool) -> pb::GuardianRight {
    if can_manage { pb::GuardianRight::Manage } else { pb::GuardianRight::Notify }
}

/// Reads the right of a guardian: whether they manage the child.
pub fn read_right(right: pb::GuardianRight) -> Result<bool, Error> {
    match right {
        pb::GuardianRight::Manage => Ok(true),
        pb::GuardianRight::Notify => Ok(false),
        pb::GuardianRight::Unspecified => Err(Error::invalid("right", "must be given")),
    }
}

/// Where care stands: while its delivery is being written, it has ended.
pub fn shown_state(job: &CareJob, now: DateTime<Utc>) -> CareState {
    let is_locked = job.order.check_unlocked(now).is_err();
    match job.own.state {
        CareState::Caring if is_locked => CareState::Ended,
        state => state,
    }
}

/// The message for the care of an order, without the words about its children.
pub fn care(job: &CareJob, now: DateTime<Utc>) -> pb::Care {
    let (order, own) = (&job.order, &job.own);
    pb::Care {
        id: order.order_id.to_string(),
        customer_id: order.customer_id.to_string(),
        provider_user_id: order.provider_user_id.map(|id| id.to_string()).unwrap_or_default(),
        order_state: order.state,
        state: to_care_state(shown_state(job, now)).into(),
        booked_children: i32::try_from(own.booked).unwrap_or(i32::MAX),
        children: own.children.iter().map(child_in_care).collect(),
        window: Some(order.window().into()),
        releases: own.releases.iter().map(release).collect(),
        version: order.version,
        updated_at: Some(timestamp(order.updated_at)),
    }
}

fn child_in_care(child: &ChildInCare) -> pb::CareChild {
    pb::CareChild {
        child_id: child.child_id.to_string(),
        state: to_child_state(child.state).into(),
        handovers: child.handovers.iter().map(handover).collect(),
        profile: None,
        adults: Vec::new(),
        code_locked: child.is_code_locked(),
    }
}

fn handover(handover: &Handover) -> pb::Handover {
    pb::Handover {
        n: i32::try_from(handover.n).unwrap_or(i32::MAX),
        adult_id: handover.adult_id.map(|id| id.to_string()).unwrap_or_default(),
        proof: to_proof(handover.proof).into(),
        recorded_by: handover.recorded_by.to_string(),
        at: Some(timestamp(handover.at)),
    }
}

/// The message for a hand-out by photo ID.
pub fn release(release: &Release) -> pb::Release {
    let state = match (release.used, release.approved) {
        (Some(_), _) => pb::ReleaseState::Used,
        (None, Some(_)) => pb::ReleaseState::Approved,
        (None, None) => pb::ReleaseState::Requested,
    };
    pb::Release {
        id: release.id.to_string(),
        child_id: release.child_id.to_string(),
        adult_id: release.adult_id.to_string(),
        state: state.into(),
        requested_at: Some(timestamp(release.requested_at)),
    }
}

const fn to_care_state(state: CareState) -> pb::CareState {
    match state {
        CareState::Booked => pb::CareState::Booked,
        CareState::Ready => pb::CareState::Ready,
        CareState::Caring => pb::CareState::Caring,
        CareState::Ended => pb::CareState::Ended,
        CareState::Off => pb::CareState::Off,
    }
}

const fn to_child_state(state: ChildState) -> pb::CareChildState {
    match state {
        ChildState::Expected => pb::CareChildState::Expected,
        ChildState::In => pb::CareChildState::In,
        ChildState::Out => pb::CareChildState::Out,
        ChildState::Absent => pb::CareChildState::Absent,
        ChildState::Refused => pb::CareChildState::Refused,
    }
}

const fn to_proof(proof: Proof) -> pb::HandoverProof {
    match proof {
        Proof::Sight => pb::HandoverProof::Sight,
        Proof::Code => pb::HandoverProof::Code,
        Proof::PhotoId => pb::HandoverProof::PhotoId,
        Proof::Operator => pb::HandoverProof::Operator,
    }
}

/// Reads the number of a hand-over.
pub fn read_handover(n: i32) -> Result<u32, Error> {
    u32::try_from(n).map_err(|_| Error::invalid("handover", "must be 1 or more"))
}

/// Reads the ids of children.
pub fn read_ids(field: &str, ids: &[String]) -> Result<Vec<Uuid>, Error> {
    let ids = ids.iter().enumerate();
    let ids = ids.map(|(index, id)| kit::values::id::parse_uuid(&format!("{field}[{index}]"), id));
    Ok(ids.collect::<Result<_, _>>()?)
}
