//! Tables: what rides cost in each country and what they take. They are data; these are the defaults.

use super::{
    details::RideTier,
    fare::{KmSection, Tariff},
    hours::{LocalHours, hour},
};
use chrono::{DateTime, Utc, Weekday};
use chrono_tz::Tz;
use kit::values::money::Currency;
use serde::Deserialize;
use std::collections::BTreeMap;
use vertical::price::default_countries;

/// All that is data: the section `transport` of the configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RideTables {
    /// Prices by country, as ISO 3166-1 alpha-2.
    pub prices: BTreeMap<String, CountryTariff>,
    /// What each tier rides in.
    pub vehicles: BTreeMap<RideTier, VehicleClass>,
    /// Documents that every ride asks for.
    pub documents: Vec<String>,
    /// How ways are estimated.
    pub road: RoadSettings,
    /// How those who are online are asked.
    pub live: LiveSettings,
    /// How a ride is measured and waited for.
    pub meter: MeterSettings,
    /// Minutes kept free on each side of a ride.
    pub buffer_minutes: i64,
    /// Longest ride, in minutes.
    pub max_minutes: i64,
}

/// What rides cost in one country. All amounts are minor units of the currency.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CountryTariff {
    pub currency: Currency,
    /// What a way costs, by tier.
    pub tiers: BTreeMap<RideTier, Tariff>,
    /// Hours at which a way costs more. Where several fit, the highest counts.
    pub surge: Vec<SurgeHours>,
    /// Hours of a pick-up at night.
    pub night: LocalHours,
    /// What a pick-up at night costs on top.
    pub night_fee: i64,
    /// Each stop beyond the first.
    pub stop_fee: i64,
    /// Each bag beyond the free ones.
    pub bag_fee: i64,
    pub free_bags: i64,
    /// What waiting costs.
    pub waiting: WaitingRates,
    /// The most that a customer pays unasked, in percent of the quote.
    pub cap_percent: i64,
    /// Documents that the law asks for where people ride.
    pub ride_documents: Vec<String>,
}

/// What waiting costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
pub struct WaitingRates {
    /// Each minute begun beyond the free ones.
    pub minute: i64,
    /// Minutes at the pick-up that cost nothing.
    pub pick_up_free_minutes: i64,
    /// Minutes at a stop that cost nothing.
    pub stop_free_minutes: i64,
}

/// Hours at which a way costs more.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SurgeHours {
    /// The hours at the place of the pick-up.
    pub hours: LocalHours,
    /// What everything costs then, in percent: 100 to 150.
    pub percent: i64,
}

/// What a tier rides in.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VehicleClass {
    /// Kinds of vehicle that do.
    pub kinds: Vec<String>,
    /// The most people that ride; 0 where none does.
    pub max_seats: i32,
    /// The heaviest parcel, in kilograms.
    pub max_kg: i32,
    /// The longest parcel, in centimetres.
    pub max_cm: i32,
}

/// How ways are estimated where there is no map of roads.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RoadSettings {
    /// How much longer roads are than the line, in percent.
    pub detour_percent: i64,
    /// How fast a car is on the way, in kilometres an hour.
    pub speed_kmh: f64,
    /// How far a stop may be from the pick-up.
    pub max_stop_km: i64,
    /// By how much a change of stops may make a ride longer.
    pub max_longer_km: i64,
    /// Where tolls are paid.
    pub toll_gates: Vec<TollGate>,
}

/// A place where a toll is paid.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TollGate {
    /// What it is called, for those who read the table.
    pub name: String,
    pub lat: f64,
    pub lng: f64,
    /// How close a way must come to it.
    pub radius_m: i64,
    /// What it costs, in the currency of the country of the pick-up.
    pub minor_units: i64,
}

/// How those who are online are asked, for a ride that begins soon.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LiveSettings {
    /// A ride that begins within so many minutes is offered live.
    pub within_minutes: i64,
    /// When a ride as soon as possible begins, in minutes from now.
    pub asap_minutes: i64,
    /// How many drivers are asked at a time.
    pub wave_size: i32,
    /// How long a driver may take to answer, in seconds.
    pub answer_seconds: i64,
    /// How far from the pick-up the first drivers who are asked may be, in metres.
    pub radius_m: i32,
    /// How far from the pick-up the last drivers who are asked may be, in metres.
    pub max_radius_m: i32,
    /// How long is searched in all, in seconds.
    pub search_seconds: i64,
}

