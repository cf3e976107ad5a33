//! Prices: what a visit costs and requires, and what an estimate comes to.

use super::{
    RepairInputs,
    details::{Category, Urgency, brand_skill},
    tables::{RepairRates, RepairTables, Tempo},
};
use chrono::{DateTime, Duration, Utc};
use kit::{Window, values::money::Currency};
use serde::{Deserialize, Serialize};
use vertical::{
    Error,
    price::{Dispatch, JobRequirements, Line, Lines, Quote, round_up_to_quarters, share_of},
};

/// The vertical in the codes of lines.
const KEY: &str = "repair";
/// Minutes of an hour.
const HOUR: i64 = 60;

/// The terms of a repair, as they were when it was booked: they price its estimates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepairTerms {
    pub currency: Currency,
    /// An hour of work.
    pub labour_hour: i64,
    /// What a part costs the customer, in percent of its cost.
    pub part_percent: i64,
    /// What comes off the first estimate that is agreed to, at most; nothing where no diagnosis was paid.
    pub max_credit: i64,
}

/// What an estimate is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EstimatedWork {
    pub minutes: i64,
    /// What the parts cost the repairer, each with its quantity.
    pub part_costs: Vec<i64>,
}

/// What an estimate comes to, in minor units.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EstimatePrice {
    pub labour: i64,
    /// What each part costs the customer.
    pub parts: Vec<i64>,
    /// What comes off.
    pub credit: i64,
}

impl EstimatePrice {
    /// What the customer pays for it.
    pub fn total(&self) -> i64 {
        self.labour + self.parts.iter().sum::<i64>() - self.credit
    }
}

impl RepairTerms {
    /// What `cost` of parts costs the customer.
    pub const fn part_price(&self, cost: i64) -> i64 {
        share_of(cost, self.part_percent)
    }

    /// Prices work. The first estimate of an order has the diagnosis credited.
    pub fn price_work(&self, work: &EstimatedWork, is_credited: bool) -> EstimatePrice {
        let minutes = round_up_to_quarters(work.minutes);
        let labour = (minutes * self.labour_hour + HOUR / 2).div_euclid(HOUR);
        let parts: Vec<i64> = work.part_costs.iter().map(|cost| self.part_price(*cost)).collect();
        let value = labour + parts.iter().sum::<i64>();
        let credit = if is_credited { value.min(self.max_credit) } else { 0 };
        EstimatePrice { labour, parts, credit }
    }

    /// The lines of an estimate. The cost of a part only passes through the repairer's hands.
    pub fn estimate_lines(&self, work: &EstimatedWork, is_credited: bool) -> Vec<Line> {
        let price = self.price_work(work, is_credited);
        let mut lines = Lines::new(KEY, self.currency);
        if work.minutes > 0 {
            lines.add_total("labour", hours_of(work.minutes), "hour", price.labour);
        }
        for (cost, price) in work.part_costs.iter().zip(&price.parts) {
            lines.add_pass_through("part", "part", *cost);
            lines.add_total("part_margin", 1.0, "part", price - cost);
        }
        if price.credit > 0 {
            lines.add_total("diagnosis_credit", 1.0, "diagnosis", -price.credit);
        }
        lines.into_vec()
    }

    /// The lines of an estimate that costs nothing, in a recall.
    pub fn free_lines(&self, work: &EstimatedWork) -> Vec<Line> {
        let mut lines = Lines::new(KEY, self.currency);
        if work.minutes > 0 {
            lines.add_total("labour", hours_of(work.minutes), "hour", 0);
        }
        for _ in &work.part_costs {
            lines.add_total("part", 1.0, "part", 0);
        }
        lines.into_vec()
    }

    /// What comes off again for parts that were not used, as lines: what they cost, less what the credit would have been
    /// smaller without them.
    pub fn return_lines(
        &self,
        work: &EstimatedWork,
        returned: &[bool],
        is_credited: bool,
    ) -> Vec<Line> {
        let before = self.price_work(work, is_credited);
        let kept = work.part_costs.iter().zip(returned).filter(|(_, returned)| !**returned);
        let kept = kept.map(|(cost, _)| *cost).collect();
        let after = self.price_work(&EstimatedWork { part_costs: kept, ..*work }, is_credited);
        let mut lines = Lines::new(KEY, self.currency);
        let costs = work.part_costs.iter().zip(&before.parts).zip(returned);
        for ((cost, price), _) in costs.filter(|(_, returned)| **returned) {
            lines.add_pass_through("part_returned", "part", -cost);
            lines.add_total("part_margin", 1.0, "part", cost - price);
        }
        if before.credit > after.credit {
            let difference = before.credit - after.credit;
            lines.add_total("diagnosis_credit", 1.0, "diagnosis", difference);
        }
        lines.into_vec()
    }
}

