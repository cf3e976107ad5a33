//! Tables: what moves cost in each country and what they take. They are data; the defaults stand beside them.

use super::{inventory::GoodsLoad, price::ceil_div};
use kit::values::money::Currency;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use vertical::{Place, price::Asset};

/// All that is data: the section `moving` of the configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MoveTables {
    /// Prices by country, as ISO 3166-1 alpha-2.
    pub prices: BTreeMap<String, MoveRates>,
    /// What goods take, by code.
    pub goods: BTreeMap<String, GoodsClass>,
    /// How long the work takes.
    pub pace: Pace,
    /// How many people come, by what there is to move.
    pub crews: Vec<CrewStep>,
    /// The trucks by size, the smallest first.
    pub trucks: Vec<TruckClass>,
    /// The most trucks of one move.
    pub max_trucks: i64,
    /// The most people of one move.
    pub max_crew: i64,
    /// Documents that every move asks for.
    pub documents: Vec<String>,
    /// How ways are estimated.
    pub drive: DriveSettings,
    /// Minutes kept free on each side of a move.
    pub buffer_minutes: i64,
    /// How claims are taken.
    pub claims: ClaimSettings,
    /// How long the price of other work holds, in minutes.
    pub change_valid_minutes: i64,
}

/// What moves cost in one country. All amounts are minor units of the currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MoveRates {
    pub currency: Currency,
    /// An hour of one person.
    pub person_hour: i64,
    /// A cubic metre that is moved.
    pub m3: i64,
    /// A kilometre between the homes.
    pub km: i64,
    /// A cubic metre on a floor that is climbed without a lift.
    pub m3_floor: i64,
    /// A cubic metre that is carried ten metres further.
    pub m3_carry: i64,
    /// Metres between truck and door that cost nothing more.
    pub free_carry_m: i64,
    /// A permit to keep the street free.
    pub permit: i64,
    /// A cubic metre that the customer packs.
    pub packing_eco_m3: i64,
    /// A cubic metre of which the crew packs what is fragile.
    pub packing_standard_m3: i64,
    /// A cubic metre that the crew packs.
    pub packing_full_m3: i64,
    /// The insurance, in thousandths of the declared value.
    pub insurance_permille: i64,
    /// The most that a customer pays at the door for an estimate, in percent of it.
    pub cap_percent: i64,
}

/// What goods of one code take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoodsClass {
    pub volume_l: i64,
    pub weight_kg: i64,
    /// Whether other goods may stand on them.
    pub stackable: bool,
}

/// How long the work takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pace {
    /// Minutes in which one person moves a cubic metre.
    pub minutes_a_m3: i64,
    /// Ways up to so many kilometres are driven at the slower speed.
    pub near_km: i64,
    pub near_kmh: i64,
    pub far_kmh: i64,
    /// The least that is billed.
    pub min_minutes: i64,
    /// The longest move.
    pub max_minutes: i64,
}

/// How many people come up to a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrewStep {
    /// Up to so many litres; absent for everything beyond.
    pub up_to_l: Option<i64>,
    pub people: i64,
}

/// Trucks of one size.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TruckClass {
    /// Kinds of vehicle that do.
    pub kinds: Vec<String>,
    pub volume_l: i64,
    pub payload_kg: i64,
}

/// How ways are estimated where there is no map of roads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DriveSettings {
    /// How much longer roads are than the line, in percent.
    pub detour_percent: i64,
}

/// How claims are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClaimSettings {
    /// Days after the delivery for which claims are taken.
    pub days: i64,
    /// Hours for which a customer who was not there adds reserves.
    pub reserve_hours: i64,
    /// Days after which operators look at a claim that is still open.
    pub overdue_days: i64,
}

impl MoveTables {
    /// How many people come for so many litres.
    pub fn crew_for(&self, volume_l: i64) -> i64 {
        let mut steps = self.crews.iter();
        let step = steps.find(|step| step.up_to_l.is_none_or(|most| volume_l <= most));
        step.map_or(self.max_crew + 1, |step| step.people)
    }

    /// The trucks for a load: the fewest, and of those the smallest. A truck is not filled to the last litre, and on goods
    /// that bear nothing there is air. None where no number of trucks is enough.
    pub fn choose_trucks(&self, load: GoodsLoad) -> Option<Asset> {
        let space_l = ceil_div(105 * (4 * load.stackable_l + 5 * load.other_l), 400);
        let sizes = |count: i64| self.trucks.iter().map(move |truck| (count, truck));
        let (count, truck) = (1..=self.max_trucks).flat_map(sizes).find(|(count, truck)| {
            truck.volume_l * count >= space_l && truck.payload_kg * count >= load.weight_kg
        })?;
        Some(Asset {
            kinds: truck.kinds.clone(),
            seats: 0,
            volume_l: i32::try_from(truck.volume_l).unwrap_or(i32::MAX),
            payload_kg: i32::try_from(ceil_div(load.weight_kg, count)).unwrap_or(i32::MAX),
            count: i32::try_from(count).unwrap_or(i32::MAX),
        })
    }