/// How a ride is measured and waited for.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MeterSettings {
    /// The difference to the quoted fare that changes nothing, in percent.
    pub tolerance_percent: i64,
    /// The least share of the time that positions must cover, in percent.
    pub min_covered_percent: i32,
    /// How long the price of other stops holds, in minutes.
    pub change_valid_minutes: i64,
}

impl CountryTariff {
    /// What everything costs at a moment, in percent.
    pub fn surge_percent(&self, at: DateTime<Utc>, zone: Tz) -> i64 {
        let fitting = self.surge.iter().filter(|surge| surge.hours.contains(at, zone));
        fitting.map(|surge| surge.percent).max().unwrap_or(100)
    }

    fn check(&self) -> Result<(), String> {
        for tier in RideTier::ALL {
            let tariff = self.tiers.get(&tier).ok_or_else(|| format!("tiers has no {tier:?}"))?;
            tariff.check().map_err(|problem| format!("tiers: {tier:?} {problem}"))?;
        }
        let WaitingRates { minute, pick_up_free_minutes, stop_free_minutes } = self.waiting;
        let amounts = [
            self.night_fee,
            self.stop_fee,
            self.bag_fee,
            self.free_bags,
            minute,
            pick_up_free_minutes,
            stop_free_minutes,
        ];
        if amounts.into_iter().any(|amount| amount < 0) {
            return Err("has a negative amount".to_owned());
        }
        if self.surge.iter().any(|surge| !(100..=150).contains(&surge.percent)) {
            return Err("surge must be 100 to 150 percent".to_owned());
        }
        if !(100..=200).contains(&self.cap_percent) {
            return Err("cap_percent must be 100 to 200".to_owned());
        }
        Ok(())
    }
}

impl RideTables {
    /// What is wrong with the tables, if anything.
    pub fn check(&self) -> Result<(), String> {
        for (country, prices) in &self.prices {
            prices.check().map_err(|problem| format!("prices.{country}.{problem}"))?;
        }
        for tier in RideTier::ALL {
            if !self.vehicles.contains_key(&tier) {
                return Err(format!("vehicles has no {tier:?}"));
            }
        }
        if self.road.speed_kmh < 1.0 || self.road.detour_percent < 100 {
            return Err("road must have 1 km/h and 100 percent at least".to_owned());
        }
        Ok(())
    }
}

impl Default for RideTables {
    fn default() -> Self {
        let prices = default_countries().map(|(country, currency, level)| {
            (country.to_owned(), CountryTariff::at(country, currency, level))
        });
        Self {
            prices: prices.into(),
            vehicles: RideTier::ALL.map(|tier| (tier, VehicleClass::of(tier))).into(),
            documents: ["driving_licence", "insurance"].map(str::to_owned).into(),
            road: RoadSettings::default(),
            live: LiveSettings::default(),
            meter: MeterSettings::default(),
            buffer_minutes: 5,
            max_minutes: 24 * 60,
        }
    }
}

impl Default for RoadSettings {
    fn default() -> Self {
        Self {
            detour_percent: 130,
            speed_kmh: 24.0,
            max_stop_km: 300,
            max_longer_km: 100,
            toll_gates: Vec::new(),
        }
    }
}

impl Default for LiveSettings {
    fn default() -> Self {
        Self {
            within_minutes: 60,
            asap_minutes: 10,
            wave_size: 3,
            answer_seconds: 15,
            radius_m: 2_000,
            max_radius_m: 15_000,
            search_seconds: 240,
        }
    }
}

impl Default for MeterSettings {
    fn default() -> Self {
        Self { tolerance_percent: 5, min_covered_percent: 80, change_valid_minutes: 10 }
    }
}

impl CountryTariff {
    /// The default prices in a country where a euro buys `level` hundredths.
    fn at(country: &str, currency: Currency, level: i64) -> Self {
        let weekdays = [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri];
        let ride_documents = match country {
            "FR" => vec!["vtc".to_owned()],
            _ => Vec::new(),
        };
        Self {
            currency,
            tiers: RideTier::ALL.map(|tier| (tier, Tariff::of(tier, level))).into(),
            surge: vec![
                SurgeHours::on(&weekdays, 7, 9, 120),
                SurgeHours::on(&weekdays, 17, 19, 120),
                SurgeHours::on(&[Weekday::Fri, Weekday::Sat], 23, 3, 150),
            ],
            night: LocalHours::daily(hour(22), hour(6)),
            night_fee: 300 * level / 100,
            stop_fee: 200 * level / 100,
            bag_fee: 150 * level / 100,
            free_bags: 2,
            waiting: WaitingRates {
                minute: 30 * level / 100,
                pick_up_free_minutes: 3,
                stop_free_minutes: 2,
            },
            cap_percent: 120,
            ride_documents,
        }
    }
}

