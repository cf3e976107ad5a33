//! Series: whatever is done to one in whatever order, its dates stay where they belong.

mod random;

use super::*;
use crate::domain::{recurrence::Rule, series_records::series};
use chrono::{NaiveDate, NaiveDateTime};
use std::collections::{BTreeMap, BTreeSet};

/// A Tuesday, eight days after the beginning.
const ANCHOR: &str = "2027-05-18";
/// How many visits the rule counts.
const COUNT: usize = 12;

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn nth(week: u64) -> NaiveDate {
    date(ANCHOR) + chrono::Days::new(7 * week)
}

/// A weekly series at nine with the named provider.
pub(super) fn weekly() -> SeriesPlan {
    let clock = Clock::manual(now());
    let sample = order(State::Requested);
    let series = series::Model {
        id: Id::new(&clock),
        customer_id: sample.customer_id,
        vertical: "cleaning".to_owned(),
        place: sample.terms.place,
        time_zone: "Europe/Paris".to_owned(),
        provider_id: sample.provider_id,
        provider_user_id: sample.provider_user_id,
        mode: ProviderMode::Only,
        method_id: None,
        notes: Private::default(),
        state: SeriesState::Active,
        paused_from: None,
        paused_until: None,
        ended_on: None,
        standing_since: None,
        version: 1,
        event_seq: 0,
        created_at: now(),
        updated_at: now(),
    };
    let first = Revision {
        series_id: series.id,
        from_on: date(ANCHOR),
        rrule: format!("FREQ=WEEKLY;COUNT={COUNT}"),
        start_minute: 9 * 60,
        minutes: 120,
        details: JobDetails::default(),
        created_at: now(),
    };
    SeriesPlan {
        series,
        revisions: vec![first],
        occurrences: BTreeMap::new(),
        orders: BTreeMap::new(),
    }
}

/// The order of a visit as the booking makes it.
pub(super) fn booked(visit: &DueVisit) -> Order {
    Order {
        id: OrderId::from_uuid(visit.quote_id().uuid()),
        quote_id: visit.quote_id(),
        provider_id: visit.series.provider_id,
        window_start: visit.start,
        window_end: visit.start + Duration::minutes(visit.minutes),
        ..order(State::Requested)
    }
}

/// A series over time, with the orders that were made of it.
struct Life {
    plan: SeriesPlan,
    now: DateTime<Utc>,
    /// Orders by the quote of which they were made.
    made: BTreeMap<QuoteId, (NaiveDate, i32)>,
}

impl Life {
    fn begin() -> Self {
        Self { plan: weekly(), now: now(), made: BTreeMap::new() }
    }

    fn change(&self) -> SeriesChange {
        SeriesChange::new(self.plan.clone(), self.now, Arc::new(Timing::default()))
    }

    /// Does something to the series; what is refused changes nothing.
    fn act<T>(
        &mut self,
        act: impl FnOnce(&mut SeriesChange) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut change = self.change();
        let done = act(&mut change)?;
        self.plan = change.plan;
        Ok(done)
    }

    /// What the timer does: news are noted, and what has come near is booked.
    fn run(&mut self) {
        let mut change = self.change();
        change.take_news();
        let mut tried = BTreeSet::new();
        while let Some(visit) = change.plan_next(&tried) {
            assert!(tried.insert(visit.date), "{} is planned twice", visit.date);
            let order = booked(&visit);
            let once = self.made.insert(visit.quote_id(), (visit.date, visit.round));
            assert_eq!(once, None, "{} is booked twice", visit.date);
            assert!(change.note_booked(visit.date, visit.round, &order));
            change.plan.orders.insert(visit.date, order);
        }
        self.plan = change.plan;
    }

    fn state(&self, date: NaiveDate) -> Option<(OccurrenceState, String)> {
        let visit = self.plan.visit_on(date, self.now)?;
        Some((visit.state, visit.reason))
    }

    /// The local start of a visit.
    fn local(&self, date: NaiveDate) -> NaiveDateTime {
        let visit = self.plan.visit_on(date, self.now).unwrap();
        visit.window.start.with_timezone(&visit.window.zone).naive_local()
    }
}

#[test]
fn visits_are_booked_four_weeks_ahead_and_follow_one_another() {
    let mut life = Life::begin();
    life.run();
    assert_eq!(life.made.len(), 3, "25 May and 1 June are near, 8 June is not");
    assert_eq!(life.state(nth(3)).unwrap().0, OccurrenceState::Planned);
    life.now += Duration::days(1);
    life.run();
    assert_eq!(life.made.len(), 4);
    let at = life.plan.visit_on(nth(3), life.now).unwrap().window.start;
    assert_eq!(life.plan.planned_before(at, life.now), Some(nth(2)));
    life.act(|it| it.skip(nth(2))).unwrap();
    assert_eq!(life.plan.planned_before(at, life.now), Some(nth(1)), "what is skipped is no visit");
    let own = life.plan.orders[&nth(3)].id;
    assert_eq!(life.plan.visited_before(at, own), Some(nth(1)));
    if let Some(order) = life.plan.orders.get_mut(&nth(1)) {
        order.state = State::NoShow;
    }
    assert_eq!(life.plan.visited_before(at, own), Some(nth(0)), "nobody was let in");
}

