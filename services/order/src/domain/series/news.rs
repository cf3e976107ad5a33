//! What a series notes of its own visits: which one is to be booked next, what became of it, and what went by.

use super::{Occurrence, OccurrenceState, Series, SeriesChange, SeriesState};
use crate::domain::{
    Actor, JobDetails, Order, QuoteId, State,
    recurrence::{day_before, days_after},
    timing::seconds_of,
};
use chrono::{DateTime, NaiveDate, Utc};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// How many days back visits are looked for whose time came without an order.
const SETTLE_DAYS: u64 = 40;
/// How many days ahead the next date of a rule may lie: 52 months and some.
const LONGEST_GAP_DAYS: u64 = 1_600;

/// A visit that is about to be booked.
#[derive(Clone, Debug)]
pub struct DueVisit {
    pub series: Series,
    pub date: NaiveDate,
    /// How often the date was booked anew.
    pub round: i32,
    pub details: JobDetails,
    pub start: DateTime<Utc>,
    pub minutes: i64,
    /// Local date of the visit before, as it is planned.
    pub previous_on: Option<NaiveDate>,
}

impl DueVisit {
    /// The quote by which the visit is booked in this round, the same for each try to book it.
    pub fn quote_id(&self) -> QuoteId {
        quote_of(&self.series, self.date, self.round)
    }

    /// Names the booking, so that another try finds its order again.
    pub fn request_id(&self) -> Uuid {
        let name = format!("order of {} {}", self.date, self.round);
        QuoteId::derived(self.series.id.uuid(), &name).uuid()
    }
}

/// The quote by which a date of a series is booked in a round.
pub fn quote_of(series: &Series, date: NaiveDate, round: i32) -> QuoteId {
    QuoteId::derived(series.id.uuid(), &format!("quote of {date} {round}"))
}

impl SeriesChange {
    /// The next visit that has come near and is not among those that were tried. It is noted before it is booked.
    pub fn plan_next(&mut self, tried: &BTreeSet<NaiveDate>) -> Option<DueVisit> {
        let today = self.today();
        let horizon = days_after(today, self.timing.series_horizon_days);
        let earliest = self.now + seconds_of(self.timing.notice_s);
        let latest = self.now + seconds_of(self.timing.horizon_s);
        let visits = self.plan.visits(day_before(today), horizon, self.now);
        let visit = visits.into_iter().find(|visit| {
            visit.state == OccurrenceState::Planned
                && !tried.contains(&visit.date)
                && (earliest..=latest).contains(&visit.window.start)
        })?;
        let date = visit.date;
        let is_replaced = self.plan.occurrences.get(&date).is_some_and(Occurrence::is_replaced);
        if is_replaced {
            self.book_anew(date);
        }
        let row = self.row(date);
        row.state = OccurrenceState::Planned;
        let round = row.round;
        Some(DueVisit {
            date,
            round,
            details: self.plan.details_on(date),
            start: visit.window.start,
            minutes: self.plan.minutes_on(date).into(),
            previous_on: self.plan.planned_before(visit.window.start, self.now),
            series: self.plan.series.clone(),
        })
    }

    /// The visit is an order. False when it is not wanted any more, so that the order is to be cancelled.
    pub fn note_booked(&mut self, date: NaiveDate, round: i32, order: &Order) -> bool {
        let Some(row) = self.plan.occurrences.get(&date).filter(|row| row.round == round) else {
            return false;
        };
        let series = &self.plan.series;
        let is_out = series.is_paused_on(date) || series.is_over_on(date);
        let is_news = row.state == OccurrenceState::Planned;
        let is_wanted = row.state == OccurrenceState::Booked || (is_news && !is_out);
        let row = self.row(date);
        row.order_id = Some(order.id);
        if is_news && is_out {
            row.state = OccurrenceState::Skipped;
        } else if is_news {
            row.state = OccurrenceState::Booked;
            row.reason.clear();
            self.publish("series.occurrence_due", date, order.window(), Some(order.id), "");
        }
        let is_named =
            order.provider_id.is_some() && order.provider_id == self.plan.series.provider_id;
        if is_named && self.plan.series.provider_user_id.is_none() {
            self.plan.series.provider_user_id = order.provider_user_id;
        }
        is_wanted
    }

    /// The visit cannot be booked.
    pub fn note_refused(&mut self, date: NaiveDate, round: i32, reason: &str) {
        let row = self.plan.occurrences.get(&date);
        let is_open =
            row.is_some_and(|row| row.round == round && row.state == OccurrenceState::Planned);
        if is_open {
            self.ask_for_attention(date, reason);
        }
    }

    /// Takes in what became of the orders of visits, of dates that went by and of a pause that is over.
    pub fn take_news(&mut self) {
        let orders: BTreeMap<NaiveDate, Order> = self.plan.orders.clone();
        for (date, order) in &orders {
            let row = self.plan.occurrences.get(date);
            if row.is_none_or(|row| row.state != OccurrenceState::Booked) {
                continue;
            }
            if order.progress.reschedules > 0 {
                let start = order.window_start.with_timezone(&self.plan.series.zone());
                if self.plan.local_start(*date) != Some(start.naive_local()) {
                    self.note_move(*date, start.naive_local());
                }
            }
            match why_ended(order) {
                None => {}
                Some((true, reason)) => self.set_state(*date, OccurrenceState::Skipped, &reason),
                Some((false, reason)) => self.ask_for_attention(*date, &reason),
            }
        }
        self.note_past();
        let today = self.today();
        if self.plan.series.paused_until.is_some_and(|until| until <= today) {
            self.end_pause();
        }
        let is_finished = self.plan.series.state == SeriesState::Active
            && !self.plan.has_visits(today, days_after(today, LONGEST_GAP_DAYS), self.now);
        if is_finished {
            self.plan.series.state = SeriesState::Ended;
            self.plan.series.ended_on = Some(today);
        }
    }

    /// Notes dates that went by without an order: rules and pauses that come later change nothing about them.
    pub(super) fn note_past(&mut self) {
        let today = self.today();
        let earliest = today.checked_sub_days(chrono::Days::new(SETTLE_DAYS)).unwrap_or(today);
        for visit in self.plan.visits(earliest, today, self.now) {
            let is_noted = self
                .plan
                .occurrences
                .get(&visit.date)
                .is_some_and(|row| row.state == visit.state && row.reason == visit.reason);
            let is_past = visit.window.start <= self.now;
            let was_left_out =
                matches!(visit.state, OccurrenceState::Missed | OccurrenceState::Skipped);
            if is_past && was_left_out && !is_noted {
                self.set_state(visit.date, visit.state, &visit.reason);
            }
        }
    }
}

/// Why an order that was a visit is none any more, and whether people wanted that; none while it is one.
fn why_ended(order: &Order) -> Option<(bool, String)> {
    let reason = match order.state {
        State::Declined => "DECLINED".to_owned(),
        State::NoProvider => "NO_PROVIDER".to_owned(),
        State::Expired if order.payment_wants_customer() => "PAYMENT_FAILED".to_owned(),
        State::Expired => "NOT_ANSWERED".to_owned(),
        State::Cancelled => {
            let cancellation = order.progress.cancellation.as_ref();
            let by_people = cancellation
                .is_some_and(|it| matches!(it.actor, Actor::Customer | Actor::Operator));
            if by_people {
                return Some((true, "CANCELLED".to_owned()));
            }
            cancellation.map(|it| it.reason.clone()).unwrap_or_default()
        }
        _ => return None,
    };
    Some((false, reason))
}
