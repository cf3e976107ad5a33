//! Tables: what repairs cost in each country, what they take, and how soon repairers come. They are data; these are the
//! defaults.

use super::details::{Category, Urgency};
use chrono::{DateTime, Datelike, Timelike, Utc, Weekday};
use chrono_tz::Tz;
use kit::values::money::Currency;
use serde::Deserialize;
use std::collections::BTreeMap;
use vertical::price::default_countries;

/// Percent of a part's cost that customers pay at most: a table with more than that is a slip.
const MAX_PART_PERCENT: i64 = 300;

/// All that is data: the section `repair` of the configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RepairTables {
    /// Prices by country, as ISO 3166-1 alpha-2.
    pub prices: BTreeMap<String, RepairRates>,
    /// How soon repairers come, and how they are looked for.
    pub urgencies: BTreeMap<Urgency, Tempo>,
    /// Documents that every repair asks for.
    pub documents: Vec<String>,
    /// The hours of a visit that cost more.
    pub night: NightHours,
    /// How long a visit takes, in minutes.
    pub visit_minutes: i64,
    /// Minutes kept free on each side of a visit.
    pub buffer_minutes: i64,
    /// How long an estimate holds, in hours.
    pub estimate_hours: i64,
    /// For how many days work is made good without a price.
    pub recall_days: i64,
}

/// What repairs cost in one country. All amounts are minor units of the currency.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepairRates {
    pub currency: Currency,
    /// That a repairer comes.
    pub callout: i64,
    /// How much more of that it costs at night and on Sundays, in percent.
    pub off_hours_percent: i64,
    /// That the repairer says what is wrong. It comes off the first repair that is agreed to.
    pub diagnosis: i64,
    /// That the repairer comes urgently.
    pub urgent: i64,
    /// An hour of work, by category.
    pub labour: BTreeMap<Category, i64>,
    /// What a part costs the customer, in percent of what it costs the repairer.
    pub part_percent: i64,
    /// Documents that the law asks for, by category.
    pub qualifications: BTreeMap<Category, Vec<String>>,
}

/// How soon a repairer comes, and how one is looked for.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tempo {
    /// Hours from the booking within which a repairer is to be at work.
    pub sla_hours: i64,
    /// How many repairers are asked at a time.
    pub wave_size: i32,
    /// Seconds in which each of them answers.
    pub answer_seconds: i64,
    /// Minutes for which repairers are looked for in all.
    pub search_minutes: i64,
}

/// The hours of the night on the clock of a place, over midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NightHours {
    /// The first hour of the night.
    pub from: u32,
    /// The first hour of the day.
    pub to: u32,
}

impl NightHours {
    /// Whether a visit at a moment costs more: at night, and all of Sunday.
    pub fn costs_more(self, at: DateTime<Utc>, zone: Tz) -> bool {
        let local = at.with_timezone(&zone);
        local.weekday() == Weekday::Sun || local.hour() >= self.from || local.hour() < self.to
    }
}

impl RepairRates {
    fn check(&self) -> Result<(), String> {
        let amounts = [self.callout, self.off_hours_percent, self.diagnosis, self.urgent];
        if amounts.into_iter().chain(self.labour.values().copied()).any(|amount| amount < 0) {
            return Err("has a negative amount".to_owned());
        }
        if let Some(category) = Category::ALL.iter().find(|it| !self.labour.contains_key(it)) {
            return Err(format!("labour has no {}", category.code()));
        }
        match (100..=MAX_PART_PERCENT).contains(&self.part_percent) {
            true => Ok(()),
            false => Err(format!("part_percent must be 100 to {MAX_PART_PERCENT}")),
        }
    }

    /// The default rates in a country where a euro buys `level` hundredths.
    fn at(country: &str, currency: Currency, level: i64) -> Self {
        let labour = Category::ALL.map(|category| (category, hour_of(category) * level / 100));
        let qualifications = match country {
            "FR" | "BE" | "LU" | "DE" | "CH" | "GB" => BTreeMap::from([
                (Category::Heating, vec!["gas_qualification".to_owned()]),
                (Category::Electrics, vec!["electrics_qualification".to_owned()]),
            ]),
            _ => BTreeMap::new(),
        };
        Self {
            currency,
            callout: 2_900 * level / 100,
            off_hours_percent: 50,
            diagnosis: 4_900 * level / 100,
            urgent: 4_000 * level / 100,
            labour: labour.into(),
            part_percent: 115,
            qualifications,
        }
    }
}

/// An hour of work in France, in cents.
const fn hour_of(category: Category) -> i64 {
    match category {
        Category::Plumbing | Category::Electrics => 6_500,
        Category::Appliance => 5_800,
        Category::Heating => 7_200,
        Category::Locksmith => 7_000,
        Category::Handyman => 4_800,
    }
}

