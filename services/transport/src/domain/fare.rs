//! Fares: what a way costs by a tariff.

use super::way::BilledWay;
use serde::{Deserialize, Serialize};
use vertical::price::share_of;

/// Hundreds of metres of a kilometre.
const HECTOMETRES_A_KM: i64 = 10;

/// What a way costs in one tier. All amounts are minor units of the country's currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tariff {
    /// To come at all.
    pub base: i64,
    /// The least that a way costs.
    pub minimum: i64,
    /// What kilometres cost, the first ones first.
    pub sections: Vec<KmSection>,
    /// Each minute beyond the free ones.
    pub minute: i64,
    /// Minutes that cost nothing.
    pub free_minutes: i64,
}

/// What the kilometres up to some distance cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KmSection {
    /// The last kilometre of the section; absent for all that follow.
    #[serde(default)]
    pub up_to_km: Option<i64>,
    /// Each kilometre, counted by a hundred metres.
    pub km: i64,
}

/// What a way costs, part by part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fare {
    pub base: i64,
    pub distance: i64,
    pub time: i64,
    /// What is missing to the least that a way costs.
    pub minimum: i64,
    /// What the hour adds.
    pub surge: i64,
}

impl Fare {
    /// All of it.
    pub const fn total(&self) -> i64 {
        self.base + self.distance + self.time + self.minimum + self.surge
    }
}

impl Tariff {
    /// What a way costs at an hour when everything costs `surge_percent`.
    pub fn fare(&self, way: BilledWay, surge_percent: i64) -> Fare {
        let (base, distance) = (self.base, self.distance(way.hectometres));
        let time = self.time(way.minutes);
        let minimum = (self.minimum - base - distance - time).max(0);
        let plain = base + distance + time + minimum;
        Fare { base, distance, time, minimum, surge: share_of(plain, surge_percent) - plain }
    }

    /// What the way back of a parcel costs: kilometres and minutes, and nothing for coming at all.
    pub fn return_fare(&self, way: BilledWay) -> i64 {
        self.distance(way.hectometres) + self.time(way.minutes)
    }

    fn distance(&self, hectometres: i64) -> i64 {
        let (mut billed, mut sum) = (0, 0);
        for section in &self.sections {
            let end = section.up_to_km.map_or(hectometres, |km| km * HECTOMETRES_A_KM);
            let within = end.min(hectometres) - billed;
            if within > 0 {
                sum += within * section.km;
                billed += within;
            }
        }
        // Half a unit is rounded up.
        (sum + HECTOMETRES_A_KM / 2).div_euclid(HECTOMETRES_A_KM)
    }

    fn time(&self, minutes: i64) -> i64 {
        self.minute * (minutes - self.free_minutes).max(0)
    }

    /// What is wrong with the tariff, if anything.
    pub fn check(&self) -> Result<(), &'static str> {
        let amounts = [self.base, self.minimum, self.minute, self.free_minutes];
        let mut from = 0;
        for (index, section) in self.sections.iter().enumerate() {
            let is_last = index + 1 == self.sections.len();
            match section.up_to_km {
                Some(km) if km <= from => return Err("has sections that do not follow each other"),
                Some(_) if is_last => return Err("has no section for all that follows"),
                None if !is_last => return Err("has a section after the last one"),
                Some(km) => from = km,
                None => {}
            }
        }
        if self.sections.is_empty() {
            return Err("has no sections");
        }
        if amounts.into_iter().chain(self.sections.iter().map(|it| it.km)).any(|it| it < 0) {
            return Err("has a negative amount");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::tables::RideTables;

    fn standard() -> Tariff {
        RideTables::default().prices["FR"].tiers[&crate::domain::details::RideTier::Standard]
            .clone()
    }

    #[test]
    fn the_worked_fares_come_out() {
        for (metres, seconds, surge, plain, total) in [
            (8_200, 21 * 60, 100, 1_536, 1_536),
            (1_430, 340, 150, 700, 1_050),
            (34_000, 52 * 60, 120, 4_970, 5_964),
            (8_600, 22 * 60, 100, 1_608, 1_608),
            (9_400, 27 * 60, 100, 1_812, 1_812),
            (12_000, 40 * 60, 100, 2_370, 2_370),
        ] {
            let fare = standard().fare(BilledWay::of(metres, seconds), surge);
            assert_eq!(fare.total() - fare.surge, plain, "{metres} m, {seconds} s");
            assert_eq!(fare.total(), total, "{metres} m, {seconds} s, {surge} %");
        }
    }

    #[test]
    fn each_section_has_its_price() {
        let tariff = standard();
        let parts = |hectometres| {
            let Fare { distance, .. } = tariff.fare(BilledWay { hectometres, minutes: 0 }, 100);
            distance
        };
        for (hectometres, expected) in
            [(0, 0), (1, 13), (100, 1_300), (101, 1_311), (300, 3_500), (301, 3_510), (340, 3_880)]
        {
            assert_eq!(parts(hectometres), expected, "{hectometres}");
        }
        // The first ten minutes cost nothing.
        for (minutes, expected) in [(0, 0), (10, 0), (11, 20), (21, 220)] {
            let fare = tariff.fare(BilledWay { hectometres: 0, minutes }, 100);
            assert_eq!(fare.time, expected, "{minutes} min");
        }
    }

    #[test]
    fn a_tariff_with_a_gap_is_refused() {
        standard().check().unwrap();
        let broken = |change: fn(&mut Tariff)| {
            let mut tariff = standard();
            change(&mut tariff);
            tariff.check().unwrap_err()
        };
        assert!(broken(|it| it.sections.clear()).contains("no sections"));
        assert!(broken(|it| it.sections.reverse()).contains("after the last"));
        assert!(broken(|it| it.sections[1].up_to_km = Some(10)).contains("follow each other"));
        assert!(broken(|it| it.sections[2].up_to_km = Some(99)).contains("all that follows"));
        assert!(broken(|it| it.base = -1).contains("negative"));
        assert!(broken(|it| it.sections[0].km = -1).contains("negative"));
    }
}