    /// What is wrong with the tables, if anything.
    pub fn check(&self) -> Result<(), String> {
        for (country, rates) in &self.prices {
            rates.check().map_err(|problem| format!("prices.{country} {problem}"))?;
        }
        for (code, class) in &self.goods {
            if class.volume_l < 1 || class.weight_kg < 0 {
                return Err(format!("goods.{code} takes no room, or weighs less than nothing"));
            }
        }
        let Pace { minutes_a_m3, near_kmh, far_kmh, min_minutes, max_minutes, .. } = self.pace;
        if [minutes_a_m3, near_kmh, far_kmh].iter().any(|number| *number < 1) {
            return Err("pace must have 1 minute and 1 km/h at least".to_owned());
        }
        if !(0..=max_minutes).contains(&min_minutes) {
            return Err("pace.min_minutes must be 0 to pace.max_minutes".to_owned());
        }
        if self.crews.iter().any(|step| step.people < 1) {
            return Err("crews must have 1 person at least".to_owned());
        }
        if self.trucks.windows(2).any(|pair| pair[0].volume_l > pair[1].volume_l) {
            return Err("trucks must begin with the smallest".to_owned());
        }
        if self.drive.detour_percent < 100 {
            return Err("drive.detour_percent must be 100 at least".to_owned());
        }
        let ClaimSettings { days, reserve_hours, overdue_days } = self.claims;
        if [days, reserve_hours, overdue_days].iter().any(|number| *number < 0) {
            return Err("claims has a negative time".to_owned());
        }
        Ok(())
    }
}

impl MoveRates {
    fn check(&self) -> Result<(), String> {
        let amounts = [
            self.person_hour,
            self.m3,
            self.km,
            self.m3_floor,
            self.m3_carry,
            self.free_carry_m,
            self.permit,
            self.packing_eco_m3,
            self.packing_standard_m3,
            self.packing_full_m3,
            self.insurance_permille,
        ];
        if amounts.iter().any(|amount| *amount < 0) {
            return Err("has a negative amount".to_owned());
        }
        if !(100..=200).contains(&self.cap_percent) {
            return Err("cap_percent must be 100 to 200".to_owned());
        }
        Ok(())
    }
}

impl DriveSettings {
    /// The metres of the way between two places: the great circle, longer by the detour.
    #[expect(clippy::cast_possible_truncation, reason = "no way on Earth is that long")]
    #[expect(clippy::cast_precision_loss, reason = "settings are small")]
    pub fn metres_between(&self, from: &Place, to: &Place) -> i64 {
        (from.great_circle_metres_to(to) * self.detour_percent as f64 / 100.0).round() as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(change: fn(&mut MoveTables)) -> String {
        let mut tables = MoveTables::default();
        change(&mut tables);
        tables.check().unwrap_err()
    }

    #[test]
    fn the_default_tables_are_whole_and_broken_ones_say_where() {
        MoveTables::default().check().unwrap();
        for (problem, place) in [
            (broken(|it| it.prices.get_mut("FR").unwrap().km = -1), "prices.FR"),
            (broken(|it| it.prices.get_mut("FR").unwrap().cap_percent = 99), "cap_percent"),
            (broken(|it| it.goods.get_mut("sofa").unwrap().volume_l = 0), "goods.sofa"),
            (broken(|it| it.pace.near_kmh = 0), "pace"),
            (broken(|it| it.pace.min_minutes = 721), "pace.min_minutes"),
            (broken(|it| it.crews[0].people = 0), "crews"),
            (broken(|it| it.trucks.reverse()), "trucks"),
            (broken(|it| it.drive.detour_percent = 99), "drive"),
            (broken(|it| it.claims.days = -1), "claims"),
        ] {
            assert!(problem.contains(place), "{problem}");
        }
    }

    #[test]
    fn the_fewest_and_smallest_trucks_are_chosen() {
        let tables = MoveTables::default();
        let stacked = |cubic_metres: i64| GoodsLoad {
            stackable_l: cubic_metres * 1_000,
            ..GoodsLoad::default()
        };
        for (load, volume_l, count) in [
            (stacked(0), 8_000, 1),
            (GoodsLoad { stackable_l: 7_619, ..GoodsLoad::default() }, 8_000, 1),
            (GoodsLoad { stackable_l: 7_620, ..GoodsLoad::default() }, 12_000, 1),
            (stacked(28), 30_000, 1),
            (stacked(47), 50_000, 1),
            (stacked(48), 30_000, 2),
            (stacked(90), 50_000, 2),
            // A quarter more room for what bears nothing.
            (GoodsLoad { other_l: 15_000, ..GoodsLoad::default() }, 20_000, 1),
            (GoodsLoad { other_l: 15_300, ..GoodsLoad::default() }, 30_000, 1),
            // The weight of a light truck is soon reached.
            (GoodsLoad { stackable_l: 4_000, weight_kg: 2_000, ..GoodsLoad::default() }, 20_000, 1),
            (
                GoodsLoad { stackable_l: 4_000, weight_kg: 20_000, ..GoodsLoad::default() },
                50_000,
                3,
            ),
        ] {
            let truck = tables.choose_trucks(load).unwrap();
            assert_eq!((i64::from(truck.volume_l), truck.count), (volume_l, count), "{load:?}");
        }
        assert_eq!(tables.choose_trucks(stacked(200)), None);
    }

    #[test]
    fn more_goods_take_more_people() {
        let tables = MoveTables::default();
        for (litres, people) in
            [(0, 2), (12_000, 2), (12_001, 3), (30_000, 3), (30_001, 4), (60_000, 4), (60_001, 5)]
        {
            assert_eq!(tables.crew_for(litres), people, "{litres}");
        }
    }
}
