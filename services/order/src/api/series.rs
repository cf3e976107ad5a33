//! Series: what customers and named providers ask of them. The visits are booked by [`crate::processes::series`].

use super::{
    Api,
    quotes::parse_place,
    series_view::{listed_view, occurrence_view, series_view, side_of},
};
use crate::{
    convert,
    domain::{
        AccountId, Action, Actor, Error, JobDetails, OccurrenceState, Order, Principal, Private,
        ProviderId, ProviderMode, Resource, Revision, Series, SeriesChange, SeriesEdit, SeriesId,
        SeriesPlan, SeriesState, at_minute, minute_of,
        recurrence::{Rule, days_after, local_date},
    },
    processes::series_price::{VisitInputs, VisitPrice},
    repository::{orders, series},
};
use chrono::{Days, Duration, NaiveDate, NaiveDateTime, NaiveTime};
use kit::{
    Id, Money, Tx, Window,
    storage::{db::Begun, idempotency::Key, page::Page},
    values::time::resolve_local,
};
use prost::Message;
use proto::quickserve::{
    fulfilment::v1::SeriesPlace,
    order::v1::{self as pb, series_service_server::SeriesService},
    provider::v1::CheckEligibilityRequest,
};
use tonic::{Request, Response, Status};

/// How many days of a series are listed when the request does not say.
const LISTED_DAYS: u64 = 90;
/// Most days that are listed.
const MAX_LISTED_DAYS: i64 = 366;
/// How far from its date a visit may be moved and still be found in the days it was moved to.
const MOVED_DAYS: u64 = 120;

#[tonic::async_trait]
impl SeriesService for Api {
    async fn create_series(
        &self,
        request: Request<pb::CreateSeriesRequest>,
    ) -> Result<Response<pb::CreateSeriesResponse>, Status> {
        let (caller, key) = (Principal::of(&kit::caller_of(&request))?, Key::of(&request));
        if let Some(answer) = self.kept_answer(&key).await? {
            return Ok(Response::new(answer));
        }
        let (new, first) = self.check_series(caller.account()?, request.into_inner()).await?;
        let tx = match self.app.db.begin_call(key).await? {
            Begun::Answered(answer) => return Ok(Response::new(answer)),
            Begun::New(tx) => tx,
        };
        series::insert_series(&tx, &new, &first).await?;
        let series = Some(series_view(&new, &[first], &caller)?);
        Ok(tx.commit_answer(pb::CreateSeriesResponse { series }).await?)
    }

    async fn list_series(
        &self,
        request: Request<pb::ListSeriesRequest>,
    ) -> Result<Response<pb::ListSeriesResponse>, Status> {
        let account = Principal::of(&kit::caller_of(&request))?.account()?;
        let pb::ListSeriesRequest { page_size, page_token } = request.into_inner();
        let page = Page::parse(page_size, &page_token)?;
        let db = self.app.db.connection();
        let mut rows = series::list_series(db, account, &page).await?;
        let next_page_token = page.cut(&mut rows, |row| row.id.uuid());
        let ids = rows.iter().map(|row| row.id).collect();
        let revisions = series::revisions_of(db, ids).await?;
        let own = |row: &Series| revisions.get(&row.id).map(Vec::as_slice).unwrap_or_default();
        let series = rows.iter().map(|row| listed_view(row, own(row)));
        let series = series.collect::<Result<_, _>>()?;
        Ok(Response::new(pb::ListSeriesResponse { series, next_page_token }))
    }

    async fn get_series(
        &self,
        request: Request<pb::GetSeriesRequest>,
    ) -> Result<Response<pb::GetSeriesResponse>, Status> {
        let caller = Principal::of(&kit::caller_of(&request))?;
        let id = Id::parse("series_id", &request.into_inner().series_id)?;
        let db = self.app.db.connection();
        let found = series::get_series(db, id, &caller).await?;
        let revisions = series::revisions_of(db, vec![id]).await?.remove(&id).unwrap_or_default();
        let series = Some(series_view(&found, &revisions, &caller)?);
        Ok(Response::new(pb::GetSeriesResponse { series }))
    }

