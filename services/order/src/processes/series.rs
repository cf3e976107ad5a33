//! Series: visits that have come near are booked one after the other, orders that are not wanted any more are cancelled,
//! and what became of the others is noted.
//!
//! Two timers of a series do the same work: one each morning at the place, one whenever there is news. Whatever is to be
//! done is a row first: a date is noted before it is booked, and a visit is left out before its order is cancelled. A
//! date is booked by a quote that its series, date and round name, and of a quote there is one order: so that however
//! often a date is taken up, and by however many replicas, it is booked once.

use crate::{
    app::{App, drop_refusal},
    domain::{
        Action, Actor, CancellationCharge, DueVisit, Error, LiableParty, NewOrder, OccurrenceState,
        Order, OrderId, Principal, ProviderMode, SeriesId, SeriesPlan, SeriesState, quote_of,
    },
    processes::booking::Beginning,
    repository::{SERIES, orders, quotes, series},
};
use chrono::{Days, NaiveDate};
use kit::{
    messaging::timers,
    program::crash,
    rpc::error::{reason_of, status_of},
};
use std::collections::BTreeSet;
use tonic::Code;

const NAME: &str = "series";
const PLAN: &str = "plan";
const QUOTE: &str = "quote";
const BOOK: &str = "book";
const NOTE: &str = "note";
const CANCEL: &str = "cancel";

/// `series.plan`, `series.quote`, `series.book`, `series.note`, `series.cancel`.
pub fn crash_points() -> impl Iterator<Item = String> {
    [PLAN, QUOTE, BOOK, NOTE, CANCEL].iter().map(|step| format!("{NAME}.{step}"))
}

impl App {
    /// Brings a series up to date. `each_morning` has it done again the next morning.
    pub async fn run_series(&self, id: SeriesId, each_morning: bool) -> Result<(), Error> {
        let Some(plan) = series::find_plan(self.db.connection(), id, self.now()).await? else {
            return Ok(());
        };
        self.cancel_unwanted_visits(&plan).await?;
        self.note_news_of_series(id).await?;
        self.book_due_visits(id).await?;
        self.accept_standing_visits(id).await?;
        if each_morning {
            self.wait_for_next_morning(id).await?;
        }
        Ok(())
    }

    /// Cancels the orders of visits that are left out, and those in whose place another one is booked. It costs nothing,
    /// since they were left out in time.
    async fn cancel_unwanted_visits(&self, plan: &SeriesPlan) -> Result<(), Error> {
        let zone = plan.series.zone();
        let today = self.now().with_timezone(&zone).date_naive();
        let since = today.checked_sub_days(Days::new(2)).unwrap_or(NaiveDate::MIN);
        let mut unwanted = Vec::new();
        for (date, row) in &plan.occurrences {
            let last_day = row.moved_to.map_or(*date, |to| to.date().max(*date));
            if last_day < since {
                continue;
            }
            let is_skipped = row.state == OccurrenceState::Skipped;
            let last = row.round + i32::from(is_skipped);
            unwanted.extend((0..last).map(|round| quote_of(&plan.series, *date, round)));
        }
        let mut is_booking = false;
        for order in orders::of_quotes(self.db.connection(), unwanted).await? {
            if order.booking {
                is_booking = true;
            } else if order.state.is_before_work() {
                self.cancel_visit(&order).await?;
            }
            // What takes its place may need the same hour.
            self.run_side_effects(order.id).await?;
        }
        if is_booking { Err(Error::BookingInterrupted) } else { Ok(()) }
    }

    async fn cancel_visit(&self, order: &Order) -> Result<(), Error> {
        let customer = Principal::User { id: order.customer_id, operator: false };
        let tx = self.db.begin().await?;
        let mut change = orders::lock_order(&tx, order.id, &customer, &self.timing).await?;
        if !change.order.state.is_before_work() {
            return Ok(());
        }
        change.cancel(CancellationCharge::default(), LiableParty::Customer, "SKIPPED")?;
        change.caller_runs_side_effects = true;
        orders::save_order(&tx, change).await?;
        tx.commit().await?;
        crash::crash_step(NAME, CANCEL);
        Ok(())
    }

