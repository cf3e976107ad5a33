//! Acts in random order: moved and skipped dates never return, the anchor never moves, and counts are exact.

use super::*;
use proptest::prelude::*;

impl Life {
    /// The order of a booked date moves to another local time. None where there is no such order.
    fn reschedule(&mut self, date: NaiveDate, to: NaiveDateTime) -> Option<()> {
        let order = self.booked_order(date)?;
        order.window_start = kit::values::time::resolve_local(chrono_tz::Europe::Paris, to);
        order.window_end = order.window_start + Duration::hours(2);
        order.progress.reschedules += 1;
        Some(())
    }

    /// The order of a date that is booked.
    fn booked_order(&mut self, date: NaiveDate) -> Option<&mut Order> {
        let is_booked = self.plan.occurrences.get(&date)?.state == OccurrenceState::Booked;
        self.plan.orders.get_mut(&date).filter(|_| is_booked)
    }
}

/// Something that is done to a series, or time that goes by.
#[derive(Clone, Debug)]
enum Step {
    Days(i64),
    Skip(u64),
    Move(u64, u64, i32),
    Pause(u64, u64),
    Resume,
    EditStart(u64, i32),
    EditOne(u64, i32),
    /// The customer moves the order of a booked date, to days later at a minute.
    Reschedule(u64, u64, i32),
    /// The provider says no to a booked date.
    Decline(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let week = 0..COUNT as u64;
    prop_oneof![
        3 => (1_i64..6).prop_map(Step::Days),
        2 => week.clone().prop_map(Step::Skip),
        2 => (week.clone(), 1_u64..5, 6_i32..20).prop_map(|(w, d, h)| Step::Move(w, d, h * 60)),
        1 => (week.clone(), 1_u64..4).prop_map(|(w, n)| Step::Pause(w, n)),
        1 => Just(Step::Resume),
        1 => (week.clone(), 6_i32..20).prop_map(|(w, h)| Step::EditStart(w, h * 60)),
        1 => (week.clone(), 6_i32..20).prop_map(|(w, h)| Step::EditOne(w, h * 60)),
        1 => (week.clone(), 1_u64..5, 6_i32..20)
            .prop_map(|(w, d, h)| Step::Reschedule(w, d, h * 60)),
        1 => week.prop_map(Step::Decline),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn acts_in_any_order_bring_nothing_back(steps in prop::collection::vec(step(), 1..25)) {
        let mut life = Life::begin();
        life.run();
        let mut skipped = BTreeSet::new();
        let mut moved = BTreeMap::new();
        for step in steps {
            // What is refused changes nothing; that it is refused is tested elsewhere.
            match step {
                Step::Days(days) => life.now += Duration::days(days),
                Step::Skip(week) => {
                    let was = life.state(nth(week)).map(|(state, _)| state);
                    if life.act(|it| it.skip(nth(week))).is_ok() && was != Some(OccurrenceState::Skipped) {
                        skipped.insert(nth(week));
                        moved.remove(&nth(week));
                    }
                }
                Step::Move(week, days, minute) => {
                    let to = at_minute(nth(week) + chrono::Days::new(days), minute);
                    if life.act(|it| it.move_planned(nth(week), to)).is_ok() {
                        moved.insert(nth(week), to);
                    }
                }
                Step::Pause(week, weeks) => {
                    let _ = life.act(|it| it.pause(nth(week), Some(nth(week + weeks))));
                }
                Step::Resume => { let _ = life.act(SeriesChange::resume); }
                Step::EditStart(week, minute) => {
                    let edit = SeriesEdit { start_minute: Some(minute), ..SeriesEdit::default() };
                    let _ = life.act(|it| it.edit_future(nth(week), edit));
                }
                Step::Reschedule(week, days, minute) => {
                    let to = at_minute(nth(week) + chrono::Days::new(days), minute);
                    if life.reschedule(nth(week), to).is_some() {
                        moved.insert(nth(week), to);
                    }
                }
                Step::Decline(week) => {
                    if let Some(order) = life.booked_order(nth(week)) {
                        order.state = State::Declined;
                        life.run();
                        let refused = (OccurrenceState::NeedsAttention, "DECLINED".to_owned());
                        prop_assert_eq!(life.state(nth(week)), Some(refused));
                    }
                }
                Step::EditOne(week, minute) => {
                    let day = life.plan.local_start(nth(week)).unwrap().date();
                    let edit = SeriesEdit { start_minute: Some(minute), ..SeriesEdit::default() };
                    if life.act(|it| it.edit_visit(nth(week), edit)).is_ok() {
                        moved.insert(nth(week), at_minute(day, minute));
                    }
                }
            }
            life.run();
            for date in &skipped {
                prop_assert_eq!(life.state(*date).unwrap().0, OccurrenceState::Skipped, "{}", date);
            }
            for (date, to) in &moved {
                prop_assert_eq!(life.plan.local_start(*date), Some(*to), "{}", date);
            }
            // The rule has its dates, all of them and no others, from the first anchor on.
            let dates = life.plan.rule_dates(date("2027-01-01"), date("2030-01-01"));
            let expected: Vec<_> = (0..COUNT as u64).map(nth).collect();
            prop_assert_eq!(dates, expected);
            prop_assert_eq!(life.plan.revisions[0].from_on, date(ANCHOR));
            // Of a date there is at most one order that is wanted.
            let wanted: BTreeSet<_> = life.plan.occurrences.values()
                .filter(|row| row.state == OccurrenceState::Booked)
                .map(|row| row.order_id.unwrap())
                .collect();
            let booked = life.plan.occurrences.values()
                .filter(|row| row.state == OccurrenceState::Booked).count();
            prop_assert_eq!(wanted.len(), booked);
        }
    }
}