impl SurgeHours {
    /// The hours from one to another of some days.
    fn on(days: &[Weekday], from: u32, to: u32, percent: i64) -> Self {
        Self { hours: LocalHours { days: days.to_vec(), from: hour(from), to: hour(to) }, percent }
    }
}

impl Tariff {
    /// The default tariff of a tier where a euro buys `level` hundredths.
    fn of(tier: RideTier, level: i64) -> Self {
        let cents = match tier {
            RideTier::Standard => [250, 700, 130, 110, 95, 20],
            RideTier::Comfort => [350, 1_000, 170, 145, 125, 26],
            RideTier::Van => [450, 1_200, 195, 165, 140, 30],
            RideTier::Bike => [180, 500, 95, 85, 80, 12],
        };
        let [base, minimum, near, far, beyond, minute] = cents.map(|cents| cents * level / 100);
        let sections = vec![
            KmSection { up_to_km: Some(10), km: near },
            KmSection { up_to_km: Some(30), km: far },
            KmSection { up_to_km: None, km: beyond },
        ];
        Self { base, minimum, sections, minute, free_minutes: 10 }
    }
}

impl VehicleClass {
    fn of(tier: RideTier) -> Self {
        let (kinds, max_seats, max_kg, max_cm): (&[&str], i32, i32, i32) = match tier {
            RideTier::Standard => (&["car", "van"], 4, 50, 150),
            RideTier::Comfort => (&["car"], 4, 50, 150),
            RideTier::Van => (&["van"], 8, 50, 150),
            RideTier::Bike => (&["bike"], 1, 15, 60),
        };
        let kinds = kinds.iter().map(|kind| (*kind).to_owned()).collect();
        Self { kinds, max_seats, max_kg, max_cm }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono_tz::Europe::Paris;
    use kit::testing::at;

    fn broken(change: fn(&mut RideTables)) -> String {
        let mut tables = RideTables::default();
        change(&mut tables);
        tables.check().unwrap_err()
    }

    fn france(tables: &mut RideTables) -> &mut CountryTariff {
        tables.prices.get_mut("FR").unwrap()
    }

    #[test]
    fn the_default_tables_are_whole_and_broken_ones_say_where() {
        RideTables::default().check().unwrap();
        let problem = broken(|it| france(it).surge[0].percent = 151);
        assert!(problem.contains("prices.FR.surge"), "{problem}");
        let problem = broken(|it| drop(france(it).tiers.remove(&RideTier::Van)));
        assert!(problem.contains("Van"), "{problem}");
        let problem = broken(|it| france(it).waiting.minute = -1);
        assert!(problem.contains("negative"), "{problem}");
        let problem = broken(|it| france(it).cap_percent = 99);
        assert!(problem.contains("cap_percent"), "{problem}");
        let problem = broken(|it| drop(it.vehicles.remove(&RideTier::Bike)));
        assert!(problem.contains("Bike"), "{problem}");
        let problem = broken(|it| it.road.speed_kmh = 0.0);
        assert!(problem.contains("road"), "{problem}");
    }

    #[test]
    fn the_highest_surge_of_an_hour_counts_also_over_midnight() {
        let tables = RideTables::default();
        for (moment, percent) in [
            // Monday, 24 May 2027, at noon and at half past seven in Paris.
            ("2027-05-24T10:00:00Z", 100),
            ("2027-05-24T05:30:00Z", 120),
            // The night from Saturday to Sunday, before and after midnight, and Sunday to Monday.
            ("2027-05-29T21:30:00Z", 150),
            ("2027-05-29T23:30:00Z", 150),
            ("2027-05-30T23:30:00Z", 100),
        ] {
            assert_eq!(tables.prices["FR"].surge_percent(at(moment), Paris), percent, "{moment}");
        }
    }
}
