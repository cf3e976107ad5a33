//! Series: jobs that recur. What their dates are, which of them are booked, and which visit comes before which.

mod acts;
mod change;
mod edits;
mod news;

pub use change::{SeriesChange, SeriesEvent};
pub use edits::{SeriesEdit, at_minute, minute_of};
pub use news::{DueVisit, quote_of};

use super::{
    JobDetails, Order, OrderId, State,
    recurrence::{Rule, day_before, days_after, local_date},
    series_records::{occurrence, revision, series},
};
use chrono::{DateTime, Duration, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use chrono_tz::Tz;
use kit::{Window, values::time::resolve_local};
use sea_orm::{DeriveActiveEnum, EnumIter};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The id of a series.
pub type SeriesId = kit::Id<series::Model>;
/// A series.
pub type Series = series::Model;
/// The rule of a series from one date on.
pub type Revision = revision::Model;
/// A date of a series that was booked or changed.
pub type Occurrence = occurrence::Model;

/// How far back the visit before another one is looked for, in days.
pub const LOOK_BACK_DAYS: u64 = 400;
/// Why a visit is left out: the series is paused.
pub const PAUSED: &str = "PAUSED";
/// Why a date is no visit any more: another rule has taken its place.
const REPLACED: &str = "REPLACED";
/// Hour of the day at which the visits that have come near are booked, on the clock of the place.
const BOOKING_HOUR: i64 = 10;

/// How a series stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SeriesState {
    /// Visits are booked as their dates come near.
    Active,
    /// Visits of the pause are not booked.
    Paused,
    /// No more visits are booked.
    Ended,
}

/// Who may do the visits of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ProviderMode {
    /// The named provider alone.
    Only,
    /// The named provider, or another one where they cannot.
    Preferred,
    /// Whichever provider takes the visit.
    Any,
}

/// How a date of a series stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OccurrenceState {
    /// It is to come, and not booked yet.
    Planned,
    /// It is an order.
    Booked,
    /// It is left out.
    Skipped,
    /// It could not be booked, or its order came to nothing.
    NeedsAttention,
    /// Its time came without an order.
    Missed,
}

/// Which visit of which series an order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeriesLink {
    pub series_id: SeriesId,
    /// Local date that the rule gives.
    pub on: NaiveDate,
    /// Whether no other than the named provider may do it.
    pub only: bool,
}

/// A visit of a series as it is planned or booked.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedVisit {
    /// Local date that the rule gives.
    pub date: NaiveDate,
    pub state: OccurrenceState,
    /// Why it is in that state; empty where nothing is to be said.
    pub reason: String,
    /// When it happens.
    pub window: Window,
    /// Whether it is not at the date and time of the rule.
    pub moved: bool,
    pub order_id: Option<OrderId>,
}

/// A series with its rules, the dates that were booked or changed, and their orders.
#[derive(Clone, Debug)]
pub struct SeriesPlan {
    pub series: Series,
    /// Oldest first.
    pub revisions: Vec<Revision>,
    pub occurrences: BTreeMap<NaiveDate, Occurrence>,
    /// The orders of booked dates.
    pub orders: BTreeMap<NaiveDate, Order>,
}

impl Series {
    /// The zone of the clocks at the place.
    pub fn zone(&self) -> Tz {
        self.time_zone.parse().unwrap_or(Tz::UTC)
    }

    /// Whether a date lies in the pause.
    pub fn is_paused_on(&self, date: NaiveDate) -> bool {
        self.paused_from.is_some_and(|from| date >= from)
            && self.paused_until.is_none_or(|until| date < until)
    }

    /// Whether the series has no new visits on a date.
    pub fn is_over_on(&self, date: NaiveDate) -> bool {
        self.ended_on.is_some_and(|ended_on| date >= ended_on)
    }

    /// When the visits that have come near are booked next.
    pub fn next_booking(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let today = local_date(now, self.zone());
        let [today, tomorrow] = [today, days_after(today, 1)].map(|date| {
            let local = date.and_time(NaiveTime::MIN) + Duration::hours(BOOKING_HOUR);
            resolve_local(self.zone(), local)
        });
        if today > now { today } else { tomorrow }
    }
}

impl Revision {
    /// The rule. It was checked when it was written; one that cannot be read any more has no dates.
    fn rule(&self) -> Option<Rule> {
        Rule::parse("rrule", &self.rrule).ok()
    }

    /// The local start of a visit on a date.
    pub fn start_on(&self, date: NaiveDate) -> NaiveDateTime {
        date.and_time(NaiveTime::MIN) + Duration::minutes(self.start_minute.into())
    }

