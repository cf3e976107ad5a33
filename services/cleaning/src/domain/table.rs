//! Tables: what a cleaning costs in each country and what it takes. They are data; these are the defaults.

use super::details::{CleaningType, Frequency};
use kit::values::money::Currency;
use serde::Deserialize;
use std::collections::BTreeMap;
use vertical::price::default_countries;

/// All that is data: the section `cleaning` of the configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tables {
    /// Prices by country, as ISO 3166-1 alpha-2.
    pub prices: BTreeMap<String, PriceTable>,
    /// What each type takes.
    pub effort: BTreeMap<CleaningType, Effort>,
    /// Minutes that each extra takes, by its code; these are the extras that there are.
    pub extra_minutes: BTreeMap<String, i64>,
    /// Documents that every cleaning asks for.
    pub documents: Vec<String>,
    /// Days without a visit after which the next one counts as a first one.
    pub first_clean_after_days: i64,
    /// Minutes that a first clean takes longer.
    pub first_clean_minutes: i64,
    /// Minutes kept free on each side of the work.
    pub buffer_minutes: i64,
    /// Longest visit, in minutes.
    pub visit_minutes_most: i64,
}

/// What a cleaning costs in one country. All amounts are minor units of the currency.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceTable {
    pub currency: Currency,
    /// What each type costs.
    pub rates: BTreeMap<CleaningType, Rates>,
    /// What each extra costs, by its code.
    pub extras: BTreeMap<String, i64>,
    /// What regular visits cost, by frequency.
    pub frequencies: BTreeMap<Frequency, Tier>,
    /// What supplies cost.
    pub supplies: i64,
}

/// What one type of cleaning costs.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rates {
    /// To come at all.
    pub base: i64,
    pub room: i64,
    pub bathroom: i64,
    /// Each square metre, where the area is given.
    pub m2: i64,
    /// The first visit of a series on top.
    pub first_clean: i64,
}

/// What regular visits cost.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tier {
    /// Longest gap since the visit before, in days.
    pub gap_days_most: i64,
    /// Share of the price, in percent.
    pub percent: i64,
}

/// What one type of cleaning takes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Effort {
    /// Minutes at least.
    pub base_minutes: i64,
    /// Minutes for each room.
    pub room_minutes: i64,
    /// Minutes for each bathroom.
    pub bathroom_minutes: i64,
    /// Minutes for ten square metres, where the area is given.
    pub ten_m2_minutes: i64,
    /// Skills that it takes.
    pub skills: Vec<String>,
}

impl Tables {
    /// What is wrong with the tables, if anything: every type and extra must be there in each, and nothing negative.
    pub fn check(&self) -> Result<(), String> {
        for kind in CleaningType::ALL {
            if !self.effort.contains_key(&kind) {
                return Err(format!("effort has no {kind:?}"));
            }
        }
        for (country, table) in &self.prices {
            for kind in CleaningType::ALL {
                let rates = table.rates.get(&kind);
                let rates =
                    rates.ok_or_else(|| format!("prices.{country}.rates has no {kind:?}"))?;
                let Rates { base, room, bathroom, m2, first_clean } = *rates;
                if [base, room, bathroom, m2, first_clean].into_iter().any(|rate| rate < 0) {
                    return Err(format!("prices.{country}.rates of {kind:?} are negative"));
                }
            }
            for code in self.extra_minutes.keys() {
                if table.extras.get(code).is_none_or(|price| *price < 0) {
                    return Err(format!("prices.{country}.extras has no price for {code}"));
                }
            }
            if table.frequencies.values().any(|tier| !(1..=100).contains(&tier.percent)) {
                return Err(format!("prices.{country}.frequencies must be 1 to 100 percent"));
            }
        }
        Ok(())
    }
}

impl Default for Tables {
    fn default() -> Self {
        let prices = default_countries().map(|(country, currency, level)| {
            (country.to_owned(), PriceTable::at(currency, level))
        });
        let extras = EXTRAS.map(|(code, _, minutes)| (code.to_owned(), minutes));
        Self {
            prices: prices.into(),
            effort: CleaningType::ALL.map(|kind| (kind, Effort::of(kind))).into(),
            extra_minutes: extras.into(),
            documents: vec!["insurance".to_owned()],
            first_clean_after_days: 60,
            first_clean_minutes: 45,
            buffer_minutes: 15,
            visit_minutes_most: 12 * 60,
        }
    }
}

/// The extras with their price in euro cents and their minutes.
const EXTRAS: [(&str, i64, i64); 7] = [
    ("balcony", 1200, 20),
    ("cupboards", 1500, 30),
    ("fridge", 1500, 25),
    ("ironing", 2200, 60),
    ("laundry", 1200, 20),
    ("oven", 1800, 30),
    ("windows", 600, 10),
];

impl PriceTable {
    /// The default prices in a country where a euro buys `level` hundredths.
    fn at(currency: Currency, level: i64) -> Self {
        Self {
            currency,
            rates: BTreeMap::from([
                (CleaningType::Standard, Rates::at(level, [2500, 900, 1300, 80, 2500])),
                (CleaningType::Deep, Rates::at(level, [4500, 1600, 2200, 150, 0])),
                (CleaningType::MoveOut, Rates::at(level, [5500, 1900, 2500, 180, 0])),
                (CleaningType::Office, Rates::at(level, [3500, 1000, 1300, 70, 3000])),
            ]),
            extras: EXTRAS.map(|(code, cents, _)| (code.to_owned(), cents * level / 100)).into(),
            frequencies: BTreeMap::from([
                (Frequency::Weekly, Tier { gap_days_most: 10, percent: 80 }),
                (Frequency::Biweekly, Tier { gap_days_most: 18, percent: 85 }),
                (Frequency::Monthly, Tier { gap_days_most: 38, percent: 92 }),
            ]),
            supplies: 800 * level / 100,
        }
    }
}

impl Rates {
    /// The base, a room, a bathroom, a square metre and a first clean, in cents where a euro buys a hundred hundredths.
    fn at(level: i64, cents: [i64; 5]) -> Self {
        let [base, room, bathroom, m2, first_clean] = cents.map(|cents| cents * level / 100);
        Self { base, room, bathroom, m2, first_clean }
    }
}

impl Effort {
    fn of(kind: CleaningType) -> Self {
        let (minutes, skill) = match kind {
            CleaningType::Standard => ([30, 25, 30, 15], "cleaning.standard"),
            CleaningType::Deep => ([45, 45, 50, 28], "cleaning.deep"),
            CleaningType::MoveOut => ([60, 50, 55, 32], "cleaning.deep"),
            CleaningType::Office => ([30, 20, 25, 12], "cleaning.office"),
        };
        let [base_minutes, room_minutes, bathroom_minutes, ten_m2_minutes] = minutes;
        let skills = vec![skill.to_owned()];
        Self { base_minutes, room_minutes, bathroom_minutes, ten_m2_minutes, skills }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_tables_are_whole() {
        Tables::default().check().unwrap();
        let mut tables = Tables::default();
        tables.extra_minutes.insert("roof".to_owned(), 600);
        assert!(tables.check().unwrap_err().contains("roof"));
    }
}
