//! The tables as they are where the configuration says nothing else.

use super::tables::{
    ClaimSettings, CrewStep, DriveSettings, GoodsClass, MoveRates, MoveTables, Pace, TruckClass,
};
use kit::values::money::Currency;
use vertical::price::default_countries;

/// What goods take: code, litres, kilograms, and whether other goods may stand on them.
const GOODS: [(&str, i64, i64, bool); 34] = [
    ("armchair", 700, 30, false),
    ("bed_double", 1_500, 70, false),
    ("bed_single", 900, 40, false),
    ("bicycle", 500, 15, false),
    ("bookcase", 800, 45, false),
    ("book_box", 35, 18, true),
    ("box", 50, 8, true),
    ("chair", 150, 6, false),
    ("chest_of_drawers", 500, 45, true),
    ("coffee_table", 250, 20, true),
    ("cot", 400, 20, false),
    ("desk", 700, 45, false),
    ("dining_table", 700, 45, false),
    ("dishwasher", 350, 50, true),
    ("dryer", 350, 40, true),
    ("freezer", 600, 60, false),
    ("fridge", 700, 65, false),
    ("lamp", 150, 5, false),
    ("mattress_double", 600, 35, false),
    ("mattress_single", 300, 20, false),
    ("microwave", 80, 15, true),
    ("mirror", 100, 12, false),
    ("nightstand", 120, 12, true),
    ("oven", 350, 45, true),
    ("painting", 80, 5, false),
    ("piano", 1_500, 230, false),
    ("plant", 150, 8, false),
    ("rug", 150, 15, true),
    ("sideboard", 1_000, 75, true),
    ("sofa", 1_600, 75, false),
    ("television", 200, 18, false),
    ("wardrobe", 1_800, 90, false),
    ("wardrobe_box", 300, 20, false),
    ("washing_machine", 350, 70, true),
];

/// Trucks: litres, kilograms, and whether a van does as well.
const TRUCKS: [(i64, i64, bool); 5] = [
    (8_000, 1_000, true),
    (12_000, 1_300, true),
    (20_000, 3_000, false),
    (30_000, 5_500, false),
    (50_000, 9_000, false),
];

impl Default for MoveTables {
    fn default() -> Self {
        let prices = default_countries()
            .map(|(country, currency, level)| (country.to_owned(), MoveRates::at(currency, level)));
        let goods = GOODS.map(|(code, volume_l, weight_kg, stackable)| {
            (code.to_owned(), GoodsClass { volume_l, weight_kg, stackable })
        });
        let crews = [(Some(12_000), 2), (Some(30_000), 3), (Some(60_000), 4), (None, 5)];
        let crews = crews.map(|(up_to_l, people)| CrewStep { up_to_l, people });
        Self {
            prices: prices.into(),
            goods: goods.into(),
            pace: Pace::default(),
            crews: crews.into(),
            trucks: TRUCKS.map(TruckClass::from).into(),
            max_trucks: 3,
            max_crew: 5,
            documents: ["transport_licence", "insurance"].map(str::to_owned).into(),
            drive: DriveSettings { detour_percent: 130 },
            buffer_minutes: 30,
            claims: ClaimSettings { days: 10, reserve_hours: 24, overdue_days: 14 },
            change_valid_minutes: 30,
        }
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            minutes_a_m3: 30,
            near_km: 50,
            near_kmh: 40,
            far_kmh: 70,
            min_minutes: 120,
            max_minutes: 12 * 60,
        }
    }
}

impl From<(i64, i64, bool)> for TruckClass {
    fn from((volume_l, payload_kg, is_van): (i64, i64, bool)) -> Self {
        let kinds: &[&str] = if is_van { &["van", "truck"] } else { &["truck"] };
        let kinds = kinds.iter().map(|kind| (*kind).to_owned()).collect();
        Self { kinds, volume_l, payload_kg }
    }
}

impl MoveRates {
    /// The default prices in a country where a euro buys `level` hundredths.
    fn at(currency: Currency, level: i64) -> Self {
        let [person_hour, m3, km, m3_floor, m3_carry, permit, standard, full] =
            [3_200, 900, 160, 60, 40, 4_500, 350, 900].map(|cents| cents * level / 100);
        Self {
            currency,
            person_hour,
            m3,
            km,
            m3_floor,
            m3_carry,
            free_carry_m: 20,
            permit,
            packing_eco_m3: 0,
            packing_standard_m3: standard,
            packing_full_m3: full,
            insurance_permille: 4,
            cap_percent: 110,
        }
    }
}