#[test]
fn leaving_out_is_free_until_a_day_before_and_final() {
    let mut life = Life::begin();
    life.run();
    life.now = life.plan.orders[&nth(0)].window_start - Duration::hours(23);
    let error = life.act(|it| it.skip(nth(0))).unwrap_err();
    assert!(matches!(error, Error::SkipCosts(_)), "{error}");
    for _ in 0..2 {
        life.act(|it| it.skip(nth(1))).unwrap();
        life.run();
        assert_eq!(life.state(nth(1)).unwrap().0, OccurrenceState::Skipped);
    }
    assert!(matches!(life.act(|it| it.skip(nth(30))), Err(Error::NotFound(_))));
    let wrong = life.act(|it| it.skip(nth(1) + chrono::Days::new(1)));
    assert!(matches!(wrong, Err(Error::NotFound(_))));
}

#[test]
fn what_is_done_to_one_date_leaves_the_others_where_they_are() {
    let mut life = Life::begin();
    let to: NaiveDateTime = "2027-06-10T14:30:00".parse().unwrap();
    life.act(|it| it.move_planned(nth(3), to)).unwrap();
    life.now += Duration::days(1);
    life.run();
    assert_eq!(life.state(nth(3)).unwrap().0, OccurrenceState::Booked);
    assert_eq!(life.local(nth(3)), to);
    assert_eq!(life.local(nth(2)), at_minute(nth(2), 9 * 60));
    assert_eq!(life.local(nth(4)), at_minute(nth(4), 9 * 60));
    // A move close by is found although its date is far off.
    let near: NaiveDateTime = "2027-05-20T14:30:00".parse().unwrap();
    life.act(|it| it.move_planned(nth(9), near)).unwrap();
    life.run();
    assert_eq!(life.state(nth(9)).unwrap().0, OccurrenceState::Booked);
    let visits = life.plan.visits(date("2027-05-19"), date("2027-05-21"), life.now);
    assert_eq!(visits.iter().map(|it| it.date).collect::<Vec<_>>(), [nth(9)]);
}

#[test]
fn a_pause_leaves_dates_out_and_resuming_goes_back_to_the_old_dates() {
    let mut life = Life::begin();
    life.run();
    life.act(|it| it.pause(nth(1), Some(nth(5)))).unwrap();
    life.run();
    for week in 1..5 {
        let expected = (OccurrenceState::Skipped, "PAUSED".to_owned());
        assert_eq!(life.state(nth(week)), Some(expected), "{week}");
    }
    assert_eq!(life.state(nth(5)).unwrap().0, OccurrenceState::Planned);
    life.act(SeriesChange::resume).unwrap();
    life.run();
    // What the pause has cancelled stays cancelled; what was not booked yet is a visit again, on its old date.
    assert_eq!(life.state(nth(1)).unwrap().0, OccurrenceState::Skipped);
    assert_eq!(life.state(nth(3)).unwrap().0, OccurrenceState::Planned);
    assert_eq!(life.local(nth(3)), at_minute(nth(3), 9 * 60));
    for (from, until, field) in
        [(date("2027-05-09"), None, "from_on"), (nth(3), Some(nth(3)), "until_on")]
    {
        let error = life.act(|it| it.pause(from, until)).unwrap_err().to_string();
        assert!(error.starts_with(field), "{error}");
    }
}

#[test]
fn a_pause_with_an_end_ends_by_itself_and_stays_in_the_past() {
    let mut life = Life::begin();
    life.act(|it| it.pause(nth(0), Some(nth(1)))).unwrap();
    life.now += Duration::days(15);
    life.run();
    assert_eq!(life.plan.series.state, SeriesState::Active);
    assert_eq!(life.state(nth(0)), Some((OccurrenceState::Skipped, "PAUSED".to_owned())));
    assert_eq!(life.state(nth(1)).unwrap().0, OccurrenceState::Missed, "no timer ran before it");
}

#[test]
fn a_suspension_outlasts_the_pause_of_the_customer() {
    type Act = fn(&mut SeriesChange) -> Result<(), Error>;
    let pauses: [Act; 3] =
        [|_| Ok(()), |it| it.pause(nth(0), Some(nth(1))), |it| it.pause(nth(5), Some(nth(6)))];
    for pause in pauses {
        let mut life = Life::begin();
        life.act(pause).unwrap();
        let customer = life.plan.series.customer_id;
        life.act(|it| {
            it.suspend(customer);
            Ok(())
        })
        .unwrap();
        for _ in 0..COUNT {
            life.run();
            life.now += Duration::days(7);
        }
        assert_eq!(life.made.len(), 0, "nothing is booked for a suspended customer");
        assert_eq!(life.plan.series.state, SeriesState::Paused);
    }
    // Another one's suspension changes nothing, and what has ended stays so.
    let mut life = Life::begin();
    life.act(|it| {
        it.suspend(Id::new(&Clock::manual(now())));
        Ok(())
    })
    .unwrap();
    assert_eq!(life.plan.series.state, SeriesState::Active);
    life.act(|it| {
        it.end();
        it.suspend(it.plan.series.customer_id);
        Ok(())
    })
    .unwrap();
    assert_eq!(life.plan.series.state, SeriesState::Ended);
}

