//! A change of a series: what the rules decide about it, to be saved in one transaction or not at all.

use super::{Occurrence, OccurrenceState, PlannedVisit, Series, SeriesPlan, SeriesState};
use crate::domain::{Error, OrderId, Resource, Timing, recurrence::local_date, timing::seconds_of};
use chrono::{DateTime, NaiveDate, Utc};
use kit::Window;
use std::{collections::BTreeSet, sync::Arc};

/// Something that happened to a series, for the other services.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesEvent {
    /// Its kind, for example `series.needs_attention`.
    pub kind: &'static str,
    pub date: NaiveDate,
    pub window: Window,
    pub order_id: Option<OrderId>,
    /// Why the visit needs attention; empty otherwise.
    pub reason: String,
}

/// A series as it was read and as it will be, and all that is saved together with it.
pub struct SeriesChange {
    before: Series,
    pub plan: SeriesPlan,
    pub now: DateTime<Utc>,
    pub timing: Arc<Timing>,
    /// Dates whose rows are written.
    pub touched: BTreeSet<NaiveDate>,
    /// Whether the rules are written.
    pub revised: bool,
    /// Whether the details of all dates are deleted, also of those long ago, which are not in the plan.
    pub forgets_details: bool,
    pub events: Vec<SeriesEvent>,
}

impl SeriesChange {
    /// Begins a change of a series.
    pub fn new(plan: SeriesPlan, now: DateTime<Utc>, timing: Arc<Timing>) -> Self {
        Self {
            before: plan.series.clone(),
            plan,
            now,
            timing,
            touched: BTreeSet::new(),
            revised: false,
            forgets_details: false,
            events: Vec::new(),
        }
    }

    /// The series as it was read.
    pub const fn before(&self) -> &Series {
        &self.before
    }

    /// Whether anything is to be saved.
    pub fn has_changes(&self) -> bool {
        self.revised
            || !self.touched.is_empty()
            || !self.events.is_empty()
            || self.plan.series != self.before
    }

    /// The date of today at the place.
    pub fn today(&self) -> NaiveDate {
        local_date(self.now, self.plan.series.zone())
    }

    /// Ends the rules: the version counts up, and the facts are numbered.
    pub fn close(&mut self) {
        self.plan.series.version += 1;
        self.plan.series.updated_at = self.now;
        self.plan.series.event_seq += i64::try_from(self.events.len()).unwrap_or_default();
    }

    pub(super) fn check_going_on(&self) -> Result<(), Error> {
        match self.plan.series.state {
            SeriesState::Active | SeriesState::Paused => Ok(()),
            SeriesState::Ended => Err(Error::SeriesState),
        }
    }

    pub(super) fn visit_on(&self, date: NaiveDate) -> Result<PlannedVisit, Error> {
        self.plan.visit_on(date, self.now).ok_or(Error::NotFound(Resource::Occurrence))
    }

    pub(super) fn booked_from(&self, from: NaiveDate) -> Vec<PlannedVisit> {
        let dates = self.plan.occurrences.range(from..).map(|(date, _)| *date);
        let visits = dates.filter_map(|date| self.plan.visit_on(date, self.now));
        visits.filter(|visit| visit.state == OccurrenceState::Booked).collect()
    }

    /// Whether leaving the visit out is not free any more.
    pub(super) fn is_close(&self, visit: &PlannedVisit) -> bool {
        visit.window.start < self.now + seconds_of(self.timing.skip_s)
    }

    pub(super) fn ask_for_attention(&mut self, date: NaiveDate, reason: &str) {
        self.set_state(date, OccurrenceState::NeedsAttention, reason);
        if let Some(visit) = self.plan.visit_on(date, self.now) {
            self.publish("series.needs_attention", date, visit.window, visit.order_id, reason);
        }
    }

    pub(super) fn publish(
        &mut self,
        kind: &'static str,
        date: NaiveDate,
        window: Window,
        order_id: Option<OrderId>,
        reason: &str,
    ) {
        let reason = reason.to_owned();
        self.events.push(SeriesEvent { kind, date, window, order_id, reason });
    }

    pub(super) fn set_state(&mut self, date: NaiveDate, state: OccurrenceState, reason: &str) {
        let row = self.row(date);
        row.state = state;
        reason.clone_into(&mut row.reason);
    }

    /// The row of a date, which is written.
    pub(super) fn row(&mut self, date: NaiveDate) -> &mut Occurrence {
        self.touched.insert(date);
        let (series_id, now) = (self.plan.series.id, self.now);
        let row = self.plan.occurrences.entry(date).or_insert_with(|| Occurrence {
            series_id,
            on_date: date,
            state: OccurrenceState::Planned,
            reason: String::new(),
            moved_to: None,
            minutes: None,
            details: None,
            round: 0,
            order_id: None,
            created_at: now,
            updated_at: now,
        });
        row.updated_at = now;
        row
    }
}
