//! What each side sees of a series.

use crate::{
    convert,
    domain::{
        AccountId, Actor, Error, OccurrenceState, Order, PlannedVisit, Principal, ProviderMode,
        Revision, Series, SeriesPlan, SeriesState,
    },
};
use chrono::NaiveDate;
use kit::{rpc::confidential, values::time::timestamp};
use proto::quickserve::order::v1 as pb;

/// The full name of the message for a series.
const SERIES: &str = "quickserve.order.v1.Series";

/// The side of `viewer` in a series.
pub fn side_of(series: &Series, viewer: &Principal) -> Option<Actor> {
    match viewer {
        Principal::System => Some(Actor::System),
        Principal::User { id, .. } if *id == series.customer_id => Some(Actor::Customer),
        Principal::User { id, .. } if Some(*id) == series.provider_user_id => Some(Actor::Provider),
        Principal::User { operator: true, .. } => Some(Actor::Operator),
        Principal::User { operator: false, .. } => None,
    }
}

/// The series as `viewer` reads it. The provider reads the secrets of the home in each order, while there is something to
/// do there.
pub fn series_view(
    series: &Series,
    revisions: &[Revision],
    viewer: &Principal,
) -> Result<pb::Series, Error> {
    let whole = whole_view(series, revisions);
    match side_of(series, viewer) {
        Some(Actor::Customer | Actor::Operator) => Ok(whole),
        _ => without_secrets(series, whole),
    }
}

/// The series in a list: nobody has the secrets of many homes on one screen.
pub fn listed_view(series: &Series, revisions: &[Revision]) -> Result<pb::Series, Error> {
    without_secrets(series, whole_view(series, revisions))
}

fn without_secrets(series: &Series, whole: pb::Series) -> Result<pb::Series, Error> {
    let mut shown = confidential::hide(SERIES, &whole)?;
    shown.address = Some(convert::neighbourhood(&series.place));
    for revision in &mut shown.revisions {
        let details = revision.details.take();
        revision.details =
            details.and_then(|details| confidential::hide_in_details(&series.vertical, details));
    }
    Ok(shown)
}

fn whole_view(series: &Series, revisions: &[Revision]) -> pb::Series {
    pb::Series {
        id: series.id.to_string(),
        vertical: series.vertical.clone(),
        state: series_state(series.state).into(),
        customer_id: series.customer_id.to_string(),
        provider_id: series.provider_id.map(|id| id.to_string()).unwrap_or_default(),
        provider_user_id: series.provider_user_id.map(|id| id.to_string()).unwrap_or_default(),
        mode: provider_mode(series.mode).into(),
        payment_method_id: series.method_id.map(|id| id.to_string()).unwrap_or_default(),
        address: Some(convert::address(&series.place)),
        time_zone: series.time_zone.clone(),
        revisions: revisions.iter().map(revision_view).collect(),
        paused_from: date_text(series.paused_from),
        paused_until: date_text(series.paused_until),
        ended_on: date_text(series.ended_on),
        standing_since: series.standing_since.map(timestamp),
        notes: series.notes.0.clone(),
        version: series.version,
        created_at: Some(timestamp(series.created_at)),
        updated_at: Some(timestamp(series.updated_at)),
    }
}

fn date_text(date: Option<NaiveDate>) -> String {
    date.map(|date| date.to_string()).unwrap_or_default()
}

fn revision_view(revision: &Revision) -> pb::SeriesRevision {
    let (hours, minutes) = (revision.start_minute / 60, revision.start_minute % 60);
    pb::SeriesRevision {
        from_on: revision.from_on.to_string(),
        rrule: revision.rrule.clone(),
        start_local: format!("{hours:02}:{minutes:02}"),
        minutes: revision.minutes,
        details: convert::details(&revision.details.0),
    }
}

/// A date of a series. A provider sees no order that is another one's.
pub fn occurrence_view(
    plan: &SeriesPlan,
    visit: PlannedVisit,
    viewer: &Principal,
) -> pb::Occurrence {
    let order = plan.orders.get(&visit.date).filter(|order| sees_order(plan, order, viewer));
    pb::Occurrence {
        date: visit.date.to_string(),
        state: occurrence_state(visit.state).into(),
        reason: visit.reason,
        window: Some(visit.window.into()),
        moved: visit.moved,
        order_id: order.map(|order| order.id.to_string()).unwrap_or_default(),
        order_state: order.map_or(0, |order| convert::state(order.state).into()),
        total: order.map(|order| order.money(order.total).into()),
    }
}

fn sees_order(plan: &SeriesPlan, order: &Order, viewer: &Principal) -> bool {
    match side_of(&plan.series, viewer) {
        Some(Actor::Provider) => {
            let account: Option<AccountId> = viewer.account().ok();
            order.provider_user_id == account
        }
        _ => true,
    }
}

/// The series' state in contracts.
const fn series_state(state: SeriesState) -> pb::SeriesState {
    match state {
        SeriesState::Active => pb::SeriesState::Active,
        SeriesState::Paused => pb::SeriesState::Paused,
        SeriesState::Ended => pb::SeriesState::Ended,
    }
}

/// Who may do visits, in contracts.
const fn provider_mode(mode: ProviderMode) -> pb::ProviderMode {
    match mode {
        ProviderMode::Only => pb::ProviderMode::Only,
        ProviderMode::Preferred => pb::ProviderMode::Preferred,
        ProviderMode::Any => pb::ProviderMode::Any,
    }
}

/// The state of a date of a series in contracts.
const fn occurrence_state(state: OccurrenceState) -> pb::OccurrenceState {
    match state {
        OccurrenceState::Planned => pb::OccurrenceState::Planned,
        OccurrenceState::Booked => pb::OccurrenceState::Booked,
        OccurrenceState::Skipped => pb::OccurrenceState::Skipped,
        OccurrenceState::NeedsAttention => pb::OccurrenceState::NeedsAttention,
        OccurrenceState::Missed => pb::OccurrenceState::Missed,
    }
}
