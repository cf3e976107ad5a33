//! Prices: hours at the rate of the children, the night on top, and what care requires.

use super::{
    Error,
    age::INFANT_BELOW,
    tables::{CareTables, CareTerms, CountryCare},
};
use chrono::{Duration, Utc};
use kit::{Money, Window};
use vertical::{
    OrderFacts,
    price::{Dispatch, JobRequirements, Lines, Quote, round_up_to_quarters},
};

/// The vertical in the codes of lines.
pub const KEY: &str = "child_assistance";
/// The line whose quantity is the hours that are paid for.
const CARE: &str = "child_assistance.care";
/// The line of further children.
const FURTHER: &str = "child_assistance.further_children";
/// The line of a child younger than three years.
const INFANT: &str = "child_assistance.infant";
/// Minutes of a quarter of an hour, by which all time is counted.
pub const QUARTER: i64 = 15;

/// The children of a price, as far as it minds them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PricedChildren {
    pub count: usize,
    /// How many are younger than three years.
    pub infants: usize,
    /// Whether one is older.
    pub has_older: bool,
}

impl PricedChildren {
    /// Counts children by their ages in months.
    pub fn of(ages: &[i64]) -> Self {
        let infants = ages.iter().filter(|months| **months < INFANT_BELOW).count();
        Self { count: ages.len(), infants, has_older: infants < ages.len() }
    }
}

impl CareTables {
    /// Prices care in a country.
    pub fn quote(
        &self,
        country: &str,
        children: PricedChildren,
        special_care: bool,
        window: &Window,
    ) -> Result<Quote, Error> {
        let prices = self
            .prices
            .get(country)
            .ok_or_else(|| Error::invalid("address.country", "is not served yet"))?;
        prices.check_ratio(children)?;
        let minutes = round_up_to_quarters(started_minutes(window.length()));
        if minutes > self.max_minutes {
            let hours = self.max_minutes / 60;
            return Err(Error::invalid(
                "window.end",
                format!("must be {hours} h after the start at most"),
            ));
        }
        let lines = prices.lines(children, window, minutes);
        let rate = prices.rate(children);
        let cap = lines.sum() + prices.terms.late_cost(rate, prices.terms.cap_late_hours * 60);
        Ok(Quote {
            cap: Some(Money::new(prices.currency, cap)),
            manual_acceptance: true,
            ..Quote::binding(
                lines.into_vec(),
                self.requirements(prices, children, special_care, minutes),
            )
        })
    }

    /// What every care requires, independent of its details.
    pub fn base_requirements(&self) -> JobRequirements {
        JobRequirements {
            documents: ["identity", "first_aid", "background"].map(str::to_owned).into(),
            crew_size: 1,
            buffer_minutes: self.buffer_minutes,
            exclusive: true,
            ..JobRequirements::default()
        }
    }

    fn requirements(
        &self,
        prices: &CountryCare,
        children: PricedChildren,
        special_care: bool,
        minutes: i64,
    ) -> JobRequirements {
        let skills = [
            (children.infants > 0, "child.under3"),
            (children.has_older, "child.school"),
            (special_care, "child.special"),
        ];
        let skills = skills.into_iter().filter(|(needed, _)| *needed);
        JobRequirements {
            skills: skills.map(|(_, skill)| skill.to_owned()).collect(),
            documents: prices.documents.clone(),
            minutes,
            dispatch: Some(Dispatch {
                live: false,
                wave_size: self.wave_size,
                answer: Duration::minutes(self.answer_minutes),
                radius_m: 0,
                max_radius_m: 0,
                search: Duration::hours(self.search_hours),
                favourites_first: true,
            }),
            ..self.base_requirements()
        }
    }
}

impl CountryCare {
    /// What an hour of these children costs.
    pub fn rate(&self, children: PricedChildren) -> i64 {
        let infant = if children.infants > 0 { self.rates.infant } else { 0 };
        self.rates.child + self.rates.further_child * further(children) + infant
    }

    /// Refuses more children than one carer may look after.
    fn check_ratio(&self, children: PricedChildren) -> Result<(), Error> {
        if children.count > self.max_children {
            let problem = format!("must be {} at most for one carer", self.max_children);
            return Err(Error::invalid("details.children", problem));
        }
        if children.infants > self.max_infants {
            let problem =
                format!("must have {} at most who are younger than three years", self.max_infants);
            return Err(Error::invalid("details.children", problem));
        }
        Ok(())
    }

