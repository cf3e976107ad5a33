//! What is asked of series, read and checked: the vertical prices it, and provider knows who may do it.

use super::{Api, quotes::parse_place};
use crate::{
    convert,
    domain::{
        AccountId, Actor, Error, JobDetails, Principal, Private, ProviderId, ProviderMode,
        Resource, Revision, Series, SeriesEdit, SeriesId, SeriesState, at_minute, minute_of,
        recurrence::{Rule, days_after},
    },
    processes::series_price::{VisitInputs, VisitPrice},
};
use chrono::{DateTime, Duration, NaiveDate, NaiveTime, Utc};
use kit::{Id, Window, values::time::resolve_local};
use prost::Message;
use proto::quickserve::{
    fulfilment::v1::SeriesPlace, order::v1 as pb, provider::v1::CheckEligibilityRequest,
};

/// How many days ahead a visit may be named.
const MAX_DAYS_AHEAD: u64 = 5 * 366;

impl Api {
    /// Checks what a customer asks for, and has the vertical price the first visit.
    pub(super) async fn check_series(
        &self,
        customer: AccountId,
        request: pb::CreateSeriesRequest,
    ) -> Result<(Series, Revision), Error> {
        let mode = parse_mode(request.mode(), &request.provider_id)?;
        let place = parse_place(request.address)?;
        let zone = place.zone();
        let from_on = parse_date("from_on", &request.from_on)?;
        let rule = Rule::parse("rrule", &request.rrule)?;
        rule.check_anchor("from_on", from_on)?;
        let provider_id: Option<ProviderId> =
            Id::parse_optional("provider_id", &request.provider_id)?;
        let method_id = Id::<()>::parse_optional("payment_method_id", &request.payment_method_id)?;
        let details = request.details;
        let details = details.ok_or_else(|| kit::Error::invalid("details", "must be given"))?;
        if !self.app.verticals.recurs(&request.vertical).await? {
            return Err(Error::NotRecurring);
        }
        let now = self.app.now();
        let new = Series {
            id: Id::new(self.app.db.clock()),
            customer_id: customer,
            vertical: request.vertical,
            place,
            time_zone: zone.name().to_owned(),
            provider_id,
            provider_user_id: None,
            mode,
            method_id: method_id.map(Id::uuid),
            notes: Private(request.notes),
            state: SeriesState::Active,
            paused_from: None,
            paused_until: None,
            ended_on: None,
            standing_since: None,
            version: 1,
            event_seq: 0,
            created_at: now,
            updated_at: now,
        };
        let first = Revision {
            series_id: new.id,
            from_on,
            rrule: rule.to_string(),
            start_minute: minute_of(parse_time(&request.start_local)?),
            minutes: request.minutes,
            details: JobDetails(details.encode_to_vec()),
            created_at: now,
        };
        let start = resolve_local(zone, first.start_on(from_on));
        self.app.timing.check_start_in("from_on", start, now)?;
        let priced = self.price_first(&new, &first.details, start, first.minutes).await?;
        self.check_provider(&new, priced).await?;
        Ok((new, first))
    }

    /// Has the vertical price a visit, whose details it may refuse.
    async fn price_first(
        &self,
        series: &Series,
        details: &JobDetails,
        start: DateTime<Utc>,
        minutes: i32,
    ) -> Result<VisitPrice, Error> {
        let end = start + Duration::minutes(minutes.into());
        let inputs = VisitInputs {
            vertical: &series.vertical,
            details,
            place: &series.place,
            customer: series.customer_id,
            series: SeriesPlace { series_id: series.id.to_string(), ..SeriesPlace::default() },
            window: Window { start, end, zone: series.zone() },
        };
        self.app.price_visit(inputs).await
    }

    /// Refuses a provider who is not there, or who may not do such visits when no other may.
    async fn check_provider(&self, series: &Series, priced: VisitPrice) -> Result<(), Error> {
        let Some(provider) = series.provider_id else { return Ok(()) };
        let request = CheckEligibilityRequest {
            provider_id: provider.to_string(),
            vertical: series.vertical.clone(),
            window: Some(priced.window.into()),
            address: Some(convert::address(&series.place)),
            requirements: Some(convert::requirements_of(&priced.requirements)),
            customer_id: series.customer_id.to_string(),
            ..CheckEligibilityRequest::default()
        };
        let causes = self.app.peers.check(request).await?;
        if causes.is_empty() || series.mode != ProviderMode::Only {
            return Ok(());
        }
        Err(Error::ProviderNotEligible(causes))
    }