    async fn list_occurrences(
        &self,
        request: Request<pb::ListOccurrencesRequest>,
    ) -> Result<Response<pb::ListOccurrencesResponse>, Status> {
        let caller = Principal::of(&kit::caller_of(&request))?;
        let pb::ListOccurrencesRequest { series_id, from_on, to_on } = request.into_inner();
        let id = Id::parse("series_id", &series_id)?;
        let db = self.app.db.connection();
        let found = series::get_series(db, id, &caller).await?;
        let from = match parse_optional_date("from_on", &from_on)? {
            Some(from) => from,
            None => local_date(self.app.now(), found.zone()),
        };
        let to = parse_optional_date("to_on", &to_on)?;
        let to = to.unwrap_or_else(|| days_after(from, LISTED_DAYS));
        if to < from || (to - from).num_days() > MAX_LISTED_DAYS {
            let problem = "must be from_on or at most 366 days after it";
            return Err(kit::Error::invalid("to_on", problem).into());
        }
        let since = from.checked_sub_days(Days::new(MOVED_DAYS)).unwrap_or(from);
        let plan = series::read_plan(db, found, since).await?;
        let visits = plan.visits(from, to, self.app.now()).into_iter();
        let occurrences = visits.map(|visit| occurrence_view(&plan, visit, &caller)).collect();
        Ok(Response::new(pb::ListOccurrencesResponse { occurrences }))
    }

    async fn accept_series(
        &self,
        request: Request<pb::AcceptSeriesRequest>,
    ) -> Result<Response<pb::AcceptSeriesResponse>, Status> {
        let caller = Principal::of(&kit::caller_of(&request))?;
        let id = Id::parse("series_id", &request.into_inner().series_id)?;
        let (tx, mut change) = self.lock_as(id, &caller, Actor::Provider).await?;
        change.accept()?;
        let series = self.save_act(tx, change, &caller).await?;
        Ok(Response::new(pb::AcceptSeriesResponse { series }))
    }

    async fn pause_series(
        &self,
        request: Request<pb::PauseSeriesRequest>,
    ) -> Result<Response<pb::PauseSeriesResponse>, Status> {
        let caller = Principal::of(&kit::caller_of(&request))?;
        let pb::PauseSeriesRequest { series_id, from_on, until_on } = request.into_inner();
        let id = Id::parse("series_id", &series_id)?;
        let from = parse_optional_date("from_on", &from_on)?;
        let until = parse_optional_date("until_on", &until_on)?;
        let (tx, mut change) = self.lock_as(id, &caller, Actor::Customer).await?;
        let from = from.unwrap_or_else(|| change.today());
        change.pause(from, until)?;
        let series = self.save_act(tx, change, &caller).await?;
        Ok(Response::new(pb::PauseSeriesResponse { series }))
    }

    async fn resume_series(
        &self,
        request: Request<pb::ResumeSeriesRequest>,
    ) -> Result<Response<pb::ResumeSeriesResponse>, Status> {
        let caller = Principal::of(&kit::caller_of(&request))?;
        let id = Id::parse("series_id", &request.into_inner().series_id)?;
        let (tx, mut change) = self.lock_as(id, &caller, Actor::Customer).await?;
        change.resume()?;
        let series = self.save_act(tx, change, &caller).await?;
        Ok(Response::new(pb::ResumeSeriesResponse { series }))
    }

    async fn end_series(
        &self,
        request: Request<pb::EndSeriesRequest>,
    ) -> Result<Response<pb::EndSeriesResponse>, Status> {
        let caller = Principal::of(&kit::caller_of(&request))?;
        let id = Id::parse("series_id", &request.into_inner().series_id)?;
        let (tx, mut change) = self.lock_as(id, &caller, Actor::Customer).await?;
        change.end();
        let series = self.save_act(tx, change, &caller).await?;
        Ok(Response::new(pb::EndSeriesResponse { series }))
    }

