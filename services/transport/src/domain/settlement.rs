//! Settlement: what a ride comes to when it is delivered, beside what was quoted, and never above the cap.

use super::{
    Ride,
    price::{DISTANCE, FARE_CODES, TIME, TOLLS, kilometres, to_f64},
    ride::RideTerms,
    tables::MeterSettings,
    waiting::TrackMeasure,
    way::BilledWay,
};
use vertical::{
    OrderFacts,
    facts::PricedLine,
    price::{Line, Lines},
};

/// What was agreed on the price of a ride, read from the lines of its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgreedPrice {
    /// What the way costs.
    pub fare: i64,
    /// The way that it is for.
    pub way: BilledWay,
    /// The tolls on it.
    pub tolls: i64,
    /// What the customer may pay on top unasked.
    pub room: i64,
}

impl AgreedPrice {
    /// Reads the lines of the quote and of the approved changes.
    pub fn of(facts: &OrderFacts) -> Self {
        let fare = lines_of(facts).filter(|line| FARE_CODES.contains(&line.code.as_str()));
        let tolls = lines_of(facts).filter(|line| line.code == TOLLS);
        let cap = facts.cap.map_or_else(|| facts.quoted_total(), |cap| cap.minor_units);
        Self {
            fare: fare.map(|line| line.total.minor_units).sum(),
            way: BilledWay {
                hectometres: round(quantity_of(facts, DISTANCE) * 10.0),
                minutes: round(quantity_of(facts, TIME)),
            },
            tolls: tolls.map(|line| line.total.minor_units).sum(),
            room: (cap - facts.quoted_total()).max(0),
        }
    }
}

/// The lines of the quote and of the approved changes.
fn lines_of(facts: &OrderFacts) -> impl Iterator<Item = &PricedLine> {
    facts.quoted.iter().chain(&facts.changed)
}

/// How many units of a code were agreed on.
fn quantity_of(facts: &OrderFacts, code: &str) -> f64 {
    lines_of(facts).filter(|line| line.code == code).map(|line| line.quantity).sum()
}

impl MeterSettings {
    /// Whether the price follows the measure: enough was measured, the parcel did not come back, and the terms are those of
    /// the quote.
    pub fn is_metered(
        &self,
        ride: &Ride,
        agreed: &AgreedPrice,
        measure: Option<&TrackMeasure>,
    ) -> bool {
        let Some(terms) = &ride.terms else { return false };
        let is_covered = measure.is_some_and(|it| it.covered_percent >= self.min_covered_percent);
        let is_quoted = terms.tariff.explains(agreed.way, terms.surge_percent, agreed.fare);
        is_covered && is_quoted && ride.way_back.is_none()
    }

    /// The lines of a delivery before which the provider waited so many minutes beyond the free ones. None of them takes the customer above the cap.
    pub fn settle(
        &self,
        ride: &Ride,
        agreed: &AgreedPrice,
        measure: Option<&TrackMeasure>,
        waited_minutes: i64,
    ) -> Vec<Line> {
        let Some(terms) = &ride.terms else { return Vec::new() };
        let lines = Lines::new("transport", terms.currency);
        let mut bill = CappedBill { room: agreed.room, lines };
        if let Some(measure) = measure.filter(|it| self.is_metered(ride, agreed, Some(it))) {
            let way = BilledWay::of(measure.metres, measure.seconds);
            let difference = self.difference(terms, agreed.fare, way);
            bill.add("metered", kilometres(way.hectometres), "km", difference);
        }
        let waiting = waited_minutes * terms.waiting.minute;
        bill.add("waiting", to_f64(waited_minutes), "minute", waiting);
        if let Some(back) = &ride.way_back {
            let way = BilledWay::of(back.way.metres, back.way.seconds);
            let fare = terms.tariff.return_fare(way);
            bill.add("return", kilometres(way.hectometres), "km", fare);
        }
        bill.lines.into_vec()
    }

    /// By how much a measured way costs more or less than the fare; nothing where it is about the same.
    fn difference(&self, terms: &RideTerms, fare: i64, way: BilledWay) -> i64 {
        let measured = terms.tariff.fare(way, terms.surge_percent).total();
        let difference = measured - fare;
        let is_about_the_same = difference.abs() * 100 <= fare * self.tolerance_percent;
        if is_about_the_same { 0 } else { difference }
    }
}

/// Lines that stay within what the customer pays unasked.
struct CappedBill {
    room: i64,
    lines: Lines,
}

impl CappedBill {
    /// Adds as much of an amount as there is room for.
    fn add(&mut self, code: &str, quantity: f64, unit: &'static str, amount: i64) {
        let amount = amount.min(self.room);
        if amount != 0 {
            self.lines.add_total(code, quantity, unit, amount);
            self.room -= amount;
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "quantities are small")]
fn round(number: f64) -> i64 {
    number.round() as i64
}

#[cfg(test)]
mod tests;
