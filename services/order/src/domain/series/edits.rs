//! Changes of what is done at the visits of a series, and when: of one visit, or of all from a date on.

use super::{OccurrenceState, Revision, SeriesChange};
use crate::domain::{
    Error, JobDetails, Resource,
    recurrence::{Rule, day_before},
};
use chrono::{Duration, NaiveDate, NaiveDateTime, NaiveTime, Timelike};

/// What changes of a series or of one of its visits.
#[derive(Clone, Debug, Default)]
pub struct SeriesEdit {
    pub rule: Option<Rule>,
    /// Minute of the day at which visits begin.
    pub start_minute: Option<i32>,
    pub minutes: Option<i32>,
    pub details: Option<JobDetails>,
}

impl SeriesChange {
    /// Changes one visit. One that is booked is booked anew.
    pub fn edit_visit(&mut self, date: NaiveDate, edit: SeriesEdit) -> Result<(), Error> {
        self.check_going_on()?;
        if edit.rule.is_some() {
            let problem = "changes with the scope `future` only";
            return Err(kit::Error::invalid("rrule", problem).into());
        }
        let visit = self.visit_on(date)?;
        match visit.state {
            OccurrenceState::Booked if self.is_close(&visit) => {
                return Err(Error::SkipCosts(
                    visit.order_id.map(kit::Id::uuid).unwrap_or_default(),
                ));
            }
            OccurrenceState::Booked
            | OccurrenceState::Planned
            | OccurrenceState::NeedsAttention => {}
            OccurrenceState::Skipped | OccurrenceState::Missed => {
                return Err(Error::OccurrenceState);
            }
        }
        let start = self.plan.local_start(date);
        let row = self.row(date);
        if let (Some(minute), Some(start)) = (edit.start_minute, start) {
            row.moved_to = Some(at_minute(start.date(), minute));
        }
        row.minutes = edit.minutes.or(row.minutes);
        row.details = edit.details.or_else(|| row.details.take());
        self.book_anew(date);
        Ok(())
    }

    /// Changes all visits from a date on. Those that were moved or skipped stay, and so do those that start within a day;
    /// what else is booked is booked anew.
    pub fn edit_future(&mut self, date: NaiveDate, edit: SeriesEdit) -> Result<(), Error> {
        self.check_going_on()?;
        if date <= self.today() {
            return Err(kit::Error::invalid("date", "must be after today").into());
        }
        let present = self.plan.revision_on(date).cloned();
        let present = present.ok_or(Error::NotFound(Resource::Occurrence))?;
        let rule = self.rule_from(date, &present, edit.rule)?;
        rule.check_anchor("date", date)?;
        self.plan.revisions.retain(|revision| revision.from_on < date);
        self.plan.revisions.push(Revision {
            series_id: self.plan.series.id,
            from_on: date,
            rrule: rule.to_string(),
            start_minute: edit.start_minute.unwrap_or(present.start_minute),
            minutes: edit.minutes.unwrap_or(present.minutes),
            details: edit.details.unwrap_or(present.details),
            created_at: self.now,
        });
        self.revised = true;
        // The provider took visits at other times, or other work.
        self.plan.series.standing_since = None;
        self.replace_booked(date);
        Ok(())
    }

    /// The rule from a date on: a new one, or the present one from one of its dates, with what is left of its count.
    fn rule_from(
        &self,
        date: NaiveDate,
        present: &Revision,
        new: Option<Rule>,
    ) -> Result<Rule, Error> {
        if let Some(rule) = new {
            return Ok(rule);
        }
        let rule = Rule::parse("rrule", &present.rrule)?;
        if rule.dates(present.from_on, date, date).is_empty() {
            return Err(kit::Error::invalid("date", "must be a date of the rule").into());
        }
        let before = rule.dates(present.from_on, present.from_on, day_before(date));
        Ok(rule.without_first(before.len()))
    }

    fn replace_booked(&mut self, from: NaiveDate) {
        let now = self.now;
        let rows = self.plan.occurrences.range(from..).filter(|(_, row)| row.moved_to.is_none());
        let dates: Vec<NaiveDate> = rows.map(|(date, _)| *date).collect();
        for date in dates {
            let Some(visit) = self.plan.visit_on(date, now) else { continue };
            let is_open = matches!(
                visit.state,
                OccurrenceState::Planned
                    | OccurrenceState::Booked
                    | OccurrenceState::NeedsAttention
            );
            let is_booked = visit.state == OccurrenceState::Booked;
            if !is_open || (is_booked && self.is_close(&visit)) {
                continue;
            }
            let stays = !self.plan.rule_dates(date, date).is_empty();
            let row = self.row(date);
            (row.minutes, row.details) = (None, None);
            if stays {
                self.book_anew(date);
            } else {
                self.row(date).replace();
            }
        }
    }

    /// Has a date booked once more. The order that it was is cancelled.
    pub(super) fn book_anew(&mut self, date: NaiveDate) {
        let row = self.row(date);
        if row.state != OccurrenceState::Planned {
            row.state = OccurrenceState::Planned;
            row.reason.clear();
            row.order_id = None;
        }
        // Also where nothing is noted: a booking may be under way.
        row.round += 1;
        self.plan.orders.remove(&date);
    }
}

/// The local time at a minute of a day.
pub fn at_minute(date: NaiveDate, minute: i32) -> NaiveDateTime {
    date.and_time(NaiveTime::MIN) + Duration::minutes(minute.into())
}

/// The minute of the day of a local time.
pub fn minute_of(time: NaiveTime) -> i32 {
    i32::try_from(time.num_seconds_from_midnight() / 60).unwrap_or_default()
}
