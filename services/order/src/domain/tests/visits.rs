//! Visits of a series: what a suspension stops, what a standing acceptance covers, how often rules are expanded, and a new
//! price while something else happens to the order.

use super::{
    series::{booked, weekly},
    *,
};
use crate::domain::recurrence::EXPANSIONS;
use chrono::{Days, NaiveDate};
use kit::Window;
use std::collections::BTreeSet;

fn change_of(plan: SeriesPlan, now: DateTime<Utc>) -> SeriesChange {
    SeriesChange::new(plan, now, Arc::new(Timing::default()))
}

fn expansions(work: impl FnOnce()) -> u32 {
    EXPANSIONS.set(0);
    work();
    EXPANSIONS.get()
}

#[test]
fn the_rules_are_expanded_once_however_many_dates_are_listed() {
    let mut plan = weekly();
    "FREQ=DAILY".clone_into(&mut plan.revisions[0].rrule);
    let from = plan.revisions[0].from_on + Days::new(3_000);
    let count = expansions(|| {
        assert_eq!(plan.visits(from, from + Days::new(365), now()).len(), 366);
    });
    assert_eq!(count, 1);
    assert_eq!(expansions(|| assert!(plan.has_visits(from, NaiveDate::MAX, now()))), 1);
    let count = expansions(|| change_of(plan.clone(), now()).take_news());
    assert!(count <= 3, "{count} expansions by one run of a series");
}

#[test]
fn a_series_has_visits_as_long_as_its_rule_or_a_moved_date_has_one() {
    let plan = weekly();
    let first = plan.revisions[0].from_on;
    let last = first + Days::new(7 * 11);
    let far = last + Days::new(400);
    assert!(plan.has_visits(first, far, now()) && plan.has_visits(last, far, now()));
    let after = last + Days::new(1);
    assert!(!plan.has_visits(after, far, now()), "the rule counts twelve");
    let mut change = change_of(plan, now());
    let to = (after + Days::new(2)).and_hms_opt(9, 0, 0).unwrap();
    change.move_planned(last, to).unwrap();
    assert!(change.plan.has_visits(after, far, now()), "the last one was moved there");
    change.plan.series.ended_on = Some(first);
    assert!(!change.plan.has_visits(first, far, now()), "an ended series has none");
}

#[test]
fn a_suspended_customer_has_no_visit_booked_whatever_pause_there_was() {
    let first = weekly().revisions[0].from_on;
    for (from, until) in [(60, None), (7, Some(14)), (0, None)] {
        let mut change = change_of(weekly(), now());
        let day = |days| first + Days::new(days);
        change.pause(day(from), until.map(day)).unwrap();
        let customer = change.plan.series.customer_id;
        change.suspend(customer);
        let mut later = change_of(change.plan, now() + Duration::days(20));
        later.take_news();
        assert_eq!(later.plan.series.state, SeriesState::Paused, "{from} {until:?}");
        assert!(later.plan_next(&BTreeSet::new()).is_none(), "{from} {until:?}");
        later.resume().unwrap();
        assert!(later.plan_next(&BTreeSet::new()).is_some(), "the customer has resumed");
    }
}

#[test]
fn a_standing_acceptance_covers_the_work_and_the_time_of_the_rule_only() {
    let mut change = change_of(weekly(), now());
    change.accept().unwrap();
    let visit = change.plan_next(&BTreeSet::new()).unwrap();
    let order = booked(&visit);
    assert!(change.note_booked(visit.date, visit.round, &order));
    change.plan.orders.insert(visit.date, order.clone());
    assert_eq!(change.plan.standing_orders(), [order.id]);
    let details = Some(JobDetails(vec![7]));
    for edit in [
        SeriesEdit { minutes: Some(720), ..SeriesEdit::default() },
        SeriesEdit { details, ..SeriesEdit::default() },
        SeriesEdit { start_minute: Some(600), ..SeriesEdit::default() },
    ] {
        let mut edited = change_of(change.plan.clone(), now());
        edited.edit_visit(visit.date, edit.clone()).unwrap();
        let again = edited.plan_next(&BTreeSet::new()).unwrap();
        assert_eq!(again.date, visit.date);
        let order = booked(&again);
        assert!(edited.note_booked(again.date, again.round, &order));
        edited.plan.orders.insert(again.date, order);
        assert_eq!(edited.plan.standing_orders(), [], "{edit:?}");
    }
}

/// A requested visit, its window made longer by an hour, and the price of that.
fn longer_visit() -> (Order, Window, MovePrice) {
    let mut visit = order(State::Requested);
    visit.terms.requirements.duration_s = 4 * 3_600;
    visit.terms.series =
        Some(SeriesLink { series_id: weekly().series.id, on: NaiveDate::MIN, only: true });
    let window = Window { end: visit.window_end + Duration::hours(1), ..visit.window() };
    let price = MovePrice { lines: visit.terms.lines.clone(), total: visit.total, cap: None };
    (visit, window, price)
}

#[test]
fn a_new_price_is_not_written_over_an_order_that_has_changed() {
    let (visit, window, price) = longer_visit();
    let requirements = visit.terms.requirements.clone();
    let taken = Order { version: visit.version + 1, ..visit.clone() };
    let mut it = change(taken, Actor::System, Duration::zero());
    let refused = it.reprice(&visit, &window, &price, requirements.clone());
    assert!(matches!(refused, Err(Error::Changed)));
    let refused = it.begin_reprice(&visit, &window, price.clone(), requirements.clone());
    assert!(matches!(refused, Err(Error::Changed)));
    assert_eq!(it.order.window_end, visit.window_end);
    let mut it = change(visit.clone(), Actor::System, Duration::zero());
    it.reprice(&visit, &window, &price, requirements).unwrap();
    assert_eq!(it.order.window_end, window.end);
}

#[test]
fn of_two_moves_at_a_time_one_is_refused() {
    let (visit, window, price) = longer_visit();
    let requirements = visit.terms.requirements.clone();
    let mut it = change(visit.clone(), Actor::Customer, Duration::zero());
    let moving = it.begin_reprice(&visit, &window, price.clone(), requirements.clone()).unwrap();
    let later = Window {
        start: window.start + Duration::days(1),
        end: window.end + Duration::days(1),
        ..window
    };
    let refused = it.begin_move(&later, price.clone(), requirements.clone(), None);
    assert!(matches!(refused, Err(Error::Changed)));
    it.end_move(&moving, true).unwrap();
    assert_eq!(it.order.window_end, window.end);
    assert_eq!(it.order.progress.priced_for, Some(window.start));
    assert_eq!((it.order.state, it.order.progress.reschedules), (State::Requested, 0));
    // The other way round: a customer's move is under way.
    let mut it = change(visit.clone(), Actor::Customer, Duration::zero());
    it.begin_move(&later, price.clone(), requirements.clone(), None).unwrap();
    it.begin_move(&later, price.clone(), requirements.clone(), None).unwrap();
    let refused = it.begin_reprice(&visit, &window, price, requirements);
    assert!(matches!(refused, Err(Error::Changed)));
}