    /// Has the vertical price the visit of a date as it would be after a change.
    pub(super) async fn check_edit(
        &self,
        id: SeriesId,
        date: NaiveDate,
        edit: &SeriesEdit,
        caller: &Principal,
    ) -> Result<(), Error> {
        let plan = self.read_as(id, caller, Actor::Customer).await?;
        let Some(details) = &edit.details else { return Ok(()) };
        let present = plan.local_start(date).ok_or(Error::NotFound(Resource::Occurrence))?;
        let local = edit.start_minute.map_or(present, |minute| at_minute(present.date(), minute));
        let minutes = edit.minutes.unwrap_or_else(|| plan.minutes_on(date));
        let start = resolve_local(plan.series.zone(), local);
        self.price_first(&plan.series, details, start, minutes).await?;
        Ok(())
    }
}

fn parse_mode(mode: pb::ProviderMode, provider_id: &str) -> Result<ProviderMode, Error> {
    let (mode, is_named) = match mode {
        pb::ProviderMode::Only => (ProviderMode::Only, true),
        pb::ProviderMode::Preferred => (ProviderMode::Preferred, true),
        pb::ProviderMode::Any => (ProviderMode::Any, false),
        pb::ProviderMode::Unspecified => {
            return Err(kit::Error::invalid("mode", "must be given").into());
        }
    };
    let problem = match (is_named, provider_id.is_empty()) {
        (true, true) => "must be given with this mode",
        (false, false) => "must be empty with PROVIDER_MODE_ANY",
        _ => return Ok(mode),
    };
    Err(kit::Error::invalid("provider_id", problem).into())
}

/// Reads what changes of a series.
pub fn parse_changes(changes: pb::SeriesChanges) -> Result<SeriesEdit, Error> {
    let pb::SeriesChanges { rrule, start_local, minutes, details } = changes;
    let edit = SeriesEdit {
        rule: rrule.map(|text| Rule::parse("rrule", &text)).transpose()?,
        start_minute: start_local.map(|text| parse_time(&text)).transpose()?.map(minute_of),
        minutes,
        details: details.map(|details| JobDetails(details.encode_to_vec())),
    };
    let is_empty = edit.rule.is_none()
        && edit.start_minute.is_none()
        && edit.minutes.is_none()
        && edit.details.is_none();
    if is_empty {
        let problem = "must change something: rrule, start_local, minutes or details";
        return Err(kit::Error::invalid("changes", problem).into());
    }
    Ok(edit)
}

fn parse_time(text: &str) -> Result<NaiveTime, Error> {
    let time = NaiveTime::parse_from_str(text, "%H:%M");
    Ok(time.map_err(|_| kit::Error::invalid("start_local", "must be a time such as 09:00"))?)
}

/// Reads the local date in `field`.
pub fn parse_date(field: &str, text: &str) -> Result<NaiveDate, Error> {
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d");
    Ok(date.map_err(|_| kit::Error::invalid(field, "must be a date such as 2027-05-25"))?)
}

/// Reads the date of a visit in `field`. The dates of a rule are counted from its first one: what is years ahead is not
/// looked for.
pub fn parse_visit_date(field: &str, text: &str, now: DateTime<Utc>) -> Result<NaiveDate, Error> {
    let date = parse_date(field, text)?;
    if date > days_after(now.date_naive(), MAX_DAYS_AHEAD) {
        let problem = "must be at most five years ahead";
        return Err(kit::Error::invalid(field, problem).into());
    }
    Ok(date)
}

/// As [`parse_date`], where an empty text means that there is none.
pub fn parse_optional_date(field: &str, text: &str) -> Result<Option<NaiveDate>, Error> {
    if text.is_empty() { Ok(None) } else { parse_date(field, text).map(Some) }
}