#[expect(clippy::cast_precision_loss, reason = "an estimate is of hours")]
fn hours_of(minutes: i64) -> f64 {
    round_up_to_quarters(minutes) as f64 / HOUR as f64
}

impl RepairTables {
    /// The rates of a country.
    pub fn country(&self, country: &str) -> Result<&RepairRates, Error> {
        let rates = self.prices.get(country);
        rates.ok_or_else(|| Error::invalid("address.country", "is not served yet"))
    }

    /// The terms of a repair in a country; none where it is not served any more. A recall has no diagnosis to credit.
    pub fn terms(&self, country: &str, category: Category, recall: bool) -> Option<RepairTerms> {
        let rates = self.prices.get(country)?;
        Some(RepairTerms {
            currency: rates.currency,
            labour_hour: rates.labour.get(&category).copied()?,
            part_percent: rates.part_percent,
            max_credit: if recall { 0 } else { rates.diagnosis },
        })
    }

    /// Prices a visit in `country`, and says what it requires. `brand` is the one of what is to be repaired.
    pub fn quote(
        &self,
        country: &str,
        inputs: &RepairInputs,
        brand: Option<&str>,
        window: Window,
        now: DateTime<Utc>,
    ) -> Result<Quote, Error> {
        let rates = self.country(country)?;
        self.check_urgency(inputs.urgency, window, now)?;
        let mut lines = Lines::new(KEY, rates.currency);
        lines.add_line("callout", 1, "visit", rates.callout);
        if self.night.costs_more(window.start, window.zone) {
            let more = share_of(rates.callout, rates.off_hours_percent);
            lines.add_line("callout_off_hours", 1, "visit", more);
        }
        lines.add_line("diagnosis", 1, "diagnosis", rates.diagnosis);
        if inputs.urgency == Urgency::Urgent {
            lines.add_line("urgent", 1, "visit", rates.urgent);
        }
        Ok(Quote::binding(lines.into_vec(), self.requirements(rates, inputs, brand)))
    }

    /// The price of a recall: nothing. Its provider is the one who did the work.
    pub fn quote_recall(&self, country: &str, inputs: &RepairInputs) -> Result<Quote, Error> {
        let rates = self.country(country)?;
        let mut lines = Lines::new(KEY, rates.currency);
        lines.add_line("callout", 1, "visit", 0);
        lines.add_line("diagnosis", 1, "diagnosis", 0);
        Ok(Quote::binding(lines.into_vec(), self.requirements(rates, inputs, None)))
    }

    /// What every repair requires.
    pub fn base_requirements(&self) -> JobRequirements {
        JobRequirements {
            documents: self.documents.clone(),
            crew_size: 1,
            buffer_minutes: self.buffer_minutes,
            ..JobRequirements::default()
        }
    }

    fn requirements(
        &self,
        rates: &RepairRates,
        inputs: &RepairInputs,
        brand: Option<&str>,
    ) -> JobRequirements {
        let mut requirements = self.base_requirements();
        requirements.skills.push(format!("{KEY}.{}", inputs.category.code()));
        requirements.preferred_skills.extend(brand.and_then(brand_skill));
        let qualifications = rates.qualifications.get(&inputs.category);
        requirements.documents.extend(qualifications.into_iter().flatten().cloned());
        requirements.minutes = self.visit_minutes;
        let Tempo { wave_size, answer_seconds, search_minutes, .. } = self.tempo(inputs.urgency);
        requirements.dispatch = Some(Dispatch {
            live: false,
            wave_size,
            answer: Duration::seconds(answer_seconds),
            radius_m: 0,
            max_radius_m: 0,
            search: Duration::minutes(search_minutes),
            favourites_first: false,
        });
        requirements
    }

    /// Refuses a visit that is to be soon and is not: the customer would pay for nothing.
    fn check_urgency(
        &self,
        urgency: Urgency,
        window: Window,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let hours = self.tempo(urgency).sla_hours;
        if urgency == Urgency::Normal || window.start <= now + Duration::hours(hours) {
            return Ok(());
        }
        let problem = format!("asks for a visit that begins within {hours} hours");
        Err(Error::invalid("details.urgency", problem))
    }
}

#[cfg(test)]
mod tests;
