//! What the customer and the named provider do to a series.

use super::{OccurrenceState, PAUSED, SeriesChange, SeriesState};
use crate::domain::{AccountId, Error, JobDetails};
use chrono::{NaiveDate, NaiveDateTime};

impl SeriesChange {
    /// The named provider takes every visit.
    pub fn accept(&mut self) -> Result<(), Error> {
        self.check_going_on()?;
        if self.plan.series.standing_since.is_none() {
            self.plan.series.standing_since = Some(self.now);
        }
        Ok(())
    }

    /// Leaves the dates from `from` on out, to `until` if it is given. Visits that are booked there and do not start within
    /// a day are cancelled.
    pub fn pause(&mut self, from: NaiveDate, until: Option<NaiveDate>) -> Result<(), Error> {
        self.check_going_on()?;
        if from < self.today() {
            return Err(kit::Error::invalid("from_on", "must not be in the past").into());
        }
        if until.is_some_and(|until| until <= from) {
            return Err(kit::Error::invalid("until_on", "must be after from_on").into());
        }
        self.note_past();
        let series = &mut self.plan.series;
        (series.state, series.paused_from, series.paused_until) =
            (SeriesState::Paused, Some(from), until);
        for visit in self.booked_from(from) {
            if self.plan.series.is_paused_on(visit.date) && !self.is_close(&visit) {
                self.set_state(visit.date, OccurrenceState::Skipped, PAUSED);
            }
        }
        Ok(())
    }

    /// Ends the pause: dates that nothing was done about are visits again.
    pub fn resume(&mut self) -> Result<(), Error> {
        self.check_going_on()?;
        self.note_past();
        self.end_pause();
        Ok(())
    }

    pub(super) fn end_pause(&mut self) {
        let series = &mut self.plan.series;
        series.state = SeriesState::Active;
        (series.paused_from, series.paused_until) = (None, None);
    }

    /// Ends the series. Visits that are booked and do not start within a day are cancelled.
    pub fn end(&mut self) {
        if self.plan.series.state == SeriesState::Ended {
            return;
        }
        self.note_past();
        let today = self.today();
        self.plan.series.state = SeriesState::Ended;
        self.plan.series.ended_on = Some(today);
        for visit in self.booked_from(today) {
            if !self.is_close(&visit) {
                self.set_state(visit.date, OccurrenceState::Skipped, "ENDED");
            }
        }
    }

    /// The account is suspended. Where it is the customer's, nothing is booked until the customer resumes the series, also
    /// where a pause of their own would have ended before; its orders are ended by themselves.
    pub fn suspend(&mut self, account: AccountId) {
        let is_own = self.plan.series.customer_id == account;
        if !is_own || self.plan.series.state == SeriesState::Ended {
            return;
        }
        // A pause that begins later, or ends by itself, would let visits be booked.
        self.note_past();
        let today = self.today();
        let series = &mut self.plan.series;
        (series.state, series.paused_until) = (SeriesState::Paused, None);
        series.paused_from = Some(series.paused_from.map_or(today, |from| from.min(today)));
    }

    /// The account is erased. Where it is the customer's, nothing is booked any more, and nothing of the home is kept; its
    /// orders are ended by themselves. Of a named provider nothing stands any more.
    pub fn erase(&mut self, account: AccountId) {
        if self.plan.series.customer_id != account {
            self.plan.series.standing_since = None;
            self.plan.series.provider_user_id = None;
            return;
        }
        self.end();
        self.plan.series.place.forget();
        self.plan.series.notes.0.clear();
        self.plan.series.method_id = None;
        self.revised = true;
        self.forgets_details = true;
        for revision in &mut self.plan.revisions {
            revision.details = JobDetails::default();
        }
        for (date, row) in &mut self.plan.occurrences {
            row.details = None;
            if row.state == OccurrenceState::Planned {
                row.state = OccurrenceState::Skipped;
            }
            self.touched.insert(*date);
        }
    }

    /// Leaves one date out.
    pub fn skip(&mut self, date: NaiveDate) -> Result<(), Error> {
        let visit = self.visit_on(date)?;
        match visit.state {
            OccurrenceState::Skipped => Ok(()),
            OccurrenceState::Booked if self.is_close(&visit) => {
                Err(Error::SkipCosts(visit.order_id.map(kit::Id::uuid).unwrap_or_default()))
            }
            OccurrenceState::Booked
            | OccurrenceState::Planned
            | OccurrenceState::NeedsAttention => {
                self.set_state(date, OccurrenceState::Skipped, "");
                Ok(())
            }
            OccurrenceState::Missed => Err(Error::OccurrenceState),
        }
    }

    /// Moves a date that is not booked. One that needed attention is booked again.
    pub fn move_planned(&mut self, date: NaiveDate, to: NaiveDateTime) -> Result<(), Error> {
        self.check_going_on()?;
        let visit = self.visit_on(date)?;
        if !matches!(visit.state, OccurrenceState::Planned | OccurrenceState::NeedsAttention) {
            return Err(Error::OccurrenceState);
        }
        self.row(date).moved_to = Some(to);
        self.book_anew(date);
        Ok(())
    }

    /// The order of a booked date was moved.
    pub fn note_move(&mut self, date: NaiveDate, to: NaiveDateTime) {
        self.row(date).moved_to = Some(to);
    }
}