    async fn skip_occurrence(
        &self,
        request: Request<pb::SkipOccurrenceRequest>,
    ) -> Result<Response<pb::SkipOccurrenceResponse>, Status> {
        let caller = Principal::of(&kit::caller_of(&request))?;
        let pb::SkipOccurrenceRequest { series_id, date } = request.into_inner();
        let id = Id::parse("series_id", &series_id)?;
        let date = parse_date("date", &date)?;
        let (tx, mut change) = self.lock_as(id, &caller, Actor::Customer).await?;
        change.skip(date)?;
        let occurrence = Some(occurrence_of(&change.plan, date, &caller, change.now)?);
        self.save_act(tx, change, &caller).await?;
        Ok(Response::new(pb::SkipOccurrenceResponse { occurrence }))
    }

    async fn move_occurrence(
        &self,
        request: Request<pb::MoveOccurrenceRequest>,
    ) -> Result<Response<pb::MoveOccurrenceResponse>, Status> {
        let caller = Principal::of(&kit::caller_of(&request))?;
        let pb::MoveOccurrenceRequest { series_id, date, start_local, accepted_total } =
            request.into_inner();
        let id = Id::parse("series_id", &series_id)?;
        let date = parse_date("date", &date)?;
        let to = NaiveDateTime::parse_from_str(&start_local, "%Y-%m-%dT%H:%M")
            .map_err(|_| kit::Error::invalid("start_local", "must be a date and a time"))?;
        let accepted =
            accepted_total.map(|it| Money::parse("accepted_total", Some(&it))).transpose()?;
        let (tx, mut change) = self.lock_as(id, &caller, Actor::Customer).await?;
        let visit = change.plan.visit_on(date, change.now);
        let visit = visit.ok_or(Error::NotFound(Resource::Occurrence))?;
        let start = resolve_local(change.plan.series.zone(), to);
        if visit.window.start == start && visit.state != OccurrenceState::NeedsAttention {
            let occurrence = Some(occurrence_view(&change.plan, visit, &caller));
            return Ok(Response::new(pb::MoveOccurrenceResponse { occurrence }));
        }
        self.app.timing.check_start_in("start_local", start, change.now)?;
        let booked = change.plan.orders.get(&date).cloned();
        let booked = booked.filter(|_| visit.state == OccurrenceState::Booked);
        if let Some(order) = booked {
            drop(tx);
            let window = Window { start, end: start + visit.window.length(), ..visit.window };
            self.move_visit(&order, window, accepted, &caller).await?;
        } else {
            change.move_planned(date, to)?;
            self.save_act(tx, change, &caller).await?;
        }
        let db = self.app.db.connection();
        let plan = series::find_plan(db, id, self.app.now()).await?;
        let plan = plan.ok_or(Error::NotFound(Resource::Series))?;
        let occurrence = Some(occurrence_of(&plan, date, &caller, self.app.now())?);
        Ok(Response::new(pb::MoveOccurrenceResponse { occurrence }))
    }

    async fn update_series(
        &self,
        request: Request<pb::UpdateSeriesRequest>,
    ) -> Result<Response<pb::UpdateSeriesResponse>, Status> {
        let caller = Principal::of(&kit::caller_of(&request))?;
        let pb::UpdateSeriesRequest { series_id, scope, date, changes } = request.into_inner();
        let id: SeriesId = Id::parse("series_id", &series_id)?;
        let date = parse_date("date", &date)?;
        let edit = parse_changes(changes.unwrap_or_default())?;
        self.check_edit(id, date, &edit, &caller).await?;
        let (tx, mut change) = self.lock_as(id, &caller, Actor::Customer).await?;
        match scope.as_str() {
            "this" => change.edit_visit(date, edit)?,
            _ => change.edit_future(date, edit)?,
        }
        let series = self.save_act(tx, change, &caller).await?;
        Ok(Response::new(pb::UpdateSeriesResponse { series }))
    }
}