    fn dates(&self, from: NaiveDate, to: NaiveDate) -> Vec<NaiveDate> {
        self.rule().map(|rule| rule.dates(self.from_on, from, to)).unwrap_or_default()
    }

    fn first_date(&self, from: NaiveDate, to: NaiveDate) -> Option<NaiveDate> {
        self.rule()?.first_dates(self.from_on, from, to, 1).first().copied()
    }
}

impl Occurrence {
    /// Whether the date is no visit any more since another rule has taken its place.
    pub fn is_replaced(&self) -> bool {
        self.state == OccurrenceState::Skipped && self.reason == REPLACED
    }

    /// Whether the visit is at the time of the rule, as long as it says, and for the same work.
    const fn is_as_the_rule_says(&self) -> bool {
        self.moved_to.is_none() && self.minutes.is_none() && self.details.is_none()
    }

    /// Takes the date out since another rule has taken its place.
    pub(super) fn replace(&mut self) {
        self.state = OccurrenceState::Skipped;
        REPLACED.clone_into(&mut self.reason);
    }
}

impl SeriesPlan {
    /// The rule that holds on a date.
    pub fn revision_on(&self, date: NaiveDate) -> Option<&Revision> {
        self.revisions.iter().rfind(|revision| revision.from_on <= date)
    }

    /// The dates that the rules give from `from` to `to`, both included.
    pub fn rule_dates(&self, from: NaiveDate, to: NaiveDate) -> Vec<NaiveDate> {
        let spans = self.revision_spans(to);
        spans.flat_map(|(revision, last)| revision.dates(from, last)).collect()
    }

    /// The rules, each with the last date up to `to` on which it holds.
    fn revision_spans(&self, to: NaiveDate) -> impl Iterator<Item = (&Revision, NaiveDate)> {
        self.revisions.iter().enumerate().map(move |(index, revision)| {
            let next = self.revisions.get(index + 1).map(|next| day_before(next.from_on));
            (revision, next.map_or(to, |next| next.min(to)))
        })
    }

    /// The visits of the dates from `from` to `to`, and those that were moved there, as they stand at `now`.
    pub fn visits(&self, from: NaiveDate, to: NaiveDate, now: DateTime<Utc>) -> Vec<PlannedVisit> {
        let of_rules: BTreeSet<NaiveDate> = self.rule_dates(from, to).into_iter().collect();
        let mut dates = of_rules.clone();
        dates.extend(self.changed_dates(from, to));
        let visits = dates.into_iter().filter_map(|date| {
            // The rules are expanded once, and not for each date anew. What lies outside was moved here, and is on file.
            let is_of_rule = of_rules.contains(&date);
            self.visit_of(date, is_of_rule, now)
        });
        visits.collect()
    }

    /// Whether there is any visit from `from` to `to`, as [`SeriesPlan::visits`] would list it.
    pub fn has_visits(&self, from: NaiveDate, to: NaiveDate, now: DateTime<Utc>) -> bool {
        let is_visit = |date| self.visit_of(date, false, now).is_some();
        let mut of_rules =
            self.revision_spans(to).filter_map(|(revision, last)| revision.first_date(from, last));
        self.changed_dates(from, to).any(is_visit)
            || of_rules.any(|date| self.visit_of(date, true, now).is_some())
    }

    /// The dates from `from` to `to` that were booked or changed, and those that were moved there.
    fn changed_dates(&self, from: NaiveDate, to: NaiveDate) -> impl Iterator<Item = NaiveDate> {
        let near = from..=to;
        let rows = self.occurrences.iter().filter(move |(date, row)| {
            near.contains(date) || row.moved_to.is_some_and(|start| near.contains(&start.date()))
        });
        rows.map(|(date, _)| *date)
    }

    /// The visit of a date; none where there is no visit.
    pub fn visit_on(&self, date: NaiveDate, now: DateTime<Utc>) -> Option<PlannedVisit> {
        let is_known = self.occurrences.get(&date).is_some_and(|row| !row.is_replaced());
        let is_of_rule = is_known || self.revision_on(date)?.first_date(date, date).is_some();
        self.visit_of(date, is_of_rule, now)
    }

