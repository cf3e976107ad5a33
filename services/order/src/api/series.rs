//! Series: what customers and named providers ask of them. The visits are booked by [`crate::processes::series`].

use super::{
    Api,
    series_input::{parse_changes, parse_optional_date, parse_visit_date},
    series_view::{listed_view, occurrence_view, series_view, side_of},
};
use crate::{
    domain::{
        Action, Actor, Error, OccurrenceState, Order, Principal, Resource, SeriesChange, SeriesId,
        SeriesPlan,
        recurrence::{days_after, local_date},
    },
    repository::{orders, series},
};
use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, Utc};
use kit::{
    Id, Money, Tx, Window,
    storage::{db::Begun, idempotency::Key, page::Page},
    values::time::resolve_local,
};
use proto::quickserve::order::v1::{self as pb, series_service_server::SeriesService};
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
        let series = rows.iter().map(|row| {
            listed_view(row, revisions.get(&row.id).map(Vec::as_slice).unwrap_or_default())
        });
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
        let now = self.app.now();
        let from = match from_on.as_str() {
            "" => local_date(now, found.zone()),
            text => parse_visit_date("from_on", text, now)?,
        };
        let to = parse_optional_date("to_on", &to_on)?;
        let to = to.unwrap_or_else(|| days_after(from, LISTED_DAYS));
        if to < from || (to - from).num_days() > MAX_LISTED_DAYS {
            let problem = "must be from_on or at most 366 days after it";
            return Err(kit::Error::invalid("to_on", problem).into());
        }
        let since = from.checked_sub_days(Days::new(MOVED_DAYS)).unwrap_or(from);
        let plan = series::read_plan(db, found, since).await?;
        let visits = plan.visits(from, to, now).into_iter();
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
        let date = parse_visit_date("date", &date, self.app.now())?;
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
        let date = parse_visit_date("date", &date, self.app.now())?;
        let to = NaiveDateTime::parse_from_str(&start_local, "%Y-%m-%dT%H:%M")
            .map_err(|_| kit::Error::invalid("start_local", "must be a date and a time"))?;
        let accepted =
            accepted_total.map(|it| Money::parse("accepted_total", Some(&it))).transpose()?;
        let plan = self.read_as(id, &caller, Actor::Customer).await?;
        let now = self.app.now();
        let visit = plan.visit_on(date, now).ok_or(Error::NotFound(Resource::Occurrence))?;
        let start = resolve_local(plan.series.zone(), to);
        if visit.window.start == start && visit.state != OccurrenceState::NeedsAttention {
            let occurrence = Some(occurrence_view(&plan, visit, &caller));
            return Ok(Response::new(pb::MoveOccurrenceResponse { occurrence }));
        }
        self.app.timing.check_start_in("start_local", start, now)?;
        let order = plan.orders.get(&date).filter(|_| visit.state == OccurrenceState::Booked);
        if let Some(order) = order {
            let window = Window { start, end: start + visit.window.length(), ..visit.window };
            self.move_visit(order, window, accepted, &caller).await?;
        } else {
            let (tx, mut change) = self.lock_as(id, &caller, Actor::Customer).await?;
            change.move_planned(date, to)?;
            self.save_act(tx, change, &caller).await?;
        }
        let plan = self.read_as(id, &caller, Actor::Customer).await?;
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
        let date = parse_visit_date("date", &date, self.app.now())?;
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
    /// A series in which the caller is on that side, with its dates and orders.
    pub(super) async fn read_as(
        &self,
        id: SeriesId,
        caller: &Principal,
        side: Actor,
    ) -> Result<SeriesPlan, Error> {
        let db = self.app.db.connection();
        let plan = series::find_plan(db, id, self.app.now()).await?;
        plan.filter(|plan| side_of(&plan.series, caller) == Some(side))
            .ok_or(Error::NotFound(Resource::Series))
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
    now: DateTime<Utc>,
) -> Result<pb::Occurrence, Error> {
    let visit = plan.visit_on(date, now).ok_or(Error::NotFound(Resource::Occurrence))?;
    Ok(occurrence_view(plan, visit, caller))
}