#[test]
fn a_series_of_many_years_goes_on() {
    let mut life = Life::begin();
    life.plan.revisions[0].rrule = "FREQ=DAILY".to_owned();
    life.now += Duration::days(15 * 365);
    life.run();
    // From tomorrow on, for 28 days: today's nine o'clock is too close or over.
    assert_eq!(life.made.len(), 28);
    let days: BTreeSet<NaiveDate> = life.made.values().map(|(day, _)| *day).collect();
    assert_eq!(days.len(), 28);
    let at = life.plan.visit_on(*days.last().unwrap(), life.now).unwrap().window.start;
    let before = days.iter().rev().nth(1).copied();
    assert_eq!(life.plan.planned_before(at, life.now), before);
}

#[test]
fn an_ended_series_has_no_more_visits_and_a_counted_one_ends_by_itself() {
    let mut life = Life::begin();
    life.run();
    life.act(|it| {
        it.end();
        Ok(())
    })
    .unwrap();
    life.run();
    assert_eq!(life.state(nth(1)).unwrap(), (OccurrenceState::Skipped, "ENDED".to_owned()));
    assert_eq!(life.state(nth(3)), None);
    assert!(matches!(life.act(SeriesChange::resume), Err(Error::SeriesState)));

    let mut life = Life::begin();
    life.now += Duration::days(7 * 13);
    life.run();
    assert_eq!(life.plan.series.state, SeriesState::Ended);
}

#[test]
fn a_change_from_a_date_on_books_anew_and_keeps_what_was_moved_or_skipped() {
    let mut life = Life::begin();
    life.run();
    let to: NaiveDateTime = "2027-06-03T08:00:00".parse().unwrap();
    life.act(|it| it.skip(nth(1))).unwrap();
    life.act(|it| it.move_planned(nth(4), to)).unwrap();
    let edit = SeriesEdit { start_minute: Some(10 * 60 + 30), ..SeriesEdit::default() };
    life.act(|it| it.edit_future(nth(1), edit.clone())).unwrap();
    life.run();
    assert_eq!(life.local(nth(0)), at_minute(nth(0), 9 * 60), "the visit before stays");
    assert_eq!(life.state(nth(1)).unwrap().0, OccurrenceState::Skipped);
    assert_eq!(life.local(nth(2)), at_minute(nth(2), 10 * 60 + 30));
    assert_eq!(life.local(nth(4)), to);
    assert_eq!(life.made.values().filter(|(day, _)| *day == nth(2)).count(), 2, "booked anew");
    // The count goes on where it stood.
    let all = life.plan.rule_dates(date("2027-01-01"), date("2030-01-01"));
    assert_eq!(all.len(), COUNT);
    assert_eq!(life.plan.revisions[1].rrule, format!("FREQ=WEEKLY;COUNT={}", COUNT - 1));

    // Another rule from a date of its own: Tuesdays of the old one are none any more.
    let rule = Some(Rule::parse("rrule", "FREQ=WEEKLY;BYDAY=TH").unwrap());
    let thursday = date("2027-05-27");
    let rule_edit = SeriesEdit { rule, ..SeriesEdit::default() };
    life.act(|it| it.edit_future(thursday, rule_edit)).unwrap();
    life.run();
    assert_eq!(life.state(nth(2)), None);
    assert_eq!(life.state(thursday).unwrap().0, OccurrenceState::Booked);
    let error = life.act(|it| it.edit_future(nth(5), edit)).unwrap_err().to_string();
    assert!(error.starts_with("date must be a date of the rule"), "{error}");
}

#[test]
fn a_visit_that_failed_waits_for_the_customer_and_the_others_go_on() {
    let mut life = Life::begin();
    life.act(|it| {
        let visit = it.plan_next(&BTreeSet::new()).unwrap();
        it.note_refused(visit.date, visit.round, "SLOT_TAKEN");
        assert_eq!(it.events.len(), 1);
        Ok(())
    })
    .unwrap();
    life.run();
    let failed = (OccurrenceState::NeedsAttention, "SLOT_TAKEN".to_owned());
    assert_eq!(life.state(nth(0)), Some(failed));
    assert_eq!(life.made.len(), 2);
    life.act(|it| it.move_planned(nth(0), at_minute(nth(0), 15 * 60))).unwrap();
    life.run();
    assert_eq!(life.state(nth(0)).unwrap().0, OccurrenceState::Booked);
}