    async fn note_news_of_series(&self, id: SeriesId) -> Result<(), Error> {
        let tx = self.db.begin().await?;
        let mut change = series::lock_series(&tx, id, &Principal::System, &self.timing).await?;
        change.take_news();
        series::save_series(&tx, change).await?;
        Ok(tx.commit().await?)
    }

    /// Books what has come near. A visit that cannot be booked now does not hold up the others; the error has the timer
    /// come again for it.
    async fn book_due_visits(&self, id: SeriesId) -> Result<(), Error> {
        let mut tried = BTreeSet::new();
        let mut failed = None;
        while let Some(visit) = self.plan_next_visit(id, &tried).await? {
            tried.insert(visit.date);
            if let Err(error) = Box::pin(self.book_due_visit(&visit)).await {
                tracing::warn!(
                    %error, series.id = %id, date = %visit.date,
                    "a visit of a series is not booked yet, will retry"
                );
                failed = Some(error);
            }
        }
        failed.map_or(Ok(()), Err)
    }

    async fn plan_next_visit(
        &self,
        id: SeriesId,
        tried: &BTreeSet<NaiveDate>,
    ) -> Result<Option<DueVisit>, Error> {
        let tx = self.db.begin().await?;
        let mut change = series::lock_series(&tx, id, &Principal::System, &self.timing).await?;
        if change.plan.series.state == SeriesState::Ended {
            return Ok(None);
        }
        let due = change.plan_next(tried);
        series::save_series(&tx, change).await?;
        tx.commit().await?;
        if due.is_some() {
            crash::crash_step(NAME, PLAN);
        }
        Ok(due)
    }

    /// Books one visit, or notes why that cannot be.
    async fn book_due_visit(&self, visit: &DueVisit) -> Result<(), Error> {
        match self.order_visit(visit).await {
            Ok(order) => self.note_booked_visit(visit, &order).await,
            Err(error) => {
                let reason = refusal_of(error)?;
                self.note_refused_visit(visit, &reason).await
            }
        }
    }

    /// The order of a visit, which an earlier try may have begun.
    async fn order_visit(&self, visit: &DueVisit) -> Result<Order, Error> {
        let begun = orders::of_quotes(self.db.connection(), vec![visit.quote_id()]).await?;
        if begun.is_empty() {
            let quote = self.quote_visit(visit).await?;
            quotes::replace_quote(self.db.connection(), &quote).await?;
            crash::crash_step(NAME, QUOTE);
        }
        let series = &visit.series;
        let named = series.provider_id.filter(|_| series.mode != ProviderMode::Any);
        let new = NewOrder {
            customer_id: series.customer_id,
            quote_id: visit.quote_id(),
            provider_id: named,
            method_id: series.method_id,
            search_if_declined: series.mode != ProviderMode::Only,
            notes: series.notes.clone(),
            dedup_id: Some(visit.request_id()),
        };
        match self.carry_booking(new.clone()).await {
            Err(error)
                if named.is_some()
                    && series.mode == ProviderMode::Preferred
                    && is_refused(&error) =>
            {
                tracing::info!(%error, series.id = %series.id, "the preferred provider cannot come, others are asked");
                self.carry_booking(NewOrder { provider_id: None, ..new }).await
            }
            booked => booked,
        }
    }

    /// Carries a booking through, from wherever an earlier try left it.
    async fn carry_booking(&self, new: NewOrder) -> Result<Order, Error> {
        let booking = match self.begin_booking(new, None).await? {
            Beginning::Finished(order) => return Ok(*order),
            Beginning::Started(booking) => booking,
            Beginning::Answered(_) => {
                return Err(kit::Error::internal("a booking without a key has no answer").into());
            }
        };
        let change = self.book(*booking).await?;
        let order = change.order.clone();
        let finished = self.finish_booking(change, None, Vec::new()).await?;
        crash::crash_step(NAME, BOOK);
        Ok(finished.unwrap_or(order))
    }