    /// The visit of a date, where it is known whether the rules have that date.
    fn visit_of(
        &self,
        date: NaiveDate,
        is_of_rule: bool,
        now: DateTime<Utc>,
    ) -> Option<PlannedVisit> {
        let row = self.occurrences.get(&date).filter(|row| !row.is_replaced());
        let revision = self.revision_on(date)?;
        if row.is_none() && !is_of_rule {
            return None;
        }
        let is_open = row.is_none_or(|row| row.state == OccurrenceState::Planned);
        if is_open && self.series.is_over_on(date) {
            return None;
        }
        let local = self.local_start(date)?;
        let start = resolve_local(self.series.zone(), local);
        let minutes = row.and_then(|row| row.minutes).unwrap_or(revision.minutes);
        let end = start + Duration::minutes(minutes.into());
        let planned = Window { start, end, zone: self.series.zone() };
        let window = self.orders.get(&date).map_or(planned, Order::window);
        let (state, reason) = match row {
            _ if is_open && self.series.is_paused_on(date) => {
                (OccurrenceState::Skipped, PAUSED.to_owned())
            }
            _ if is_open && start <= now => (OccurrenceState::Missed, String::new()),
            None => (OccurrenceState::Planned, String::new()),
            Some(row) => (row.state, row.reason.clone()),
        };
        Some(PlannedVisit {
            date,
            state,
            reason,
            window,
            moved: window.start != resolve_local(self.series.zone(), revision.start_on(date)),
            order_id: row.and_then(|row| row.order_id),
        })
    }

    /// When the visit of a date begins on the clock of the place.
    pub fn local_start(&self, date: NaiveDate) -> Option<NaiveDateTime> {
        let moved_to = self.occurrences.get(&date).and_then(|row| row.moved_to);
        moved_to.or_else(|| self.revision_on(date).map(|revision| revision.start_on(date)))
    }

    /// The minutes that are asked for the visit of a date.
    pub fn minutes_on(&self, date: NaiveDate) -> i32 {
        let own = self.occurrences.get(&date).and_then(|row| row.minutes);
        own.or_else(|| self.revision_on(date).map(|revision| revision.minutes)).unwrap_or_default()
    }

    /// The details of the visit of a date.
    pub fn details_on(&self, date: NaiveDate) -> JobDetails {
        let own = self.occurrences.get(&date).and_then(|row| row.details.as_ref());
        let details = own.or_else(|| self.revision_on(date).map(|revision| &revision.details));
        details.cloned().unwrap_or_default()
    }

    /// The local date of the visit before one that begins at `start`, as it is planned: what is skipped or was missed is
    /// none.
    pub fn planned_before(&self, start: DateTime<Utc>, now: DateTime<Utc>) -> Option<NaiveDate> {
        let day = local_date(start, self.series.zone());
        let earliest = day.checked_sub_days(chrono::Days::new(LOOK_BACK_DAYS)).unwrap_or(day);
        let visits = self.visits(earliest, day, now).into_iter().filter(|visit| {
            !matches!(visit.state, OccurrenceState::Skipped | OccurrenceState::Missed)
        });
        self.last_day_before(day, visits.map(|visit| visit.window.start))
    }

    /// The local date of the visit before one that begins at `start`, as it was really made, or still is to be made: what
    /// came to nothing is none, and neither is the order `itself`.
    pub fn visited_before(&self, start: DateTime<Utc>, itself: OrderId) -> Option<NaiveDate> {
        let day = local_date(start, self.series.zone());
        let made = self.orders.iter().filter(|(date, order)| {
            let is_booked = self.occurrences.get(date).is_some_and(|row| {
                row.state == OccurrenceState::Booked && row.order_id == Some(order.id)
            });
            is_booked && order.id != itself && !order.came_to_nothing()
        });
        self.last_day_before(day, made.map(|(_, order)| order.window_start))
    }

    /// The orders that the provider has said yes to for once and for all: asked for, at the time of the rule and for its work.
    pub fn standing_orders(&self) -> Vec<OrderId> {
        let series = &self.series;
        if series.standing_since.is_none() || series.mode == ProviderMode::Any {
            return Vec::new();
        }
        let waits = self.orders.iter().filter(|(date, order)| {
            let is_as_agreed =
                self.occurrences.get(date).is_some_and(Occurrence::is_as_the_rule_says);
            order.state == State::Requested
                && order.provider_id == series.provider_id
                && order.progress.reschedules == 0
                && is_as_agreed
        });
        waits.map(|(_, order)| order.id).collect()
    }

    fn last_day_before(
        &self,
        day: NaiveDate,
        starts: impl Iterator<Item = DateTime<Utc>>,
    ) -> Option<NaiveDate> {
        let days = starts.map(|start| local_date(start, self.series.zone()));
        days.filter(|other| *other < day).max()
    }
}

impl Order {
    /// Whether it passed without a provider.
    pub const fn came_to_nothing(&self) -> bool {
        matches!(
            self.state,
            State::Expired
                | State::Declined
                | State::NoProvider
                | State::NoShow
                | State::Cancelled
                | State::Aborted
        )
    }
}
