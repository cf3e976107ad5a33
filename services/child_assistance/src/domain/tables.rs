//! Tables: what care costs in each country, and what it takes. They are data; these are the defaults.

use chrono::{DateTime, NaiveTime, TimeZone, Utc};
use kit::values::money::Currency;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::PathBuf};
use vertical::price::default_countries;

/// All that is data: the section `child_assistance` of the configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CareTables {
    /// Prices and rules by country, as ISO 3166-1 alpha-2.
    pub prices: BTreeMap<String, CountryCare>,
    /// Minutes kept free on each side of the care.
    pub buffer_minutes: i64,
    /// Longest care, in minutes.
    pub max_minutes: i64,
    /// How long an offer can be accepted. It is how long the customer's favourites are asked alone, too.
    pub answer_minutes: i64,
    /// How many carers are asked at a time.
    pub wave_size: i32,
    /// How long is searched in all, in hours.
    pub search_hours: i64,
    /// The folder of the keys of families, with a ring in it; without it a folder of the data folder, where a ring is made.
    pub keys_folder: Option<PathBuf>,
}

/// What care costs in one country, and what the law asks there. All amounts are minor units of the currency.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CountryCare {
    pub currency: Currency,
    pub rates: CareRates,
    /// Rules of the price.
    pub terms: CareTerms,
    /// Documents that the law asks of carers.
    pub documents: Vec<String>,
    /// The most children that one carer looks after.
    pub max_children: usize,
    /// The most of them who are younger than three years.
    pub max_infants: usize,
    /// How long the words of incidents are kept after a family is erased, in days.
    pub incident_days: i64,
}

/// What an hour costs.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CareRates {
    /// Price of an hour with one child.
    pub child: i64,
    /// Each further child.
    pub further_child: i64,
    /// On top where one is younger than three years.
    pub infant: i64,
}

/// Rules of the price, as they are when care is booked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CareTerms {
    /// The least that is paid for, in minutes.
    pub min_minutes: i64,
    /// Hours of the night, on the clock of the place.
    pub night_from: NaiveTime,
    pub night_to: NaiveTime,
    /// What they cost on top, in percent.
    pub night_percent: i64,
    /// Minutes of a late pick-up that cost what care costs.
    pub late_minutes: i64,
    /// What the time after them costs, in percent.
    pub late_percent: i64,
    /// Hours of that for which the customer pays unasked.
    pub cap_late_hours: i64,
    /// Minutes by which a carer may be late without the time being counted anew.
    pub carer_late_minutes: i64,
}

impl CareTerms {
    /// Whether a moment is in the night, on a clock.
    pub fn is_night(&self, at: DateTime<Utc>, zone: chrono_tz::Tz) -> bool {
        let time = zone.from_utc_datetime(&at.naive_utc()).time();
        match self.night_from <= self.night_to {
            true => (self.night_from..self.night_to).contains(&time),
            false => time >= self.night_from || time < self.night_to,
        }
    }
}

impl CareTables {
    /// What is wrong with the tables, if anything.
    pub fn check(&self) -> Result<(), String> {
        for (country, care) in &self.prices {
            care.check().map_err(|problem| format!("prices.{country}.{problem}"))?;
        }
        if self.max_minutes < 60 || self.answer_minutes < 1 || self.search_hours < 1 {
            return Err("max_minutes, answer_minutes and search_hours must be positive".to_owned());
        }
        Ok(())
    }
}

impl CountryCare {
    fn check(&self) -> Result<(), String> {
        let CareRates { child, further_child, infant } = self.rates;
        if child <= 0 || further_child < 0 || infant < 0 {
            return Err(
                "rates must not be negative, and that of a child must be positive".to_owned()
            );
        }
        let terms = &self.terms;
        if terms.min_minutes < 0 || terms.late_minutes < 0 || terms.cap_late_hours < 0 {
            return Err("terms has a negative time".to_owned());
        }
        if !(100..=300).contains(&terms.late_percent) || !(0..=200).contains(&terms.night_percent) {
            return Err(
                "terms must have late_percent 100 to 300 and night_percent 0 to 200".to_owned()
            );
        }
        if self.max_children == 0 || self.documents.is_empty() || self.incident_days < 0 {
            return Err(
                "must have documents, max_children and no negative incident_days".to_owned()
            );
        }
        Ok(())
    }

    /// The defaults of a country where a euro buys `level` hundredths.
    fn at(country: &str, currency: Currency, level: i64) -> Self {
        // What the law calls the proof that no one speaks against working with children differs; the kinds do not.
        let documents = match country {
            "GB" => ["identity", "first_aid", "background", "ofsted"].as_slice(),
            _ => &["identity", "first_aid", "background"],
        };
        Self {
            currency,
            rates: CareRates {
                child: 1_400 * level / 100,
                further_child: 400 * level / 100,
                infant: 200 * level / 100,
            },
            terms: CareTerms::default(),
            documents: documents.iter().map(|kind| (*kind).to_owned()).collect(),
            max_children: 4,
            max_infants: 3,
            incident_days: 5 * 365,
        }
    }
}

impl Default for CareTerms {
    fn default() -> Self {
        let hour = |hour| NaiveTime::from_hms_opt(hour, 0, 0).unwrap_or_default();
        Self {
            min_minutes: 180,
            night_from: hour(22),
            night_to: hour(6),
            night_percent: 25,
            late_minutes: 30,
            late_percent: 150,
            cap_late_hours: 2,
            carer_late_minutes: 15,
        }
    }
}

impl Default for CareTables {
    fn default() -> Self {
        let prices = default_countries().map(|(country, currency, level)| {
            (country.to_owned(), CountryCare::at(country, currency, level))
        });
        Self {
            prices: prices.into(),
            buffer_minutes: 15,
            max_minutes: 24 * 60,
            answer_minutes: 30,
            wave_size: 5,
            search_hours: 48,
            keys_folder: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono_tz::Europe::Paris;
    use kit::testing::at;

    fn broken(change: fn(&mut CountryCare)) -> String {
        let mut tables = CareTables::default();
        change(tables.prices.get_mut("FR").unwrap());
        tables.check().unwrap_err()
    }

    #[test]
    fn the_default_tables_are_whole_and_broken_ones_say_where() {
        CareTables::default().check().unwrap();
        for (change, expected) in [
            ((|it: &mut CountryCare| it.rates.child = 0) as fn(&mut CountryCare), "rates"),
            (|it| it.terms.late_percent = 99, "late_percent"),
            (|it| it.terms.min_minutes = -1, "negative time"),
            (|it| it.documents.clear(), "documents"),
        ] {
            let problem = broken(change);
            assert!(problem.starts_with("prices.FR.") && problem.contains(expected), "{problem}");
        }
        let nothing = CareTables { max_minutes: 0, ..CareTables::default() };
        assert!(nothing.check().unwrap_err().contains("max_minutes"));
    }

    #[test]
    fn the_night_wraps_midnight_on_the_clock_of_the_place() {
        let terms = CareTerms::default();
        for (moment, is_night) in [
            ("2027-05-24T19:59:00Z", false),
            ("2027-05-24T20:00:00Z", true),
            ("2027-05-25T03:59:00Z", true),
            ("2027-05-25T04:00:00Z", false),
        ] {
            assert_eq!(terms.is_night(at(moment), Paris), is_night, "{moment}");
        }
    }
}