    async fn note_booked_visit(&self, visit: &DueVisit, order: &Order) -> Result<(), Error> {
        let (id, system) = (visit.series.id, Principal::System);
        let tx = self.db.begin().await?;
        let mut change = series::lock_series(&tx, id, &system, &self.timing).await?;
        if !change.note_booked(visit.date, visit.round, order) {
            // It was left out, or changed, while it was being booked.
            series::wake_series(&tx, id).await?;
        }
        series::save_series(&tx, change).await?;
        tx.commit().await?;
        crash::crash_step(NAME, NOTE);
        Ok(())
    }

    async fn note_refused_visit(&self, visit: &DueVisit, reason: &str) -> Result<(), Error> {
        let (id, system) = (visit.series.id, Principal::System);
        let tx = self.db.begin().await?;
        let mut change = series::lock_series(&tx, id, &system, &self.timing).await?;
        change.note_refused(visit.date, visit.round, reason);
        series::save_series(&tx, change).await?;
        Ok(tx.commit().await?)
    }

    /// Accepts what the provider has said yes to for once and for all.
    async fn accept_standing_visits(&self, id: SeriesId) -> Result<(), Error> {
        let plan = series::find_plan(self.db.connection(), id, self.now()).await?;
        for order in plan.map(|plan| plan.standing_orders()).unwrap_or_default() {
            drop_refusal("a standing acceptance", Box::pin(self.accept_visit(order)).await)?;
        }
        Ok(())
    }

    async fn accept_visit(&self, id: OrderId) -> Result<(), Error> {
        let system = Principal::System;
        let order = orders::get_order(self.db.connection(), id, &system).await?;
        let agreed = match Box::pin(self.prepare_acceptance(id, &system)).await {
            Ok(agreed) => agreed,
            // The provider has lost the visit, or may still say yes: others go on.
            Err(error @ (Error::ProviderNotEligible(_) | Error::Denied(..))) => {
                tracing::info!(%error, order.id = %id, "a visit is not accepted for its provider");
                return Ok(());
            }
            Err(error) if is_refused(&error) => {
                tracing::warn!(%error, order.id = %id, "a visit cannot be accepted for its provider, who is to answer");
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        order.check_now(Action::Accept, Actor::System, self.now(), &self.timing)?;
        let tx = self.db.begin().await?;
        let mut change = orders::lock_order(&tx, id, &system, &self.timing).await?;
        change.vertical_agreed(agreed);
        change.accept()?;
        orders::save_order(&tx, change).await?;
        tx.commit().await?;
        self.tell_vertical_at_once(id).await;
        Ok(())
    }

    async fn wait_for_next_morning(&self, id: SeriesId) -> Result<(), Error> {
        let tx = self.db.begin().await?;
        let change = series::lock_series(&tx, id, &Principal::System, &self.timing).await?;
        if change.plan.series.state != SeriesState::Ended {
            let next = change.plan.series.next_booking(change.now);
            timers::schedule_timer(&tx, SERIES, id.uuid(), next).await?;
        }
        Ok(tx.commit().await?)
    }
}

/// Whether a visit was refused for good. What failed for now, or lost a race, is tried again.
fn is_refused(error: &Error) -> bool {
    matches!(
        status_of(error).code(),
        Code::InvalidArgument
            | Code::NotFound
            | Code::AlreadyExists
            | Code::FailedPrecondition
            | Code::PermissionDenied
            | Code::OutOfRange
    )
}

/// Why a visit was refused for good, as a stable code. The error itself when it failed for now.
fn refusal_of(error: Error) -> Result<String, Error> {
    if !is_refused(&error) {
        return Err(error);
    }
    tracing::info!(%error, "a visit of a series cannot be booked, the customer is told");
    let status = status_of(&error);
    match status.code() {
        Code::InvalidArgument => Ok("DETAILS_REFUSED".to_owned()),
        _ => Ok(reason_of(&status)),
    }
}
