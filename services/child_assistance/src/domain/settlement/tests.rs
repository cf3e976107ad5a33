//! Late pick-ups, late carers and sick children, to the cent.

use super::*;
use crate::domain::{
    care::{ChildStep, Handover, Proof},
    price::PricedChildren,
    tables::CareTables,
};
use chrono_tz::Europe::Paris;
use kit::testing::at;
use uuid::Uuid;
use vertical::{OrderFacts, Phase, facts::PricedLine};

const CHILDREN: [Uuid; 2] = [Uuid::from_u128(1), Uuid::from_u128(2)];

fn day(time: &str) -> DateTime<Utc> {
    // Summer in Paris.
    at(&format!("2027-05-24T{time}:00+02:00"))
}

struct Booking {
    agreed: AgreedCare,
    course: CareCourse,
    care: Care,
}

/// Care of children of these ages.
fn book(ages: &[i64], start: &str, end: &str) -> Booking {
    let window = Window { start: day(start), end: day(end), zone: Paris };
    let quote =
        CareTables::default().quote("FR", PricedChildren::of(ages), false, &window).unwrap();
    let quoted = quote.lines.iter().map(|line| PricedLine {
        code: line.code.clone(),
        quantity: line.quantity,
        total: line.total,
    });
    let facts = OrderFacts { quoted: quoted.collect(), cap: quote.cap, ..OrderFacts::default() };
    let mut care = Care::begin(ages.len(), Some(CHILDREN[..ages.len()].to_vec()), None);
    care.enter_phase(Phase::Working);
    let course = CareCourse { window, started_at: Some(window.start) };
    Booking { agreed: AgreedCare::of(&facts), course, care }
}

impl Booking {
    /// Every child comes when the work starts, and goes at a time.
    fn out_at(mut self, time: &str) -> Self {
        let started = self.course.started_at.unwrap();
        for child in &CHILDREN[..self.care.booked] {
            for (step, n, at) in
                [(ChildStep::CheckIn, 1, started), (ChildStep::CheckOut, 2, day(time))]
            {
                let handover =
                    Handover { n, adult_id: None, proof: Proof::Code, recorded_by: *child, at };
                self.care.hand_over(*child, step, handover).unwrap();
            }
        }
        self
    }

    /// The carer starts at a time.
    fn started_at(mut self, time: &str) -> Self {
        self.course.started_at = Some(day(time));
        self
    }

    /// The codes and totals within the cap, and what is due.
    fn bill(&self) -> (Vec<(String, i64)>, i64) {
        let terms = CareTerms::default();
        let bill = terms.settle(&self.care, &self.agreed, self.course, Currency::EUR);
        let code = |line: &Line| line.code.trim_start_matches("child_assistance.").to_owned();
        let settlement = bill.settlement.iter().map(|line| (code(line), line.total.minor_units));
        (settlement.collect(), bill.due.iter().map(|line| line.total.minor_units).sum())
    }
}

fn lines(expected: &[(&str, i64)]) -> Vec<(String, i64)> {
    expected.iter().map(|(code, total)| ((*code).to_owned(), *total)).collect()
}

#[test]
fn the_worked_late_pick_up_is_right_to_the_cent() {
    let booking = book(&[60, 84], "14:00", "17:00").out_at("17:40");
    let (settlement, due) = booking.bill();
    assert_eq!(settlement, lines(&[("overtime", 900), ("late_overtime", 675)]));
    assert_eq!(due, 0);
    let total = booking.agreed.total + settlement.iter().map(|(_, total)| total).sum::<i64>();
    assert_eq!(total, 6_975);
}

#[test]
fn who_is_in_time_pays_what_was_quoted() {
    for out in ["16:00", "17:00"] {
        assert_eq!(book(&[60], "14:00", "17:00").out_at(out).bill(), (Vec::new(), 0), "{out}");
    }
    // Three hours are paid for at least: what is within them costs nothing more.
    assert_eq!(book(&[60], "14:00", "16:00").out_at("16:45").bill(), (Vec::new(), 0));
    // A quarter that has begun is paid for.
    let begun = book(&[60], "14:00", "17:00").out_at("17:01").bill();
    assert_eq!(begun.0, lines(&[("overtime", 350)]));
}

#[test]
fn beyond_the_cap_it_is_due() {
    // Of three hours, 4200 are within the cap.
    let booking = book(&[60], "14:00", "17:00").out_at("20:00");
    let (settlement, due) = booking.bill();
    assert_eq!(settlement, lines(&[("overtime", 700), ("late_overtime", 3_500)]));
    assert_eq!(due, 5_250 - 3_500);
}

#[test]
fn a_carer_who_comes_late_is_paid_from_the_start() {
    // 15 minutes are not counted.
    let in_time = book(&[60], "14:00", "20:00").started_at("14:15").out_at("20:00");
    assert_eq!(in_time.bill(), (Vec::new(), 0));
    let late = book(&[60], "14:00", "20:00").started_at("14:40").out_at("20:00");
    assert_eq!(late.bill(), (lines(&[("carer_late", -700)]), 0));
    // Never below the least, and with the night that remains.
    let short = book(&[60], "14:00", "17:00").started_at("15:00").out_at("17:00");
    assert_eq!(short.bill(), (Vec::new(), 0));
    let night = book(&[60], "18:00", "23:00").started_at("19:00").out_at("23:00");
    assert_eq!(night.bill(), (lines(&[("carer_late", -1_400)]), 0));
    let late_both = book(&[60], "14:00", "20:00").started_at("14:40").out_at("20:20");
    assert_eq!(late_both.bill().0, lines(&[("carer_late", -700), ("overtime", 350)]));
}

#[test]
fn a_sick_child_that_is_refused_pays_the_least() {
    let mut booking = book(&[60], "14:00", "20:00");
    booking.care.turn_away(CHILDREN[0], ChildStep::Refuse).unwrap();
    assert_eq!(booking.bill(), (lines(&[("refused", 4_200 - 8_400)]), 0));
    // Where another child comes in, the price stays.
    let mut two = book(&[60, 60], "14:00", "20:00");
    two.care.turn_away(CHILDREN[1], ChildStep::Refuse).unwrap();
    let handover = Handover {
        n: 1,
        adult_id: None,
        proof: Proof::Code,
        recorded_by: CHILDREN[0],
        at: day("14:00"),
    };
    two.care.hand_over(CHILDREN[0], ChildStep::CheckIn, handover).unwrap();
    assert_eq!(two.bill(), (Vec::new(), 0));
}

#[test]
fn a_child_that_stays_away_is_paid_for() {
    let mut booking = book(&[60], "14:00", "20:00");
    booking.care.turn_away(CHILDREN[0], ChildStep::StayAway).unwrap();
    assert!(booking.care.is_over());
    assert_eq!(booking.bill(), (Vec::new(), 0));
}