impl Api {
    /// Checks what a customer asks for, and has the vertical price the first visit.
    async fn check_series(
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
        start: chrono::DateTime<chrono::Utc>,
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
        };
        let causes = self.app.peers.check(request).await?;
        if causes.is_empty() || series.mode != ProviderMode::Only {
            return Ok(());
        }
        Err(Error::ProviderNotEligible(causes))
    }

    /// Has the vertical price the visit of a date as it would be after a change.
    async fn check_edit(
        &self,
        id: SeriesId,
        date: NaiveDate,
        edit: &SeriesEdit,
        caller: &Principal,
    ) -> Result<(), Error> {
        let db = self.app.db.connection();
        let found = series::get_series(db, id, caller).await?;
        if side_of(&found, caller) != Some(Actor::Customer) {
            return Err(Error::NotFound(Resource::Series));
        }
        let Some(details) = &edit.details else { return Ok(()) };
        let plan = series::find_plan(db, id, self.app.now()).await?;
        let plan = plan.ok_or(Error::NotFound(Resource::Series))?;
        let present = plan.local_start(date).ok_or(Error::NotFound(Resource::Occurrence))?;
        let local = edit.start_minute.map_or(present, |minute| at_minute(present.date(), minute));
        let minutes = edit.minutes.unwrap_or_else(|| plan.minutes_on(date));
        let start = resolve_local(found.zone(), local);
        self.price_first(&found, details, start, minutes).await?;
        Ok(())
    }

    /// Begins a change of a series in which the caller is on that side.
    async fn lock_as(
        &self,
        id: SeriesId,
        caller: &Principal,
        side: Actor,
    ) -> Result<(Tx, SeriesChange), Error> {
        let tx = self.app.db.begin().await?;
        let change = series::lock_series(&tx, id, caller, &self.app.timing).await?;
        if side_of(&change.plan.series, caller) != Some(side) {
            return Err(Error::NotFound(Resource::Series));
        }
        Ok((tx, change))
    }

    /// Saves an act, and has what follows from it done at once.
    async fn save_act(
        &self,
        tx: Tx,
        change: SeriesChange,
        caller: &Principal,
    ) -> Result<Option<pb::Series>, Error> {
        series::wake_series(&tx, change.plan.series.id).await?;
        let SeriesPlan { series, revisions, .. } = series::save_series(&tx, change).await?;
        tx.commit().await?;
        Ok(Some(series_view(&series, &revisions, caller)?))
    }

    /// Moves the order of a visit, as its customer would. The series hears of it as of every move of its orders.
    async fn move_visit(
        &self,
        order: &Order,
        wanted: Window,
        accepted: Option<Money>,
        caller: &Principal,
    ) -> Result<(), Error> {
        order.check_now(Action::Reschedule, Actor::Customer, self.app.now(), &self.app.timing)?;
        let (mut price, mut requirements) = self.app.price_move(order, &wanted).await?;
        let window = requirements.fit_window(&wanted, &self.app.timing);
        if window != wanted {
            (price, requirements) = self.app.price_move(order, &window).await?;
        }
        let tx = self.app.db.begin().await?;
        let mut change = orders::lock_order(&tx, order.id, caller, &self.app.timing).await?;
        let moving = change.begin_move(&window, price, requirements, accepted)?;
        let order = orders::save_order(&tx, change).await?;
        tx.commit().await?;
        self.app.move_reservation(&order, &moving).await?;
        let tx = self.app.db.begin().await?;
        let mut change = orders::lock_order(&tx, order.id, caller, &self.app.timing).await?;
        change.end_move(&moving, true)?;
        orders::save_order(&tx, change).await?;
        tx.commit().await?;
        self.app.tell_vertical_at_once(order.id).await;
        Ok(())
    }
}

fn occurrence_of(
    plan: &SeriesPlan,
    date: NaiveDate,
    caller: &Principal,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<pb::Occurrence, Error> {
    let visit = plan.visit_on(date, now).ok_or(Error::NotFound(Resource::Occurrence))?;
    Ok(occurrence_view(plan, visit, caller))
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

fn parse_changes(changes: pb::SeriesChanges) -> Result<SeriesEdit, Error> {
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

fn parse_date(field: &str, text: &str) -> Result<NaiveDate, Error> {
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d");
    Ok(date.map_err(|_| kit::Error::invalid(field, "must be a date such as 2027-05-25"))?)
}

fn parse_optional_date(field: &str, text: &str) -> Result<Option<NaiveDate>, Error> {
    if text.is_empty() { Ok(None) } else { parse_date(field, text).map(Some) }
}