    fn lines(&self, children: PricedChildren, window: &Window, minutes: i64) -> Lines {
        let paid = minutes.max(self.terms.min_minutes);
        let mut lines = Lines::new(KEY, self.currency);
        lines.add_total("care", hours(paid), "hour", cost_of(self.rates.child, paid));
        if further(children) > 0 {
            let rate = self.rates.further_child * further(children);
            lines.add_total("further_children", hours(paid), "hour", cost_of(rate, paid));
        }
        if children.infants > 0 {
            lines.add_total("infant", hours(paid), "hour", cost_of(self.rates.infant, paid));
        }
        let night = self.terms.night_minutes(window, minutes);
        if night > 0 {
            let cost = self.terms.night_cost(self.rate(children), night);
            lines.add_total("night", hours(night), "hour", cost);
        }
        lines
    }
}

impl CareTerms {
    /// The minutes of the night among so many from the start of a window on, by quarters of an hour. The time that has
    /// passed counts, also where the clocks change.
    pub fn night_minutes(&self, window: &Window, minutes: i64) -> i64 {
        let quarters = (0..minutes / QUARTER).filter(|quarter| {
            self.is_night(window.start + Duration::minutes(quarter * QUARTER), window.zone)
        });
        i64::try_from(quarters.count()).unwrap_or(i64::MAX) * QUARTER
    }

    /// What minutes of the night cost on top.
    pub const fn night_cost(&self, rate: i64, minutes: i64) -> i64 {
        half_up(rate * minutes * self.night_percent, 6_000)
    }

    /// What minutes of a late pick-up cost beyond the first ones.
    pub const fn late_cost(&self, rate: i64, minutes: i64) -> i64 {
        half_up(rate * minutes * self.late_percent, 6_000)
    }
}

/// What was agreed on the price, read from the lines of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgreedCare {
    /// What an hour costs.
    pub rate: i64,
    /// The minutes that are paid for.
    pub paid_minutes: i64,
    /// What was quoted in all.
    pub total: i64,
    /// What the customer may pay on top unasked.
    pub room: i64,
    /// Whether a child younger than three years is part of it.
    pub has_infant: bool,
}

impl AgreedCare {
    /// Reads the lines of the quote.
    pub fn of(facts: &OrderFacts) -> Self {
        let hourly =
            facts.quoted.iter().filter(|line| [CARE, FURTHER, INFANT].contains(&&*line.code));
        let hourly: i64 = hourly.map(|line| line.total.minor_units).sum();
        #[expect(clippy::cast_possible_truncation, reason = "quantities are small")]
        let paid_minutes = (facts.quoted_quantity(CARE) * 60.0).round() as i64;
        let total = facts.quoted_total();
        let cap = facts.cap.map_or(total, |cap| cap.minor_units);
        Self {
            rate: if paid_minutes > 0 { half_up(hourly * 60, paid_minutes) } else { 0 },
            paid_minutes,
            total,
            room: (cap - total).max(0),
            has_infant: facts.quoted.iter().any(|line| line.code == INFANT),
        }
    }
}

fn further(children: PricedChildren) -> i64 {
    i64::try_from(children.count).unwrap_or(i64::MAX).saturating_sub(1).max(0)
}

/// What minutes at an hourly rate cost.
pub const fn cost_of(rate: i64, minutes: i64) -> i64 {
    half_up(rate * minutes, 60)
}

/// A quotient, half a unit rounded up.
const fn half_up(amount: i64, by: i64) -> i64 {
    (2 * amount + by).div_euclid(2 * by)
}

/// Minutes as hours, for a quantity.
#[expect(clippy::cast_precision_loss, reason = "quantities are small")]
pub const fn hours(minutes: i64) -> f64 {
    minutes as f64 / 60.0
}

/// The minutes of a span, of which the last one has begun.
pub fn started_minutes(span: Duration) -> i64 {
    (span.num_seconds() + 59).div_euclid(60)
}

/// The minutes between two moments by quarters begun; 0 where the second comes first.
pub fn started_quarters(from: chrono::DateTime<Utc>, to: chrono::DateTime<Utc>) -> i64 {
    round_up_to_quarters(started_minutes(to - from).max(0))
}

#[cfg(test)]
mod tests;