impl Tempo {
    const fn of(urgency: Urgency) -> Self {
        match urgency {
            Urgency::Normal => {
                Self { sla_hours: 72, wave_size: 3, answer_seconds: 600, search_minutes: 24 * 60 }
            }
            Urgency::Today => {
                Self { sla_hours: 24, wave_size: 3, answer_seconds: 300, search_minutes: 4 * 60 }
            }
            Urgency::Urgent => {
                Self { sla_hours: 4, wave_size: 5, answer_seconds: 60, search_minutes: 15 }
            }
        }
    }

    const fn is_whole(&self) -> bool {
        self.sla_hours > 0
            && self.wave_size > 0
            && self.answer_seconds > 0
            && self.search_minutes > 0
    }
}

impl RepairTables {
    /// What is wrong with the tables, if anything.
    pub fn check(&self) -> Result<(), String> {
        for (country, rates) in &self.prices {
            rates.check().map_err(|problem| format!("prices.{country} {problem}"))?;
        }
        for urgency in Urgency::ALL {
            match self.urgencies.get(&urgency) {
                Some(tempo) if tempo.is_whole() => {}
                _ => return Err(format!("urgencies lacks {urgency:?}, or a number of it")),
            }
        }
        if self.night.from > 24 || self.night.to > 24 {
            return Err("night must have hours up to 24".to_owned());
        }
        let spans = [self.visit_minutes, self.estimate_hours, self.recall_days];
        match spans.into_iter().all(|span| span > 0) && self.buffer_minutes >= 0 {
            true => Ok(()),
            false => {
                Err("visit_minutes, estimate_hours and recall_days must be 1 or more".to_owned())
            }
        }
    }

    /// How soon a repairer comes. The tables have each urgency, which [`Self::check`] has seen.
    pub fn tempo(&self, urgency: Urgency) -> Tempo {
        self.urgencies.get(&urgency).copied().unwrap_or_else(|| Tempo::of(urgency))
    }
}

impl Default for RepairTables {
    fn default() -> Self {
        let prices = default_countries().map(|(country, currency, level)| {
            (country.to_owned(), RepairRates::at(country, currency, level))
        });
        Self {
            prices: prices.into(),
            urgencies: Urgency::ALL.map(|urgency| (urgency, Tempo::of(urgency))).into(),
            documents: vec!["insurance".to_owned()],
            night: NightHours { from: 22, to: 6 },
            visit_minutes: 90,
            buffer_minutes: 15,
            estimate_hours: 72,
            recall_days: 90,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono_tz::Europe::Paris;
    use kit::testing::at;

    fn problem_of(change: fn(&mut RepairTables)) -> String {
        let mut tables = RepairTables::default();
        change(&mut tables);
        tables.check().unwrap_err()
    }

    fn france(tables: &mut RepairTables) -> &mut RepairRates {
        tables.prices.get_mut("FR").unwrap()
    }

    #[test]
    fn the_default_tables_are_whole_and_broken_ones_say_where() {
        RepairTables::default().check().unwrap();
        let problem = problem_of(|it| france(it).callout = -1);
        assert!(problem.contains("prices.FR has a negative amount"), "{problem}");
        let problem = problem_of(|it| france(it).labour.retain(|it, _| *it != Category::Heating));
        assert!(problem.contains("labour has no heating"), "{problem}");
        let problem = problem_of(|it| france(it).part_percent = 99);
        assert!(problem.contains("part_percent"), "{problem}");
        let problem = problem_of(|it| it.urgencies.retain(|it, _| *it != Urgency::Today));
        assert!(problem.contains("Today"), "{problem}");
        let problem = problem_of(|it| it.night.from = 25);
        assert!(problem.contains("night"), "{problem}");
        let problem = problem_of(|it| it.recall_days = 0);
        assert!(problem.contains("recall_days"), "{problem}");
    }

    #[test]
    fn nights_and_sundays_cost_more_by_the_clock_of_the_place() {
        let night = RepairTables::default().night;
        for (moment, expected) in [
            // Monday, 24 May 2027, in Paris: two hours ahead of UTC.
            ("2027-05-24T03:59:00Z", true),
            ("2027-05-24T04:00:00Z", false),
            ("2027-05-24T19:59:00Z", false),
            ("2027-05-24T20:00:00Z", true),
            // The Sunday before, from its first minute to its last one there.
            ("2027-05-22T21:59:00Z", true),
            ("2027-05-23T10:00:00Z", true),
            ("2027-05-22T10:00:00Z", false),
        ] {
            assert_eq!(night.costs_more(at(moment), Paris), expected, "{moment}");
        }
    }
}
